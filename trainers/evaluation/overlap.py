"""Which evaluation problems a model may have seen: those that share words with a release.

In: problems, and the questions of a release. Out: the problems that share a run of 13 words, or
the whole question where it is shorter (the rule of the screen `contamination`, arXiv 2005.14165).
Not covered: paraphrases, translations, other numbers in the same words.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from curator.core.samples import SampledProblem

WORDS = 13
_WORD = re.compile(r"[^\W_]+")
Key = tuple[str, str]
"""Set and id of a problem: ids of other makers are often numbers that every set has."""


def seen(
    problems: Iterable[SampledProblem], questions: Iterable[str], words: int = WORDS
) -> set[Key]:
    """The problems that are in one of the questions. Memory: the problems' runs of words."""
    runs: dict[tuple[str, ...], set[Key]] = defaultdict(set)
    lengths = set()
    for problem in problems:
        for run in _runs(problem.question, words):
            runs[run].add((problem.set, problem.id))
            lengths.add(len(run))
    found: set[Key] = set()
    for question in questions:
        listed = _WORD.findall(question.casefold())
        for length in lengths:
            if length < words and length != len(listed):
                continue  # a short question is compared whole
            for run in _windows(listed, length):
                found |= runs.get(run, set())
    return found


def _runs(text: str, words: int) -> Iterator[tuple[str, ...]]:
    """Runs of so many words; the whole text if it has fewer."""
    listed = _WORD.findall(text.casefold())
    return _windows(listed, min(words, len(listed))) if listed else iter(())


def _windows(listed: list[str], length: int) -> Iterator[tuple[str, ...]]:
    return (tuple(listed[at : at + length]) for at in range(len(listed) - length + 1))
