"""Nearest vectors. tests/model runs a real model."""

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


def test_a_candidate_is_compared_with_existing_and_with_accepted_vectors() -> None:
    existing = unit([[1, 0, 0]])
    candidates = unit([[0.99, 0.1, 0], [0, 1, 0], [0, 0.98, 0.1], [0, 0, 1]])
    matches = list(find_nearest(existing, candidates, 0.9))
    assert [near and near[1] for near in matches] == [0, None, 2, None]


def test_the_first_candidate_is_new_if_nothing_exists() -> None:
    assert list(find_nearest(np.zeros((0, 1), np.float32), unit([[1, 0]]), 0.5)) == [None]


@given(st.lists(st.lists(st.integers(1, 9), min_size=3, max_size=3), min_size=1, max_size=12))
def test_no_two_accepted_vectors_are_near(rows: list[list[int]]) -> None:
    vectors = unit([[float(x) for x in row] for row in rows])
    matches = list(find_nearest(vectors[:1], vectors, 0.95))
    accepted = [vectors[0], *(v for v, near in zip(vectors, matches, strict=True) if near is None)]
    products = [a @ b for n, a in enumerate(accepted) for b in accepted[:n]]
    assert all(product < 0.95 + 1e-5 for product in products)


def test_a_missing_model_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="No model at /nowhere/at/all"):
        Embedder("/nowhere/at/all")
