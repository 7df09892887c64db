"""Where an export writes the thoughts of its rows.

In: batches of rows whose `text` may begin with a thought (`curator.core.thoughts`). Out: the same
rows with the thought within the text, without it, or in a column `thought` of its own.
"""

from collections.abc import Iterator

import pyarrow as pa

from curator.core.thoughts import read_trace
from curator.core.turns import hide_blocks
from curator.release.formats.format import THOUGHT, Thoughts


def place_thoughts(
    batches: Iterator[pa.RecordBatch], thoughts: Thoughts
) -> Iterator[pa.RecordBatch]:
    """Yield the rows with their thoughts where `thoughts` says, see `THOUGHTS`.

    A text without exactly one closed thought before its answer stays whole: the check `trace` finds
    those. So does a program.
    """
    if thoughts == "keep":
        yield from batches
        return
    for batch in batches:
        kinds, texts = (batch.column(name).to_pylist() for name in ("kind", "text"))
        parts = [split_text(*each) for each in zip(kinds, texts, strict=True)]
        answers = pa.array([answer for _, answer in parts], pa.string())
        batch = batch.set_column(batch.schema.get_field_index("text"), "text", answers)
        if thoughts == "apart":
            batch = batch.append_column(
                THOUGHT, pa.array([first for first, _ in parts], pa.string())
            )
        yield batch


def split_text(kind: str, text: str | None) -> tuple[str, str]:
    """Return the thought and the answer of a row.

    Marks that a program contains or prints do not count: they would cut the solution there.
    """
    text = text or ""
    trace = read_trace(hide_blocks(text) if kind == "TIR" else text) if kind != "PoT" else None
    if trace is None or trace.fault:
        return "", text
    return text[slice(*trace.thought)], text[slice(*trace.answer)]
