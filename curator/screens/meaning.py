"""Compares texts by meaning: the cosine of their vectors from an embedding model.

In: vectors of texts in an order of preference. Out: for each text the nearest preferred one that is
kept. All pairs are compared, in blocks: the vectors are in a file, and memory holds two blocks.
Products of the integers of `curator.teacher.vectors` are exact in 32-bit floats, so that the result
does not depend on the machine.
"""

from collections.abc import Iterator
from typing import Annotated, Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
from pydantic import Field

from curator.core.errors import CuratorError
from curator.core.section import Mark
from curator.teacher import EmbeddingSettings
from datastore.engine import Engine

BLOCK = 2_048
"""Number of texts per block."""
ROUNDING = 1e-5
"""Subtracted from the threshold, so that equal vectors reach 1."""
READ = 1_024
"""Number of vectors that are read at a time."""

VECTORS = pa.schema([("question", pa.uint64()), ("vector", pa.list_(pa.int16()))])
"""The vector of each question, by the hash of the normalised question."""

Floats = np.ndarray[Any, np.dtype[np.float32]]


class Embeddings(EmbeddingSettings):
    """Also compares the meaning, by vectors of an embedding model. Every vector is cached in the
    store: no text is paid for twice."""

    threshold: Annotated[float, Field(ge=0.5, le=1)] = 0.95
    """Minimum cosine of the vectors of two texts with the same meaning."""


EmbeddingsKey = Annotated[Embeddings | None, Mark.OMIT_DEFAULT]


class Meaning:
    """The vectors of `count` items, numbered from 0 in the order of preference.

    `vectors` is a SELECT of (item, vector). Items without a vector are near to none. Raises
    CuratorError if the vectors differ in length.
    """

    def __init__(self, engine: Engine, vectors: str, count: int, threshold: float) -> None:
        self._threshold, self._count = np.float32(threshold - ROUNDING), count
        self._path = engine.folder / f"{uuid4().hex}.vectors"
        self._vectors = np.zeros((count, 0), np.int16)
        for items, read in _read(engine, f"SELECT item, vector FROM ({vectors}) ORDER BY item"):
            if not self._vectors.shape[1]:
                shape = (count, read.shape[1])
                self._vectors = np.memmap(self._path, np.int16, "w+", shape=shape)
            if read.shape[1] != self._vectors.shape[1]:
                raise CuratorError(
                    f"The cached vectors have {self._vectors.shape[1]} and {read.shape[1]} "
                    "numbers, so they are of different models. Set `family` or `dimensions` of "
                    "`embeddings` to get new ones."
                )
            self._vectors[items] = read
        self._start = self._end = 0
        self._inside = self._best = self._mine = np.zeros((0, 0), np.float32)
        self._best_item = np.zeros(0, np.int64)

    def nearest(self, item: int, left_out: bytearray) -> tuple[int, float] | None:
        """Return the nearest kept item before `item`, and the cosine, if it is near enough.

        Of equally near ones the first. Items must be given in order; `left_out` marks those before
        `item` that are not kept.
        """
        if item >= self._end:
            self._compare_block(item - item % BLOCK, left_out)
        place = item - self._start
        best, at = self._best[place, 0], int(self._best_item[place])
        own = self._inside[place, :place].copy()
        own[np.frombuffer(left_out, np.uint8)[self._start : item] != 0] = -1
        if place and own.max() > best:
            best, at = own.max(), self._start + int(own.argmax())
        return (at, float(best)) if best >= self._threshold else None

    def close(self) -> None:
        """Remove the file."""
        del self._vectors
        self._path.unlink(missing_ok=True)

    def _compare_block(self, start: int, left_out: bytearray) -> None:
        """Find the nearest kept item before the block, for each of the block."""
        self._start, self._end = start, min(start + BLOCK, self._count)
        mine, norms = self._block(start)
        self._best = np.full((len(mine), 1), -1, np.float32)
        self._best_item = np.zeros(len(mine), np.int64)
        kept = np.frombuffer(left_out, np.uint8) == 0
        for first in range(0, start, BLOCK):
            others, other_norms = self._block(first)
            some = np.flatnonzero(kept[first : first + BLOCK])
            if not len(some):
                continue
            cosines = (mine @ others[some].T) * norms[:, None] * other_norms[some]
            at = cosines.argmax(axis=1)
            best = cosines[np.arange(len(mine)), at]
            better = best > self._best[:, 0]
            self._best[better, 0] = best[better]
            self._best_item[better] = first + some[at[better]]
        self._inside = (mine @ mine.T) * norms[:, None] * norms

    def _block(self, start: int) -> tuple[Floats, Floats]:
        """Return the vectors of a block, and the reciprocals of their lengths; 0 for none."""
        vectors = np.array(self._vectors[start : start + BLOCK], np.float32)
        squares = (vectors * vectors).sum(axis=1)
        lengths = np.where(squares > 0, 1 / np.sqrt(np.maximum(squares, 1)), 0)
        return vectors, lengths.astype(np.float32)


def _read(engine: Engine, query: str) -> Iterator[tuple[Any, Any]]:
    """Yield numbers of items and their vectors (items, dimensions); all of a pair are as long."""
    for batch in engine.batches(query, size=READ):
        sizes = np.diff(batch.column(1).offsets.to_numpy())
        values = batch.column(1).flatten().to_numpy()
        ends = np.flatnonzero(np.append(sizes[1:] != sizes[:-1], True)) + 1
        starts = np.concatenate(([0], ends[:-1]))
        offsets = np.concatenate(([0], np.cumsum(sizes)))
        for start, end in zip(starts, ends, strict=True):
            part = values[offsets[start] : offsets[end]].reshape(end - start, -1)
            yield batch.column(0).to_numpy()[start:end], part
