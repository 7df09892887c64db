"""Releases: a version's rows written to one file, in the formats that trainers and the Hub read.

In: an engine and a SELECT of the columns `COLUMNS`, in the order to write.
Out: one file, complete or not there at all; the same rows give the same bytes.
"""

from curator.release.formats import alpaca, messages, parquet, prompt_completion
from curator.release.formats.format import COLUMNS, Format

FORMATS: dict[str, Format] = {
    "alpaca": Format(".json", "MathInstruct's own: source, output, instruction", alpaca.array),
    "alpaca-jsonl": Format(".jsonl", "the same three keys, one row a line", alpaca.lines),
    "messages": Format(".jsonl", "chat: a user and an assistant message", messages.lines),
    "prompt-completion": Format(".jsonl", "prompt and completion", prompt_completion.lines),
    "parquet": Format(".parquet", "all columns, question and gold answer too", parquet.table),
}

__all__ = ["COLUMNS", "FORMATS", "Format"]
