"""Choose the rows of a version: a number of rows per subset, then a seeded draw.

In: the number of available rows per subset, and the mixture of the recipe. Out: a `Plan` with the
number of rows per subset, and the drawn rows. No row is drawn twice: a subset with too few rows
gives all it has, and the plan notes it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import inf

import pyarrow as pa

from curator.core.arrow import VERSION_ROWS
from curator.core.errors import UsageError, unknown_name
from curator.core.model import Kind
from curator.core.words import counted
from curator.recipe.schema import Recipe
from curator.screens.rows import Rows
from datastore.engine import Engine, literal


@dataclass(frozen=True, slots=True)
class Plan:
    """The number of rows that each subset gives."""

    counts: dict[str, int]
    """Rows by subset, in the order of the subsets; never more than the subset has."""
    notes: tuple[str, ...]
    """One line for each number that is smaller than the recipe's."""


@dataclass(frozen=True, slots=True)
class Shares:
    """The share of the version's rows by kind."""

    shares: Mapping[Kind, str]
    """Such as `{"CoT": "50%"}`. If they are less than 100%, the other kind has the rest."""
    kinds: Mapping[str, Kind]
    """The kind of every subset."""


def shares(recipe: Recipe) -> Shares | None:
    """Return the shares by kind of a recipe; None if it states none."""
    kinds = {name: subset.kind for name, subset in recipe.subsets.items()}
    return Shares(recipe.mixture.kinds, kinds) if recipe.mixture.kinds else None


def plan(
    available: Mapping[str, int],
    wanted: Mapping[str, int | float | str] | None = None,
    rows: int | None = None,
    shares: Shares | None = None,
) -> Plan:
    """Compute the number of rows per subset from `available` rows and `wanted` amounts.

    An amount is a count (an integer), a share of the subset's rows (a string such as `"30%"`) or a
    weight (a float). Subsets without an amount give all their rows. Weighted subsets share what the
    others leave of `rows`; without `rows`, they give as many rows as their weights allow. With
    `rows` and no weights, the subsets without an amount share the rest by size. With `shares`, the
    total is the largest one, at most `rows`, for which each kind has its share; the subsets of a
    kind give fewer rows in proportion. Raises UsageError for an unknown name or invalid amount, if
    counts, shares and whole subsets exceed `rows`, and if a kind with a share has no rows.
    """
    wanted = wanted or {}
    for name, amount in wanted.items():
        if name not in available:
            raise UsageError(unknown_name("subset", name, available))
        _check_amount(name, amount)
    requested = _request(available, wanted, rows if shares is None else None)
    counts = {name: min(requested[name], have) for name, have in available.items()}
    notes = [
        f"{name}: {counted(requested[name], 'row')} requested, {have:,} available"
        for name, have in available.items()
        if requested[name] > have
    ]
    if shares is not None:
        full, counts = counts, _fit_shares(counts, shares, rows)
        notes += [
            f"{name}: {counted(full[name], 'row')} requested, {counts[name]:,} fit the shares "
            "by kind"
            for name, amount in wanted.items()
            if isinstance(amount, int) and counts[name] < full[name]
        ]
    total = sum(counts.values())
    if rows is not None and total < rows:
        notes.append(f"{counted(total, 'row')} in total, {rows:,} requested")
    return Plan(counts, tuple(notes))


def _request(
    available: Mapping[str, int], wanted: Mapping[str, int | float | str], rows: int | None
) -> dict[str, int]:
    """Return the number of rows that each subset is to give; it may have fewer."""
    # In the order of the subsets, so that the order of `wanted` makes no difference.
    amounts = {name: wanted[name] for name in available if name in wanted}
    weights = {n: Fraction(a) for n, a in amounts.items() if isinstance(a, float)}
    if rows is not None and not weights:
        weights = {n: Fraction(have) for n, have in available.items() if n not in wanted}
    requested = {
        name: _count(wanted.get(name, "100%"), have)
        for name, have in available.items()
        if name not in weights
    }
    taken = sum(min(count, available[name]) for name, count in requested.items())
    if rows is not None and taken > rows:
        raise UsageError(
            f"The mixture has rows: {rows:,}, but its counts, shares and whole subsets take "
            f"{taken:,}. Raise rows, or lower the counts (0 excludes a subset)."
        )
    share = _max_total(weights, available) if rows is None else Fraction(rows - taken)
    return requested | _apportion(share, weights)


def _fit_shares(counts: Mapping[str, int], shares: Shares, rows: int | None) -> dict[str, int]:
    """Return the counts, lowered so that each kind has its share of their sum."""
    have: dict[str, int] = dict.fromkeys((shares.kinds[name] for name in counts), 0)
    for name, count in counts.items():
        have[shares.kinds[name]] += count
    parts: dict[str, Fraction] = {
        kind: Fraction(share[:-1]) / 100 for kind, share in shares.shares.items()
    }
    left = 1 - sum(parts.values(), Fraction())
    others = {kind: Fraction(n) for kind, n in have.items() if kind not in parts}
    rest = sum(others.values(), Fraction())
    if left and not rest:
        raise UsageError(_without_rows("the other kind", left))
    parts |= {kind: left * n / rest for kind, n in others.items() if rest}
    if missing := [kind for kind, part in parts.items() if part and not have.get(kind)]:
        raise UsageError(_without_rows(missing[0], parts[missing[0]]))
    total = min(have[kind] / part for kind, part in parts.items() if part)
    whole = int(total) if rows is None else min(rows, int(total))
    targets = _apportion(Fraction(whole), parts)
    fitted: dict[str, int] = {}
    for kind in have:
        weights = {n: Fraction(c) for n, c in counts.items() if shares.kinds[n] == kind}
        fitted |= _apportion(Fraction(targets[kind]), weights)
    return {name: fitted[name] for name in counts}


def _without_rows(kind: str, share: Fraction) -> str:
    return (
        f"mixture.kinds: {float(share * 100):g}% of the rows are to be of {kind}, which has no "
        "rows. Change the shares, or see which subsets wait: curator plan."
    )


def available(engine: Engine, rows: Rows) -> dict[str, int]:
    """Return the number of rows by subset, in the recipe's order, without empty subsets."""
    query = f"SELECT subset, count(*) FROM ({rows.rows}) GROUP BY subset ORDER BY min(place)"
    return dict(engine.sql(query).fetchall())


def draw(
    engine: Engine, rows: Rows, counts: Mapping[str, int], seed: int
) -> Iterator[pa.RecordBatch]:
    """Draw `counts` rows of each subset; yield them in the schema `VERSION_ROWS`, sorted by id.

    The rows with the smallest md5 of seed and id are drawn. So the draw depends neither on the
    order of the rows nor on other subsets, and a larger count adds rows to a smaller one.
    """
    have = available(engine, rows)
    limited = {name: count for name, count in counts.items() if count < have.get(name, 0)}
    # Not as parameters, for which DuckDB would import pandas.
    subsets = ", ".join(map(literal, limited))
    numbers = ", ".join(f"{count:d}" for count in limited.values())
    whole = ", ".join(literal(name) for name in counts if name not in limited)
    # Only where rows are left out is their order needed.
    query = f"""
        WITH wanted AS (
            SELECT unnest([{subsets}]::VARCHAR[]) AS subset, unnest([{numbers}]::BIGINT[]) AS count
        ),
        chosen AS (
            SELECT id, subset FROM ({rows.rows}) WHERE subset IN ({whole or "NULL"})
            UNION ALL
            SELECT id, subset FROM (SELECT id, subset FROM ({rows.rows})) JOIN wanted USING (subset)
            QUALIFY count >= row_number() OVER (
                PARTITION BY subset ORDER BY md5(encode('draw:{seed:d}:') || id), id
            )
        )
        SELECT id, subset FROM chosen ORDER BY id, subset
    """
    for batch in engine.batches(query):
        yield batch.cast(VERSION_ROWS)


def _check_amount(name: str, amount: int | float | str) -> None:
    match amount:
        case str():
            valid = bool(re.fullmatch(r"\d+(\.\d+)?%", amount)) and Fraction(amount[:-1]) <= 100
        case _:
            valid = not isinstance(amount, bool) and 0 <= amount < inf
    if not valid:
        raise UsageError(
            f"{amount!r} is not a valid amount of {name}. Give a count such as 500, a share from "
            "'0%' to '100%', or a weight such as 0.5."
        )


def _count(amount: int | float | str, have: int) -> int:
    """Return a count as it is, and a share of `have` rows rounded half up."""
    if isinstance(amount, str):
        return int(Fraction(amount[:-1]) / 100 * have + Fraction(1, 2))
    return int(amount)


def _max_total(weights: Mapping[str, Fraction], available: Mapping[str, int]) -> Fraction:
    """Return the maximum total that `weights` can share without a subset running short."""
    total = sum(weights.values(), Fraction())
    totals = (available[n] / w * total for n, w in weights.items() if w and available[n])
    return min(totals, default=Fraction())


def _apportion(share: Fraction, weights: Mapping[str, Fraction]) -> dict[str, int]:
    """Split `share` into whole numbers by weight; the largest remainders are rounded up first."""
    total = sum(weights.values(), Fraction())
    exact = {name: share * w / total if total else Fraction() for name, w in weights.items()}
    parts = {name: int(part) for name, part in exact.items()}
    left = int(sum(exact.values(), Fraction())) - sum(parts.values())
    for name in sorted(exact, key=lambda n: parts[n] - exact[n])[:left]:
        parts[name] += 1
    return parts
