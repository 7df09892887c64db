"""A DuckDB connection that stays within a memory limit: what it cannot hold it spills to disk.

In: SQL over Parquet files. Out: relations, or Arrow batches as they are made.
Nothing is installed or loaded from outside, and nothing is kept: the truth is in the objects.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from datastore.errors import StoreError
from datastore.files import scratch


def literal(text: str | Path) -> str:
    """A text or path as SQL writes it, quoted."""
    return "'" + str(text).replace("'", "''") + "'"


def scan(paths: Iterable[Path]) -> str:
    """A FROM item over Parquet files; `*`, `?` and `[` in their paths are themselves."""
    listed = ", ".join(literal(re.sub(r"[*?[]", r"[\g<0>]", str(path))) for path in paths)
    return f"read_parquet([{listed}])"


class Engine:
    """An in-memory DuckDB database with a private spill folder inside `spill`.

    Rows come in no fixed order unless the query says ORDER BY. Streams run on connections of their
    own, so several may be open at once; they see tables and views, but not TEMP ones.
    """

    def __init__(self, memory: str = "1GB", threads: int | None = None, *, spill: Path) -> None:
        self._open = ExitStack()
        folder = self._open.enter_context(scratch(spill))
        config: dict[str, Any] = {
            "memory_limit": memory,
            "temp_directory": str(folder / "spill"),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
        }
        if threads:
            config["threads"] = threads
        self.connection = self._open.enter_context(duckdb.connect(":memory:", config=config))
        """The DuckDB connection itself, for what `sql` and `batches` do not do."""

    def sql(self, query: str, params: Mapping[str, Any] | None = None) -> duckdb.DuckDBPyRelation:
        """The result of a query as a relation, which runs when it is fetched; its errors are
        DuckDB's own. A statement without a result runs at once. Parameters are written `$name`;
        with them DuckDB 1.5 holds the whole result in memory, outside the limit: for a large result
        use `batches`, or `literal`.
        """
        return self.connection.sql(query, params=params)

    def batches(
        self, query: str, params: Mapping[str, Any] | None = None, size: int = 20_000
    ) -> Iterator[pa.RecordBatch]:
        """The result of a query as Arrow batches of at most `size` rows, while it is computed.

        Errors are DuckDB's own, save that no room to spill is a StoreError.
        """
        with self.connection.cursor() as cursor, wrap_memory_errors():
            # Each line streams in one way only, and in the other holds the result in memory.
            if duckdb.__version__.startswith("1."):
                yield from cursor.execute(query, params).to_arrow_reader(size)
            else:
                yield from cursor.sql(query, params=params).to_arrow_reader(size)

    def close(self) -> None:
        """Closes the connection and removes what was spilled."""
        self._open.close()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


@contextmanager
def wrap_memory_errors() -> Iterator[None]:
    """Turns DuckDB's errors inside the block for a lack of memory or disk into a StoreError."""
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        reason = str(error).splitlines()[0]
        if isinstance(error, duckdb.IOException) and "No space left" not in reason:
            raise
        raise StoreError(
            f"A query found no room for what it had to spill ({reason}); "
            "free some space, or give it a higher memory limit."
        ) from error
