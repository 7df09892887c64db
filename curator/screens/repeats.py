"""Finds new questions that repeat a known one, by level of match as the screen `contamination`.

In: new questions in order, and collections of known problems. Out: for each new question the
strongest match with a known one, or with an earlier new one that repeats none; None if it has none.
A shared phrase does not count. Not covered: translations.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pyarrow.parquet as pq

from curator.core.arrow import PROBLEMS, to_batches
from curator.core.model import MatchLevel, Problem
from curator.screens.match import Match
from curator.screens.matches import Member, find_matches
from datastore.engine import Engine, scan
from datastore.text import make_storable

LEVELS: tuple[MatchLevel, ...] = ("same question", "reworded", "same template")
"""Levels at which a question is not new."""
NEW = "new questions"
SEEDS = "seeds"


@dataclass(frozen=True, slots=True)
class Repeat:
    """The question that a new one repeats, and how."""

    level: MatchLevel
    set: str
    place: str
    """Place of the question in its set; for `NEW` the number of the question, from 0."""
    question: str
    """The folded text of that question."""
    covered: float
    """Share of the tokens of that question that the new one repeats in order."""
    shared: tuple[str, ...]
    """The repeated spans, the longest three in order."""


def find_repeats(
    engine: Engine,
    questions: Sequence[str],
    collections: Iterable[Mapping[str, Sequence[Path]]],
    *,
    seeds: Sequence[tuple[str, str]] = (),
    earlier: bool = True,
) -> list[Repeat | None]:
    """Return what each question repeats, in the order of `questions`.

    Each of `collections` has problems objects by the name of their set, and is indexed in memory at
    once; `seeds` are known questions with their answers. Words are rare or frequent within one
    collection, so that evaluation sets that form one get the matches of the screen. Without
    `earlier`, questions are not compared with each other.
    """
    if not questions:
        return []
    new = [_problem("new", text, "", number) for number, text in enumerate(questions)]
    known = [_problem("seed", *seed, number) for number, seed in enumerate(seeds)]
    path = _write(engine, new)
    own = {SEEDS: [_write(engine, known)], NEW: [path] * earlier}
    matches = defaultdict[bytes, list[tuple[Member, Match]]](list)
    for sets in (*collections, {name: paths for name, paths in own.items() if paths}):
        for id_, _, some in find_matches(engine, f"SELECT * FROM {scan([path])}", sets):
            matches[id_] += [(m, match) for m, match in some if match.level in LEVELS]
    repeats: list[Repeat | None] = []
    for problem in new:
        # Of an earlier question that repeats another one, nothing is kept.
        counting = [
            (member, match)
            for member, match in matches[problem.id]
            if member.set != NEW
            or (int(member.place) < len(repeats) and repeats[int(member.place)] is None)
        ]
        best = min(counting, key=lambda pair: pair[1].rank, default=None)
        repeats.append(_repeat(*best) if best else None)
    return repeats


def _repeat(member: Member, match: Match) -> Repeat:
    return Repeat(
        match.level, member.set, member.place, member.question.text, match.covered, match.shared
    )


def _problem(source: str, question: str, gold: str, number: int) -> Problem:
    text, answer = make_storable(question), make_storable(gold)
    return Problem(source=source, question=text, gold=answer, place=str(number))


def _write(engine: Engine, problems: Sequence[Problem]) -> Path:
    """Write a file that is removed with the engine; always a new one, since DuckDB remembers what
    it has read of a file."""
    path = engine.folder / f"{uuid4().hex}.parquet"
    with pq.ParquetWriter(path, PROBLEMS) as file:
        for batch in to_batches(problems, PROBLEMS):
            file.write_batch(batch)
    return path
