r"""Chat rows, as TRL's SFTTrainer reads them, each with the id for `curator why`.

{"messages": [{"role": "user", "content": "How many …"}, {"role": "assistant", "content": "…"}],
 "id": "5f0c…", "source": "data/CoT/gsm_train.json"}

A question without a solution has only the user's turn, and its gold answer in `gold`. A thought
that is written apart is the `reasoning_content` of the assistant's first turn. Programs of kind
TIR are `tool_calls` of the assistant and their outputs turns of role `tool`; `tools` has the schema
of the tool.
"""

from collections.abc import Iterator
from json import JSONEncoder
from typing import TYPE_CHECKING, Any, BinaryIO

from curator.core.tool_messages import TOOLS, write_messages
from curator.release.formats.format import THOUGHT

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("id", "release_as", "kind", "instruction", "text", "gold")
"""The columns that this format writes, besides a thought."""

_encode = JSONEncoder(ensure_ascii=False).encode


def _columns(batch: "pa.RecordBatch") -> list[str]:
    return [*COLUMNS, *([THOUGHT] if THOUGHT in batch.schema.names else [])]


def _answer(kind: str, text: str) -> list[dict[str, Any]]:
    """Return the turns behind the question."""
    if kind == "TIR":
        return write_messages(text)
    return [{"role": "assistant", "content": text}]


def lines(batches: "Iterator[pa.RecordBatch]", out: BinaryIO) -> int:
    """Write JSON Lines in UTF-8."""
    rows = 0
    for batch in batches:
        for row in batch.select(_columns(batch)).to_pylist():
            messages = [{"role": "user", "content": row["instruction"]}]
            line: dict[str, Any] = {
                "messages": messages,
                "id": row["id"].hex(),
                "source": row["release_as"],
            }
            if row["text"]:
                answer = _answer(row["kind"], row["text"])
                if row.get(THOUGHT):
                    answer[0]["reasoning_content"] = row[THOUGHT]
                messages += answer
                if len(answer) > 1:
                    line["tools"] = TOOLS
            else:  # a question without a solution
                line["gold"] = row["gold"]
            out.write(_encode(line).encode() + b"\n")
            rows += 1
    return rows
