"""Screen `near_duplicates`: of questions that differ in few words, keeps the rows of one.

In: rows. Out: verdicts `near duplicate` with the row that was kept and the Jaccard index of the
3-grams of both questions. Each row that is named as kept passes this screen. Rows with the same
normalised question are one question; `cap` limits them. Not covered: paraphrases and translations.
"""

from collections.abc import Iterable, Iterator
from typing import Literal

import pyarrow as pa
from pydantic import Field

from curator.core.section import Section
from curator.screens import normalize, similarity
from curator.screens.preference import ORDER, Keep, select_rows, verdicts_of
from curator.screens.rows import Rows
from curator.screens.screen import Keys, Screen
from datastore.engine import Engine

NAME = "near_duplicates"
VERSION = 2
REASON = "near duplicate"


class NearDuplicates(Section):
    """Rejects rows whose question differs little from another one."""

    threshold: float = Field(default=0.8, ge=similarity.LOWEST, le=1)
    """Minimum share of 3-grams that two questions have in common (their Jaccard index), counted in
    words, numbers and operators. Where no spaces separate words, a character is a word."""
    numbers: Literal["keep", "ignore"] = "keep"
    """Whether numbers count. `ignore` also rejects the same question with other numbers."""
    keep: Keep = "first"
    """Which question to keep: that of the earliest subset, the `longest`, the `shortest`, or the
    one with the `best evidence` level. The first subset, then the id decides between equals."""


def select_keys(source: str, numbers: str = "keep", **parameters: object) -> str:
    """SELECT of (id, question, length, hashes): the hashed tokens of each problem's question."""
    stem = normalize.stem(normalize.fold("question"))
    columns = f"id, md5_number_lower({normalize.key(stem)}) AS question, length(question) AS length"
    return similarity.select_tokens(source, columns, stem, numbers == "ignore")


def convert_keys(
    batches: Iterable[pa.RecordBatch], threshold: float = 0.8, **parameters: object
) -> Iterator[pa.RecordBatch]:
    """Yield the keys in the layout `similarity.KEYS`."""
    return similarity.add_signatures(batches, threshold)


def reject_near_duplicates(
    engine: Engine,
    rows: Rows,
    threshold: float = 0.8,
    numbers: Literal["keep", "ignore"] = "keep",
    keep: Keep = "first",
) -> Iterator[pa.RecordBatch]:
    """Yield verdicts in the layout `VERDICTS`, by row id.

    A question is rejected if it is similar to a preferred one that is not rejected itself.
    """
    keys = rows.keys
    if not keys:
        batches = engine.batches(select_keys(f"({rows.problems})", numbers), size=similarity.BATCH)
        keys = engine.create_view("keys", convert_keys(batches, threshold), similarity.KEYS)
    # Aggregates of fixed size, such as min over integers, are those that DuckDB can spill.
    engine.sql(f"CREATE TABLE numbered AS {select_rows(rows, keep)}")
    engine.sql(f"""
        CREATE TABLE questions AS
        SELECT * EXCLUDE id FROM (
            SELECT problem_id, min(first) AS first, min(level) AS level
            FROM numbered GROUP BY problem_id
        ) JOIN (SELECT DISTINCT id, question, length, size, grams FROM {keys}) ON id = problem_id
    """)
    # Questions are compared across the whole version, as if all belonged to one problem.
    engine.sql(f"""
        CREATE TABLE items AS
        SELECT (row_number() OVER (ORDER BY {ORDER[keep]}) - 1)::INTEGER AS item, problem_id AS id,
            0 AS question, size, grams, same, first
        FROM (SELECT * EXCLUDE level FROM questions) JOIN (
            SELECT question AS same, min(first) AS first, min(level) AS level
            FROM questions GROUP BY question
        ) USING (first)
    """)
    texts = f"SELECT id, question AS text FROM ({rows.problems})"
    likeness = similarity.Likeness(
        threshold, normalize.stem(normalize.fold("text")), ignore_numbers=numbers == "ignore"
    )
    similarity.find_similar(engine, keys, texts, likeness)
    query = """
        SELECT numbered.id, kept_row.id AS kept_id, index
        FROM matches JOIN items USING (item) JOIN items AS kept ON kept.item = matches.kept
        JOIN numbered AS kept_row ON kept_row.first = kept.first
        JOIN questions ON questions.question = items.same
        JOIN numbered ON numbered.problem_id = questions.problem_id
        ORDER BY numbered.id
    """
    yield from verdicts_of(engine, query, (NAME, VERSION, REASON), likeness.method)
    engine.drop("keys", "numbered", "questions", "items", "matches")


SCREEN = Screen(
    VERSION,
    "Keep one of several questions that differ little.",
    reject_near_duplicates,
    parameters=NearDuplicates,
    keys=Keys(
        "problems",
        select_keys,
        similarity.KEYS,
        parameters=("numbers", "threshold"),
        convert=convert_keys,
    ),
)
