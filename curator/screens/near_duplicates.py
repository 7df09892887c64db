"""Questions that are nearly the same: MinHash over runs of three words, then the real overlap.

In: questions by number. Out: for each that is near an earlier one, that one and their Jaccard
index. 64 hashes in 16 bands find pairs; none is told before its index was computed, so there are no
false ones. Pairs at 0.75 are found in 99.8% of the cases, above more often. Not covered: the same
question in other words, and many different ones that share one template with other numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from curator.screens import normalize
from datastore.engine import Engine

NEAR = 0.75
"""Jaccard index from which two questions are near."""
RUN = 3
"""Words of a run."""
BANDS, WIDTH = 16, 4

Hashes = np.ndarray[Any, np.dtype[np.uint64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Near:
    """A question and an earlier one that it resembles."""

    item: int
    earlier: int
    index: float


def near(engine: Engine, questions: str) -> list[Near]:
    """By item; `questions` is a SELECT of (item, question), items counted from 0 without gaps."""
    parts = list(_runs(engine, questions))
    if not parts:
        return []
    runs = np.concatenate([part for part, _ in parts])
    sizes = np.concatenate([size for _, size in parts])
    starts = np.concatenate(([0], np.cumsum(sizes)))
    found: dict[int, Near] = {}
    for item, earlier in _pairs(_signatures(runs, starts)):
        if item in found:
            continue
        one, other = (runs[starts[n] : starts[n + 1]] for n in (item, earlier))
        common = len(np.intersect1d(one, other, assume_unique=True))
        index = common / (len(one) + len(other) - common)
        if index >= NEAR:
            found[item] = Near(item, earlier, round(index, 4))
    return [found[item] for item in sorted(found)]


def _runs(engine: Engine, questions: str) -> Iterator[tuple[Hashes, Ints]]:
    """Batches of the distinct runs of all questions as hashes, and how many each has."""
    stem = normalize.stem(normalize.folded("question"))
    window = f"hash(list_slice(words, i, i + {RUN - 1:d}))"
    query = f"""
        SELECT CASE WHEN len(words) < {RUN:d} THEN [hash(words)] ELSE list_distinct(
            list_transform(range(1, len(words) - {RUN - 2:d}), lambda i: {window})) END AS runs
        FROM (
            SELECT item, {normalize.words("stem")} AS words
            FROM (SELECT item, {stem} AS stem FROM ({questions}))
        ) ORDER BY item
    """
    for batch in engine.batches(query):
        lists = batch.column(0)
        sizes = np.diff(lists.offsets.to_numpy()).astype(np.int64)
        yield lists.flatten().to_numpy().astype(np.uint64), sizes


def _signatures(runs: Hashes, starts: Ints) -> Hashes:
    """A row of BANDS numbers a question; two questions with one in common may be near."""
    seeds = np.random.default_rng(0).integers(1, 2**63, (BANDS * WIDTH, 2), np.uint64)
    bands = np.zeros((len(starts) - 1, BANDS), np.uint64)
    for place, (factor, shift) in enumerate(seeds):
        mixed = (runs * (factor | np.uint64(1)) + shift) >> np.uint64(32)
        least = np.minimum.reduceat(mixed, starts[:-1])
        band = bands[:, place // WIDTH]
        band *= np.uint64(0x9E3779B97F4A7C15)
        band += least + np.uint64(1)
        band ^= band >> np.uint64(29)
    return bands


def _pairs(bands: Hashes) -> Iterator[tuple[int, int]]:
    """Each question with the first of those that share a band with it, and with its neighbour."""
    pairs = [np.empty(0, np.int64)]
    for band in bands.T:
        order = np.argsort(band, kind="stable")
        same = band[order][1:] == band[order][:-1]
        begins = np.concatenate(([True], ~same))
        first = order[np.flatnonzero(begins)[np.cumsum(begins) - 1]]
        others = np.flatnonzero(same) + 1
        pairs += [order[others] << 32 | first[others], order[others] << 32 | order[others - 1]]
    for pair in np.unique(np.concatenate(pairs)).tolist():
        yield pair >> 32, pair & 0xFFFFFFFF
