"""The type of a release format, and how the file of every format is written."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from json import JSONEncoder
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

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
    "field",
    "level",
    "evidence_level",
)
"""Columns of the rows: `id` has 16 bytes, `choices` is a list of texts, the others are texts."""

THOUGHT = "thought"
"""An additional column, if thoughts are written apart from `text`."""
Thoughts = Literal["keep", "drop", "apart"]
THOUGHTS: Mapping[Thoughts, str] = {
    "keep": "within the text, as its author wrote it",
    "drop": "not at all",
    "apart": "in a field of its own: `reasoning_content` of a message, `thought` in Parquet",
}
"""Where an export writes thoughts."""

_encode = JSONEncoder(ensure_ascii=False).encode


def write_lines(
    batches: "Iterator[pa.RecordBatch]",
    out: BinaryIO,
    to_line: Callable[[Mapping[str, Any]], Mapping[str, Any]],
) -> int:
    """Write JSON Lines in UTF-8, one per row, and return their number."""
    rows = 0
    for batch in batches:
        for row in batch.select(list(COLUMNS)).to_pylist():
            out.write(_encode(to_line(row)).encode() + b"\n")
            rows += 1
    return rows


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
    thoughts: bool = False
    """Whether the format has a field for thoughts: it writes the column `thought`, if there is one,
    apart from `text`."""
    prompts: bool = False
    """Whether a row is a prompt with a gold that a reward can check, for reinforcement learning:
    exports leave other rows out (`curator.release.prompts`)."""

    def write(
        self, batches: "Iterator[pa.RecordBatch]", target: Path, overwrite: bool = False
    ) -> int:
        """Write rows with at least the columns `COLUMNS` to `target` and return their number.

        The file gets its name when its last byte is on disk. Raises BadTarget if the file exists
        and `overwrite` is false, StoreError if it cannot be written.
        """
        with new_file(target, overwrite) as out:
            return self.write_batches(batches, out)
