r"""Chat rows, as TRL's SFTTrainer reads them, each with the id for `curator why`.

{"messages": [{"role": "user", "content": "How many …"}, {"role": "assistant", "content": "…"}],
 "id": "5f0c…", "source": "data/CoT/gsm_train.json"}

A question without a solution has only the user's turn, and its gold answer in `gold`.
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
            messages = [{"role": "user", "content": row["instruction"]}]
            line = {"messages": messages, "id": row["id"].hex(), "source": row["release_as"]}
            if row["text"]:
                messages.append({"role": "assistant", "content": row["text"]})
            else:  # a question without a solution
                line["gold"] = row["gold"]
            out.write(_encode(line).encode() + b"\n")
            rows += 1
    return rows
