"""What a format is, and the one way in which every format's file is written."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from datastore.engine import Engine
from datastore.new_file import new_file

COLUMNS = (
    "id",
    "subset",
    "release_as",
    "kind",
    "question",
    "choices",
    "gold",
    "instruction",
    "text",
    "licence",
    "source",
    "place",
)
"""What the SELECT gives: `id` is a BLOB of 16 bytes, `choices` a list of texts, the rest texts."""

BATCH_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write rows to a file."""

    suffix: str
    """What its file names end in."""
    about: str
    """What is in it, in a few words."""
    put: Callable[[Iterator[pa.RecordBatch], BinaryIO], int]
    """Writes batches of `COLUMNS` to an open file and returns the number of rows."""

    def write(self, engine: Engine, rows_sql: str, target: Path, overwrite: bool = False) -> int:
        """Writes the rows of `rows_sql` to `target` and returns how many there were.

        The file appears whole under its name when the last byte is on disk. Memory does not grow
        with the number of rows, the sort of the SELECT aside, which spills. Raises UsageError if
        the file is there and `overwrite` is not set, CuratorError if it cannot be written.
        """
        query = f"SELECT {', '.join(COLUMNS)} FROM ({rows_sql})"
        with new_file(target, overwrite) as out:
            return self.put(engine.batches(query, size=BATCH_ROWS), out)
