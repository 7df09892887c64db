"""Finds evaluation problems that a model may have seen, because they share words with a release.

In: problems, and the questions of a release. Out: problems that share 13 consecutive words, or the
whole question if it is shorter (arXiv:2005.14165). Not covered: paraphrases, translations, the same
words with other numbers, all that only the screen `contamination` finds.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from curator.core.samples import SampledProblem

WORDS = 13
_WORD = re.compile(r"[^\W_]+")
Key = tuple[str, str]
"""Set and id of a problem; ids alone are often plain numbers that repeat between sets."""


def find_seen(problems: Iterable[SampledProblem], questions: Iterable[str]) -> set[Key]:
    """Return the problems that overlap with a question. Memory grows with the problems only."""
    ngrams: dict[tuple[str, ...], set[Key]] = defaultdict(set)
    lengths = set()
    for problem in problems:
        for ngram in _ngrams(problem.question):
            ngrams[ngram].add((problem.set, problem.id))
            lengths.add(len(ngram))
    seen: set[Key] = set()
    for question in questions:
        words = _WORD.findall(question.casefold())
        for length in lengths:
            if length < WORDS and length != len(words):
                continue  # a short question must match completely
            for ngram in _windows(words, length):
                seen |= ngrams.get(ngram, set())
    return seen


def _ngrams(text: str) -> Iterator[tuple[str, ...]]:
    """Yield all runs of 13 words, or the whole text if it is shorter."""
    words = _WORD.findall(text.casefold())
    return _windows(words, min(WORDS, len(words))) if words else iter(())


def _windows(words: list[str], length: int) -> Iterator[tuple[str, ...]]:
    return (tuple(words[at : at + length]) for at in range(len(words) - length + 1))
