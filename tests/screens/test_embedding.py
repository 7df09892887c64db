"""Nearness of vectors; with a real model in tests/model."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator.core.errors import UsageError
from curator.screens.embedding import Embedder, Vectors, find_nearest


def unit(rows: list[list[float]]) -> Vectors:
    vectors = np.array(rows, np.float32).reshape(len(rows), -1)
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def test_a_candidate_is_compared_with_what_is_there_and_with_those_taken_before_it() -> None:
    existing = unit([[1, 0, 0]])
    candidates = unit([[0.99, 0.1, 0], [0, 1, 0], [0, 0.98, 0.1], [0, 0, 1]])
    found = list(find_nearest(existing, candidates, 0.9))
    assert [near and near[1] for near in found] == [0, None, 2, None]


def test_with_nothing_there_the_first_candidate_is_new() -> None:
    assert list(find_nearest(np.zeros((0, 1), np.float32), unit([[1, 0]]), 0.5)) == [None]


@given(st.lists(st.lists(st.integers(1, 9), min_size=3, max_size=3), min_size=1, max_size=12))
def test_no_two_that_are_taken_are_near(rows: list[list[int]]) -> None:
    vectors = unit([[float(x) for x in row] for row in rows])
    found = list(find_nearest(vectors[:1], vectors, 0.95))
    taken = [vectors[0], *(v for v, near in zip(vectors, found, strict=True) if near is None)]
    products = [a @ b for n, a in enumerate(taken) for b in taken[:n]]
    assert all(product < 0.95 + 1e-5 for product in products)


def test_a_model_that_is_not_there_is_told_in_one_line() -> None:
    with pytest.raises(UsageError, match=r"embedding model"):
        Embedder("/nowhere/at/all")
