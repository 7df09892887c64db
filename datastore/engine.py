"""A DuckDB connection that stays within a memory limit and spills the rest to disk.

In: SQL over Parquet files. Out: relations, or Arrow batches while they are computed. No extension
is installed or loaded, and nothing is stored: the objects are the only data.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from datastore.errors import StoreError, wrap_os_errors
from datastore.files import scratch

THREAD_BYTES = 250_000_000
"""Memory per thread: a row group of 64 million characters takes up to 115 MB of it."""
GROUP_ROWS, GROUP_BYTES = 20_000, 16 << 20
"""Rows and bytes from which a row group of a temporary file ends."""

_EXPLAIN = re.compile(r"\s*+EXPLAIN\s++(ANALYZE\s++)?", re.IGNORECASE)


def literal(text: str | Path) -> str:
    """Return a text or path as a quoted SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"


def scan(paths: Iterable[Path], *, filename: bool = False) -> str:
    """Return a FROM item over Parquet files; `*`, `?` and `[` in their paths are escaped.

    With `filename`, a column of that name has the path of each row's file.

    A column that some files lack, since an older release wrote them, is NULL in their rows. A
    folder named `id=5` adds no column and replaces none.
    """
    literals = ", ".join(literal(_escape(path)) for path in paths)
    options = "union_by_name = true, hive_partitioning = false"
    return f"read_parquet([{literals}], {options}{', filename = true' if filename else ''})"


def _escape(path: Path) -> str:
    return re.sub(r"[*?[]", r"[\g<0>]", str(path))


class Engine:
    """An in-memory DuckDB database with a private spill folder inside `spill`.

    Rows have no fixed order unless the query says ORDER BY. Each stream runs on its own connection,
    so several can be open at once. Streams see tables and views, but not TEMP ones.

    It has a thread per core, as far as its memory suffices: a thread holds the texts that it reads,
    up to a row group.
    """

    def __init__(self, memory: str = "1GB", threads: int | None = None, *, spill: Path) -> None:
        self._resources = ExitStack()
        self.folder = self._resources.enter_context(scratch(spill))
        """A private folder for temporary files, removed when the engine is closed."""
        config: dict[str, Any] = {
            "memory_limit": memory,
            "temp_directory": str(self.folder / "spill"),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
        }
        self.connection = self._resources.enter_context(duckdb.connect(":memory:", config=config))
        """The DuckDB connection itself, for whatever `sql` and `batches` do not cover."""
        self.connection.execute(f"SET threads = {threads or self._find_threads()}")
        # In a notebook DuckDB prints a bar while a query runs; a cursor never does.
        self.connection.execute("SET enable_progress_bar = false")

    def _find_threads(self) -> int:
        threads = round(self.memory_bytes() / THREAD_BYTES)
        return max(1, min(len(os.sched_getaffinity(0)), threads))

    def memory_bytes(self) -> int:
        """Return the limit of the memory in bytes."""
        query = "SELECT parse_formatted_bytes(current_setting('memory_limit'))"
        ((memory,),) = self.connection.execute(query).fetchall()
        return int(memory)

    def sql(self, query: str, params: Mapping[str, Any] | None = None) -> duckdb.DuckDBPyRelation:
        """Return the result of a query as a relation, which runs when it is fetched.

        Errors are DuckDB's own. A statement without a result runs at once. Parameters are written
        `$name`; with them DuckDB 1.5 holds the whole result in memory, outside the limit. For a
        large result use `batches`, or `literal`.
        """
        return self.connection.sql(query, params=params)

    def batches(
        self, query: str, params: Mapping[str, Any] | None = None, size: int = 20_000
    ) -> Iterator[pa.RecordBatch]:
        """Yield the result of a query as Arrow batches, while it is computed.

        A batch has a maximum of `size` rows. Errors are DuckDB's own, except that running out of
        space for spilling is a StoreError.
        """
        with self.connection.cursor() as cursor, wrap_memory_errors():
            # DuckDB 1 and 2 each stream with one call and hold the result in memory with the other.
            if duckdb.__version__.startswith("1."):
                yield from cursor.execute(query, params).to_arrow_reader(size)
            else:
                yield from cursor.sql(query, params=params).to_arrow_reader(size)

    def create_view(self, name: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> str:
        """Write batches to a temporary file and create a view of its rows; return its name.

        Batches may run queries. DuckDB itself must not read them meanwhile: its threads wait for
        the batches, and the query of the batches for the threads.
        """
        path = self.folder / f"{name}.parquet"
        with wrap_os_errors("write temporary rows", path), pq.ParquetWriter(path, schema) as file:
            for group in _group(batches):
                file.write_table(pa.Table.from_batches(group, schema))
        self.connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {scan([path])}")
        return name

    def drop(self, *names: str) -> None:
        """Drop the tables and views that exist, and their files."""
        for name in names:
            path = self.folder / f"{name}.parquet"
            kind = "VIEW" if path.exists() else "TABLE"
            self.connection.execute(f"DROP {kind} IF EXISTS {name}")
            path.unlink(missing_ok=True)

    def lock(self, paths: Iterable[Path]) -> None:
        """Restrict all later queries to the files at `paths`; this cannot be undone.

        DuckDB then opens no other file, database, address or extension, its own spill folder
        excepted, and no setting can be changed. Not covered: a statement that writes to one of
        `paths`; run only what `check_is_select` accepts.
        """
        # DuckDB compares a path twice: as the query has it, escaped by `scan`, and as it opens it.
        both = [text for path in paths for text in dict.fromkeys((str(path), _escape(path)))]
        allowed = ", ".join(map(literal, both))
        self.connection.execute(f"SET allowed_paths = [{allowed}]")
        self.connection.execute("SET enable_external_access = false")
        self.connection.execute("SET lock_configuration = true")

    def close(self) -> None:
        """Close the connection and remove its spill files."""
        self._resources.close()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _group(batches: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Yield the batches of each row group.

    A row group per batch would make a footer that takes more memory than the rows.
    """
    group: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        group.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if rows >= GROUP_ROWS or size >= GROUP_BYTES:
            yield group
            group, rows, size = [], 0, 0
    if group:
        yield group


class NotReadOnlyError(Exception):
    """A query is something else than one SELECT."""


def check_is_select(query: str) -> None:
    """Raise NotReadOnlyError unless the text is one statement that only reads.

    That is what DuckDB parses as SELECT (also WITH, FROM, VALUES, DESCRIBE, SHOW and SUMMARIZE), or
    EXPLAIN of one. EXPLAIN ANALYZE executes its statement, so that `EXPLAIN ANALYZE COPY` writes.
    Raises DuckDB's own error if the text is not SQL. The parser opens files: it replaces IMPORT
    DATABASE by the statements in a folder. So it runs without access to any.
    """
    with duckdb.connect(config={"enable_external_access": "false"}) as parser:
        types = [statement.type for statement in parser.extract_statements(query)]
        if types == [duckdb.StatementType.EXPLAIN]:
            with suppress(duckdb.ParserException):  # other spellings of EXPLAIN ANALYZE are refused
                start = _EXPLAIN.match(query)
                inner = parser.extract_statements(query[start.end() :] if start else "")
                types = [statement.type for statement in inner]
    if types != [duckdb.StatementType.SELECT]:
        seen = ", ".join(each.name for each in types) or "no statement"
        raise NotReadOnlyError(f"expected one SELECT, saw: {seen}")


@contextmanager
def wrap_memory_errors() -> Iterator[None]:
    """Turn DuckDB's errors about a lack of memory or disk space into a StoreError."""
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        reason = str(error).splitlines()[0]
        if isinstance(error, duckdb.IOException) and "No space left" not in reason:
            raise
        raise StoreError(
            f"A query ran out of space for temporary data ({reason}). "
            "Free some space, or raise the memory limit."
        ) from error
