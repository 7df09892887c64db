"""The type of a release format, and how the file of every format is written."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from datastore.new_file import new_file

if TYPE_CHECKING:
    import pyarrow as pa

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
    "evidence_level",
)
"""Columns of the rows: `id` has 16 bytes, `choices` is a list of texts, the others are texts."""


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write rows to a file."""

    suffix: str
    """Suffix of file names."""
    about: str
    """Short description."""
    write_batches: "Callable[[Iterator[pa.RecordBatch], BinaryIO], int]"
    """Write batches of `COLUMNS` to an open file and return the number of rows."""
    needs_solution: bool = False
    """Whether the format cannot state a question without a solution."""

    def write(
        self, batches: "Iterator[pa.RecordBatch]", target: Path, overwrite: bool = False
    ) -> int:
        """Write rows with at least the columns `COLUMNS` to `target` and return their number.

        The file gets its name when its last byte is on disk. Raises BadTarget if the file exists
        and `overwrite` is false, StoreError if it cannot be written.
        """
        with new_file(target, overwrite) as out:
            return self.write_batches(batches, out)
