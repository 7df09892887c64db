"""Compacted records: Parquet files sorted by key, read only where a requested key can be.

A part is named by the sha256 of its bytes and hashed when it is opened; parts of older releases
have names of 32 digits and are read as they are. Columns: `key` (8 bytes or more), `when` (ns),
`record` (JSON text), and `check`, the crc32 of the other three: of a damaged part only the records
with the right checksum are read. Most requested keys are not in a part, so the first 8 bytes of all
its keys are held in memory: 80 MB for ten million keys.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from heapq import merge as merge_sorted
from itertools import islice
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datastore.errors import wrap_parquet_errors

_ADVICE = "Move the file away and rerun; its results are computed again."
"""For parts without a digest in their name, of which nothing can be verified."""
_DIGEST_LENGTH = 64
_GROUP_ROWS = 500
"""Rows per row group, all of which are read and decompressed to find one."""
_BATCH_ROWS = 250
"""Rows of a part in memory at once while it is merged."""
_GROUPS_PER_READ = 200
"""Row groups whose keys are read at once."""
_SCHEMA = pa.schema(
    [("key", pa.binary()), ("when", pa.int64()), ("record", pa.binary()), ("check", pa.uint32())]
)
_COLUMNS = _SCHEMA.names[:3]

_DAMAGE = (pa.ArrowException, ValueError, OSError, LookupError, TypeError, MemoryError)
"""What reading a damaged Parquet file can raise."""

Places = np.ndarray[tuple[int], np.dtype[np.int64]]
Heads = np.ndarray[tuple[int], np.dtype[np.uint64]]
Row = tuple[bytes, int, bytes]
"""Key, time of writing in ns, JSON."""


class Part:
    """The part at `path`, open: it can still be read after the file is removed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.damaged = len(path.stem) == _DIGEST_LENGTH and digest_of(path) != path.stem
        """Whether the file is not what its name says; then only some of its rows can be read."""
        self._file: Any = None
        self._heads: Heads | None = None
        try:
            # Read piece by piece: a merge of eight parts must not hold them in memory.
            self._file = pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 16)
        except FileNotFoundError:
            raise
        except _DAMAGE:
            self.damaged = True
        if self.damaged:
            self.count = sum(1 for _ in self.rows())
            return
        metadata = self._file.metadata
        self.count = int(metadata.num_rows)
        sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        self._starts = np.cumsum([0, *sizes])

    def find(self, wanted: Collection[bytes]) -> Iterator[Row]:
        """Yield the rows of the `wanted` keys."""
        if self.damaged:
            yield from (row for row in self._intact_rows() if row[0] in wanted)
            return
        places = self._places(wanted)
        groups = np.searchsorted(self._starts, places, side="right") - 1
        for group in np.unique(groups).tolist():
            with wrap_parquet_errors(self._path, _ADVICE):
                rows = self._file.read_row_group(group)
            here = places[groups == group] - self._starts[group]
            yield from (row for row in _rows(rows.take(here)) if row[0] in wanted)

    def _places(self, wanted: Collection[bytes]) -> Places:
        """Return the positions of keys that begin like a wanted key."""
        if self._heads is None:
            with wrap_parquet_errors(self._path, _ADVICE):
                self._heads = np.concatenate(list(self._all_heads()))
        heads = np.frombuffer(b"".join([key[:8] for key in wanted]), ">u8").astype(np.uint64)
        first = np.searchsorted(self._heads, heads)
        end = np.searchsorted(self._heads, heads, side="right")
        matches = np.flatnonzero(first < end)
        runs = [np.arange(first[index], end[index], dtype=np.int64) for index in matches]
        return np.unique(np.concatenate(runs)) if runs else np.array([], np.int64)

    def _all_heads(self) -> Iterator[Heads]:
        for first in range(0, self._file.num_row_groups, _GROUPS_PER_READ):
            groups = range(first, min(first + _GROUPS_PER_READ, self._file.num_row_groups))
            keys = self._file.read_row_groups(groups, ["key"])["key"].combine_chunks()
            heads = pc.binary_slice(keys, 0, 8).cast(pa.binary(8))
            yield np.frombuffer(heads.buffers()[1], ">u8").astype(np.uint64)

    def rows(self) -> Iterator[Row]:
        """Yield all rows, sorted by key; of a damaged part those with the right checksum."""
        if self.damaged:
            yield from self._intact_rows()
            return
        with wrap_parquet_errors(self._path, _ADVICE):
            for batch in self._file.iter_batches(_BATCH_ROWS, use_threads=False):
                yield from _rows(batch)

    def _intact_rows(self) -> Iterator[Row]:
        last = b""
        for group in range(self._count_groups()):
            try:
                table = self._file.read_row_group(group)
                rows = list(zip(_rows(table), table.column("check").to_pylist(), strict=True))
            except _DAMAGE:
                continue  # an older release wrote it, or nothing of the group can be read
            for row, check in rows:
                # Changed metadata could also repeat or reorder groups.
                if None not in row and checksum(row) == check and row[0] > last:
                    last = row[0]
                    yield row

    def _count_groups(self) -> int:
        try:
            return self._file.metadata.num_row_groups if self._file else 0
        except _DAMAGE:
            return 0


def checksum(row: Row) -> int:
    """Return the crc32 of a row."""
    key, when, record = row
    return crc32(record, crc32(b"%d " % when, crc32(key)))


def digest_of(path: Path) -> str:
    """Return the sha256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_part(rows: Iterator[Row], path: Path) -> None:
    """Write rows that are sorted by key as a part."""
    # Keys are hashes: neither a dictionary nor compression makes them smaller.
    with pq.ParquetWriter(
        path,
        _SCHEMA,
        use_dictionary=False,
        compression={"key": "none", "when": "zstd", "record": "zstd", "check": "none"},
        write_statistics=False,
    ) as writer:
        while batches := list(islice(_batches(rows), _GROUP_ROWS // _BATCH_ROWS)):
            writer.write_table(pa.Table.from_batches(batches), _GROUP_ROWS)


def _batches(rows: Iterator[Row]) -> Iterator[pa.RecordBatch]:
    while chunk := list(islice(rows, _BATCH_ROWS)):
        keys, whens, records = zip(*chunk, strict=True)
        when = pa.py_buffer(np.array(whens, np.int64))
        times = pa.Array.from_buffers(pa.int64(), len(whens), [None, when])
        checks = np.fromiter(map(checksum, chunk), np.uint32, len(chunk))
        crcs = pa.Array.from_buffers(pa.uint32(), len(chunk), [None, pa.py_buffer(checks)])
        yield pa.record_batch([_binary_array(keys), times, _binary_array(records), crcs], _SCHEMA)


def _binary_array(values: Sequence[bytes]) -> pa.Array:
    # pa.array would import pandas: 40 MB and half a second.
    ends = np.cumsum([0, *map(len, values)], dtype=np.int64)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(values))]
    # The cast reports more than 2 GB, which the schema cannot hold.
    return pa.Array.from_buffers(pa.large_binary(), len(values), buffers).cast(pa.binary())


def merge_newest(
    journals: Sequence[Mapping[bytes, tuple[int, bytes]]], parts: Sequence[Part]
) -> Iterator[Row]:
    """Yield the rows of journals and parts by key, only the newest for each key."""
    streams = [iter(sorted((key, *rest) for key, rest in j.items())) for j in journals]
    streams += [part.rows() for part in parts]
    newest: Row | None = None
    for row in merge_sorted(*streams):
        if newest and newest[0] != row[0]:
            yield newest
        newest = row
    if newest:
        yield newest


def _rows(table: pa.Table | pa.RecordBatch) -> Iterator[Row]:
    yield from zip(*(table.column(name).to_pylist() for name in _COLUMNS), strict=True)
