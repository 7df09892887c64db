r"""Prompts and golds for open-instruct's GRPO (allenai/open-instruct, commit 29e5ad1).

{"messages": [{"role": "user", "content": "How many …"}], "ground_truth": "1,000",
 "dataset": "math", "choices": [], "ability": "math", "field": "Algebra", "level": "Level 4",
 "evidence_level": "executed", "id": "5f0c…", "source": "data/CoT/gsm_train.json"}

`rlvr_tokenize_v2` of its `dataset_transformation.py` reads the first three columns; `dataset` names
the verifier that compares a completion with the gold, here its own for mathematics.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from curator.release.formats.format import write_lines

if TYPE_CHECKING:
    import pyarrow as pa

VERIFIER = "math"


def lines(batches: "Iterator[pa.RecordBatch]", out: BinaryIO) -> int:
    """Write JSON Lines in UTF-8."""
    return write_lines(batches, out, _line)


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "messages": [{"role": "user", "content": row["instruction"]}],
        "ground_truth": row["gold"],
        "dataset": VERIFIER,
        "choices": row["choices"],
        "ability": "math",
        "field": row["field"],
        "level": row["level"],
        "evidence_level": row["evidence_level"],
        "id": row["id"].hex(),
        "source": row["release_as"],
    }
