"""Content-addressed Parquet: `objects/ab/<sha256 of the file>.parquet`, never changed.

In: Arrow batches and a schema. Out: the digest that names the rows from then on.
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
"""Rows a group: larger groups run DuckDB out of memory under a limit of 1 GB."""

_ADVICE = "delete that file and build again"
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Objects:
    """The objects of the store at `root`."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "objects"
        self._tmp = root / "tmp"

    def write(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> str:
        """Stores the rows and returns their digest; memory is that of one row group.

        The same rows in the same order give the same digest, however they are batched (under one
        release of pyarrow, which signs its files). Batches are cast to `schema`, whose metadata is
        not kept; other column names raise ValueError. Durable when it returns; an exception,
        also one of `batches`, leaves nothing behind.
        """
        with scratch(self._tmp) as folder:
            growing = _Growing(folder / "parquet", schema)
            try:
                for batch in batches:
                    growing.add(batch)
            finally:
                growing.close()
            return self._publish(growing)

    def write_parts(
        self, batches: Iterable[pa.RecordBatch], schema: pa.Schema, column: str
    ) -> dict[str, str]:
        """Stores the rows as an object for each value of a text column: value -> digest.

        Rows keep their order. Memory is that of one row group a value, and so is the number of
        open files: not for columns with more than some dozens of values.
        """
        with scratch(self._tmp) as folder:
            parts: dict[str, _Growing] = {}
            try:
                for batch in batches:
                    for value in pc.unique(batch.column(column)).to_pylist():
                        if value not in parts:
                            parts[value] = _Growing(folder / f"{len(parts)}.parquet", schema)
                        parts[value].add(batch.filter(pc.equal(batch.column(column), value)))
            finally:
                for growing in parts.values():
                    growing.close()
            return {value: self._publish(growing) for value, growing in sorted(parts.items())}

    def _publish(self, growing: "_Growing") -> str:
        with wrap_os_errors("write an object", self._folder):
            digest = _sha256(growing.path)
            publish(growing.path, self.path(digest))
        return digest

    def path(self, digest: str) -> Path:
        """Where the object lies, whether it is there or not."""
        if not _DIGEST.fullmatch(digest):
            raise StoreError(f"'{digest}' names no object: expected 64 hexadecimal digits.")
        return self._folder / digest[:2] / f"{digest}.parquet"

    def has(self, digest: str) -> bool:
        """Whether the object is there; whether its bytes are right, `check` tells."""
        return self.path(digest).is_file()

    def read(self, digest: str, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows in their order, as batches of at most one row group."""
        path = self.path(digest)
        with (
            self._open(digest) as file,
            wrap_os_errors("read an object", path),
            wrap_parquet_errors(path, _ADVICE),
        ):
            yield from file.iter_batches(ROW_GROUP_SIZE, columns=columns)

    def rows(self, digest: str) -> int:
        """How many rows the object has, from its footer."""
        with self._open(digest) as file:
            return int(file.metadata.num_rows)

    def check(self, digest: str) -> None:
        """Reads the whole object and raises StoreError if it is missing or its bytes changed."""
        with self._open(digest), wrap_os_errors("read an object", self.path(digest)):
            seen = _sha256(self.path(digest))
        if seen != digest:
            raise StoreError(f"{self.path(digest)} is damaged: {_ADVICE}.")

    def _open(self, digest: str) -> pq.ParquetFile:
        path = self.path(digest)
        if not path.is_file():
            raise StoreError(f"{path} is missing: build again to make it anew.")
        with wrap_os_errors("read an object", path), wrap_parquet_errors(path, _ADVICE):
            return pq.ParquetFile(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Growing:
    """A Parquet file being written, in whole row groups of one chunk a column.

    Page limits follow the chunks, so the bytes depend on the rows alone, not on their batches.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = path
        self._schema = schema.remove_metadata()
        self._held: list[pa.Table] = []
        self._missing = ROW_GROUP_SIZE
        with wrap_os_errors("write an object", path):
            self._writer = pq.ParquetWriter(
                path, self._schema, compression="zstd", compression_level=1
            )

    def add(self, batch: pa.RecordBatch) -> None:
        """Appends rows."""
        table = pa.Table.from_batches([batch]).cast(self._schema)
        while table.num_rows >= self._missing:
            self._held.append(table.slice(0, self._missing))
            table = table.slice(self._missing)
            self._put()
        if table.num_rows:
            self._held.append(table)
            self._missing -= table.num_rows

    def close(self) -> None:
        """Writes what is held and the footer."""
        try:
            if self._held:
                self._put()
        finally:
            with wrap_os_errors("write an object", self.path):
                self._writer.close()

    def _put(self) -> None:
        group = pa.concat_tables(self._held).combine_chunks()
        self._held, self._missing = [], ROW_GROUP_SIZE
        with wrap_os_errors("write an object", self.path):
            self._writer.write_table(group, row_group_size=ROW_GROUP_SIZE)
