"""Screen `cap`: limits the rationales per question, over all subsets together.

In: rows, the limit, a seed, and the counts of attempts if hard questions may have more rows. Out:
verdicts `over the cap`. Questions are compared in normalised form, so a question that two sources
share counts once. A seeded md5 order selects the rows to keep.
"""

from collections.abc import Iterator
from typing import Annotated, Self

import pyarrow as pa
from pydantic import Field, model_validator

from curator.core.arrow import ID, VERDICTS, to_batches
from curator.core.model import Verdict
from curator.core.section import Mark, Section
from curator.core.solve_rates import NO_COUNTS
from curator.screens import normalize
from curator.screens.rows import Rows
from curator.screens.screen import Keys, Screen
from curator.screens.solve_rate import NO_ATTEMPTS, Attempts, counts_of
from datastore.engine import Engine

NAME = "cap"
VERSION = 3


class Cap(Section):
    """Limits the rationales per question."""

    rationales: int = Field(ge=1, le=1_000_000_000)
    """Maximum number of rows with the same normalised question."""
    hard_first: Annotated[bool, Mark.OMIT_DEFAULT] = False
    """Lower the maximum of easy questions in proportion to their rate of failures (Prop2Diff of
    DART-Math), to one row at least: with `rationales: 8`, a question that is solved in 3 of 4
    attempts keeps 2 rows. A question without a solve rate keeps `rationales`. By default all
    questions have the same maximum (Uniform)."""
    model: Annotated[str, Mark.OMIT_DEFAULT] = ""
    """Model whose attempts count for `hard_first`. Default: all attempts together."""

    @model_validator(mode="after")
    def _check_model(self) -> Self:
        if self.model and not self.hard_first:
            raise ValueError("'model' needs 'hard_first: true'. Add it, or remove 'model'")
        return self


def select_keys(source: str) -> str:
    """SELECT of (id, question): the hash of the normalised question of each problem."""
    key = normalize.key(normalize.stem(normalize.fold("question")))
    return f"SELECT DISTINCT id, unhex(md5({key})) AS question FROM {source}"


def reject_rows_over_cap(
    engine: Engine,
    rows: Rows,
    rationales: int,
    seed: int,
    attempts: Attempts = NO_ATTEMPTS,
    **options: str | bool,
) -> Iterator[pa.RecordBatch]:
    """Yield verdicts in the layout `VERDICTS`, by row id, on the surplus rows of each question.

    `options` are `hard_first` and `model`.
    """
    # The prefix `cap` makes this order independent of the draw's. With the same order, the rows
    # that the cap leaves would have small hashes, and the draw would prefer them.
    keys = rows.keys or f"({select_keys(f'({rows.problems})')})"
    cap = f"{rationales:d}"
    if options.get("hard_first"):
        counts = counts_of(engine, attempts, str(options.get("model", "")))
        decided = "sum(successes + failures)"
        share = f"greatest(1, ceil({cap} * sum(failures) / {decided}))"
        cap = f"CASE WHEN {decided} > 0 THEN {share} ELSE {cap} END::BIGINT"
    else:
        counts = NO_COUNTS
    query = f"""
        WITH alive AS (SELECT id, problem_id FROM ({rows.rows})),
        problem AS (
            SELECT DISTINCT id AS problem_id, question
            FROM {keys} WHERE id IN (SELECT problem_id FROM alive)
        ),
        cap AS (
            SELECT question, {cap} AS cap
            FROM problem LEFT JOIN {counts} AS counts USING (problem_id) GROUP BY question
        ),
        ranked AS (
            SELECT id, question,
                row_number() OVER (
                    PARTITION BY question ORDER BY md5(encode('cap:{seed:d}:') || id), id
                ) AS rank
            FROM alive JOIN problem USING (problem_id)
        )
        SELECT id, rank, cap FROM ranked JOIN cap USING (question) WHERE rank > cap ORDER BY id
    """
    verdicts = (
        Verdict(
            row_id,
            NAME,
            VERSION,
            "failed",
            "over the cap",
            {"cap": str(cap), "rank": str(rank), "seed": str(seed)},
        )
        for batch in engine.batches(query)
        for row_id, rank, cap in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    )
    yield from to_batches(verdicts, VERDICTS)


SCREEN = Screen(
    VERSION,
    "Limit the rationales per question.",
    reject_rows_over_cap,
    parameters=Cap,
    keys=Keys("problems", select_keys, pa.schema([("id", ID), ("question", pa.binary())])),
    needs=frozenset({"seed", "attempts"}),
    always_digested=True,
)
