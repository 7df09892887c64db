"""Metrics of sampled solutions: Pass@k, votes, and the re-ranking rules of Liu et al. 2023.

In: the samples of a problem, drawn several times: arrays of clusters of equal answers and of
scores. Out: the cluster that a rule chooses in each draw, and intervals over problems.

Clusters are numbered from 0; -1 is a sample without an answer, which never wins a vote. Ties go to
the cluster or sample that comes first: average over random orders, so that they favour none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import comb, sqrt

import numpy as np

from curator.checks.grade_samples import Booleans, Floats, Ints

TOP = 8
"""K of RR.Top-K and W.RR.Top-K, N of Maj1.TopN (Liu et al., section 3.2)."""
BOOTSTRAP = 2_000
"""Number of bootstrap resamples, and of permutations of a paired test."""
AT_ONCE = 16_000_000
"""Maximum values of resamples in memory: a file of samples may have a million problems."""
DIGITS = 1e9
"""Scores are added as multiples of a billionth, so that a sum does not depend on the order."""


def pass_at_k(samples: int, right: int, k: int) -> float:
    """Return the unbiased estimate of the probability that one of `k` samples is right.

    1 - C(n - c, k) / C(n, k) (Chen et al. 2021). Raises ValueError if there are fewer than k.
    """
    if not 0 <= right <= samples or not 1 <= k <= samples:
        raise ValueError(f"expected 0 <= c <= n and 1 <= k <= n, saw k={k}, n={samples}, c={right}")
    return 1.0 - comb(samples - right, k) / comb(samples, k)


def sampling_variance(samples: int, right: int) -> float:
    """Return the unbiased estimate of the variance of the share of right samples of one problem.

    With p the share of right ones of k samples: p (1 - p) / (k - 1). Raises ValueError for fewer
    than two samples.
    """
    if not 0 <= right <= samples or samples < 2:
        raise ValueError(f"expected 0 <= c <= k and k >= 2, saw k={samples}, c={right}")
    return right * (samples - right) / (samples * samples * (samples - 1))


def standard_error(variances: Sequence[float]) -> float:
    """Return the standard error of a mean over problems from the variance of each problem.

    It is that of sampling again on the same problems: sqrt(sum of variances) / n. Intervals over
    problems also cover what other problems would change.
    """
    return sqrt(sum(variances)) / len(variances)


@dataclass(frozen=True)
class Draws:
    """Draws of the samples of one problem: one row per draw, one column per sample."""

    clusters: Ints
    """(draws, samples)"""
    scores: Floats
    """(draws, samples)"""

    @cached_property
    def names(self) -> Ints:
        """(clusters): the clusters of any draw, in order."""
        return np.unique(self.clusters[self.answered])

    @cached_property
    def answered(self) -> Booleans:
        """(draws, samples): whether a sample has an answer."""
        return self.clusters >= 0

    @cached_property
    def places(self) -> Ints:
        """(draws, samples): the place of each sample's cluster in `names`; 0 without an answer."""
        found: Ints = np.searchsorted(self.names, np.where(self.answered, self.clusters, 0))
        return found

    @cached_property
    def all_groups(self) -> "Groups":
        """The clusters of all samples."""
        return Groups(self, self.answered)

    @cached_property
    def ranks(self) -> Ints:
        """(draws, clusters): 0 for the largest cluster; ties in the order of sampling."""
        order = np.argsort(-self.all_groups.priority, axis=1)
        return np.argsort(order, axis=1)

    @cached_property
    def sums(self) -> Floats:
        """(draws, clusters): the sum of the scores of each cluster, up to a common factor."""
        scale = DIGITS / max(1.0, float(np.abs(self.scores).max(initial=0.0)))
        scaled: Floats = np.rint(self.scores * scale)
        return self.all_groups.count(scaled)

    @cached_property
    def by_score(self) -> Ints:
        """(draws, samples): the samples by descending score; ties in the order of sampling."""
        return np.argsort(-self.scores, axis=1, kind="stable")


class Groups:
    """The clusters of some of the samples of each draw."""

    def __init__(self, draws: Draws, among: Booleans) -> None:
        """`among` (draws, samples) are the samples to count; all have an answer."""
        self._draws, self._among = draws, among
        self._shape = (len(draws.clusters), len(draws.names))
        rows, columns = np.nonzero(among)
        self._cells = rows * len(draws.names) + draws.places[rows, columns]
        self.sizes = np.bincount(self._cells, minlength=self._shape[0] * self._shape[1])
        self.firsts = np.full(len(self.sizes), among.shape[1])
        np.minimum.at(self.firsts, self._cells, columns)
        self.sizes, self.firsts = self.sizes.reshape(self._shape), self.firsts.reshape(self._shape)
        """(draws, clusters): number of samples, and place of the first one."""

    @property
    def priority(self) -> Ints:
        """(draws, clusters): larger for larger clusters, then for earlier ones; -1 if empty."""
        samples = self._among.shape[1]
        return np.where(self.sizes > 0, self.sizes * (samples + 1) - self.firsts, -1)

    def count(self, weights: Floats) -> Floats:
        """(draws, clusters): the sum of the weights (draws, samples) of each cluster."""
        found = np.bincount(self._cells, weights[self._among], self.sizes.size).astype(np.float64)
        return found.reshape(self._shape)

    def largest(self) -> Ints:
        """(draws): the largest cluster, the first one of equals; -1 without an answer."""
        return self.choose(self.priority)

    def choose(self, values: Floats | Ints) -> Ints:
        """(draws): the cluster with the largest of the values (draws, clusters); -1 if negative."""
        if not len(self._draws.names):
            return np.full(self._shape[0], -1)
        chosen = self._draws.names[values.argmax(axis=1)]
        return np.where(values.max(axis=1) >= 0, chosen, -1)


def majority(draws: Draws) -> Ints:
    """Maj1@N: choose the largest cluster, or -1 if no sample has an answer."""
    return draws.all_groups.largest()


def best_score(draws: Draws) -> Ints:
    """RR.All: choose the cluster of the sample with the best score."""
    return _best_of(draws, draws.answered)


def best_of_top(draws: Draws, k: int = TOP) -> Ints:
    """RR.Top-K: choose the cluster of the best score within the K largest clusters."""
    if not len(draws.names):
        return majority(draws)
    ranks = np.take_along_axis(draws.ranks, draws.places, axis=1)
    return _best_of(draws, draws.answered & (ranks < k))


def weighted_vote(draws: Draws) -> Ints:
    """W.RR: choose the cluster with the largest sum of scores."""
    return weighted_vote_of_top(draws, draws.clusters.shape[1])


def weighted_vote_of_top(draws: Draws, k: int = TOP) -> Ints:
    """W.RR.Top-K: choose the cluster with the largest sum of scores among the K largest."""
    groups = draws.all_groups
    if not len(draws.names):
        return majority(draws)
    sums = np.where((draws.ranks < k) & (groups.sizes > 0), draws.sums, -np.inf)
    best = (sums == sums.max(axis=1, keepdims=True)) & (groups.sizes > 0)
    return groups.choose(np.where(best, draws.clusters.shape[1] - groups.firsts, -1))


def majority_of_best(draws: Draws, n: int = TOP) -> Ints:
    """Maj1.TopN: choose the largest cluster among the N samples with the best scores."""
    answered = np.take_along_axis(draws.answered, draws.by_score, axis=1)
    best = np.zeros_like(draws.answered)
    top = answered & (answered.cumsum(axis=1) <= n)
    np.put_along_axis(best, draws.by_score, top, axis=1)
    return Groups(draws, best).largest()


def _best_of(draws: Draws, among: Booleans) -> Ints:
    scores = np.where(among, draws.scores, -np.inf)
    chosen = draws.clusters[np.arange(len(scores)), scores.argmax(axis=1)]
    return np.where(among.any(axis=1), chosen, -1)


Rule = Callable[[Draws], Ints]
"""Return the cluster that is chosen in each draw, or -1."""

RULES: dict[str, Rule] = {
    "Maj1": majority,
    "RR.All": best_score,
    "RR.Top-K": best_of_top,
    "W.RR": weighted_vote,
    "W.RR.Top-K": weighted_vote_of_top,
    "Maj1.TopN": majority_of_best,
}
"""The rules by their names in Liu et al. All except `Maj1` need scores."""

LIMITED_RULES: dict[str, Callable[[Draws, int], Ints]] = {
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


def bootstrap_intervals(values: Floats, seed: int = 0, least: float = 0.0) -> list[Interval]:
    """Return per column the mean, with a percentile bootstrap over problems.

    `values` (problems, columns) are from `least` to 1. If all of a column are equal, resamples are,
    too, and the interval would be a point; it is then that of Wilson 1927, which allows for what so
    few problems do not show. All columns share the resamples.
    """
    if not len(values):
        return [Interval(0.0, least, 1.0)] * values.shape[1]
    equal = np.ptp(values, axis=0) < 1e-12
    bounds = np.zeros((2, values.shape[1]))
    if not equal.all():
        means = _bootstrap_means(values[:, ~equal], seed)
        bounds[:, ~equal] = np.percentile(means, [2.5, 97.5], axis=0)
    intervals = []
    for column, mean in enumerate(values.mean(axis=0).tolist()):
        if not equal[column]:
            intervals.append(Interval(mean, float(bounds[0, column]), float(bounds[1, column])))
        elif least < 0 and not mean:  # no problem differs: bound the share of those that may
            high = _wilson_interval(0.0, len(values), 0.0).high
            intervals.append(Interval(mean, -high, high))
        else:
            intervals.append(_wilson_interval(mean, len(values), least))
    return intervals


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


def paired_differences(
    first: Floats, second: Floats, seed: int = 0
) -> list[tuple[Interval, float]]:
    """Return per column the mean difference on the same problems, and a two-sided p.

    Both are (problems, columns). p is from a paired permutation test, which flips the signs of
    differences at random. Raises ValueError if the shapes differ.
    """
    if first.shape != second.shape:
        raise ValueError(f"expected pairs of values, saw shapes {first.shape} and {second.shape}")
    gaps = first - second
    intervals = bootstrap_intervals(gaps, seed, least=-1.0)
    if not len(gaps):
        return [(interval, 1.0) for interval in intervals]
    random = np.random.default_rng(seed)
    observed = np.abs(gaps.mean(axis=0))
    at_least = np.zeros(gaps.shape[1], np.int64)
    for rows in _parts(len(gaps)):
        signs = random.choice([-1.0, 1.0], size=(rows, len(gaps)))
        at_least += (np.abs(signs @ gaps / len(gaps)) >= observed - 1e-12).sum(axis=0)
    shares = ((1 + at_least) / (1 + BOOTSTRAP)).tolist()
    return list(zip(intervals, shares, strict=True))


def _bootstrap_means(values: Floats, seed: int) -> Floats:
    """Return the means (resamples, columns) of values (problems, columns)."""
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
