"""What a source is: where upstream keeps it, under which licence, and how one of its rows is read.

In: nothing. Out: Source (one upstream dataset), Opened (its files, found on this machine).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curator.core.model import Problem

Row = Mapping[str, Any]
"""One upstream record: column name to any JSON value."""

Parse = Callable[[Row, str], Iterable[Problem]]
"""Reads a row that stands at a place (`train.jsonl:17`): its problems, none if the row is not
this source's. Raises `fields.Unreadable` with the reason if it cannot be read."""


@dataclass(frozen=True, slots=True)
class Source:
    """One upstream dataset and the function that reads its rows."""

    name: str
    """What recipes call it."""
    about: str
    """One line: who wrote it and what is in it."""
    licence: str
    """SPDX identifier, or the words that upstream uses. A row may have its own."""
    parse: Parse
    folder: str = ""
    """Its folder in a mirror: `sources/gsm8k`."""
    hub: str = ""
    """Hugging Face Hub dataset id; empty if it is not there."""
    github: str = ""
    """GitHub owner/name, where the Hub does not have it."""
    revision: str = ""
    """Full commit that is read. Empty: the newest one is looked up when it is opened."""
    files: tuple[str, ...] = ()
    """Paths in the repository, or patterns such as `data/test-*.parquet` (Hub only)."""
    config: str = ""
    split: str = ""
    local: str = ""
    """Path or glob of files that a recipe names; it is read in place of any mirror."""
    first: int = 0
    """Records that are read, from the first; 0 for all."""
    rows: int = 0
    """Records that upstream publishes, 0 if unknown."""
    paper_rows: int = 0
    """Rows of its MathInstruct subsets according to the paper, 0 if it is in none."""
    fields: tuple[str, ...] = ()
    """Upstream's column names."""
    reading: str = ""
    """For a recipe's own source: its columns and licence as JSON. The digest covers it."""
    citation: str = ""
    """Paper, as an arXiv number or an address."""


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """The files of a source on this machine."""

    files: tuple[Path, ...]
    names: tuple[str, ...]
    """What each file is called in places: its path below the mirror's folder or the repository."""
    revision: str
    """Commit that was read; empty for local files."""
    digest: str
    """Names the content: over all bytes of local files, over repository, commit and names else."""
    origin: str
    """For people: the folder, or `openai/gsm8k at 740312a`."""
