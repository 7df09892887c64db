r"""Chat rows, as TRL's SFTTrainer reads them, each with the id for `curator why`.

{"messages": [{"role": "user", "content": "How many …"}, {"role": "assistant", "content": "…"}],
 "id": "5f0c…", "source": "data/CoT/gsm_train.json"}

A question without a solution has only the user's turn, and its gold answer in `gold`. A thought
that is written apart is the `reasoning_content` of the assistant's turn.
"""

from collections.abc import Iterator
from json import JSONEncoder
from typing import TYPE_CHECKING, BinaryIO

from curator.release.formats.format import THOUGHT

if TYPE_CHECKING:
    import pyarrow as pa

_encode = JSONEncoder(ensure_ascii=False).encode


def _columns(batch: "pa.RecordBatch") -> list[str]:
    names = ["id", "release_as", "instruction", "text", "gold"]
    return [*names, THOUGHT] if THOUGHT in batch.schema.names else names


def lines(batches: "Iterator[pa.RecordBatch]", out: BinaryIO) -> int:
    """Write JSON Lines in UTF-8."""
    rows = 0
    for batch in batches:
        for row in batch.select(_columns(batch)).to_pylist():
            messages = [{"role": "user", "content": row["instruction"]}]
            line = {"messages": messages, "id": row["id"].hex(), "source": row["release_as"]}
            if row["text"]:
                thought = {"reasoning_content": row[THOUGHT]} if row.get(THOUGHT) else {}
                messages.append({"role": "assistant", "content": row["text"], **thought})
            else:  # a question without a solution
                line["gold"] = row["gold"]
            out.write(_encode(line).encode() + b"\n")
            rows += 1
    return rows
