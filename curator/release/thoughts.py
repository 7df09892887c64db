"""Where an export writes the thoughts of its rows.

In: batches of rows whose `text` may begin with a thought (`curator.core.thoughts`). Out: the same
rows with the thought within the text, without it, or in a column `thought` of its own.
"""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from curator.core.thoughts import find_marks, split_thought
from curator.core.turns import hide_blocks
from curator.release.attempts import Pairing
from curator.release.formats.format import THOUGHT, Thoughts

NOT_DROPPED = "thought cannot be dropped"
"""Why a right attempt is in no pair."""


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
        parts = [split_thought(text or "", kind) for kind, text in zip(kinds, texts, strict=True)]
        answers = pa.array([answer for _, answer in parts], pa.string())
        batch = batch.set_column(batch.schema.get_field_index("text"), "text", answers)
        if thoughts == "apart":
            batch = batch.append_column(
                THOUGHT, pa.array([first for first, _ in parts], pa.string())
            )
        yield batch


def leave_out_thoughts(
    batches: Iterator[pa.RecordBatch], pairing: Pairing
) -> Iterator[pa.RecordBatch]:
    """Yield the attempts without a thought; the others are counted in `pairing`.

    For attempts whose thoughts are dropped: one that stays whole, since nothing closes it, would
    tell a model which side of a pair is wrong.
    """
    for batch in batches:
        rows = zip(*(batch.column(name).to_pylist() for name in ("kind", "text")), strict=True)
        faulty = pa.array([_has_thought(*each) for each in rows], pa.bool_())
        right = pc.sum(pc.and_(faulty, batch.column("is_right"))).as_py() or 0
        pairing.left_out.update({NOT_DROPPED: right} if right else {})
        pairing.wrong += (pc.sum(faulty).as_py() or 0) - right
        yield batch.filter(pc.invert(faulty))


def _has_thought(kind: str, text: str | None) -> bool:
    text = text or ""
    return kind != "PoT" and any(find_marks(hide_blocks(text) if kind == "TIR" else text))
