"""Scores of sampled solutions: Pass@k, votes, and the re-ranking rules of Liu et al. 2023.

In: for each problem its samples as (cluster of equal answers, whether right, score of a verifier).
Out: shares of problems solved, and intervals over problems. Pure functions over numpy arrays.

One problem is an array of clusters and one of scores, a place a sample, in the order of sampling. A
cluster is a number from 0; -1 is a sample without an answer, which never wins a vote. Ties go to
the cluster, or the sample, that was sampled first: samples are exchangeable, so this favours none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np

Ints = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]

TOP = 8
"""Clusters that RR.Top-K and W.RR.Top-K look into (Liu et al., section 3.2)."""


def pass_at_k(samples: int, right: int, k: int) -> float:
    """The chance that one of `k` samples drawn from these is right, without bias.

    1 - C(n - c, k) / C(n, k) (Chen et al. 2021). Raises ValueError if there are fewer than k.
    """
    if not 0 <= right <= samples or not 1 <= k <= samples:
        raise ValueError(f"k of n samples, c of them right: saw k={k}, n={samples}, c={right}")
    return 1.0 - comb(samples - right, k) / comb(samples, k)


def ranked(clusters: Ints) -> list[int]:
    """Clusters by size, the largest first; of equal ones the one that was sampled first."""
    names, firsts, sizes = np.unique(clusters, return_index=True, return_counts=True)
    order = sorted(zip(-sizes, firsts, names, strict=True))
    return [int(name) for _, _, name in order if name >= 0]


def majority(clusters: Ints, scores: Floats) -> int:
    """Maj1@N: the largest cluster; -1 if no sample has an answer."""
    return next(iter(ranked(clusters)), -1)


def best(clusters: Ints, scores: Floats) -> int:
    """RR.All: the cluster of the best score of all."""
    return _best_of(clusters, scores, clusters >= 0)


def best_of_top(clusters: Ints, scores: Floats, k: int = TOP) -> int:
    """RR.Top-K: the best score inside the K largest clusters."""
    return _best_of(clusters, scores, np.isin(clusters, ranked(clusters)[:k]))


def weighted(clusters: Ints, scores: Floats) -> int:
    """W.RR: the cluster with the largest sum of scores."""
    return weighted_of_top(clusters, scores, len(clusters))


def weighted_of_top(clusters: Ints, scores: Floats, k: int = TOP) -> int:
    """W.RR.Top-K: the largest sum of scores among the K largest clusters."""
    sums = [(float(scores[clusters == name].sum()), name) for name in _sampled(clusters, k)]
    return max(sums, key=lambda each: each[0], default=(0.0, -1))[1]


def majority_of_best(clusters: Ints, scores: Floats, n: int = TOP) -> int:
    """Maj1.TopN: the majority among the N samples of the best scores."""
    order = np.argsort(-scores, kind="stable")
    kept = np.sort([place for place in order if clusters[place] >= 0][:n]).astype(np.int64)
    return majority(clusters[kept], scores[kept]) if len(kept) else -1


def _best_of(clusters: Ints, scores: Floats, among: np.ndarray[Any, np.dtype[np.bool_]]) -> int:
    if not among.any():
        return -1
    return int(clusters[np.argmax(np.where(among, scores, -np.inf))])


def _sampled(clusters: Ints, k: int) -> list[int]:
    """The K largest clusters in the order in which they were sampled."""
    firsts = {name: int(np.argmax(clusters == name)) for name in ranked(clusters)[:k]}
    return sorted(firsts, key=lambda name: firsts[name])


Rule = Callable[[Ints, Floats], int]

RULES: dict[str, Rule] = {
    "Maj1": majority,
    "RR.All": best,
    "RR.Top-K": best_of_top,
    "W.RR": weighted,
    "W.RR.Top-K": weighted_of_top,
    "Maj1.TopN": majority_of_best,
}
"""The rules by the names of Liu et al. All but `Maj1` need scores."""


LOOKING: dict[str, Callable[[Ints, Floats, int], int]] = {
    "RR.Top-K": best_of_top,
    "W.RR.Top-K": weighted_of_top,
    "Maj1.TopN": majority_of_best,
}
"""Rules that look into so many clusters or samples only."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A share and its 95% interval over problems."""

    share: float
    low: float
    high: float


def interval(solved: Sequence[float] | Floats, draws: int = 2_000, seed: int = 0) -> Interval:
    """Mean of one value a problem, with a percentile bootstrap over problems."""
    values = np.asarray(solved, dtype=np.float64)
    if not len(values):
        return Interval(0.0, 0.0, 1.0)
    means = _resampled(values, draws, seed)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(values.mean()), float(low), float(high))


def difference(
    ours: Sequence[float] | Floats,
    theirs: Sequence[float] | Floats,
    draws: int = 2_000,
    seed: int = 0,
) -> tuple[Interval, float]:
    """How much more the first solves of the same problems, and a two-sided p by a paired
    permutation test (signs of the differences flipped at random).

    Raises ValueError if the two are not of one length.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"pairs of values: saw {len(ours)} and {len(theirs)}")
    gaps = np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64)
    random = np.random.default_rng(seed)
    seen = abs(gaps.mean()) if len(gaps) else 0.0
    signs = random.choice([-1.0, 1.0], size=(draws, len(gaps)))
    flipped = np.abs((signs * gaps).mean(axis=1)) if len(gaps) else np.ones(draws)
    p = (1 + int((flipped >= seen - 1e-12).sum())) / (1 + draws)
    return interval(gaps, draws, seed), p


def _resampled(values: Floats, draws: int, seed: int) -> Floats:
    random = np.random.default_rng(seed)
    counts = random.multinomial(len(values), np.full(len(values), 1 / len(values)), size=draws)
    means: Floats = counts @ values / len(values)
    return means
