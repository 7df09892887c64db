"""Label the steps of a solution without a model: by their arithmetic alone.

In: the texts of the steps in order. Out: for each of them whether its equations are right. Not
covered: a step without an equation between numbers, and a right computation of the wrong quantity.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Literal

from curator.answers.steps.read import read_steps
from curator.answers.steps.step import Outcome

_SEVERITY: Sequence[Outcome] = ("right", "unread", "wrong")


def label_steps(texts: Sequence[str]) -> tuple[Outcome | Literal[""], ...]:
    """Return the worst outcome of the equations of each step; empty for a step without one.

    The first wrong step of a solution is the first `wrong`. The steps are read together, as lines
    of one text, so that what one of them says counts for the others.
    """
    starts = list(accumulate((len(text) + 1 for text in texts), initial=0))
    labels: list[Outcome | Literal[""]] = [""] * len(texts)
    for step in read_steps("\n".join(texts)).steps:
        at = min(bisect_right(starts, step.span[0]), len(texts)) - 1
        known = labels[at]
        if not known or _SEVERITY.index(step.outcome) > _SEVERITY.index(known):
            labels[at] = step.outcome
    return tuple(labels)
