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
from curator.screens.preference import ORDER, Keep, select_rows, verdicts_of
from curator.screens.rows import Rows
from curator.screens.screen import Keys, Screen
from datastore.engine import Engine

NAME = "similar_solutions"
VERSION = 2


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
    keys = rows.keys
    if not keys:
        batches = engine.batches(select_keys(f"({rows.rows})"), size=similarity.BATCH)
        keys = engine.create_view("keys", convert_keys(batches, threshold), similarity.KEYS)
    engine.sql(f"""
        CREATE TABLE items AS
        SELECT (row_number() OVER (ORDER BY {ORDER[keep]}) - 1)::INTEGER AS item,
            id, question, size, grams
        FROM ({select_rows(rows, keep)}) AS row
        JOIN (SELECT DISTINCT id, question, length, size, grams FROM {keys}) AS key USING (id)
    """)
    texts = f"SELECT id, text FROM ({rows.rows})"
    likeness = similarity.Likeness(threshold, normalize.fold("text"), most)
    similarity.find_similar(engine, keys, texts, likeness)
    query = """
        SELECT items.id, kept.id AS kept_id, index
        FROM matches JOIN items USING (item) JOIN items AS kept ON kept.item = matches.kept
        ORDER BY items.id
    """
    verdict = (NAME, VERSION, "similar solution")
    yield from verdicts_of(engine, query, verdict, likeness.method)
    engine.drop("keys", "items", "matches")


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
)
