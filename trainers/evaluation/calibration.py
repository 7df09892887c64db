"""How good a verifier's scores are: ranking, ranking within a problem, calibration.

In: scores from 0 to 1 and whether each solution is right. Out: plain numbers. Pure functions over
numpy arrays. All three should be on problems that the verifier was not trained on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainers.evaluation.metrics import Floats

Booleans = np.ndarray[Any, np.dtype[np.bool_]]

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Solutions whose scores lie in a tenth; the last one has 1 in it."""

    low: float
    high: float
    solutions: int
    score: float
    """Mean score; 0 where there is none."""
    right: float
    """Share that is right; 0 where there is none."""


def auc(scores: Floats, right: Booleans) -> float:
    """The chance that a right solution has a higher score than a wrong one; a tie is half.

    Raises ValueError if all are right, or none is.
    """
    ours, theirs = scores[right], scores[~right]
    if not len(ours) or not len(theirs):
        raise ValueError("AUC needs right and wrong solutions, saw only one kind")
    ordered = np.sort(theirs)
    below = np.searchsorted(ordered, ours, side="left")
    not_above = np.searchsorted(ordered, ours, side="right")
    return float((below + not_above).sum() / (2 * len(ours) * len(theirs)))


def pair_accuracy(problems: Sequence[tuple[Floats, Booleans]]) -> float:
    """The mean over problems of the AUC within each; those of one kind of solution are left out.

    Raises ValueError if no problem has both kinds.
    """
    both = [auc(*each) for each in problems if 0 < each[1].sum() < len(each[1])]
    if not both:
        raise ValueError("no problem has right and wrong solutions")
    return float(np.mean(both))


def reliability(scores: Floats, right: Booleans, bins: int = BINS) -> list[Bin]:
    """Solutions by tenths of their score."""
    places = np.minimum((scores * bins).astype(np.int64), bins - 1)
    found = []
    for place in range(bins):
        inside = places == place
        count = int(inside.sum())
        score = share = 0.0
        if count:
            # A mean of equal scores can be rounded to less than each of them.
            score = float(scores[inside].mean().clip(scores[inside].min(), scores[inside].max()))
            share = float(right[inside].mean())
        found.append(Bin(place / bins, (place + 1) / bins, count, score, share))
    return found


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: the mean gap of score and share that is right, by solutions."""
    total = sum(each.solutions for each in bins)
    gaps = (each.solutions * abs(each.score - each.right) for each in bins)
    return sum(gaps) / total if total else 0.0
