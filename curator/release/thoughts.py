"""Where an export writes the thoughts of its rows.

In: batches of rows whose `text` may begin with a thought (`curator.core.thoughts`). Out: the same
rows with the thought within the text, without it, or in a column `thought` of its own.
"""

from collections.abc import Iterator

import pyarrow as pa

from curator.core.thoughts import split_thought
from curator.release.formats.format import THOUGHT, Thoughts


def place_thoughts(
    batches: Iterator[pa.RecordBatch], thoughts: Thoughts
) -> Iterator[pa.RecordBatch]:
    """Yield the rows with their thoughts where `thoughts` says, see `THOUGHTS`.

    A text without exactly one closed thought before its answer stays whole: the check `trace` finds
    those.
    """
    if thoughts == "keep":
        yield from batches
        return
    for batch in batches:
        parts = [split_thought(text or "") for text in batch.column("text").to_pylist()]
        answers = pa.array([answer for _, answer in parts], pa.string())
        batch = batch.set_column(batch.schema.get_field_index("text"), "text", answers)
        if thoughts == "apart":
            batch = batch.append_column(
                THOUGHT, pa.array([first for first, _ in parts], pa.string())
            )
        yield batch
