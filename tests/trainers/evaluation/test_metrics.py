"""Metrics: known values, brute force, and properties that hold for any samples."""

import tracemalloc
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple
from fractions import Fraction
from itertools import combinations, product
from statistics import mean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.evaluation import metrics
from trainers.evaluation.metrics import (
    LIMITED_RULES,
    RULES,
    Draws,
    Interval,
    bootstrap_intervals,
    format_p,
    paired_differences,
    pass_at_k,
    sampling_variance,
    standard_error,
)

SAMPLES = st.lists(
    st.tuples(st.integers(-1, 5), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0])),
    min_size=1,
    max_size=24,
)


def choose(name: str, clusters: np.ndarray, scores: np.ndarray, k: int | None = None) -> int:
    """Return the cluster that a rule chooses in one draw."""
    draws = Draws(np.array([clusters]), np.array([scores]))
    (chosen,) = RULES[name](draws) if k is None else LIMITED_RULES[name](draws, k)
    return int(chosen)


def bootstrap_interval(values: Sequence[float]) -> Interval:
    return bootstrap_intervals(np.array([values], np.float64).T)[0]


def paired_difference(one: Sequence[float], other: Sequence[float]) -> tuple[Interval, float]:
    first, second = (np.array([each], np.float64).T for each in (one, other))
    return paired_differences(first, second)[0]


def arrays(samples: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    clusters, scores = zip(*samples, strict=True)
    return np.array(clusters, np.int64), np.array(scores, np.float64)


@given(st.lists(st.lists(st.booleans(), min_size=2, max_size=4), min_size=1, max_size=5))
def test_the_standard_error_of_avg_at_k_is_that_of_all_resamples(
    problems: list[list[bool]],
) -> None:
    variances = []
    for right in problems:
        k = len(right)
        shares = [Fraction(sum(drawn), k) for drawn in product(right, repeat=k)]
        centre = sum(shares) / len(shares)
        spread = sum((share - centre) ** 2 for share in shares) / len(shares)
        # Resamples of k samples vary less than new samples, by (k - 1) / k.
        variances.append(spread * k / (k - 1))
        assert sampling_variance(k, sum(right)) == pytest.approx(float(variances[-1]))
    expected = float(sum(variances)) ** 0.5 / len(problems)
    assert standard_error([sampling_variance(len(r), sum(r)) for r in problems]) == pytest.approx(
        expected
    )


@pytest.mark.parametrize(("samples", "right"), [(1, 0), (0, 0), (3, 4), (3, -1)])
def test_the_variance_of_impossible_counts_is_an_error(samples: int, right: int) -> None:
    with pytest.raises(ValueError, match="expected 0 <= c <= k and k >= 2"):
        sampling_variance(samples, right)


@given(st.integers(1, 9), st.data())
def test_pass_at_k_is_the_share_of_all_draws_with_a_right_one(n: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, n))
    k = data.draw(st.integers(1, n))
    drawn = [any(sample < right for sample in draw) for draw in combinations(range(n), k)]
    assert pass_at_k(n, right, k) == pytest.approx(mean(drawn))


def test_pass_at_k_of_known_values() -> None:
    # The example of the paper that introduced it: n = 200, few of them right.
    assert pass_at_k(200, 1, 1) == pytest.approx(0.005)
    assert pass_at_k(200, 1, 100) == pytest.approx(0.5)
    assert pass_at_k(64, 64, 8) == 1.0
    with pytest.raises(ValueError, match="k=5, n=4"):
        pass_at_k(4, 1, 5)


# Clusters 7, 7, none, 3, 3, 9; the verifier scores 9 highest and the first 7 lowest.
CLUSTERS = np.array([7, 7, -1, 3, 3, 9], np.int64)
SCORES = np.array([0.1, 0.4, 1.0, 0.3, 0.45, 0.9])


def test_each_rule_on_a_case_computed_by_hand() -> None:
    assert choose("Maj1", CLUSTERS, SCORES) == 7  # a tie of 7 and 3: 7 was sampled first
    assert choose("RR.All", CLUSTERS, SCORES) == 9
    assert choose("RR.Top-K", CLUSTERS, SCORES, 2) == 3
    assert choose("W.RR", CLUSTERS, SCORES) == 9  # 0.5, 0.75, 0.9
    assert choose("W.RR.Top-K", CLUSTERS, SCORES, 2) == 3
    assert choose("Maj1.TopN", CLUSTERS, SCORES, 3) == 7  # of 9, 3 and 7, 7 was first


def test_without_any_answer_no_rule_chooses_a_cluster() -> None:
    for name in RULES:
        assert choose(name, np.array([-1, -1]), np.array([0.9, 0.1])) == -1


@given(SAMPLES)
def test_every_rule_chooses_an_existing_cluster_or_none(samples: list[tuple[int, float]]) -> None:
    clusters, scores = arrays(samples)
    for name in RULES:
        assert choose(name, clusters, scores) in ({*clusters.tolist()} - {-1} or {-1})


def rank(samples: list[tuple[int, Fraction]]) -> list[int]:
    """Return the clusters by size, then by place: the definition, in plain Python."""
    sizes = Counter(cluster for cluster, _ in samples if cluster >= 0)
    firsts = [cluster for cluster in dict.fromkeys(c for c, _ in samples) if cluster >= 0]
    return sorted(firsts, key=lambda cluster: -sizes[cluster])


def choose_plainly(name: str, samples: list[tuple[int, Fraction]], k: int) -> int:
    """Return the cluster that a rule chooses, by its definition in section 3.2 of Liu et al."""
    ranked = rank(samples)
    if name in ("Maj1", "Maj1.TopN"):
        answered = [n for n, (cluster, _) in enumerate(samples) if cluster >= 0]
        best = sorted(answered, key=lambda n: -samples[n][1])[:k]
        some = samples if name == "Maj1" else [samples[n] for n in sorted(best)]
        return next(iter(rank(some)), -1)
    top = [s for s in samples if s[0] in (ranked if name in ("RR.All", "W.RR") else ranked[:k])]
    if name.startswith("W."):
        sums = {cluster: sum(s for c, s in top if c == cluster) for cluster, _ in top}
        return max(sums, key=lambda cluster: sums[cluster], default=-1)
    return max(top, key=lambda each: each[1], default=(-1, 0))[0]


@given(st.integers(1, 12), st.integers(1, 9), st.data())
def test_all_draws_of_a_problem_follow_the_definition_of_each_rule(
    size: int, k: int, data: st.DataObject
) -> None:
    scores = st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.7, 1.0])  # 0.1 + 0.2 ties with 0.3
    draw = st.lists(st.tuples(st.integers(-1, 4), scores), min_size=size, max_size=size)
    drawn = data.draw(st.lists(draw, min_size=1, max_size=4))
    draws = Draws(*(np.array([[s[part] for s in each] for each in drawn]) for part in (0, 1)))
    exact = [[(cluster, Fraction(str(score))) for cluster, score in each] for each in drawn]
    for name, rule in RULES.items():
        assert rule(draws).tolist() == [choose_plainly(name, each, metrics.TOP) for each in exact]
    for name, limited in LIMITED_RULES.items():
        assert limited(draws, k).tolist() == [choose_plainly(name, each, k) for each in exact]


@given(SAMPLES)
def test_equal_scores_do_not_change_the_vote(
    samples: list[tuple[int, float]],
) -> None:
    clusters, _ = arrays(samples)
    even = np.full(len(clusters), 0.5)
    assert choose("W.RR", clusters, even) == choose("Maj1", clusters, even)
    assert choose("Maj1.TopN", clusters, even, len(clusters)) == choose("Maj1", clusters, even)


@given(SAMPLES)
def test_without_an_effective_limit_rules_use_all_samples(
    samples: list[tuple[int, float]],
) -> None:
    clusters, scores = arrays(samples)
    assert choose("RR.Top-K", clusters, scores, 99) == choose("RR.All", clusters, scores)
    assert choose("W.RR.Top-K", clusters, scores, 99) == choose("W.RR", clusters, scores)
    assert choose("RR.Top-K", clusters, scores, 1) == choose("Maj1", clusters, scores)


@given(SAMPLES)
def test_the_numbers_of_clusters_do_not_matter(samples: list[tuple[int, float]]) -> None:
    clusters, scores = arrays(samples)
    renamed = np.where(clusters < 0, -1, 9 - clusters)
    for name in RULES:
        chosen = choose(name, clusters, scores)
        assert choose(name, renamed, scores) == (-1 if chosen < 0 else 9 - chosen), name


def test_an_interval_of_a_share_is_about_two_standard_errors() -> None:
    solved = [1.0] * 200 + [0.0] * 300
    found = bootstrap_interval(solved)
    error = (0.4 * 0.6 / 500) ** 0.5
    assert found.share == pytest.approx(0.4)
    assert found.low == pytest.approx(0.4 - 1.96 * error, abs=0.006)
    assert found.high == pytest.approx(0.4 + 1.96 * error, abs=0.006)
    assert bootstrap_interval(solved) == found


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ([0.0] * 20, 0.0, 0.161),
        ([1.0] * 20, 0.839, 1.0),
        ([1.0], 0.207, 1.0),
        ([0.5] * 9, 0.2, 0.8),
    ],
)
def test_an_interval_of_equal_values_is_wilsons_and_no_point(
    values: list[float], low: float, high: float
) -> None:
    found = bootstrap_interval(values)
    assert (found.share, found.low, found.high) == pytest.approx(
        (values[0], low, high), abs=0.06 if len(values) == 9 else 0.001
    )


def test_an_interval_of_equal_differences_is_no_point() -> None:
    for first, sign in ((1.0, 1), (0.0, -1)):
        gap, p = paired_difference([first] * 30, [1.0 - first] * 30)
        assert gap.share == sign and gap.low < gap.high and format_p(p) == "<0.001"
        assert -1 <= gap.low <= sign <= gap.high <= 1 and gap.low * gap.high > 0
    same, p = paired_difference([1.0] * 30, [1.0] * 30)
    assert same.low < 0 < same.high and p == 1.0
    many, _ = paired_difference([1.0] * 1_319, [1.0] * 1_319)
    assert -0.003 < many.low < 0 < many.high < 0.003, "as narrow as if one problem differed"


def test_a_p_value_is_never_printed_as_zero() -> None:
    assert [format_p(p) for p in (1 / 2001, 0.001, 0.0423, 1.0)] == [
        "<0.001",
        "0.001",
        "0.042",
        "1.000",
    ]


def test_resamples_of_many_problems_are_drawn_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(2).random(5_001)
    whole = bootstrap_interval(values), paired_difference(values, values[::-1])
    monkeypatch.setattr(metrics, "AT_ONCE", 70_000)
    tracemalloc.start()
    parts = bootstrap_interval(values), paired_difference(values, values[::-1])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000
    assert astuple(parts[0]) == pytest.approx(astuple(whole[0]))
    assert astuple(parts[1][0]) == pytest.approx(astuple(whole[1][0]))
    assert parts[1][1] == whole[1][1]
    assert bootstrap_interval([]).high == 1 and paired_difference([], [])[1] == 1


def test_the_paired_test_detects_a_real_difference_and_no_other() -> None:
    random = np.random.default_rng(1)
    base = (random.random(400) < 0.5).astype(float)
    better = np.maximum(base, (random.random(400) < 0.15).astype(float))
    gap, p = paired_difference(better, base)
    assert gap.low > 0 and p < 0.01
    noise = (random.random(400) < 0.5).astype(float)
    gap, p = paired_difference(noise, base)
    assert gap.low < 0 < gap.high and p > 0.05
    assert paired_difference(base, base)[1] == 1.0
    with pytest.raises(ValueError, match=r"saw shapes \(400, 1\) and \(1, 1\)"):
        paired_difference(base, base[:1])
