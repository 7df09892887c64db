"""Finds evaluation problems that a model may have seen, because a release repeats them.

In: problems, and the questions of a release with their gold answers. Out: problems that a question
repeats, as the screen `contamination` decides: the same question, also inside other text, or
reworded. Not covered: translations, and the same question with other numbers.
"""

from collections.abc import Iterable, Iterator

from curator.answers import extract
from curator.core.model import MatchLevel, Problem
from curator.core.samples import SampledProblem
from curator.screens.golds import OPAQUE, read_gold
from curator.screens.overlap import find_overlaps
from curator.sources.chat_columns import kind_of
from trainers.release import Example

SEEN: frozenset[MatchLevel] = frozenset({"same question", "reworded"})
"""Levels of match at which a problem counts as seen."""
Key = tuple[str, str]
"""Set and id of a problem; ids alone are often plain numbers that repeat between sets."""


def to_problem(example: Example) -> Problem:
    """Return the question of an example with its gold answer.

    A row without a gold answer has the one that its text states, which a check compared unless the
    evidence of the row is only its form. An answer without a digit says too little and counts as
    unknown.
    """
    gold = example.gold
    if not gold and kind_of(example.answer) != "PoT":
        answer = extract(example.answer)
        written = example.answer[slice(*answer.span)] if answer and answer.span else ""
        gold = written if read_gold(written) != OPAQUE else ""
    return Problem("", example.prompt[-1].content, gold, example.choices)


def find_seen(problems: Iterable[SampledProblem], trained: Iterable[Problem]) -> set[Key]:
    """Return the problems that a trained one repeats. Memory grows with the problems only."""
    keys: list[Key] = []

    def sampled() -> Iterator[Problem]:
        for each in problems:
            keys.append((each.set, each.id))
            yield Problem("", each.question, each.gold, each.choices)

    return {
        keys[found.other]
        for found in find_overlaps(trained, sampled())
        if found.match.level in SEEN
    }
