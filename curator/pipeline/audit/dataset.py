"""Open the dataset of an audit: a file, a pattern of files, or a dataset on the Hub.

In: the name of the dataset. Out: its first records, its licence, and the recipe source that reads
all of it. Hub files are read as data only, at the commit that the revision resolves to.
"""

import glob
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from curator.core.errors import SourceError, UsageError
from curator.core.escape import for_terminal
from curator.core.model import QuarantinedRecord
from curator.core.words import counted
from curator.recipe.schema import Columns, FileSource, HubSource
from curator.sources import Source, open_source
from curator.sources.detect_columns import SAMPLE
from curator.sources.fetch.hub import card_licence
from curator.sources.readers.detect import read_records
from curator.sources.readers.parquet import EXPANDS
from curator.sources.source import Row
from datastore.text import is_storable

LARGEST = 50_000_000
"""Bytes of the sample after which no further record is added; one record may have 16 MB in its
file, and more in memory."""
VALUE = 64
"""Bytes that Python needs for a small value."""
NOT_STATED = "none stated"
_HUB = re.compile(r"([\w.-]+/[\w.-]+?)(?:@([\w./-]+))?")


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset that exists, and where it is."""

    what: str
    """How reports name it: the path, or `org/name at 1a2b3c4`."""
    sample: Sequence[Row]
    """The first records that can be read."""
    licence: str
    licence_origin: str
    """Who states the licence; empty if nobody does."""
    folder: Path
    """Folder to which `file` is relative."""
    file: str = ""
    """Name or pattern of the files; empty for a Hub dataset."""
    hub: str = ""
    config: str = ""
    split: str = ""
    revision: str = ""

    def section(self, columns: Mapping[str, str], golds: Sequence[str], rows: int) -> object:
        """Return the recipe source that reads this dataset."""
        mapping = Columns(**columns)
        gold_sources = tuple(golds)
        if self.hub:
            return HubSource(
                hub=self.hub,
                config=self.config,
                split=self.split,
                revision=self.revision,
                columns=mapping,
                licence=self.licence,
                golds=gold_sources,
                rows=rows,
            )
        return FileSource(
            file=self.file, columns=mapping, licence=self.licence, golds=gold_sources, rows=rows
        )


def open_dataset(what: str, config: str, split: str, licence: str) -> Dataset:
    """Return the dataset. Raises UsageError or SourceError if it does not exist."""
    path = Path(what)
    if not is_storable(what):  # the recipe of an audit names the file
        raise UsageError(f"{what} is not valid UTF-8. Rename the file, or its folder.")
    if path.is_dir():
        raise UsageError(f"{path} is a folder. Name a file, or a pattern such as '{path}/*.jsonl'.")
    if path.exists() and not path.is_file():  # a pipe can be read only once
        raise UsageError(f"{path} is not a regular file. Copy its content to a file.")
    if path.is_file() or (glob.has_magic(what) and glob.glob(what, recursive=True)):
        return _files(path, licence)
    if name := _HUB.fullmatch(what):
        return _hub(name[1], name[2] or "", config, split, licence)
    raise UsageError(
        f"There is no file {what}. Name a file, or a Hub dataset as ORG/NAME or ORG/NAME@REVISION."
    )


def _files(path: Path, licence: str) -> Dataset:
    parts = path.parts
    if path.is_file():
        folder, file = path.parent, glob.escape(path.name)
    else:
        first = next(place for place, part in enumerate(parts) if glob.has_magic(part))
        folder, file = Path(*parts[:first]), str(Path(*parts[first:]))
    opened = open_source(_placeholder("audit", local=str(Path(glob.escape(str(folder))) / file)))
    rows = _sample(opened.files, opened.names)
    return Dataset(
        what=str(path),
        sample=rows,
        licence=licence or NOT_STATED,
        licence_origin="set by --licence" if licence else "",
        folder=folder,
        file=file,
    )


def _hub(name: str, revision: str, config: str, split: str, licence: str) -> Dataset:
    source = _placeholder(name, hub=name, revision=revision, config=config, split=split)
    opened = open_source(source)
    stated = licence or card_licence(source)
    return Dataset(
        what=f"{name} at {opened.revision[:7]}",
        sample=_sample(opened.files, opened.names),
        licence=stated or NOT_STATED,
        licence_origin="set by --licence" if licence else "from its card" if stated else "",
        folder=Path(),
        hub=name,
        config=config,
        split=split,
        revision=opened.revision,
    )


def _placeholder(name: str, **where: str) -> Source:
    """Return a source that only serves to open files: its parser yields nothing."""
    return Source(name, name, "", lambda row, place: (), **where)  # type: ignore[arg-type]


def _sample(files: Sequence[Path], names: Sequence[str]) -> list[Row]:
    records = chain.from_iterable(
        read_records(path, name) for path, name in zip(files, names, strict=True)
    )
    rows: list[Row] = []
    size = 0
    bad: list[QuarantinedRecord] = []
    for each in islice(records, SAMPLE):
        if isinstance(each, QuarantinedRecord):
            bad.append(each)
            continue
        rows.append(each[1])
        size += _weigh(each[1])
        if size > LARGEST:
            break
    if bad and not rows:
        raise SourceError(
            f"None of the first {counted(len(bad), 'record')} can be read; the first at "
            f"{describe(bad[0].place, bad[0].reason, bad[0].raw)}"
        )
    return rows


def describe(place: str, reason: str, raw: str) -> str:
    """Return the place of a record that cannot be read and the reason, for an error message."""
    size = f" ({raw})" if reason == EXPANDS else ""
    return for_terminal(f"{place}: {reason}{size}")


def _weigh(row: Row) -> int:
    """Return about how many bytes a row takes, or its first part if they are more than LARGEST."""
    total, rest = 0, [iter(row.values())]
    while rest and total <= LARGEST:
        for value in rest.pop():
            total += VALUE + (len(value) if isinstance(value, str | bytes) else 0)
            if isinstance(value, list | dict):
                rest.append(iter(value.values() if isinstance(value, dict) else value))
    return total
