r"""Prompt and completion as plain texts; TRL's SFTTrainer masks the prompt from the loss.

{"prompt": "How many …\n", "completion": "…", "id": "5f0c…", "source": "data/CoT/gsm_train.json"}

A question without a solution has `gold` instead of `completion`. SFTTrainer joins the two texts as
they are and takes as completion what follows the tokens that `prompt` and the joined text have in
common. So the prompt ends with one newline, and the completion begins with no white space: then the
tokens of the prompt alone are the first tokens of both together. A newline at the start of the
completion would merge with the prompt's last character in the vocabularies of Llama 3 and Qwen, a
second one with the first in that of GPT-2.
"""

from collections.abc import Iterator
from json import JSONEncoder
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import pyarrow as pa

SEPARATOR = "\n"
"""End of every prompt. A model that was trained on these rows needs it after its question, too."""

COLUMNS = ("id", "release_as", "instruction", "text", "gold")
"""The columns that this format writes."""

_encode = JSONEncoder(ensure_ascii=False).encode


def lines(batches: "Iterator[pa.RecordBatch]", out: BinaryIO) -> int:
    """Write JSON Lines in UTF-8."""
    rows = 0
    for batch in batches:
        for row in batch.select(list(COLUMNS)).to_pylist():
            text = row["text"].lstrip()
            line = {
                "prompt": row["instruction"].rstrip() + SEPARATOR,
                # A question without a solution has its gold answer instead.
                **({"completion": text} if text else {"gold": row["gold"]}),
                "id": row["id"].hex(),
                "source": row["release_as"],
            }
            out.write(_encode(line).encode() + b"\n")
            rows += 1
    return rows
