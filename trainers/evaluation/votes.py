"""The expected result of a majority vote over some of the samples, without drawing any.

In: the clusters of equal answers of a problem's samples. Out: the probability that the vote of `k`
samples, drawn without replacement, chooses one of the right clusters. A tie is decided by lot among
the largest clusters: neither the order of sampling nor the names of answers favour one.
"""

from collections.abc import Collection, Sequence
from functools import lru_cache
from math import comb
from typing import Any

import numpy as np

from curator.checks.grade_samples import Floats, Ints

Bools = np.ndarray[Any, np.dtype[np.bool_]]
Counts = np.ndarray[Any, np.dtype[np.longdouble]]
"""Numbers of ways to draw samples: those of 1,100 samples have 330 digits."""


def vote_share(clusters: Ints, right: Collection[int], k: int) -> float:
    """Return the probability that a majority vote of `k` samples chooses a cluster in `right`.

    -1 is a sample without an answer, which never wins. Exact up to floating point. Raises
    ValueError unless 1 <= k <= number of samples.
    """
    if not 1 <= k <= len(clusters):
        raise ValueError(f"expected 1 <= k <= {len(clusters)}, saw {k}")
    names, sizes = np.unique(clusters, return_counts=True)
    size_of = {int(name): int(size) for name, size in zip(names, sizes, strict=True)}
    silent = size_of.pop(-1, 0)
    share = 0.0
    for name in right:
        if name in size_of:
            others = sorted(size for other, size in size_of.items() if other != name)
            share += _win_share(size_of[name], tuple(others), silent, k)
    return min(share, 1.0)


@lru_cache(maxsize=100_000)
def _win_share(size: int, others: tuple[int, ...], silent: int, k: int) -> float:
    """Return the probability that one cluster wins the vote of `k` samples.

    Sums over the number `c` of its samples that are drawn. The draws in which no other cluster has
    more are the coefficients of a product of polynomials; `y` marks a cluster that has as many. A
    tie of t others is won with probability 1 / (t + 1), which is the integral of y^t from 0 to 1:
    a quadrature of that degree is exact.
    """
    total = np.longdouble(0)
    for c in range(1, min(size, k) + 1):
        left = k - c
        if silent + sum(min(other, c) for other in others) < left:
            continue  # too few samples are in clusters that do not get ahead
        large = [other for other in others if other >= c]
        nodes, weights = _quadrature(min(len(large), left // c) // 2 + 1)
        # Clusters that cannot tie, and samples without an answer, are drawn freely.
        free = silent + sum(others) - sum(large)
        product = np.tile(_binomials(free, left), (len(nodes), 1))
        for other in large:
            factor = _binomials(other, min(c, left))
            grown = np.zeros_like(product)
            for drawn, ways in enumerate(factor):
                marked = ways * nodes[:, None] if drawn == c else ways
                grown[:, drawn:] += marked * product[:, : left + 1 - drawn]
            product = grown
        total += np.longdouble(comb(size, c)) * np.longdouble(weights @ product[:, left])
    return float(total / np.longdouble(comb(size + silent + sum(others), k)))


@lru_cache(maxsize=64)
def _quadrature(points: int) -> tuple[Floats, Floats]:
    """Return the nodes and weights of Gauss and Legendre from 0 to 1."""
    nodes, weights = np.polynomial.legendre.leggauss(points)
    return (nodes + 1) / 2, weights / 2


@lru_cache(maxsize=10_000)
def _binomials(size: int, highest: int) -> Counts:
    """Return the number of ways to draw 0, 1, … `highest` of `size` samples; read-only."""
    ways = np.array([comb(size, drawn) for drawn in range(highest + 1)], dtype=np.longdouble)
    ways.setflags(write=False)
    return ways


def right_clusters(clusters: Ints, right: Sequence[bool] | Bools) -> list[int]:
    """Return the clusters of which most samples are right."""
    names = np.unique(clusters[clusters >= 0])
    return [int(name) for name in names if np.asarray(right)[clusters == name].mean() > 0.5]
