"""The expected vote equals that of all subsets in all orders, and favours no place."""

from fractions import Fraction
from itertools import combinations
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.evaluation.votes import right_clusters, vote_share


def brute_force(clusters: list[int], right: set[int], k: int) -> Fraction:
    """Average over all subsets; a tie is shared by the largest clusters."""
    shares = []
    for drawn in combinations(clusters, k):
        counts = {name: drawn.count(name) for name in drawn if name >= 0}
        most = max(counts.values(), default=0)
        tied = [name for name, count in counts.items() if count == most]
        shares.append(Fraction(sum(name in right for name in tied), len(tied) or 1))
    return sum(shares, Fraction()) / len(shares)


@given(st.lists(st.integers(-1, 4), min_size=1, max_size=9), st.sets(st.integers(0, 4)), st.data())
def test_the_expected_vote_equals_brute_force(
    clusters: list[int], right: set[int], data: st.DataObject
) -> None:
    k = data.draw(st.integers(1, len(clusters)))
    found = vote_share(np.array(clusters), right, k)
    assert found == pytest.approx(float(brute_force(clusters, right, k)), abs=1e-12)


def test_the_order_of_samples_does_not_matter() -> None:
    clusters = [0, 0, 1, 1, 2, -1, 3, 3]
    expected = [vote_share(np.array(clusters), [1], k) for k in range(1, 9)]
    assert expected[-1] == pytest.approx(1 / 3), "three clusters of two"
    for seed in range(20):
        Random(seed).shuffle(clusters)
        assert [vote_share(np.array(clusters), [1], k) for k in range(1, 9)] == expected


def test_many_samples_of_many_answers_are_exact() -> None:
    distinct = np.arange(64)
    assert [vote_share(distinct, [63], k) for k in (1, 16, 64)] == pytest.approx([1 / 64] * 3)
    silent = np.array([-1] * 63 + [0])
    assert [vote_share(silent, [0], k) for k in (1, 16, 64)] == pytest.approx([1 / 64, 1 / 4, 1])
    pairs = np.repeat(np.arange(50), 2)
    for k in (2, 51, 100):
        shares = [vote_share(pairs, [name], k) for name in (0, 49)]
        assert shares == pytest.approx([1 / 50, 1 / 50])


def test_votes_of_thousands_of_samples_are_exact() -> None:
    halves = np.repeat([0, 1], 1_000)
    for k in (1, 2, 999, 1_000):
        assert vote_share(halves, [0], k) == pytest.approx(1 / 2)


@pytest.mark.parametrize("k", [0, 4])
def test_a_vote_needs_samples(k: int) -> None:
    with pytest.raises(ValueError, match=f"1 <= k <= 3, saw {k}"):
        vote_share(np.array([0, 1, 2]), [0], k)


def test_a_cluster_is_right_if_most_of_its_samples_are() -> None:
    clusters = np.array([0, 0, 1, 1, 1, -1])
    assert right_clusters(clusters, [True, False, True, True, False, True]) == [1]
