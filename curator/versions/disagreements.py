"""Pairs of gold and answer that two graders decide in opposite ways: `curator disagreements`.

In: a version. Out: each pair on which Curator's rules and math-verify contradict each other,
with the number of rows it decides. Opinions of math-verify are cached in the ledger `gradings`.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from curator import answers
from curator.answers import PLAIN_RULES, Equivalence, Grader, contradicts
from curator.core.model import content_id
from curator.core.progress import Listener, SilentListener
from curator.versions.content import objects_of
from curator.versions.queries import digests, scan_objects
from datastore.compute_missing import chunks, compute_missing
from datastore.engine import literal
from datastore.store import Store
from datastore.versions import Manifest

CHUNK = 1_000
"""Pairs whose second opinions are looked up at once."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One pair that the two graders decide in opposite ways."""

    gold: str
    answer: str
    outcome: str
    """Outcome of our graders: equal or different."""
    rule: str
    """The rule that decided."""
    other: str
    """Outcome of math-verify alone."""
    rows: int
    """Rationales of the version that have this pair, in the mixture or not."""
    row: str
    """Id of one of them, for `curator why`."""
    subset: str
    """Subset of that row."""


@dataclass(frozen=True, slots=True)
class Disagreements:
    """The pairs of a version that both graders compared."""

    pairs: int
    """Distinct pairs that both compared."""
    undecided: int
    """Pairs that at least one of them could not decide."""
    disagreements: Sequence[Disagreement]
    """Pairs with opposite outcomes, those with most rows first."""


def find_disagreements(
    store: Store, version: str, workers: int | None = None, listener: Listener | None = None
) -> Disagreements:
    """Compare the graded pairs of a version by math-verify, too.

    Skipped are pairs with choices, which math-verify does not support, and pairs settled by
    `answers.PLAIN_RULES` (two plain numbers, equal texts). A pair takes some milliseconds, once.
    """
    manifest = store.versions.get(version)
    rows = _pairs(store, manifest)
    listener = listener or SilentListener()
    opinions: list[dict[str, Any]] = []
    with (
        store.ledger("gradings") as ledger,
        Grader(workers=workers or os.cpu_count() or 1) as grader,
    ):

        def compare(pairs: Sequence[tuple[str, str]]) -> Iterator[dict[str, Any]]:
            for opinion in grader.grade_by_math_verify((*pair, ()) for pair in pairs):
                yield {"outcome": opinion.outcome, "rule": opinion.rule}

        for number, chunk in enumerate(chunks(rows, CHUNK)):
            listener.progress("comparing by math-verify", number * CHUNK, len(rows))
            pairs = [(row[0], row[1]) for row in chunk]
            opinions += compute_missing(ledger, [_key(row) for row in chunk], pairs, compare)
    return _disagreements(zip(rows, opinions, strict=True))


def cached_disagreements(store: Store, manifest: Manifest) -> Disagreements:
    """Return the disagreements about the pairs whose second opinion is cached."""
    rows = _pairs(store, manifest)
    with store.ledger("gradings") as ledger:
        cached = ledger.get_many(_key(row) for row in rows)
    return _disagreements((row, cached[_key(row)]) for row in rows if _key(row) in cached)


def _key(row: Sequence[Any]) -> bytes:
    """Return the ledger's key for the opinion of math-verify on a pair."""
    return content_id("opinion", str(answers.VERSION), row[0], row[1])


def _disagreements(
    opinions: Iterable[tuple[Sequence[Any], dict[str, Any]]],
) -> Disagreements:
    """Summarize rows of `_pairs` with the opinion of math-verify on each."""
    count, undecided = 0, 0
    disagreements: list[Disagreement] = []
    for row, record in opinions:
        count += 1
        gold, answer, verdict, rule, rows, row_id, subset = row
        ours, other = Equivalence(_OUTCOMES[verdict], rule), Equivalence(**record)
        undecided += "undecided" in (ours.outcome, other.outcome)
        if contradicts(ours, other):
            disagreements.append(
                Disagreement(gold, answer, ours.outcome, rule, other.outcome, rows, row_id, subset)
            )
    disagreements.sort(key=lambda each: -each.rows)
    return Disagreements(count, undecided, disagreements)


_OUTCOMES: dict[str, Literal["equal", "different", "undecided"]] = {
    "passed": "equal",
    "failed": "different",
    "undecided": "undecided",
}
"""Outcome of the check `answer` -> outcome of the comparison that it means."""


def _pairs(store: Store, manifest: Manifest) -> list[tuple[Any, ...]]:
    """Read (gold, answer, outcome, rule, rows, row, subset) of each distinct pair, sorted."""
    objects = objects_of(manifest)
    selects = [
        f"""
        SELECT evidence::JSON ->> '$.gold' AS gold, evidence::JSON ->> '$.answer' AS answer,
            outcome, evidence::JSON ->> '$.rule' AS rule, row_id AS id,
            {literal(subset)} AS subset
        FROM {scan_objects(store, shards)} v
            JOIN {scan_objects(store, objects.rationales[subset])} r ON r.id = row_id
            SEMI JOIN (
                SELECT id FROM {scan_objects(store, objects.problems[subset])}
                WHERE len(choices) = 0
            ) p ON p.id = r.problem_id
        WHERE "check" = 'answer'
        """
        for subset, shards in objects.verdicts.items()
    ]
    plain = ", ".join(literal(rule) for rule in sorted(PLAIN_RULES))
    query = f"""
        SELECT gold, answer, outcome, rule, count(*), lower(hex(min(id))), min_by(subset, id)
        FROM ({" UNION ALL ".join(selects)})
        WHERE rule IS NOT NULL AND rule NOT IN ({plain})
        GROUP BY ALL ORDER BY ALL
    """
    with store.guard_query(digests(manifest)), store.engine() as engine:
        return engine.sql(query).fetchall()
