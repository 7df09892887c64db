"""Compacted records: Parquet files sorted by key, of which a look-up reads only what may be there.

Columns: `key` (8 bytes or more), `when` (ns), `record` (JSON text). What is looked up is mostly not
there, so the heads of all keys, 8 bytes each, are held: 80 MB for ten million.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from heapq import merge as merge_sorted
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datastore.errors import wrap_parquet_errors

_ADVICE = "move that file away and run the same again; what it held will be done again"
_GROUP = 500
"""Rows that are read and decompressed for one that is there."""
_BATCH = 250
"""Rows of a part that are in memory at once while it is merged."""
_AT_ONCE = 200
"""Groups whose keys are read at once."""
_SCHEMA = pa.schema([("key", pa.binary()), ("when", pa.int64()), ("record", pa.binary())])

Places = np.ndarray[tuple[int], np.dtype[np.int64]]
Heads = np.ndarray[tuple[int], np.dtype[np.uint64]]
Row = tuple[bytes, int, bytes]
"""Key, when it was put, its JSON."""


class Part:
    """The part at `path`, open: it can be read on when the file is removed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with wrap_parquet_errors(path, _ADVICE):
            # Read piece by piece: eight parts that are merged must not be in memory.
            self._file = pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 16)
        about = self._file.metadata
        self.count: int = about.num_rows
        sizes = [about.row_group(group).num_rows for group in range(about.num_row_groups)]
        self._starts = np.cumsum([0, *sizes])
        self._heads: Heads | None = None

    def find(self, wanted: Collection[bytes]) -> Iterator[Row]:
        """The rows of the `wanted` keys."""
        places = self._places(wanted)
        groups = np.searchsorted(self._starts, places, side="right") - 1
        for group in np.unique(groups).tolist():
            with wrap_parquet_errors(self._path, _ADVICE):
                rows = self._file.read_row_group(group)
            here = places[groups == group] - self._starts[group]
            yield from (row for row in _rows(rows.take(here)) if row[0] in wanted)

    def _places(self, wanted: Collection[bytes]) -> Places:
        """Where the keys are, or others that begin as they do."""
        if self._heads is None:
            with wrap_parquet_errors(self._path, _ADVICE):
                self._heads = np.concatenate(list(self._all_heads()))
        heads = np.frombuffer(b"".join([key[:8] for key in wanted]), ">u8").astype(np.uint64)
        first = np.searchsorted(self._heads, heads)
        behind = np.searchsorted(self._heads, heads, side="right")
        found = np.flatnonzero(first < behind)
        runs = [np.arange(first[at], behind[at], dtype=np.int64) for at in found]
        return np.unique(np.concatenate(runs)) if runs else np.array([], np.int64)

    def _all_heads(self) -> Iterator[Heads]:
        for first in range(0, self._file.num_row_groups, _AT_ONCE):
            groups = range(first, min(first + _AT_ONCE, self._file.num_row_groups))
            keys = self._file.read_row_groups(groups, ["key"])["key"].combine_chunks()
            heads = pc.binary_slice(keys, 0, 8).cast(pa.binary(8))
            yield np.frombuffer(heads.buffers()[1], ">u8").astype(np.uint64)

    def rows(self) -> Iterator[Row]:
        """All rows, by key."""
        with wrap_parquet_errors(self._path, _ADVICE):
            for batch in self._file.iter_batches(_BATCH, use_threads=False):
                yield from _rows(batch)


def write(rows: Iterator[Row], path: Path) -> None:
    """Writes rows that are sorted by key as a part."""
    # Keys are hashes: neither a dictionary nor compression makes them smaller.
    with pq.ParquetWriter(
        path,
        _SCHEMA,
        use_dictionary=False,
        compression={"key": "none", "when": "zstd", "record": "zstd"},
        write_statistics=False,
    ) as writer:
        while batches := list(islice(_batches(rows), _GROUP // _BATCH)):
            writer.write_table(pa.Table.from_batches(batches), _GROUP)


def _batches(rows: Iterator[Row]) -> Iterator[pa.RecordBatch]:
    while chunk := list(islice(rows, _BATCH)):
        keys, whens, records = zip(*chunk, strict=True)
        when = pa.py_buffer(np.array(whens, np.int64))
        times = pa.Array.from_buffers(pa.int64(), len(whens), [None, when])
        yield pa.record_batch([_binary(keys), times, _binary(records)], _SCHEMA)


def _binary(values: Sequence[bytes]) -> pa.Array:
    # pa.array would import pandas: 40 MB and half a second.
    ends = np.cumsum([0, *map(len, values)], dtype=np.int64)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(values))]
    # Only the cast notices more than 2 GB, which its schema cannot hold.
    return pa.Array.from_buffers(pa.large_binary(), len(values), buffers).cast(pa.binary())


def newest(
    journals: Sequence[Mapping[bytes, tuple[int, bytes]]], parts: Sequence[Part]
) -> Iterator[Row]:
    """All rows of journals and parts by key, of several with one key only the newest."""
    streams = [iter(sorted((key, *rest) for key, rest in j.items())) for j in journals]
    streams += [part.rows() for part in parts]
    held: Row | None = None
    for row in merge_sorted(*streams):
        if held and held[0] != row[0]:
            yield held
        held = row
    if held:
        yield held


def _rows(table: pa.Table | pa.RecordBatch) -> Iterator[Row]:
    yield from zip(*(table.column(name).to_pylist() for name in _SCHEMA.names), strict=True)
