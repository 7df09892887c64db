"""Measures a verifier's scores: ranking, ranking within a problem, calibration.

In: scores from 0 to 1 and whether each solution is right. Out: numbers. Pure functions over numpy
arrays. Use problems that the verifier was not trained on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from curator.checks.grade_samples import Floats

Booleans = np.ndarray[Any, np.dtype[np.bool_]]

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Solutions with scores in one tenth of the range; the last bin includes 1."""

    low: float
    high: float
    solutions: int
    score: float
    """Mean score; 0 if the bin is empty."""
    right: float
    """Share of right solutions; 0 if the bin is empty."""


def auc(scores: Floats, right: Booleans) -> float:
    """Return the probability that a right solution scores higher than a wrong one; ties count half.

    Raises ValueError if there are no right or no wrong solutions.
    """
    of_right, of_wrong = scores[right], scores[~right]
    if not len(of_right) or not len(of_wrong):
        raise ValueError("AUC needs right and wrong solutions, saw only one kind")
    ordered = np.sort(of_wrong)
    below = np.searchsorted(ordered, of_right, side="left")
    not_above = np.searchsorted(ordered, of_right, side="right")
    return float((below + not_above).sum() / (2 * len(of_right) * len(of_wrong)))


def pair_accuracy(problems: Sequence[tuple[Floats, Booleans]]) -> float:
    """Return the mean AUC within problems, over problems with right and wrong solutions.

    Raises ValueError if there is no such problem.
    """
    areas = [auc(*each) for each in problems if 0 < each[1].sum() < len(each[1])]
    if not areas:
        raise ValueError("no problem has right and wrong solutions")
    return float(np.mean(areas))


def reliability(scores: Floats, right: Booleans, bins: int = BINS) -> list[Bin]:
    """Group solutions into bins of equal width by score."""
    places = np.minimum((scores * bins).astype(np.int64), bins - 1)
    result = []
    for place in range(bins):
        inside = places == place
        count = int(inside.sum())
        score = share = 0.0
        if count:
            # Rounding can put the mean of equal scores below all of them.
            score = float(scores[inside].mean().clip(scores[inside].min(), scores[inside].max()))
            share = float(right[inside].mean())
        result.append(Bin(place / bins, (place + 1) / bins, count, score, share))
    return result


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return the expected calibration error: the mean gap between score and share of right ones."""
    total = sum(each.solutions for each in bins)
    gaps = (each.solutions * abs(each.score - each.right) for each in bins)
    return sum(gaps) / total if total else 0.0
