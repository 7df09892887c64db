"""Which of several similar texts a screen keeps, and the verdicts on the others.

In: rows with their evidence levels, and the table of similar texts. Out: SQL, and verdicts that
name the row that was kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from curator.core.arrow import VERDICTS, to_batches
from curator.core.model import EVIDENCE_LEVELS, Verdict
from curator.screens import similarity
from curator.screens.meaning import Meaning
from curator.screens.rows import Rows
from datastore.engine import Engine, literal

Keep = Literal["first", "longest", "shortest", "best evidence"]
"""Which of two texts to keep; `first` is the one in the earliest subset, then of the smallest id.
It decides between equals, too."""
ORDER: dict[Keep, str] = {
    "first": "first",
    "longest": "length DESC, first",
    "shortest": "length, first",
    "best evidence": "level, first",
}
"""ORDER BY terms over the columns `level`, `length` and `first`."""


def select_rows(rows: Rows, keep: Keep) -> str:
    """SELECT of (first, id, problem_id, level).

    `first` numbers the rows by subset, then id; the level of stronger evidence is smaller.
    """
    levels = ", ".join(map(literal, EVIDENCE_LEVELS))
    position = f"coalesce(list_position([{levels}], evidence_level), {len(EVIDENCE_LEVELS):d})"
    if keep != "best evidence" or not rows.levels:
        levels_of, position = "", "0"
    else:
        levels_of = f"LEFT JOIN ({rows.levels}) AS levels ON levels.row_id = id"
    return f"""
        SELECT row_number() OVER (ORDER BY place, id)::INTEGER AS first, id, problem_id,
            {position} AS level
        FROM (SELECT id, place, problem_id FROM ({rows.rows})) {levels_of}
    """


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a screen compares, once the table `items` of `similarity.find_similar` exists."""

    keys: str
    texts: str
    likeness: similarity.Likeness
    rows: str
    """A SELECT of (item, id, named): the rows of each item, and which of them verdicts name as
    kept."""
    meaning: Meaning | None = None


def reject_similar(
    engine: Engine, comparison: Comparison, verdict: tuple[str, int, str]
) -> Iterator[pa.RecordBatch]:
    """Yield the verdicts on rows of items that are similar to a preferred one, by row id.

    `verdict` is the name of the screen, its version and the reason. The table `items` is dropped.
    """
    similarity.find_similar(
        engine, comparison.keys, comparison.texts, comparison.likeness, comparison.meaning
    )
    query = f"""
        WITH member AS ({comparison.rows})
        SELECT member.id, kept.id AS kept_id, index, method
        FROM matches JOIN member USING (item)
        JOIN member AS kept ON kept.item = matches.kept AND kept.named
        ORDER BY member.id
    """
    screen, version, reason = verdict
    verdicts = (
        Verdict(
            row_id,
            screen,
            version,
            "failed",
            reason,
            {"kept": kept.hex(), "index": f"{index:.4f}", "method": method},
        )
        for batch in engine.batches(query)
        for row_id, kept, index, method in zip(*(c.to_pylist() for c in batch.columns), strict=True)
    )
    yield from to_batches(verdicts, VERDICTS)
    engine.drop("keys", "items", "matches")


def open_keys(engine: Engine, rows: Rows, select: str, threshold: float) -> str:
    """Return a FROM item with the keys of all rows: those of the shards, or those of `select`."""
    if rows.keys:
        return rows.keys
    batches = engine.batches(select, size=similarity.BATCH)
    keys = similarity.add_signatures(batches, threshold)
    return engine.create_view("keys", keys, similarity.KEYS)
