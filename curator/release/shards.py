"""The Parquet files of a release: about 100 MB each, one folder per subset.

In: batches of the columns of `SCHEMA` and `split`, rows of one subset and split together. Out:
`data/SUBSET/SPLIT-00000-of-00001.parquet`, whose bytes depend only on the rows and their order.
One row: {"id": "0f3a…", "subset": "gsm8k_cot", "source": "data/CoT/gsm_train.json", …,
"verdicts": '[{"check":"answer","version":1,"outcome":"passed",…}]'}.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from curator.release.row_groups import row_groups

SCHEMA = pa.schema(
    [
        pa.field(name, kind, nullable=False)
        for name, kind in (
            ("id", pa.string()),
            ("subset", pa.string()),
            ("source", pa.string()),
            ("instruction", pa.string()),
            ("output", pa.string()),
            ("kind", pa.string()),
            ("question", pa.string()),
            ("gold", pa.string()),
            ("choices", pa.list_(pa.string())),
            ("writer", pa.string()),
            ("copy", pa.int32()),
            ("upstream", pa.string()),
            ("place", pa.string()),
            ("field", pa.string()),
            ("level", pa.string()),
            ("licence", pa.string()),
            ("evidence_level", pa.string()),
            ("verdicts", pa.string()),
        )
    ]
)
"""`source`, `instruction` and `output` are MathInstruct's columns; `id` is for `curator why`;
`upstream` and `place` are the source of the problem and its record; `evidence_level` is how strong
the evidence for the row is; `verdicts` is a JSON list."""

SCHEMA_1 = pa.schema([field for field in SCHEMA if field.name != "evidence_level"])
"""The columns of format 1, which older releases of Curator wrote."""

SHARD_BYTES = 100_000_000
"""A file ends with the row group that takes it past this size."""
GROUP_ROWS = 5_000
"""Rows per group: viewers and streams read whole groups."""


def write_shards(
    batches: Iterator[pa.RecordBatch], folder: Path, shard_bytes: int = SHARD_BYTES
) -> dict[str, int]:
    """Write the files below `folder` and return the number of rows by relative path, in order.

    Uses the memory of one row group. A subset without rows has no file.
    """
    rows: dict[str, int] = {}
    runs = groupby(_runs(batches), key=lambda run: run[0])
    for (subset, split), parts in runs:
        files = folder / "data" / subset
        counts = _write_run((part for _, part in parts), files, split, shard_bytes)
        for number, count in enumerate(counts):
            target = files / f"{split}-{number:05}-of-{len(counts):05}.parquet"
            (files / f"{split}-{number:05}").rename(target)
            rows[target.relative_to(folder).as_posix()] = count
    return rows


def _runs(
    batches: Iterator[pa.RecordBatch],
) -> Iterator[tuple[tuple[str, str], pa.RecordBatch]]:
    """Cut batches where the subset or the split changes."""
    for batch in batches:
        keys = zip(batch["subset"].to_pylist(), batch["split"].to_pylist(), strict=True)
        start = 0
        for key, group in groupby(keys):
            length = sum(1 for _ in group)
            yield key, batch.slice(start, length)
            start += length


def _write_run(
    batches: Iterator[pa.RecordBatch], folder: Path, split: str, shard_bytes: int
) -> list[int]:
    """Write `folder/SPLIT-00000`, `folder/SPLIT-00001`, … and return the number of rows of each."""
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[int] = []
    with ExitStack() as stack:
        out: BinaryIO | None = None
        for group in row_groups(batches, GROUP_ROWS):
            if out is None or out.tell() >= shard_bytes:
                stack.close()
                out = stack.enter_context((folder / f"{split}-{len(rows):05}").open("wb"))
                # Content-defined chunks: the next version shares most of them on the Hub.
                writer = stack.enter_context(
                    pq.ParquetWriter(
                        out,
                        SCHEMA,
                        compression="zstd",
                        write_page_index=True,
                        use_content_defined_chunking=True,
                    )
                )
                rows.append(0)
            writer.write_table(group.select(SCHEMA.names).cast(SCHEMA), row_group_size=GROUP_ROWS)
            rows[-1] += len(group)
    return rows
