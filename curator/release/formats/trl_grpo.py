r"""Prompts and golds for TRL's GRPOTrainer (TRL 1.16.0) and `curator.rewards.answer_reward`.

{"prompt": [{"role": "user", "content": "How many …"}], "solution": "1,000", "choices": [],
 "ability": "math", "field": "Algebra", "level": "Level 4", "evidence_level": "executed",
 "id": "5f0c…", "source": "data/CoT/gsm_train.json"}

TRL passes all columns but the prompt to the reward function. With choices, the gold is a letter.
`field` and `level` are what upstream states, empty if it states none.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from curator.release.formats.format import write_lines

if TYPE_CHECKING:
    import pyarrow as pa


def lines(batches: "Iterator[pa.RecordBatch]", out: BinaryIO) -> int:
    """Write JSON Lines in UTF-8."""
    return write_lines(batches, out, _line)


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "prompt": [{"role": "user", "content": row["instruction"]}],
        "solution": row["gold"],
        "choices": row["choices"],
        "ability": "math",
        "field": row["field"],
        "level": row["level"],
        "evidence_level": row["evidence_level"],
        "id": row["id"].hex(),
        "source": row["release_as"],
    }
