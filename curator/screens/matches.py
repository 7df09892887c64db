"""Finds the evaluation questions that questions repeat, batch by batch.

In: evaluation sets, and questions. Out: for each question its matches, with the level of each and
what both share. A batch is compared with all evaluation questions, which stay in memory, so that
shards are matched independently. Not covered: see `match`.
"""

import gc
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curator.core.arrow import ID, make_array, make_batch
from curator.screens.candidates import POSTINGS, Index, index_items, select_questions
from curator.screens.match import Match, Matcher
from curator.screens.question import Number, Question, answer_otherwise, read_parts, read_question
from datastore.engine import Engine

AT_ONCE = 2_000
"""Number of questions in memory."""
MAX_BITS = 1_000
"""Size from which a number is not written out in the evidence."""
MAX_TEXT = 1_000
"""Maximum number of characters of each text in the evidence."""

MATCHES = pa.schema(
    [
        ("id", ID),
        ("number", pa.int64()),
        ("set", pa.string()),
        ("level", pa.string()),
        ("covered", pa.float64()),
        ("score", pa.float64()),
        ("evidence", pa.string()),
    ]
)
"""Matches of problems with evaluation questions; `evidence` is JSON."""


@dataclass(frozen=True, slots=True)
class Member:
    """An evaluation question in one of the sets that contain it."""

    number: int
    set: str
    place: str
    problem: str
    question: Question


Found = tuple[bytes, str, list[tuple[Member, Match]]]
"""Id and text of a question, and its matches."""


class Items:
    """All evaluation questions, ready to be compared."""

    def __init__(self, postings: pa.Table) -> None:
        """`postings` are the rows of `index_items`."""
        self._index = Index(postings)
        items = postings.filter(pc.is_valid(postings["members"])).select(["item", "members"])
        with _pause_collector():
            listed = zip(*(column.to_pylist() for column in items.columns), strict=True)
            self._members = {item: _read_members(members) for item, members in sorted(listed)}
            self._matcher = Matcher(members[0].question for members in self._members.values())

    def match(self, batch: pa.RecordBatch) -> Iterator[Found]:
        """Yield each question of a batch of `select_questions` that has matches, once per id."""
        rows: dict[int, list[int]] = {}
        for row, item in zip(*(each.tolist() for each in self._index.find(batch)), strict=True):
            rows.setdefault(row, []).append(item)
        seen = set[bytes]()
        texts = batch.select(["id", "question", "folded", "gold", "choices"])
        columns = texts.take(make_array(list(rows), pa.int64())).columns
        found = zip(*(column.to_pylist() for column in columns), rows.values(), strict=True)
        for id_, text, folded, gold, choices, items in found:
            if id_ in seen:
                continue
            seen.add(id_)
            matches = self._match_parts(read_parts(folded, gold, choices), sorted(items))
            if matches:
                yield id_, text, matches

    def _match_parts(
        self, parts: Iterable[Question], items: Sequence[int]
    ) -> list[tuple[Member, Match]]:
        """Return the best match of the parts of a question with each evaluation question."""
        best: dict[int, tuple[Member, Match]] = {}
        for part in parts:
            for member, match in self._match(part, items):
                old = best.get(member.number)
                if old is None or match.rank < old[1].rank:
                    best[member.number] = (member, match)
        return list(best.values())

    def _match(self, question: Question, items: Sequence[int]) -> list[tuple[Member, Match]]:
        matches = [
            (member, match)
            for item in items
            for member in self._members[item]
            if (match := self._matcher.match(question, member.question))
        ]
        if any(match.whole_template for _, match in matches):
            # The words are those of another item, so equal numbers are a coincidence.
            return [
                (member, match)
                for member, match in matches
                if match.golds == "equal" or match.level != "reworded"
            ]
        return matches


@contextmanager
def _pause_collector() -> Iterator[None]:
    """Switch the garbage collector off, which visits all items again and again as they are read."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _read_members(rows: Sequence[Mapping[str, Any]]) -> list[Member]:
    """Return the members of an item, in their order."""
    first = read_question(rows[0]["folded"], rows[0]["gold"], rows[0]["choices"])
    questions = [first, *(answer_otherwise(first, r["gold"], r["choices"]) for r in rows[1:])]
    return [
        Member(row["number"], row["name"], row["place"], row["id"].hex(), question)
        for row, question in zip(rows, questions, strict=True)
    ]


def find_matches(
    engine: Engine, problems: str, evals: Mapping[str, Sequence[Path]]
) -> Iterator[Found]:
    """Yield the questions that repeat an evaluation question, by id.

    `problems` is a SELECT of (id, question, gold, choices); an id that repeats may be found
    repeatedly. `evals` has the problems objects of each evaluation set.
    """
    items = Items(pa.Table.from_batches(engine.batches(index_items(evals)), POSTINGS))
    query = f"{select_questions(f'({problems})')} ORDER BY id"
    for batch in engine.batches(query, size=AT_ONCE):
        yield from items.match(batch)


def match_batches(batches: Iterable[pa.RecordBatch], prepared: Items) -> Iterator[pa.RecordBatch]:
    """Yield the matches of batches of `select_questions` in the layout `MATCHES`."""
    return list_matches(chain.from_iterable(map(prepared.match, batches)))


def list_matches(found: Iterable[Found]) -> Iterator[pa.RecordBatch]:
    """Yield matches in the layout `MATCHES`."""
    rows = (
        (
            id_,
            member.number,
            member.set,
            match.level,
            match.covered,
            match.score,
            json.dumps(_evidence(question, member, match)),
        )
        for id_, question, matches in found
        for member, match in matches
    )
    while some := list(islice(rows, AT_ONCE)):
        yield make_batch(list(zip(*some, strict=True)), MATCHES)


def _evidence(question: str, member: Member, match: Match) -> dict[str, str]:
    answer = member.question.gold
    return {
        "set": member.set,
        "item": member.place,
        "problem": member.problem,
        "question": question[:MAX_TEXT],
        "evaluation question": member.question.text[:MAX_TEXT],
        "shared": " … ".join(match.shared)[:MAX_TEXT],
        "covered": f"{match.covered:.0%}",
        "numbers": ", ".join(map(_show, match.numbers))[:MAX_TEXT],
        "gold answers": f"equal: {answer}" if match.golds == "equal" else match.golds,
    }


def _show(number: Number) -> str:
    """Return a number as text; Python refuses that to very long ones."""
    bits = max(number.numerator.bit_length(), number.denominator.bit_length())
    return str(number) if bits < MAX_BITS else f"(a number of {bits:,} bits)"
