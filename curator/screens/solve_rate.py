"""Screen `solve_rate`: keeps the rows of problems that a model solves neither too seldom nor too
often, or as many rows drawn at random, to compare with.

In: rows, the interval of rates, and the counts of attempts. Out: verdicts with the counts; a row
whose problem has no decided attempt is undecided. The random draw prefers the smallest md5 of seed
and id, as the mixture does, and takes as many rows of each subset as the interval would, from the
rows that have a rate.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Self

import pyarrow as pa
from pydantic import Field, model_validator

from curator.core.arrow import VERDICTS, to_batches
from curator.core.errors import UsageError, unknown_name
from curator.core.model import Outcome, Verdict
from curator.core.section import Section
from curator.core.solve_rates import NO_COUNTS, select_rates, sum_models
from curator.screens.rows import Rows
from curator.screens.screen import Screen
from datastore.engine import Engine, scan

NAME = "solve_rate"
VERSION = 1
LOW, HIGH = "solved too seldom", "solved too often"
NOT_DRAWN, NO_RATE = "not drawn for the control", "no solve rate"
Rate = Annotated[float, Field(ge=0, le=1)]
Attempts = Mapping[str, Sequence[Path]]
"""What a build provides as the need `attempts`."""
NO_ATTEMPTS: Attempts = MappingProxyType({})


class SolveRate(Section):
    """Keeps rows by the solve rate of their problem."""

    between: tuple[Rate, Rate]
    """Smallest and largest solve rate to keep, such as `[0.1, 0.7]`. Undecided attempts do not
    count. Rows of a problem without a decided attempt are undecided (`no solve rate`)."""
    model: str = ""
    """Model whose attempts count. Default: all attempts together."""
    control: bool = False
    """Keep as many rows of each subset as `between` would, but drawn at random from the rows with a
    solve rate: a control for the effect of the selection."""

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.between[0] > self.between[1]:
            raise ValueError(f"expected rates such as [0.1, 0.7], saw {list(self.between)}")
        return self


def counts_of(engine: Engine, attempts: Attempts, model: str) -> str:
    """FROM item of solve counts by problem. Raises UsageError for a model without attempts."""
    counts = scan(attempts["counts"]) if attempts else NO_COUNTS
    if model:
        query = f"SELECT DISTINCT model FROM {counts} ORDER BY model"
        models = [name for (name,) in engine.sql(query).fetchall()]
        if model not in models:
            raise UsageError(unknown_name("model with attempts", model, models))
    return sum_models(counts, model)


def reject_by_solve_rate(
    engine: Engine,
    rows: Rows,
    between: tuple[float, float],
    attempts: Attempts,
    seed: int,
    **options: str | bool,
) -> Iterator[pa.RecordBatch]:
    """Yield verdicts in the layout `VERDICTS`, by row id; `options` are `model` and `control`."""
    low, high = map(float, between)
    rates = select_rates(counts_of(engine, attempts, str(options.get("model", ""))))
    reason = f"CASE WHEN rate < {low!r} THEN '{LOW}' WHEN rate > {high!r} THEN '{HIGH}' ELSE '' END"
    if options.get("control"):
        reason = f"CASE WHEN number > size THEN '{NOT_DRAWN}' ELSE '' END"
    query = f"""
        WITH alive AS (SELECT id, problem_id, subset FROM ({rows.rows})),
        rated AS (SELECT * FROM alive LEFT JOIN ({rates}) USING (problem_id)),
        numbered AS (
            SELECT *, row_number() OVER (
                    PARTITION BY subset, rate IS NULL
                    ORDER BY md5(encode('{NAME}:{seed:d}:') || id), id
                ) AS number,
                count(*) FILTER (rate BETWEEN {low!r} AND {high!r})
                    OVER (PARTITION BY subset) AS size
            FROM rated
        )
        SELECT id, reason, successes, failures, undecided FROM (
            SELECT *, CASE WHEN rate IS NULL THEN '{NO_RATE}' ELSE {reason} END AS reason
            FROM numbered
        ) WHERE reason <> '' ORDER BY id
    """
    yield from to_batches(_verdicts(engine, query, f"{low:g} to {high:g}"), VERDICTS)


def _verdicts(engine: Engine, query: str, between: str) -> Iterator[Verdict]:
    for batch in engine.batches(query):
        columns = (column.to_pylist() for column in batch.columns)
        for row_id, reason, *counts in zip(*columns, strict=True):
            outcome: Outcome = "undecided" if reason == NO_RATE else "failed"
            names = ("successes", "failures", "undecided")
            evidence = {name: str(count or 0) for name, count in zip(names, counts, strict=True)}
            evidence["between"] = between
            yield Verdict(row_id, NAME, VERSION, outcome, reason, evidence)


SCREEN = Screen(
    VERSION,
    "Keep the rows of problems that a model solves neither too seldom nor too often.",
    reject_by_solve_rate,
    parameters=SolveRate,
    needs=frozenset({"seed", "attempts"}),
    undecided=(NO_RATE,),
)
