"""How often each model solves the problems of a version.

In: the view `current.solve_rate` and the recipe, whose interval or band of useful problems limits
the buckets. Out: one record per model; none for a version without attempts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from curator.versions.content import Content
from datastore.engine import Engine

USEFUL = (0.2, 0.8)
"""The useful solve rates, if the recipe states none."""


@dataclass(frozen=True, slots=True)
class SolveRates:
    """The problems that one model attempted."""

    model: str
    problems: int
    attempts: int
    undecided: int
    """Attempts that are neither successes nor failures."""
    buckets: Sequence[tuple[str, int]]
    """Problems by solve rate, from never to always solved; those without a rate last."""


def count_solve_rates(engine: Engine, content: Content) -> list[SolveRates]:
    """Return the problems of each model by solve rate, by name of the model."""
    low, high = _useful(content)
    query = f"""
        SELECT model, count(*), sum(attempts)::BIGINT, sum(undecided)::BIGINT,
            count(*) FILTER (rate = 0), count(*) FILTER (rate > 0 AND rate < {low!r}),
            count(*) FILTER (rate > 0 AND rate < 1 AND rate BETWEEN {low!r} AND {high!r}),
            count(*) FILTER (rate > {high!r} AND rate < 1), count(*) FILTER (rate = 1),
            count(*) FILTER (rate IS NULL)
        FROM current.solve_rate GROUP BY model ORDER BY model
    """
    names = (
        "never solved",
        f"below {low:g}",
        f"{low:g} to {high:g}",
        f"above {high:g}",
        "always solved",
        "undecided",
    )
    return [
        SolveRates(row[0], row[1], row[2], row[3], list(zip(names, row[4:], strict=True)))
        for row in engine.sql(query).fetchall()
    ]


def _useful(content: Content) -> tuple[float, float]:
    """Return the interval of the screen `solve_rate`, or else the band of `sampling`."""
    screen = content.recipe.screens.solve_rate
    low, high = (screen or {}).get("between") or content.recipe.sampling.get("band") or USEFUL
    return float(low), float(high)
