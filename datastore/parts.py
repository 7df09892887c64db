"""Compacted records: Parquet files sorted by key, of which a look-up reads only some row groups.

Columns: `key` (bytes), `when` (ns), `record` (JSON text).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from heapq import merge as merge_sorted
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datastore.errors import undamaged

_ADVICE = "move that file away and run the same again; what it held will be done again"
_GROUP = 5_000
_BATCH = 250
"""Rows of a part that are in memory at once while it is merged."""
_SCHEMA = pa.schema([("key", pa.binary()), ("when", pa.int64()), ("record", pa.binary())])

Row = tuple[bytes, int, bytes]
"""Key, when it was put, its JSON."""


class Part:
    """The part at `path`, open: it can be read on when the file is removed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with undamaged(path, _ADVICE):
            # Read piece by piece: eight parts that are merged must not be in memory.
            self._file = pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 16)
        self.count: int = self._file.metadata.num_rows
        self._bounds: list[tuple[bytes, bytes]] = []
        for group in range(self._file.num_row_groups):
            keys = self._file.metadata.row_group(group).column(0).statistics
            self._bounds.append((keys.min, keys.max))

    def find(self, wanted: Sequence[bytes]) -> Iterator[Row]:
        """The rows of the `wanted` keys, which must be sorted."""
        for group, (low, high) in enumerate(self._bounds):
            here = wanted[bisect_left(wanted, low) : bisect_right(wanted, high)]
            if not here:
                continue
            with undamaged(self._path, _ADVICE):
                keys = self._file.read_row_group(group, ["key"])["key"]
                places = pc.index_in(pa.array(here, pa.binary()), value_set=keys).drop_null()
                found = self._file.read_row_group(group).take(places) if len(places) else None
            if found:
                yield from _rows(found)

    def rows(self) -> Iterator[Row]:
        """All rows, by key."""
        with undamaged(self._path, _ADVICE):
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
        write_statistics=["key"],
    ) as writer:
        while batches := list(islice(_batches(rows), _GROUP // _BATCH)):
            writer.write_table(pa.Table.from_batches(batches), _GROUP)


def _batches(rows: Iterator[Row]) -> Iterator[pa.RecordBatch]:
    while chunk := list(islice(rows, _BATCH)):
        yield pa.record_batch(list(zip(*chunk, strict=True)), _SCHEMA)


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
