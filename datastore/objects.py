"""Content-addressed Parquet files: `objects/ab/<sha256 of the file>.parquet`, never changed.

In: Arrow batches and a schema. Out: the digest, which is the name of the object. What is read is
hashed before, once and again if its file changes: it is what its name says, or StoreError. Not
covered: a disk that changes bytes but not the time of the file; see `known_files`.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import repeat
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datastore.errors import StoreError, wrap_os_errors, wrap_parquet_errors
from datastore.files import publish, scratch
from datastore.known_files import KnownFiles

ROW_GROUP_SIZE = 20_000
"""Rows per row group: with larger groups DuckDB exceeds a memory limit of 1 GB."""
GROUP_BYTES = 256 << 20
"""Bytes of text after which a row group ends early, so that rows of any length fit in memory."""

_ADVICE = "Rebuild its version; 'curator verify' prints the command."
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Objects:
    """The objects of the store at `root`."""

    def __init__(self, root: Path, known: KnownFiles | None = None) -> None:
        self._folder = root / "objects"
        self._text = str(self._folder)
        self._tmp = root / "tmp"
        self._known = known or KnownFiles(None)
        self._written: set[str] = set()
        """Objects that this process has written; one that has changed since is written again."""

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

    def _publish(self, writer: "_ObjectWriter") -> str:
        with wrap_os_errors("write an object", self._folder):
            with writer.path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest not in self._written or not self._is_known(digest):
                publish(writer.path, self.locate(digest))
                self._known.add(self.locate(digest), digest)
                self._written.add(digest)
        return digest

    def path(self, digest: str) -> Path:
        """Return the path of the object; raise StoreError if it is missing or its bytes changed."""
        self.check(digest)
        return self.locate(digest)

    def locate(self, digest: str) -> Path:
        """Return where the object belongs, whether it exists or not. Read from `path` instead."""
        return Path(self._locate(digest))

    def _locate(self, digest: str) -> str:
        """Return the path as text: making a `Path` takes as long as asking for the file's state."""
        if not _DIGEST.fullmatch(digest):
            raise StoreError(
                f"'{digest}' is not a valid object digest: expected 64 hexadecimal digits."
            )
        return f"{self._text}/{digest[:2]}/{digest}.parquet"

    def has(self, digest: str) -> bool:
        """Return whether the object exists; `check` verifies its bytes."""
        return self.locate(digest).is_file()

    def read(
        self, digest: str, columns: Sequence[str] | None = None, size: int = ROW_GROUP_SIZE
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows in their order, as batches of one row group or less, and of `size` rows or
        less."""
        path = self.locate(digest)
        with (
            self._open(digest) as file,
            wrap_os_errors("read an object", path),
            wrap_parquet_errors(path, _ADVICE),
        ):
            # Not with threads, which cost CPU time: shards are small, and several are read at once.
            yield from file.iter_batches(size, columns=columns, use_threads=False)

    def read_equal(self, digest: str, column: str, value: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows whose number in `column` is `value`, in their order.

        Row groups without the value between their smallest and largest are not read, so an object
        that is sorted by the column is read in part.
        """
        path = self.locate(digest)
        with (
            self._open(digest) as file,
            wrap_os_errors("read an object", path),
            wrap_parquet_errors(path, _ADVICE),
        ):
            position = file.schema_arrow.get_field_index(column)
            for group in range(file.metadata.num_row_groups):
                seen = file.metadata.row_group(group).column(position).statistics
                if seen is None or not seen.has_min_max or seen.min <= value <= seen.max:
                    for batch in file.iter_batches(row_groups=[group], use_threads=False):
                        yield batch.filter(pc.equal(batch.column(column), value))

    def rows(self, digest: str) -> int:
        """Return the number of rows, from the footer."""
        with self._open(digest) as file:
            return int(file.metadata.num_rows)

    def total_rows(self, digests: Iterable[str]) -> int:
        """Return the number of rows of several objects together."""
        return sum(map(self.rows, digests))

    def text_bytes(self, digest: str) -> int:
        """Return the bytes of all columns before compression, from the footer."""
        with self._open(digest) as file:
            groups = range(file.metadata.num_row_groups)
            return sum(file.metadata.row_group(group).total_byte_size for group in groups)

    def check(self, digest: str, again: bool = False) -> None:
        """Raise StoreError if the object is missing or its bytes changed.

        An object whose file did not change since it was hashed is not hashed, except `again`.
        """
        if not again and self._is_known(digest):
            return
        path = self.locate(digest)
        if not path.is_file():
            raise StoreError(f"{path} is missing. {_ADVICE}")
        with wrap_os_errors("read an object", path):
            actual = self._known.sha256(path, again)
        if actual != digest:
            raise StoreError(f"{path} is damaged: its sha256 is {actual[:16]}…. {_ADVICE}")

    def check_all(self, digests: Iterable[str]) -> None:
        """Check objects in parallel; raise StoreError for the first one that is not intact."""
        for _, error in self.inspect(digests):
            if error:
                raise error

    def inspect(
        self, digests: Iterable[str], again: bool = False
    ) -> Iterator[tuple[str, StoreError | None]]:
        """Yield each object once, in order, with the error of `check`; objects are hashed in
        parallel."""
        unique = list(dict.fromkeys(digests))
        unknown = [digest for digest in unique if again or not self._is_known(digest)]
        if not unknown:
            yield from zip(unique, repeat(None))
            return
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            errors = pool.map(lambda digest: self._find_error(digest, again), unique)
            yield from zip(unique, errors, strict=True)

    def _is_known(self, digest: str) -> bool:
        try:
            return self._known.knows(self._locate(digest), digest)
        except (OSError, StoreError):  # missing, or not a digest at all
            return False

    def _find_error(self, digest: str, again: bool) -> StoreError | None:
        try:
            self.check(digest, again)
        except StoreError as error:
            return error
        return None

    def adopt(self, staged: "Objects") -> None:
        """Move all objects of another folder on the same file system here, durably."""
        with wrap_os_errors("write an object", self._folder):
            for digest in staged.list_files()[0]:
                publish(staged.locate(digest), self.locate(digest))

    def remove(self, digests: Iterable[str]) -> tuple[int, int]:
        """Remove objects; return the number of those that existed and their total bytes.

        Only where no other process writes the store: a build may be about to name one of them.
        """
        count = size = 0
        for path in map(self.locate, digests):
            with wrap_os_errors("remove an object", path), suppress(FileNotFoundError):
                status = path.stat()
                path.unlink()
                count, size = count + 1, size + status.st_size
        return count, size

    def list_files(self) -> tuple[list[str], list[Path]]:
        """Return the digests of all objects, and all other files in the folder of the objects."""
        files = sorted(path for path in self._folder.rglob("*") if not path.is_dir())
        digests = [path.stem for path in files if self._is_object(path)]
        return digests, [path for path in files if not self._is_object(path)]

    def _is_object(self, path: Path) -> bool:
        return bool(_DIGEST.fullmatch(path.stem)) and path == self.locate(path.stem)

    def _open(self, digest: str) -> pq.ParquetFile:
        path = self.path(digest)
        with wrap_os_errors("read an object", path), wrap_parquet_errors(path, _ADVICE):
            return pq.ParquetFile(path)


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
        self._bytes = 0
        with wrap_os_errors("write an object", path):
            self._writer = pq.ParquetWriter(
                path, self._schema, compression="zstd", compression_level=1
            )

    def add(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        table = pa.Table.from_batches([batch]).cast(self._schema)
        # A row's place alone decides where a group ends, whatever the batches are.
        while table.num_rows and (rows := self._rows_of_group(table)):
            self._tables.append(table.slice(0, rows))
            table = table.slice(rows)
            self._write_group()
        if table.num_rows:
            self._tables.append(table)
            self._missing -= table.num_rows
            self._bytes += _text_bytes(table)

    def _rows_of_group(self, table: pa.Table) -> int:
        """Return how many rows of the table end the current group; 0 if it needs more."""
        rows = self._missing if table.num_rows >= self._missing else 0
        head = table.slice(0, rows) if rows else table
        if self._bytes + _text_bytes(head) < GROUP_BYTES:
            return rows
        low, high = 1, head.num_rows
        while low < high:
            middle = (low + high) // 2
            if self._bytes + _text_bytes(head.slice(0, middle)) < GROUP_BYTES:
                low = middle + 1
            else:
                high = middle
        return low

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
        self._tables, self._missing, self._bytes = [], ROW_GROUP_SIZE, 0
        with wrap_os_errors("write an object", self.path):
            self._writer.write_table(group, row_group_size=ROW_GROUP_SIZE)


def _text_bytes(table: pa.Table) -> int:
    """Return the bytes of all texts, also of those in lists."""
    total = 0
    for column in table.columns:
        texts = pc.list_flatten(column) if pa.types.is_list(column.type) else column
        if pa.types.is_string(texts.type):
            total += pc.sum(pc.binary_length(texts)).as_py() or 0
    return total
