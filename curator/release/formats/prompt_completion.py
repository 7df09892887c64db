r"""Prompt and completion as plain texts; TRL's SFTTrainer masks the prompt from the loss.

{"prompt": "How many …", "completion": "…", "id": "5f0c…", "source": "data/CoT/gsm_train.json"}

A question without a solution has `gold` instead of `completion`.
"""

from collections.abc import Iterator
from json import JSONEncoder
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import pyarrow as pa

_encode = JSONEncoder(ensure_ascii=False).encode


def lines(batches: "Iterator[pa.RecordBatch]", out: BinaryIO) -> int:
    """Write JSON Lines in UTF-8."""
    rows = 0
    for batch in batches:
        for row in batch.select(["id", "release_as", "instruction", "text", "gold"]).to_pylist():
            line = {
                "prompt": row["instruction"],
                # A question without a solution has its gold answer instead.
                **({"completion": row["text"]} if row["text"] else {"gold": row["gold"]}),
                "id": row["id"].hex(),
                "source": row["release_as"],
            }
            out.write(_encode(line).encode() + b"\n")
            rows += 1
    return rows
