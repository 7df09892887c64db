"""Defines a source: where upstream publishes it, its licence, and how to parse one of its rows.

Out: Source (one upstream dataset) and SourceFiles (its files on this machine).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curator.core.errors import SourceError
from curator.core.model import Problem

Row = Mapping[str, Any]
"""One upstream record: column name to any JSON value."""

Parse = Callable[[Row, str], Iterable[Problem]]
"""Parses the row at a place (`train.jsonl:17`) into its problems; none if the row belongs to
another source. Raises `fields.Unreadable` with the reason if the row cannot be read."""


@dataclass(frozen=True, slots=True)
class Source:
    """One upstream dataset and the function that parses its rows."""

    name: str
    """Its name in recipes."""
    about: str
    """One line: what it contains and who wrote it."""
    licence: str
    """SPDX identifier, or upstream's own wording. A row may have a licence of its own."""
    parse: Parse
    folder: str = ""
    """Its folder in a mirror: `sources/gsm8k`."""
    hub: str = ""
    """Dataset id on the Hugging Face Hub; empty if the Hub does not have it."""
    github: str = ""
    """GitHub owner/name, if the Hub does not have it."""
    revision: str = ""
    """Full commit to read. Default: the newest commit when the source is opened."""
    files: tuple[str, ...] = ()
    """Paths in the repository, or patterns such as `data/test-*.parquet` (Hub only)."""
    config: str = ""
    split: str = ""
    local: str = ""
    """Path or glob of local files, read instead of a mirror or the Hub."""
    first: int = 0
    """Maximum number of records to read, from the start; 0 for all."""
    rows: int = 0
    """Number of records that upstream publishes; 0 if unknown."""
    paper_rows: int = 0
    """Rows of its MathInstruct subsets according to the paper; 0 if it has none."""
    fields: tuple[str, ...] = ()
    """Upstream's column names."""
    named: tuple[str, ...] = ()
    """Columns that a user named. It is an error if no record has one of them."""
    settings: str = ""
    """Columns, licence and row limit of a custom source, as JSON. The digest covers it."""
    citation: str = ""
    """Paper, as an arXiv number or a URL."""


FileState = tuple[int, int]
"""Size in bytes, and time of the last change in nanoseconds."""


def file_state(path: Path) -> FileState:
    """Return the state of a file. Raises OSError."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """The files of a source on this machine."""

    files: tuple[Path, ...]
    names: tuple[str, ...]
    """Name of each file in places: its path below the mirror's folder or in the repository."""
    revision: str
    """Commit of the files; empty for local files."""
    digest: str
    """Identifies the content: covers the bytes of local files; of others repository, commit and
    names."""
    origin: str
    """Text for users: the folder, or `openai/gsm8k at 740312a`."""
    states: tuple[FileState, ...] = ()
    """The state of each local file before it was hashed; empty for downloaded files."""

    def check_unchanged(self) -> None:
        """Raise SourceError if a file is not what was hashed: `digest` would name other bytes."""
        for path, state in zip(self.files, self.states, strict=False):
            if file_state(path) != state:
                raise SourceError(
                    f"{path} changed while it was read. Rerun the command when it is complete."
                )
