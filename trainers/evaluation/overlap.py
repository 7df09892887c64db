"""Finds evaluation problems that a model may have seen, because a release repeats them.

In: problems, and the questions of a release. Out: problems that a question repeats, as the screen
`contamination` decides: the same question, also inside other text, or reworded. Not covered:
translations, and the same question with other numbers.
"""

from collections.abc import Iterable, Iterator

from curator.core.model import MatchLevel, Problem
from curator.core.samples import SampledProblem
from curator.screens.overlap import find_overlaps

SEEN: frozenset[MatchLevel] = frozenset({"same question", "reworded"})
"""Levels of match at which a problem counts as seen."""
Key = tuple[str, str]
"""Set and id of a problem; ids alone are often plain numbers that repeat between sets."""


def find_seen(problems: Iterable[SampledProblem], questions: Iterable[str]) -> set[Key]:
    """Return the problems that a question repeats. Memory grows with the problems only."""
    keys: list[Key] = []

    def sampled() -> Iterator[Problem]:
        for each in problems:
            keys.append((each.set, each.id))
            yield Problem("", each.question, each.gold, each.choices)

    trained = (Problem("", question, "") for question in questions)
    return {
        keys[found.other]
        for found in find_overlaps(trained, sampled())
        if found.match.level in SEEN
    }
