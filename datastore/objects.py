"""Content-addressed Parquet files: `objects/ab/<sha256 of the file>.parquet`, never changed.

In: Arrow batches and a schema. Out: the digest, which is the name of the object.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datastore.errors import StoreError, wrap_os_errors, wrap_parquet_errors
from datastore.files import publish, scratch

ROW_GROUP_SIZE = 20_000
"""Rows per row group: with larger groups DuckDB exceeds a memory limit of 1 GB."""

_ADVICE = "Delete the file and rebuild."
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Objects:
    """The objects of the store at `root`."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "objects"
        self._tmp = root / "tmp"

    def write(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> str:
        """Store the rows and return their digest; memory use is that of one row group.

        The same rows in the same order give the same digest for any batches (with one release of
        pyarrow, which records its version in the file). Batches are cast to `schema`, whose
        metadata is dropped; other column names raise ValueError. The object is durable when the
        call returns. An exception, including one raised by `batches`, leaves nothing behind.
        """
        with scratch(self._tmp) as folder:
            writer = _ObjectWriter(folder / "parquet", schema)
            try:
                for batch in batches:
                    writer.add(batch)
            finally:
                writer.close()
            return self._publish(writer)

    def write_parts(
        self, batches: Iterable[pa.RecordBatch], schema: pa.Schema, column: str
    ) -> dict[str, str]:
        """Store the rows as one object per value of a text column; return value -> digest.

        Rows keep their order. Memory use is one row group per value, and each value has an open
        file: not for columns with more than some dozens of values.
        """
        with scratch(self._tmp) as folder:
            writers: dict[str, _ObjectWriter] = {}
            try:
                for batch in batches:
                    for value in pc.unique(batch.column(column)).to_pylist():
                        if value not in writers:
                            writers[value] = _ObjectWriter(
                                folder / f"{len(writers)}.parquet", schema
                            )
                        writers[value].add(batch.filter(pc.equal(batch.column(column), value)))
            finally:
                for writer in writers.values():
                    writer.close()
            return {value: self._publish(writer) for value, writer in sorted(writers.items())}

    def _publish(self, writer: "_ObjectWriter") -> str:
        with wrap_os_errors("write an object", self._folder):
            digest = _sha256(writer.path)
            publish(writer.path, self.path(digest))
        return digest

    def path(self, digest: str) -> Path:
        """Return the path of the object, whether it exists or not."""
        if not _DIGEST.fullmatch(digest):
            raise StoreError(
                f"'{digest}' is not a valid object digest: expected 64 hexadecimal digits."
            )
        return self._folder / digest[:2] / f"{digest}.parquet"

    def has(self, digest: str) -> bool:
        """Return whether the object exists; `check` verifies its bytes."""
        return self.path(digest).is_file()

    def read(self, digest: str, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows in their order, as batches of one row group or less."""
        path = self.path(digest)
        with (
            self._open(digest) as file,
            wrap_os_errors("read an object", path),
            wrap_parquet_errors(path, _ADVICE),
        ):
            yield from file.iter_batches(ROW_GROUP_SIZE, columns=columns)

    def rows(self, digest: str) -> int:
        """Return the number of rows, from the footer."""
        with self._open(digest) as file:
            return int(file.metadata.num_rows)

    def check(self, digest: str) -> None:
        """Read the whole object; raise StoreError if it is missing or its bytes changed."""
        with self._open(digest), wrap_os_errors("read an object", self.path(digest)):
            actual = _sha256(self.path(digest))
        if actual != digest:
            raise StoreError(f"{self.path(digest)} is damaged. {_ADVICE}")

    def _open(self, digest: str) -> pq.ParquetFile:
        path = self.path(digest)
        if not path.is_file():
            raise StoreError(f"{path} is missing. Rebuild to restore it.")
        with wrap_os_errors("read an object", path), wrap_parquet_errors(path, _ADVICE):
            return pq.ParquetFile(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _ObjectWriter:
    """Writes one Parquet file in whole row groups, each with one chunk per column.

    Page boundaries depend on the chunks, so the bytes depend on the rows alone, not on their
    batches.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = path
        self._schema = schema.remove_metadata()
        self._tables: list[pa.Table] = []
        self._missing = ROW_GROUP_SIZE
        with wrap_os_errors("write an object", path):
            self._writer = pq.ParquetWriter(
                path, self._schema, compression="zstd", compression_level=1
            )

    def add(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        table = pa.Table.from_batches([batch]).cast(self._schema)
        while table.num_rows >= self._missing:
            self._tables.append(table.slice(0, self._missing))
            table = table.slice(self._missing)
            self._write_group()
        if table.num_rows:
            self._tables.append(table)
            self._missing -= table.num_rows

    def close(self) -> None:
        """Write the remaining rows and the footer."""
        try:
            if self._tables:
                self._write_group()
        finally:
            with wrap_os_errors("write an object", self.path):
                self._writer.close()

    def _write_group(self) -> None:
        group = pa.concat_tables(self._tables).combine_chunks()
        self._tables, self._missing = [], ROW_GROUP_SIZE
        with wrap_os_errors("write an object", self.path):
            self._writer.write_table(group, row_group_size=ROW_GROUP_SIZE)
