"""Screen `near_duplicates`: of questions that differ in few words, keeps the rows of one.

In: rows. Out: verdicts `near duplicate` with the row that was kept and the Jaccard index of the
3-grams of both questions, or with embeddings the cosine of their vectors. Each row that is named as
kept passes this screen. Rows with the same normalised question are one question; `cap` limits them.
Not covered without embeddings: paraphrases and translations.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field

from curator.core.section import Section
from curator.screens import normalize, similarity
from curator.screens.meaning import EmbeddingsKey, Meaning
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

NAME = "near_duplicates"
VERSION = 3
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
    embeddings: EmbeddingsKey = None
    """Also reject questions with the same meaning, by their vectors from an embedding model. Off by
    default."""


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


def select_texts(rows: Rows) -> str:
    """SELECT of (question, text): what embeddings compare, one text per normalised question."""
    key = normalize.key(normalize.stem(normalize.fold("question")))
    return f"""
        SELECT md5_number_lower({key}) AS question, min(question) AS text
        FROM ({rows.problems}) SEMI JOIN (SELECT problem_id AS id FROM ({rows.rows})) USING (id)
        GROUP BY 1
    """


def reject_near_duplicates(
    engine: Engine,
    rows: Rows,
    threshold: float = 0.8,
    numbers: Literal["keep", "ignore"] = "keep",
    keep: Keep = "first",
    embeddings: Mapping[str, Any] | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield verdicts in the layout `VERDICTS`, by row id.

    A question is rejected if it is similar to a preferred one that is not rejected itself; with
    `embeddings` and `rows.vectors` also if its meaning is.
    """
    keys = open_keys(engine, rows, select_keys(f"({rows.problems})", numbers), threshold)
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
    settings = embeddings or {}
    likeness = similarity.Likeness(
        threshold,
        normalize.stem(normalize.fold("text")),
        ignore_numbers=numbers == "ignore",
        model=settings.get("model", ""),
    )
    members = """
        SELECT item, numbered.id, numbered.first = items.first AS named
        FROM items JOIN questions ON questions.question = items.same
        JOIN numbered ON numbered.problem_id = questions.problem_id
    """
    texts = f"SELECT id, question AS text FROM ({rows.problems})"
    meaning = None
    if settings and rows.vectors:
        vectors = f"SELECT item, vector FROM items JOIN ({rows.vectors}) AS v ON v.question = same"
        (count,) = engine.sql("SELECT count(*) FROM items").fetchall()[0]
        meaning = Meaning(engine, vectors, count, settings["threshold"])
    comparison = Comparison(keys, texts, likeness, members, meaning)
    yield from reject_similar(engine, comparison, (NAME, VERSION, REASON))
    engine.drop("numbered", "questions")


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
    texts=select_texts,
    fills_memory=True,
)
