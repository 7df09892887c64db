"""Cut batches into row groups of one size, so that the batches do not show in a Parquet file."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def row_groups(batches: "Iterator[pa.RecordBatch]", size: int) -> "Iterator[pa.Table]":
    """Yield tables of `size` rows, the last one with the rest.

    Each has one chunk per column, since Parquet pages break at chunks, too.
    """
    import pyarrow as pa  # the command line imports the formats for its help

    pending: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        while rows + len(batch) >= size:
            head = batch.slice(0, size - rows)
            yield pa.Table.from_batches([*pending, head]).combine_chunks()
            batch, pending, rows = batch.slice(len(head)), [], 0
        if len(batch):
            pending.append(batch)
            rows += len(batch)
    if pending:
        yield pa.Table.from_batches(pending).combine_chunks()
