"""Measures of a verifier, compared with known values and brute force."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trainers.evaluation.calibration import auc, calibration_error, pair_accuracy, reliability

SCORED = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), st.booleans()))
BOTH = SCORED.filter(lambda each: len({right for _, right in each}) == 2)


def arrays(pairs: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([s for s, _ in pairs], np.float64), np.array([r for _, r in pairs], np.bool_)


def by_pairs(pairs: list[tuple[float, bool]]) -> float:
    """Return the AUC by its definition."""
    wins = [
        (score > lower) + (score == lower) / 2
        for score, right in pairs
        if right
        for lower, other in pairs
        if not other
    ]
    return sum(wins) / len(wins)


@given(BOTH)
def test_auc_is_the_share_of_pairs_in_the_right_order(pairs: list[tuple[float, bool]]) -> None:
    assert auc(*arrays(pairs)) == pytest.approx(by_pairs(pairs))


@given(BOTH)
def test_auc_depends_only_on_the_order_and_is_reversed_with_it(
    pairs: list[tuple[float, bool]],
) -> None:
    scores, right = arrays(pairs)
    assert auc(scores**3, right) == pytest.approx(auc(scores, right))
    assert auc(1 - scores, right) == pytest.approx(1 - auc(scores, right))


@given(st.lists(SCORED, min_size=1))
def test_pair_accuracy_is_the_mean_over_problems_that_have_both_kinds(problems: list) -> None:
    both = [by_pairs(each) for each in problems if len({right for _, right in each}) == 2]
    found = [arrays(each) for each in problems]
    if both:
        assert pair_accuracy(found) == pytest.approx(np.mean(both))
    else:
        with pytest.raises(ValueError, match="no problem"):
            pair_accuracy(found)


@given(SCORED)
@example([(0.1, False)] * 7)  # the mean is rounded to less than 0.1
def test_bins_contain_every_solution_once_and_the_error_is_bounded(pairs: list) -> None:
    scores, right = arrays(pairs)
    bins = reliability(scores, right)
    assert sum(each.solutions for each in bins) == len(pairs)
    assert all(each.low <= each.score <= each.high for each in bins if each.solutions)
    assert 0 <= calibration_error(bins) <= 1


def test_known_values() -> None:
    scores, right = arrays([(0.95, True), (0.95, True), (0.95, False), (0.05, False)])
    bins = reliability(scores, right)
    assert (bins[9].solutions, bins[9].right) == (3, pytest.approx(2 / 3))
    assert calibration_error(bins) == pytest.approx((3 * (0.95 - 2 / 3) + 0.05) / 4)
    with pytest.raises(ValueError, match="only one kind"):
        auc(*arrays([(0.5, True)]))
