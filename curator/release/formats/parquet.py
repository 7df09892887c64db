"""Everything known of a row, in Parquet: for verifier training, for analysis, for the Hub.

`source`, `output` and `instruction` are MathInstruct's; `upstream` and `place` say where the
problem came from, `id` is the hexadecimal id that `curator why` takes.
"""

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("output", pa.string()),
        ("instruction", pa.string()),
        ("subset", pa.string()),
        ("kind", pa.string()),
        ("question", pa.string()),
        ("choices", pa.list_(pa.string())),
        ("gold", pa.string()),
        ("licence", pa.string()),
        ("upstream", pa.string()),
        ("place", pa.string()),
    ]
)
ROW_GROUP_ROWS = 20_000
_FROM = {"source": "release_as", "output": "text", "upstream": "source"}


def table(batches: Iterator[pa.RecordBatch], out: BinaryIO) -> int:
    """Writes zstd Parquet in row groups of 20,000 rows, however the batches are cut."""
    rows = 0
    with pq.ParquetWriter(out, SCHEMA, compression="zstd") as writer:
        for group in _groups(batches):
            writer.write_table(group, row_group_size=ROW_GROUP_ROWS)
            rows += len(group)
    return rows


def _groups(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Tables of `ROW_GROUP_ROWS` rows in one chunk a column: pages break at chunks, too."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        while rows + len(batch) >= ROW_GROUP_ROWS:
            head = batch.slice(0, ROW_GROUP_ROWS - rows)
            yield _release_table([*held, head])
            batch, held, rows = batch.slice(len(head)), [], 0
        if len(batch):
            held.append(batch)
            rows += len(batch)
    if held:
        yield _release_table(held)


def _release_table(batches: list[pa.RecordBatch]) -> pa.Table:
    rows = pa.Table.from_batches(batches).combine_chunks()
    ids = pa.array([row_id.hex() for row_id in rows.column("id").to_pylist()], pa.string())
    columns = [rows.column(_FROM.get(name, name)) for name in SCHEMA.names[1:]]
    return pa.table([ids, *columns], names=SCHEMA.names).cast(SCHEMA)
