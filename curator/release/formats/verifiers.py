r"""Prompts and golds as the task data of verifiers (package verifiers 0.4.0, `vf.TaskData`).

{"id": "5f0c…", "prompt": "How many …", "answer": "1,000", "choices": [], "ability": "math",
 "field": "Algebra", "level": "Level 4", "evidence_level": "executed",
 "source": "data/CoT/gsm_train.json"}

`id` and `prompt` are fields of `TaskData`; a taskset declares the others in a subclass.
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
        "id": row["id"].hex(),
        "prompt": row["instruction"],
        "answer": row["gold"],
        "choices": row["choices"],
        "ability": "math",
        "field": row["field"],
        "level": row["level"],
        "evidence_level": row["evidence_level"],
        "source": row["release_as"],
    }
