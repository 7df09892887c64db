"""Loops of a text: passages that it repeats word for word.

In: a text. Out: the share of its words that repeat, for at least the third time, a run of words
that came before, and where this begins. Words and numbers count, and ten equal signs in a row; the
signs of formulas do not, since a derivation repeats its formulas. Time and memory grow with the
length of the text. Not covered: passages that change a word or a number each time.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import numpy.typing as npt

RUN = 20
"""Words of a run: about a sentence."""
TIMES = 3
"""Occurrence of a run from which on it counts as repeated: to state a result twice is no loop."""
_WORD = re.compile(r"[^\W\d_]{1,20}|\d{1,20}|([^\w\s])\1{9}")
_MIX = np.uint64(0x9E3779B97F4A7C15)
"""An odd number, by which hashes of runs are mixed."""
LONGEST_QUOTE = 80


@dataclass(frozen=True, slots=True)
class Loops:
    """How much of a text repeats what came before."""

    share: float
    """Share of the words that lie in a run which occurs for at least the third time."""
    place: int = 0
    """Offset of the first such run, in characters."""
    times: int = 0
    """Occurrences of the run that occurs most often."""
    quote: str = ""
    """Beginning of that run."""


def find_loops(text: str) -> Loops:
    """Return the repetitions of a text; the share is 0 without any."""
    spans = [match.span() for match in _WORD.finditer(text)]
    if len(spans) < RUN * TIMES:
        return Loops(0.0)
    numbers: dict[str, int] = {}
    fresh = count()
    ids = [numbers.setdefault(text[a:b], next(fresh)) for a, b in spans]
    groups, ranks = _rank(_hash_runs(ids))
    repeated = np.flatnonzero(ranks >= TIMES - 1)
    if not len(repeated):
        return Loops(0.0)
    changes = np.zeros(len(spans) + 1, np.int64)
    changes[repeated] += 1
    np.add.at(changes, repeated + RUN, -1)
    covered = int((np.cumsum(changes[:-1]) > 0).sum())
    most = int(ranks.argmax())
    first = int(np.flatnonzero(groups == groups[most])[0])
    start, end = spans[first][0], spans[first + RUN - 1][1]
    return Loops(
        share=covered / len(spans),
        place=spans[int(repeated[0])][0],
        times=int(ranks[most]) + 1,
        quote=" ".join(text[start:end].split())[:LONGEST_QUOTE],
    )


def _hash_runs(ids: Sequence[int]) -> npt.NDArray[np.uint64]:
    """Return a hash of each run of words; equal runs have equal hashes."""
    mixed = (np.array(ids, np.uint64) + np.uint64(1)) * _MIX
    mixed ^= mixed >> np.uint64(29)
    size = len(ids) - RUN + 1
    hashes = np.zeros(size, np.uint64)
    for offset in range(RUN):
        hashes = hashes * _MIX + mixed[offset : offset + size]
        hashes ^= hashes >> np.uint64(31)
    return hashes


def _rank(
    hashes: npt.NDArray[np.uint64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return for each place the group of its hash, and the number of equal hashes before it."""
    _, groups = np.unique(hashes, return_inverse=True)
    order = np.argsort(groups, kind="stable")
    sorted_groups = groups[order]
    starts = np.flatnonzero(np.r_[True, sorted_groups[1:] != sorted_groups[:-1]])
    lengths = np.diff(np.r_[starts, len(groups)])
    ranks = np.empty(len(groups), np.int64)
    ranks[order] = np.arange(len(groups)) - np.repeat(starts, lengths)
    return groups.astype(np.int64), ranks
