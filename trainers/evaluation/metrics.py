"""Metrics of sampled solutions: Pass@k, votes, and the re-ranking rules of Liu et al. 2023.

In: the samples of a problem as an array of clusters of equal answers and an array of scores, one
element per sample in the order of sampling. Out: the cluster that a rule chooses, and intervals
over problems. Pure functions over numpy arrays.

Clusters are numbered from 0; -1 is a sample without an answer, which never wins a vote. Ties go to
the cluster or sample that comes first: average over random orders, so that they favour none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb, sqrt
from typing import Any

import numpy as np

from curator.checks.grade_samples import Floats, Ints

TOP = 8
"""K of RR.Top-K and W.RR.Top-K, N of Maj1.TopN (Liu et al., section 3.2)."""
BOOTSTRAP = 2_000
"""Number of bootstrap resamples, and of permutations of a paired test."""
AT_ONCE = 16_000_000
"""Maximum values of resamples in memory: a file of samples may have a million problems."""


def pass_at_k(samples: int, right: int, k: int) -> float:
    """Return the unbiased estimate of the probability that one of `k` samples is right.

    1 - C(n - c, k) / C(n, k) (Chen et al. 2021). Raises ValueError if there are fewer than k.
    """
    if not 0 <= right <= samples or not 1 <= k <= samples:
        raise ValueError(f"expected 0 <= c <= n and 1 <= k <= n, saw k={k}, n={samples}, c={right}")
    return 1.0 - comb(samples - right, k) / comb(samples, k)


def rank_clusters(clusters: Ints) -> list[int]:
    """Return the clusters by descending size; ties in the order of sampling."""
    names, firsts, sizes = np.unique(clusters, return_index=True, return_counts=True)
    order = sorted(zip(-sizes, firsts, names, strict=True))
    return [int(name) for _, _, name in order if name >= 0]


def majority(clusters: Ints, scores: Floats) -> int:
    """Maj1@N: return the largest cluster, or -1 if no sample has an answer."""
    return next(iter(rank_clusters(clusters)), -1)


def best_score(clusters: Ints, scores: Floats) -> int:
    """RR.All: return the cluster of the sample with the best score."""
    return _best_of(clusters, scores, clusters >= 0)


def best_of_top(clusters: Ints, scores: Floats, k: int = TOP) -> int:
    """RR.Top-K: return the cluster of the best score within the K largest clusters."""
    return _best_of(clusters, scores, np.isin(clusters, rank_clusters(clusters)[:k]))


def weighted_vote(clusters: Ints, scores: Floats) -> int:
    """W.RR: return the cluster with the largest sum of scores."""
    return weighted_vote_of_top(clusters, scores, len(clusters))


def weighted_vote_of_top(clusters: Ints, scores: Floats, k: int = TOP) -> int:
    """W.RR.Top-K: return the cluster with the largest sum of scores among the K largest."""
    sums = [(float(scores[clusters == name].sum()), name) for name in _top_clusters(clusters, k)]
    return max(sums, key=lambda each: each[0], default=(0.0, -1))[1]


def majority_of_best(clusters: Ints, scores: Floats, n: int = TOP) -> int:
    """Maj1.TopN: return the largest cluster among the N samples with the best scores."""
    order = np.argsort(-scores, kind="stable")
    top = np.sort([place for place in order if clusters[place] >= 0][:n]).astype(np.int64)
    return majority(clusters[top], scores[top]) if len(top) else -1


def _best_of(clusters: Ints, scores: Floats, among: np.ndarray[Any, np.dtype[np.bool_]]) -> int:
    if not among.any():
        return -1
    return int(clusters[np.argmax(np.where(among, scores, -np.inf))])


def _top_clusters(clusters: Ints, k: int) -> list[int]:
    """Return the K largest clusters in the order of sampling."""
    firsts = {name: int(np.argmax(clusters == name)) for name in rank_clusters(clusters)[:k]}
    return sorted(firsts, key=lambda name: firsts[name])


Rule = Callable[[Ints, Floats], int]

RULES: dict[str, Rule] = {
    "Maj1": majority,
    "RR.All": best_score,
    "RR.Top-K": best_of_top,
    "W.RR": weighted_vote,
    "W.RR.Top-K": weighted_vote_of_top,
    "Maj1.TopN": majority_of_best,
}
"""The rules by their names in Liu et al. All except `Maj1` need scores."""

LIMITED_RULES: dict[str, Callable[[Ints, Floats, int], int]] = {
    "RR.Top-K": best_of_top,
    "W.RR.Top-K": weighted_vote_of_top,
    "Maj1.TopN": majority_of_best,
}
"""Rules with a limit on the number of clusters or samples."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A share and its 95% interval over problems."""

    share: float
    low: float
    high: float


Z = 1.959964
"""The 97.5% quantile of the normal distribution."""


def bootstrap_interval(
    solved: Sequence[float] | Floats, seed: int = 0, least: float = 0.0
) -> Interval:
    """Return the mean of one value per problem, with a percentile bootstrap over problems.

    Values are from `least` to 1. If all are equal, resamples are, too, and the interval would be a
    point; it is then that of Wilson 1927, which allows for what so few problems do not show.
    """
    values = np.asarray(solved, dtype=np.float64)
    if not len(values):
        return Interval(0.0, least, 1.0)
    mean = float(values.mean())
    if np.ptp(values) < 1e-12:
        if least < 0 and not mean:  # no problem differs: bound the share of those that may
            high = _wilson_interval(0.0, len(values), 0.0).high
            return Interval(mean, -high, high)
        return _wilson_interval(mean, len(values), least)
    low, high = np.percentile(_bootstrap_means(values, seed), [2.5, 97.5])
    return Interval(mean, float(low), float(high))


def _wilson_interval(mean: float, problems: int, least: float) -> Interval:
    """Return the 95% score interval of Wilson around a mean of values from `least` to 1."""
    scale = 1.0 - least
    share, z2 = (mean - least) / scale, Z**2 / problems
    centre = (share + z2 / 2) / (1 + z2)
    margin = Z / (1 + z2) * sqrt(max(share * (1 - share), 0.0) / problems + z2 / problems / 4)
    low, high = (min(max(centre + sign * margin, 0.0), 1.0) for sign in (-1, 1))
    return Interval(mean, min(least + scale * low, mean), max(least + scale * high, mean))


def format_p(p: float) -> str:
    """Return a p value with three digits; a permutation test never gives zero."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def paired_difference(
    first: Sequence[float] | Floats, second: Sequence[float] | Floats, seed: int = 0
) -> tuple[Interval, float]:
    """Return the mean difference on the same problems and a two-sided p.

    p is from a paired permutation test, which flips the signs of differences at random. Raises
    ValueError if the lengths differ.
    """
    if len(first) != len(second):
        raise ValueError(f"expected pairs of values, saw {len(first)} and {len(second)}")
    gaps = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    if not len(gaps):
        return bootstrap_interval(gaps, seed, least=-1.0), 1.0
    random = np.random.default_rng(seed)
    observed = abs(gaps.mean())
    at_least = 0
    for rows in _parts(len(gaps)):
        signs = random.choice([-1.0, 1.0], size=(rows, len(gaps)))
        at_least += int((np.abs((signs * gaps).mean(axis=1)) >= observed - 1e-12).sum())
    return bootstrap_interval(gaps, seed, least=-1.0), (1 + at_least) / (1 + BOOTSTRAP)


def _bootstrap_means(values: Floats, seed: int) -> Floats:
    random = np.random.default_rng(seed)
    shares = np.full(len(values), 1 / len(values))
    return np.concatenate(
        [
            random.multinomial(len(values), shares, size=rows) @ values / len(values)
            for rows in _parts(len(values))
        ]
    )


def _parts(problems: int) -> list[int]:
    """Return numbers of resamples that add up to all, each with at most `AT_ONCE` values."""
    rows = min(BOOTSTRAP, max(1, AT_ONCE // problems))
    return [min(rows, BOOTSTRAP - start) for start in range(0, BOOTSTRAP, rows)]
