"""Screen `similar_solutions`: limits the solutions of a question that differ little.

In: rows. Out: verdicts `similar solution` with the row that was kept and the Jaccard index of the
3-grams of both texts. Each row that is named as kept passes this screen. Programs and texts are
compared alike: by words, numbers and operators.
"""

from collections.abc import Iterable, Iterator

import pyarrow as pa
from pydantic import Field

from curator.core.section import Section
from curator.screens import normalize, similarity
from curator.screens.preference import (
    ORDER,
    Comparison,
    Keep,
    open_keys,
    reject_similar,
    select_rows,
)
from curator.screens.rows import Rows
from curator.screens.screen import Keys, Screen
from datastore.engine import Engine

NAME = "similar_solutions"
VERSION = 3
REASON = "similar solution"


class SimilarSolutions(Section):
    """Limits the solutions per question that differ little."""

    threshold: float = Field(default=0.8, ge=similarity.LOWEST, le=1)
    """Minimum share of 3-grams that two solutions have in common (their Jaccard index), counted in
    words, numbers and operators."""
    most: int = Field(default=1, ge=1, le=100)
    """Maximum number of similar solutions per question."""
    keep: Keep = "first"
    """Which solutions to keep: those of the earliest subset, the `longest`, the `shortest`, or
    those with the `best evidence` level. The first subset, then the id decides between equals."""


def select_keys(source: str, **parameters: object) -> str:
    """SELECT of (id, question, length, hashes): the hashed tokens of each text."""
    stem = normalize.stem(normalize.fold("instruction"))
    columns = f"id, md5_number_lower({normalize.key(stem)}) AS question, length(text) AS length"
    return similarity.select_tokens(source, columns, normalize.fold("text"))


def convert_keys(
    batches: Iterable[pa.RecordBatch], threshold: float = 0.8, **parameters: object
) -> Iterator[pa.RecordBatch]:
    """Yield the keys in the layout `similarity.KEYS`."""
    return similarity.add_signatures(batches, threshold)


def reject_similar_solutions(
    engine: Engine, rows: Rows, threshold: float = 0.8, most: int = 1, keep: Keep = "first"
) -> Iterator[pa.RecordBatch]:
    """Yield verdicts in the layout `VERDICTS`, by row id.

    A row is rejected if `most` preferred rows of its question that are not rejected are similar.
    """
    keys = open_keys(engine, rows, select_keys(f"({rows.rows})"), threshold)
    engine.sql(f"""
        CREATE TABLE items AS
        SELECT (row_number() OVER (ORDER BY {ORDER[keep]}) - 1)::INTEGER AS item,
            id, question, size, grams
        FROM ({select_rows(rows, keep)}) AS row
        JOIN (SELECT DISTINCT id, question, length, size, grams FROM {keys}) AS key USING (id)
    """)
    comparison = Comparison(
        keys,
        f"SELECT id, text FROM ({rows.rows})",
        similarity.Likeness(threshold, normalize.fold("text"), most),
        "SELECT item, id, true AS named FROM items",
    )
    yield from reject_similar(engine, comparison, (NAME, VERSION, REASON))


SCREEN = Screen(
    VERSION,
    "Limit the solutions per question that differ little.",
    reject_similar_solutions,
    parameters=SimilarSolutions,
    keys=Keys(
        "rationales",
        select_keys,
        similarity.KEYS,
        parameters=("threshold",),
        convert=convert_keys,
    ),
    fills_memory=True,
)
