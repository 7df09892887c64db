"""Loops of a text: passages that it repeats word for word.

In: a text. Out: the share of its words that repeat, for at least the third time, a run of words
that came before, and where this begins. Words and numbers count, and ten equal signs in a row; the
signs of formulas do not, since a derivation repeats its formulas. Time and memory grow with the
length of the text. Not covered: passages that change a word or a number each time.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, islice

import numpy as np
import numpy.typing as npt

RUN = 20
"""Words of a run: about a sentence."""
TIMES = 3
"""Occurrence of a run from which on it counts as repeated: to state a result twice is no loop."""
_WORD = re.compile(r"[^\W\d_]{1,20}|\d{1,20}|([^\w\s])\1{9}")
_WORD_ONLY = re.compile(r"[^\W\d_]{1,20}|\d{1,20}")
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
    words = find_words(text)
    if len(words) < RUN * TIMES:
        return Loops(0.0)
    numbers: dict[str, int] = {}
    hashes = _hash_runs(list(map(numbers.setdefault, words, count())))
    if not _has_repeated(hashes):
        return Loops(0.0)
    ranks = _rank(hashes)
    repeated = np.flatnonzero(ranks >= TIMES - 1)
    changes = np.zeros(len(words) + 1, np.int64)
    changes[repeated] += 1
    np.add.at(changes, repeated + RUN, -1)
    covered = int((np.cumsum(changes[:-1]) > 0).sum())
    most = int(ranks.argmax())
    first = int(np.flatnonzero(hashes == hashes[most])[0])
    (start, _), (_, end), (place, _) = _find_spans(text, first, first + RUN - 1, int(repeated[0]))
    return Loops(
        share=covered / len(words),
        place=place,
        times=int(ranks[most]) + 1,
        quote=" ".join(text[start:end].split())[:LONGEST_QUOTE],
    )


def _find_spans(text: str, *numbers: int) -> list[tuple[int, int]]:
    """Return where the words with these numbers are in a text."""
    matches = enumerate(islice(_WORD.finditer(text), max(numbers) + 1))
    spans = {number: match.span() for number, match in matches if number in numbers}
    return [spans[number] for number in numbers]


def find_words(text: str) -> list[str]:
    """Return the words, numbers and tens of equal signs of a text."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    equal = (codes[1:] == codes[:-1]) & (codes[1:] > ord(" "))
    if b"\1" * 9 in equal.tobytes():  # ten equal signs
        return [match[0] for match in _WORD.finditer(text)]
    return _WORD_ONLY.findall(text)  # twice as fast


def _hash_runs(ids: Sequence[int]) -> npt.NDArray[np.uint64]:
    """Return a hash of each run of words; equal runs have equal hashes."""
    mixed = (np.array(ids, np.uint64) + np.uint64(1)) * _MIX
    mixed ^= mixed >> np.uint64(29)
    hashes, length = mixed, 1
    for bit in f"{RUN:b}"[1:]:  # runs of twice as many words, and of one more
        hashes = _join(hashes[:-length], hashes[length:])
        length *= 2
        if bit == "1":
            hashes = _join(hashes[:-1], mixed[length:])
            length += 1
    return hashes


def _join(first: npt.NDArray[np.uint64], second: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    hashes = first * _MIX + second
    hashes ^= hashes >> np.uint64(31)
    return hashes * _MIX


def _has_repeated(hashes: npt.NDArray[np.uint64]) -> bool:
    """Return whether some hash occurs `TIMES` times."""
    ordered = np.sort(hashes)
    return bool((ordered[TIMES - 1 :] == ordered[: 1 - TIMES]).any())


def _rank(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Return for each place the number of equal hashes before it."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    lengths = np.diff(np.r_[starts, len(hashes)])
    ranks = np.empty(len(hashes), np.int64)
    ranks[order] = np.arange(len(hashes)) - np.repeat(starts, lengths)
    return ranks
