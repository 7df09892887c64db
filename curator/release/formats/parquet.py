"""All columns of a row in Parquet, for verifier training, analysis and the Hub.

`source`, `output` and `instruction` are MathInstruct's columns; `upstream` and `place` are the
source of the problem and its record; `evidence_level` is how strong the evidence for the row is;
`id` is the hex id for `curator why`. `thought` exists if thoughts are written apart from `output`.
"""

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

from curator.release.formats.format import THOUGHT
from curator.release.row_groups import row_groups

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP_ROWS = 20_000

# Name in the file -> column of the SELECT.
_COLUMNS = {
    "source": "release_as",
    "output": "text",
    "instruction": "instruction",
    "subset": "subset",
    "kind": "kind",
    "question": "question",
    "choices": "choices",
    "gold": "gold",
    "licence": "licence",
    "upstream": "source",
    "place": "place",
    "evidence_level": "evidence_level",
}


def table(batches: "Iterator[pa.RecordBatch]", out: BinaryIO) -> int:
    """Write zstd Parquet in row groups of 20,000 rows, whatever the size of the batches."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    first = next(batches, None)
    names = dict(_COLUMNS)
    if first is not None and THOUGHT in first.schema.names:
        names[THOUGHT] = THOUGHT
    types = {"choices": pa.list_(pa.string())}
    fields = [("id", pa.string()), *((name, types.get(name, pa.string())) for name in names)]
    schema, rows = pa.schema(fields), 0
    batches = batches if first is None else chain([first], batches)
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        for group in row_groups(batches, ROW_GROUP_ROWS):
            ids = [row_id.hex() for row_id in group.column("id").to_pylist()]
            columns = [group.column(name) for name in names.values()]
            named = pa.table([pa.array(ids, pa.string()), *columns], names=schema.names)
            writer.write_table(named.cast(schema), row_group_size=ROW_GROUP_ROWS)
            rows += len(group)
    return rows
