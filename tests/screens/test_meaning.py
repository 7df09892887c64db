"""Meaning: the blocks find exactly what comparing all pairs finds, in one order on any machine."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from curator.core.errors import CuratorError
from curator.screens import meaning
from curator.screens.meaning import VECTORS, Meaning
from curator.teacher.vectors import SCALE, read_vector, read_vectors, write_vector
from datastore.engine import Engine

DIMENSIONS, THRESHOLD = 24, 0.8


def draw_vectors(count: int) -> list[list[float]]:
    """Vectors near to some of a few others."""
    chance = np.random.default_rng(5)
    centres = chance.normal(size=(count // 5, DIMENSIONS))
    near = centres[chance.integers(len(centres), size=count)]
    return (near + 0.4 * chance.normal(size=near.shape)).tolist()


def scaled(vectors: Sequence[Sequence[float]]) -> list[Any]:
    data = [{"index": n, "embedding": list(vector)} for n, vector in enumerate(vectors)]
    read = read_vectors({"data": data}, len(data))
    assert isinstance(read, list)
    return read


def choose(engine: Engine, vectors: Sequence[Any], threshold: float) -> list[tuple[int, float]]:
    """The near one of each item, or (-1, 0); items with one are left out."""
    arrays = [pa.array(range(len(vectors)), pa.uint64()), pa.array([v.tolist() for v in vectors])]
    batch = pa.RecordBatch.from_arrays([arrays[0], arrays[1].cast(VECTORS[1].type)], schema=VECTORS)
    view = engine.create_view("vectors", [batch], VECTORS)
    query = f"SELECT question AS item, vector FROM {view}"
    near, left_out = [], bytearray(len(vectors))
    compared = Meaning(engine, query, len(vectors), threshold)
    for item in range(len(vectors)):
        found = compared.nearest(item, left_out)
        left_out[item] = found is not None
        near.append(found or (-1, 0.0))
    compared.close()
    engine.drop("vectors")
    return near


@pytest.mark.parametrize("block", [3, 7, 64, 500])
def test_blocks_find_what_all_pairs_find(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(meaning, "BLOCK", block)
    monkeypatch.setattr(meaning, "READ", 10)
    vectors = scaled(draw_vectors(200))
    near = choose(engine, vectors, THRESHOLD)
    exact = np.array(vectors, np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    kept: list[int] = []
    for item, (other, cosine) in enumerate(near):
        cosines = exact[kept] @ exact[item]
        if other < 0:
            assert not len(kept) or cosines.max() < THRESHOLD
            kept.append(item)
        else:
            assert other in kept and cosine == pytest.approx(cosines.max(), abs=1e-5)
            assert cosines.max() == pytest.approx(float(exact[other] @ exact[item]))
    assert 30 < len(kept) < 150


def test_the_size_of_blocks_does_not_change_a_bit(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = scaled(draw_vectors(150))
    results = []
    for block in (4, 31, 1_000):
        monkeypatch.setattr(meaning, "BLOCK", block)
        results.append(choose(engine, vectors, THRESHOLD))
    assert results[0] == results[1] == results[2]


def test_products_are_exact_in_32_bit_floats() -> None:
    vectors = np.array(scaled([[1.0] * 500, [-1.0, 1.0] * 250, [1e-9] * 499 + [1e300]]))
    exact = vectors.astype(np.int64) @ vectors.astype(np.int64).T
    assert (vectors.astype(np.float32) @ vectors.astype(np.float32).T == exact).all()
    assert np.abs(exact).max() <= SCALE**2 < 2**24


def test_equal_vectors_have_the_cosine_1_and_items_without_a_vector_are_near_to_none(
    engine: Engine,
) -> None:
    one, other = scaled([[1, 2, 3], [-1, 0, 2]])
    assert choose(engine, [one, other, one], 1) == [(-1, 0.0), (-1, 0.0), (0, pytest.approx(1))]
    none = Meaning(engine, "SELECT 0 AS item, [1]::SMALLINT[] AS vector WHERE false", 3, 0.5)
    assert [none.nearest(item, bytearray(3)) for item in range(3)] == [None] * 3
    none.close()


def test_vectors_of_two_lengths_are_an_error(engine: Engine) -> None:
    query = "SELECT * FROM (VALUES (0, [1, 2]::SMALLINT[]), (1, [1]::SMALLINT[])) t(item, vector)"
    with pytest.raises(CuratorError, match="have 2 and 1 numbers"):
        Meaning(engine, query, 2, 0.5)


def test_a_vector_is_the_same_after_it_was_text() -> None:
    (vector,) = scaled([[0.5, -2.0, 1e-3]])
    assert (read_vector(write_vector(vector)) == vector).all()


@pytest.mark.parametrize("index", [[0], {}, None, "0", 0.5, 1])
def test_vectors_without_a_valid_index_are_a_failure(index: object) -> None:
    failure = read_vectors({"data": [{"index": index, "embedding": [1, 2]}]}, 1)
    assert str(failure) == "wrong index: expected each number from 0 once as `index`"
