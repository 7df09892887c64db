"""Pairs of gold and answer about which two graders contradict each other.

In: a version. Out: every pair that our rules and math-verify alone decided in opposite ways, with
the rows that hang on it. What math-verify says is kept, so that asking again costs nothing.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from curator import answers
from curator.answers import PLAIN_RULES, Equivalence, Grader, contested
from curator.core.model import content_id
from curator.core.progress import Listener, Silent
from curator.versions.content import objects_of
from curator.versions.queries import digests, scan_objects
from datastore.engine import literal
from datastore.remember import chunks, remember
from datastore.store import Store
from datastore.versions import Manifest

CHUNK = 1_000
"""Pairs whose second opinions are looked up at once."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One pair that two graders decide in opposite ways."""

    gold: str
    answer: str
    outcome: str
    """What our graders say: equal or different."""
    rule: str
    """By which rule."""
    other: str
    """What math-verify alone says."""
    rows: int
    """Rows of the version's subsets, kept or not, that end so."""
    row: str
    """One of them: `curator why ROW` tells its story."""
    subset: str
    """Its subset."""


@dataclass(frozen=True, slots=True)
class Queue:
    """What two graders disagree about, and how much they were asked."""

    pairs: int
    """Different pairs that were put to both."""
    undecided: int
    """Pairs of which one of them at least could not tell."""
    disagreements: Sequence[Disagreement]
    """The rest but those that they agree about, those with most rows first."""


def disagreements(
    store: Store, version: str, workers: int | None = None, listener: Listener | None = None
) -> Queue:
    """Asks math-verify about each graded pair of a version that our plain rules did not settle.

    Not asked are pairs with options, of which it knows nothing, and pairs settled by rules that
    leave nothing to ask (`answers.PLAIN_RULES`: two plain numbers, equal texts). It takes some
    milliseconds a pair, once.
    """
    manifest = store.versions.get(version)
    with store.reading(digests(manifest)), store.engine() as engine:
        rows = engine.sql(_pairs(store, manifest)).fetchall()
    listener = listener or Silent()
    others: list[dict[str, Any]] = []
    with (
        store.ledger("gradings") as ledger,
        Grader(workers=workers or os.cpu_count() or 1) as grader,
    ):

        def ask(pairs: Sequence[tuple[str, str]]) -> Iterator[dict[str, Any]]:
            for done in grader.second_opinions((*pair, ()) for pair in pairs):
                yield {"outcome": done.outcome, "rule": done.rule}

        for done, some in enumerate(chunks(rows, CHUNK)):
            listener.progress("asking math-verify", done * CHUNK, len(rows))
            pairs = [(row[0], row[1]) for row in some]
            others += remember(ledger, [_key(row) for row in some], pairs, ask)
    return _queue(zip(rows, others, strict=True))


def asked_before(store: Store, manifest: Manifest) -> Queue:
    """The same as far as it was asked before: `pairs` are those of which that is known."""
    with store.reading(digests(manifest)), store.engine() as engine:
        rows = engine.sql(_pairs(store, manifest)).fetchall()
    with store.ledger("gradings") as ledger:
        known = ledger.get_many(_key(row) for row in rows)
    return _queue((row, known[_key(row)]) for row in rows if _key(row) in known)


def _key(row: Sequence[Any]) -> bytes:
    """The ledger's key for what math-verify says of a pair."""
    return content_id("opinion", str(answers.VERSION), row[0], row[1])


def _queue(judged: Iterable[tuple[Sequence[Any], dict[str, Any]]]) -> Queue:
    """What becomes of rows of `_pairs` with what math-verify said of each."""
    count, undecided, found = 0, 0, []
    for row, record in judged:
        count += 1
        gold, answer, verdict, rule, many, id_, subset = row
        ours, other = Equivalence(_OUTCOMES[verdict], rule), Equivalence(**record)
        undecided += "undecided" in (ours.outcome, other.outcome)
        if contested(ours, other):
            found.append(
                Disagreement(gold, answer, ours.outcome, rule, other.outcome, many, id_, subset)
            )
    return Queue(count, undecided, sorted(found, key=lambda each: -each.rows))


_OUTCOMES: dict[str, Literal["equal", "different", "undecided"]] = {
    "passed": "equal",
    "failed": "different",
    "undecided": "undecided",
}
"""What a verdict of the check `answer` says of its pair."""


def _pairs(store: Store, manifest: Manifest) -> str:
    """SELECT of (gold, answer, outcome, rule, rows, row, subset): each pair once, in order."""
    objects = objects_of(manifest)
    selects = [
        f"""
        SELECT evidence::JSON ->> '$.gold' AS gold, evidence::JSON ->> '$.answer' AS answer,
            outcome, evidence::JSON ->> '$.rule' AS rule, row_id AS id,
            {literal(subset)} AS subset
        FROM {scan_objects(store, [digest])} v
            JOIN {scan_objects(store, [objects.rationales[subset]])} r ON r.id = row_id
            SEMI JOIN (
                SELECT id FROM {scan_objects(store, objects.problems[subset])}
                WHERE len(choices) = 0
            ) p ON p.id = r.problem_id
        WHERE "check" = 'answer'
        """
        for subset, digest in objects.verdicts.items()
    ]
    plain = ", ".join(literal(rule) for rule in sorted(PLAIN_RULES))
    return f"""
        SELECT gold, answer, outcome, rule, count(*), lower(hex(min(id))), min_by(subset, id)
        FROM ({" UNION ALL ".join(selects)})
        WHERE rule IS NOT NULL AND rule NOT IN ({plain})
        GROUP BY ALL ORDER BY ALL
    """
