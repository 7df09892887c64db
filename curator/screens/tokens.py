"""Screen `tokens`: rejects rows with too many or too few tokens of a tokenizer.

In: rows, a `tokenizer.json`, the limits. Out: verdicts `too many tokens` and `too few tokens` with
the number. Instruction and solution are counted one by one, without special tokens and without the
words of a prompt template, which trainers add.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Self

import pyarrow as pa
import pydantic
from pydantic import Field

from curator.core.arrow import VERDICTS, to_batches
from curator.core.model import Verdict
from curator.core.section import Mark, Section
from curator.core.tokenizer import PATHS, TokenizerFile, batch_counter
from curator.screens.rows import Rows
from curator.screens.screen import Screen
from datastore.engine import Engine

NAME = "tokens"
VERSION = 1
BATCH = 64
"""Number of rows that are tokenized together: a text may have a million characters."""


class Tokens(Section):
    """Limits the tokens of a row: instruction and solution, without special tokens."""

    tokenizer: Annotated[str, Mark.HUB_ID_OR_PATH]
    """A `tokenizer.json`, or a folder or id on the Hub that has one. A path begins with a dot, then
    it is relative to the recipe file, or with a slash."""
    revision: str = ""
    """Commit of the tokenizer on the Hub: 40 hexadecimal digits. Required for an id."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Maximum number of tokens per row. Default: no maximum."""
    min_tokens: int | None = Field(default=None, ge=1)
    """Minimum number of tokens per row. Default: no minimum."""

    @pydantic.model_validator(mode="after")
    def _check(self) -> Self:
        if self.max_tokens is None and self.min_tokens is None:
            raise ValueError("expected max_tokens or min_tokens")
        if self.max_tokens is not None and (self.min_tokens or 0) > self.max_tokens:
            raise ValueError("min_tokens is greater than max_tokens, which no row can satisfy")
        if not self.tokenizer.startswith(PATHS) and not re.fullmatch("[0-9a-f]{40}", self.revision):
            raise ValueError(
                f"a tokenizer on the Hub needs its revision, a full commit of 40 digits; write a "
                f"path as ./{self.tokenizer}"
            )
        return self


def reject_by_tokens(
    engine: Engine,
    rows: Rows,
    tokenizer: TokenizerFile,
    max_tokens: int | None = None,
    min_tokens: int | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield verdicts in the layout `VERDICTS`, by row id, on rows outside the limits."""
    count = batch_counter(tokenizer.path)
    shared = {"tokenizer": tokenizer.name, "sha256": tokenizer.sha256[:16]}

    def verdicts() -> Iterator[Verdict]:
        query = f"SELECT id, instruction, text FROM ({rows.rows}) ORDER BY id"
        for batch in engine.batches(query, size=BATCH):
            ids, *texts = (column.to_pylist() for column in batch.columns)
            instructions, solutions = (count([text or "" for text in each]) for each in texts)
            for row_id, first, second in zip(ids, instructions, solutions, strict=True):
                tokens = first + second
                evidence = {"tokens": str(tokens), **shared}
                if max_tokens is not None and tokens > max_tokens:
                    evidence["max_tokens"] = str(max_tokens)
                    yield Verdict(row_id, NAME, VERSION, "failed", "too many tokens", evidence)
                elif min_tokens is not None and tokens < min_tokens:
                    evidence["min_tokens"] = str(min_tokens)
                    yield Verdict(row_id, NAME, VERSION, "failed", "too few tokens", evidence)

    yield from to_batches(verdicts(), VERDICTS)


SCREEN = Screen(
    VERSION,
    "Reject rows with more or fewer tokens than the limits, by a tokenizer.",
    reject_by_tokens,
    parameters=Tokens,
    needs=frozenset({"tokenizer"}),
)
