"""The type of a release format, and how the file of every format is written."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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

REJECTED = ("rejected_id", "rejected_text", "rejected_reason")
"""Further columns of pairs: the wrong attempt at the prompt of the row, and why it is wrong."""

LABELLED = ("labelled_steps", "reason")
"""Further columns of labelled solutions: their steps, and what stopped one that is no row."""


_encode = JSONEncoder(ensure_ascii=False).encode


def write_lines(
    batches: "Iterator[pa.RecordBatch]",
    out: BinaryIO,
    to_line: Callable[[Mapping[str, Any]], Mapping[str, Any]],
) -> int:
    """Write JSON Lines in UTF-8, one per row, and return their number."""
    return _write_all((to_line(row) for row in _rows(batches, COLUMNS)), out)


def write_pairs(
    batches: "Iterator[pa.RecordBatch]",
    out: BinaryIO,
    to_lines: Callable[[Mapping[str, Any]], Iterable[Mapping[str, Any]]],
) -> int:
    """Write JSON Lines in UTF-8, one or several per pair, and return their number."""
    pairs = _rows(batches, (*COLUMNS, *REJECTED))
    return _write_all((line for pair in pairs for line in to_lines(pair)), out)


def write_steps(
    batches: "Iterator[pa.RecordBatch]",
    out: BinaryIO,
    to_lines: Callable[[Mapping[str, Any]], Iterable[Mapping[str, Any]]],
) -> int:
    """Write JSON Lines in UTF-8, one or several per labelled solution, and return their number."""
    rows = _rows(batches, (*COLUMNS, *LABELLED))
    return _write_all((line for row in rows for line in to_lines(row)), out)


def _rows(
    batches: "Iterator[pa.RecordBatch]", columns: Sequence[str]
) -> Iterator[Mapping[str, Any]]:
    for batch in batches:
        yield from batch.select(list(columns)).to_pylist()


def _write_all(lines: Iterable[Mapping[str, Any]], out: BinaryIO) -> int:
    written = 0
    for line in lines:
        out.write(_encode(line).encode() + b"\n")
        written += 1
    return written


@dataclass(frozen=True, slots=True)
class Attempt:
    """One side of a pair."""

    is_right: bool
    text: str
    evidence_level: str
    """Empty for a wrong attempt."""
    reason: str
    """Why it is wrong; empty for a right attempt."""
    id: str


def split_pair(pair: Mapping[str, Any]) -> tuple[Attempt, Attempt]:
    """Return the right and the wrong attempt of a pair."""
    return (
        Attempt(True, pair["text"], pair["evidence_level"], "", pair["id"].hex()),
        Attempt(
            False, pair["rejected_text"], "", pair["rejected_reason"], pair["rejected_id"].hex()
        ),
    )


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write rows to a file."""

    suffix: str
    """Suffix of file names."""
    about: str
    """Short description."""
    write_batches: "Callable[[Iterator[pa.RecordBatch], BinaryIO], int]"
    """Write batches of `columns` to an open file and return the number of rows."""
    columns: Sequence[str] = COLUMNS
    """Those of `COLUMNS` that `write_batches` reads."""
    needs_solution: bool = False
    """Whether the format cannot state a question without a solution."""
    thoughts: bool = False
    """Whether the format has a field for thoughts: it writes the column `thought`, if there is one,
    apart from `text`."""
    prompts: bool = False
    """Whether a row is a prompt with a gold that a reward can check, for reinforcement learning:
    exports leave other rows out (`curator.release.prompts`)."""
    pairs: bool = False
    """Whether the format has right and wrong attempts (`curator.release.attempts`); its batches
    have the columns `REJECTED`, too."""
    steps: bool = False
    """Whether the format has solutions with labelled steps (`curator.release.labelled`); its
    batches have the columns `LABELLED`, too."""

    @property
    def solutions(self) -> bool:
        """Whether a row of the format is a row of the version with its solution, if it has one."""
        return not (self.prompts or self.pairs or self.steps)

    def write(
        self, batches: "Iterator[pa.RecordBatch]", target: Path, overwrite: bool = False
    ) -> int:
        """Write rows with at least the columns `columns` to `target` and return their number.

        The file gets its name when its last byte is on disk. Raises BadTarget if the file exists
        and `overwrite` is false, StoreError if it cannot be written.
        """
        with new_file(target, overwrite) as out:
            return self.write_batches(batches, out)
