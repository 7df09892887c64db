"""Finds the problems of one collection that repeat those of another one, by level of match.

In: two collections of problems, without a store. Out: the pairs that match, as the screen
`contamination` decides.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq

from curator.core.arrow import PROBLEMS, to_batches
from curator.core.model import Problem
from curator.screens.match import Match
from curator.screens.matches import find_matches
from datastore.engine import Engine, scan
from datastore.text import make_storable


@dataclass(frozen=True, slots=True)
class Overlap:
    """A question that repeats another one."""

    id: bytes
    question: str
    other: int
    """Number of the other problem in its collection, from 0."""
    match: Match


def find_overlaps(problems: Iterable[Problem], others: Iterable[Problem]) -> Iterator[Overlap]:
    """Yield the pairs that match: for each problem those with up to 32 likely candidates.

    Problems with the same id are one. `others` is indexed in memory, `problems` on disk.
    """
    numbered = (replace(each, place=str(number)) for number, each in enumerate(others))
    with TemporaryDirectory() as name, Engine(spill=Path(name)) as engine:
        item_path, path = Path(name, "others.parquet"), Path(name, "problems.parquet")
        _write(numbered, item_path)
        _write(problems, path)
        found = find_matches(engine, f"SELECT * FROM {scan([path])}", {"others": [item_path]})
        for id_, question, matches in found:
            for member, match in matches:
                yield Overlap(id_, question, int(member.place), match)


def _write(problems: Iterable[Problem], path: Path) -> None:
    storable = (
        replace(
            each,
            question=make_storable(each.question),
            gold=make_storable(each.gold),
            choices=tuple(map(make_storable, each.choices)),
        )
        for each in problems
    )
    with pq.ParquetWriter(path, PROBLEMS) as file:
        for batch in to_batches(storable, PROBLEMS):
            file.write_batch(batch)
