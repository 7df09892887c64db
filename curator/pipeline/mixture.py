"""Which of the rows that passed go into a version: first numbers, then a seeded draw.

In: rows a subset has, what the recipe wants. Out: a `Plan` of rows a subset, told before anything
runs, and the rows drawn. No row is ever drawn twice: a subset that has too few gives what it has,
and the plan says so.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import inf

import pyarrow as pa

from curator.core.arrow import DRAWN
from curator.core.errors import UsageError, unknown
from curator.screens.rows import Rows
from datastore.engine import Engine


@dataclass(frozen=True, slots=True)
class Plan:
    """How many rows each subset gives."""

    counts: dict[str, int]
    """Rows by subset, in the order of the subsets, never more than a subset has."""
    notes: tuple[str, ...]
    """What is less than was asked for, a line each."""


def plan(
    available: Mapping[str, int],
    wanted: Mapping[str, int | float | str] | None = None,
    rows: int | None = None,
) -> Plan:
    """Rows a subset, from what each has and what is wanted of it.

    An integer is a count, a string such as `"30%"` a share of what the subset has, a float a
    weight: weighted subsets share `rows` less the rest, or as many rows as their proportions allow
    where `rows` is not given. A subset that is not named gives all it has; with `rows` and no
    weights, those that are not named share what is left by size. Raises UsageError on names or
    amounts that make no sense, and where counts, shares and whole subsets are more than `rows`.
    """
    wanted = wanted or {}
    for name, amount in wanted.items():
        if name not in available:
            raise UsageError(unknown("subset", name, available))
        _check(name, amount)
    # In the order of the subsets, so that the order of `wanted` decides nothing.
    amounts = {name: wanted[name] for name in available if name in wanted}
    weights = {n: Fraction(a) for n, a in amounts.items() if isinstance(a, float)}
    if rows is not None and not weights:
        weights = {n: Fraction(have) for n, have in available.items() if n not in wanted}
    asked = {
        name: _fixed(wanted.get(name, "100%"), have)
        for name, have in available.items()
        if name not in weights
    }
    taken = sum(min(count, available[name]) for name, count in asked.items())
    if rows is not None and taken > rows:
        raise UsageError(
            f"The mixture has rows: {rows:,}, but its counts, shares and whole subsets take "
            f"{taken:,}; raise rows, or lower them (0 leaves a subset out)"
        )
    share = _most(weights, available) if rows is None else Fraction(rows - taken)
    asked |= _apportion(share, weights)
    counts = {name: min(asked[name], have) for name, have in available.items()}
    notes = [
        f"{name}: {asked[name]:,} rows wanted, {have:,} there; {asked[name] - have:,} too few"
        for name, have in available.items()
        if asked[name] > have
    ]
    total = sum(counts.values())
    if rows is not None and total < rows:
        notes.append(f"{total:,} rows in all of the {rows:,} wanted")
    return Plan(counts, tuple(notes))


def available(engine: Engine, rows: Rows) -> dict[str, int]:
    """Rows by subset, in the recipe's order; subsets without rows are not in it."""
    query = f"SELECT subset, count(*) FROM ({rows.rows}) GROUP BY subset ORDER BY min(place)"
    return dict(engine.sql(query).fetchall())


def draw(
    engine: Engine, rows: Rows, counts: Mapping[str, int], seed: int
) -> Iterator[pa.RecordBatch]:
    """The rows of a version in the layout `DRAWN`, sorted by id: `counts` rows of each subset.

    Of each subset the rows with the smallest md5 of seed and id: independent of the order of rows
    and of every other subset, and a larger count keeps what a smaller one drew.
    """
    query = f"""
        WITH wanted AS (SELECT unnest($subsets) AS subset, unnest($counts) AS count)
        SELECT id, subset FROM (SELECT id, subset FROM ({rows.rows})) JOIN wanted USING (subset)
        QUALIFY count >= row_number() OVER (
            PARTITION BY subset ORDER BY md5(encode('draw:{seed:d}:') || id), id
        )
        ORDER BY id, subset
    """
    params = {"subsets": list(counts), "counts": list(counts.values())}
    for batch in engine.batches(query, params):
        yield batch.cast(DRAWN)


def _check(name: str, amount: int | float | str) -> None:
    match amount:
        case str():
            fine = bool(re.fullmatch(r"\d+(\.\d+)?%", amount)) and Fraction(amount[:-1]) <= 100
        case _:
            fine = not isinstance(amount, bool) and 0 <= amount < inf
    if not fine:
        raise UsageError(
            f"The mixture wants {amount!r} of {name}; expected a count such as 500, a share from "
            "'0%' to '100%', or a weight such as 0.5"
        )


def _fixed(amount: int | float | str, have: int) -> int:
    """A count, or a share of `have` rounded half up."""
    if isinstance(amount, str):
        return int(Fraction(amount[:-1]) / 100 * have + Fraction(1, 2))
    return int(amount)


def _most(weights: Mapping[str, Fraction], available: Mapping[str, int]) -> Fraction:
    """The most rows that can be shared by `weights` so that no subset with rows runs short."""
    total = sum(weights.values(), Fraction())
    most = (available[n] / w * total for n, w in weights.items() if w and available[n])
    return min(most, default=Fraction())


def _apportion(share: Fraction, weights: Mapping[str, Fraction]) -> dict[str, int]:
    """Whole parts of `share` by weight, the last rows to the largest remainders, then by order."""
    total = sum(weights.values(), Fraction())
    exact = {name: share * w / total if total else Fraction() for name, w in weights.items()}
    parts = {name: int(part) for name, part in exact.items()}
    left = int(sum(exact.values(), Fraction())) - sum(parts.values())
    for name in sorted(exact, key=lambda n: parts[n] - exact[n])[:left]:
        parts[name] += 1
    return parts
