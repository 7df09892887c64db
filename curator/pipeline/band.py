"""Decide by a sequential test whether a problem is too hard, useful or too easy for a model.

In: successes and failures so far, and the band: solve rates from `low` to `high` are useful. Out:
the decision, or None while the evidence is too weak. The decision is wrong with a probability of at
most `error`, whatever the solve rate is and however often the test is repeated, if samples are
independent. A rate near an edge may stay undecided.

For each edge, the mean likelihood of the rates on one side of it is divided by the likelihood of
the edge (the method of mixtures, Robbins 1970). If the rate lies on the other side, this ratio is a
supermartingale, and by Ville's inequality it ever reaches 1 / a with probability a at most. The
mean gives half of the weight to a rate of 0 or 1, since many problems are never or always solved,
and spreads the other half evenly. A useful problem can be misjudged at both edges, so each of them
gets half of the error. Undecided samples are not counted.
"""

from math import exp, log1p
from typing import Literal

Band = Literal["too hard", "useful", "too easy"]


def decide_band(
    successes: int, failures: int, band: tuple[float, float], error: float
) -> Band | None:
    """Return the band of a problem; None if it is not decided yet.

    With an edge of 0 or 1, nothing is too hard or too easy.
    """
    low, high = band
    if is_below(successes, failures, low, error / 2):
        return "too hard"
    if is_below(failures, successes, 1 - high, error / 2):
        return "too easy"
    not_hard = low <= 0 or is_below(failures, successes, 1 - low, error)
    not_easy = high >= 1 or is_below(successes, failures, high, error)
    return "useful" if not_hard and not_easy and successes + failures else None


def is_below(successes: int, failures: int, edge: float, error: float) -> bool:
    """Return whether the evidence for a rate below an edge reaches 1 / error.

    The mean of q^s (1 - q)^f over q from 0 to the edge, divided by its value at the edge, is an
    incomplete beta function, and so a sum of positive terms.
    """
    if not 0 < edge < 1:
        return False
    never = exp(min(-failures * log1p(-edge), 700)) if not successes else 0.0
    needed = (successes + 1) * (2 / error - never)
    odds = edge / (1 - edge)
    term = total = 1.0
    for number in range(failures):
        if total >= needed:
            break
        term *= (failures - number) / (successes + 2 + number) * odds
        total += term
    return total >= needed


def min_samples(band: tuple[float, float], error: float, most: int) -> int:
    """Return the smallest number of samples after which a band can be decided, at most `most`."""
    for count in range(1, most):
        counts = ((count - failures, failures) for failures in range(count + 1))
        if any(decide_band(*each, band, error) for each in counts):
            return count
    return most
