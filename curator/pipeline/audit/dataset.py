"""The dataset to be audited: a file, a pattern of files, or a dataset of the Hub.

In: what the user named. Out: its first records, its licence, and the source of a recipe that reads
all of it. Files of the Hub are only read as data, at the commit that was found.
"""

import glob
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from curator.core.errors import UsageError
from curator.core.model import Quarantined
from curator.pipeline.audit.detect_columns import SAMPLE
from curator.recipe.schema import Columns, FileSource, HubSource
from curator.sources import Source, open_source
from curator.sources.fetch.hub import card_licence
from curator.sources.readers.detect import read_records
from curator.sources.source import Row

LARGEST = 50_000_000
"""Characters of a sample; a record may have 16 MB."""
NOT_STATED = "none stated"
_HUB = re.compile(r"([\w.-]+/[\w.-]+?)(?:@([\w./-]+))?")


@dataclass(frozen=True, slots=True)
class Dataset:
    """What the user named, found."""

    what: str
    """For people: the path, or `org/name at 1a2b3c4`."""
    sample: Sequence[Row]
    """Its first records that are records."""
    licence: str
    licence_from: str
    """Who says so: you, the card, or nobody."""
    folder: Path
    """What the path of a file source is relative to."""
    file: str = ""
    """Name or pattern of the files, for a file source."""
    hub: str = ""
    config: str = ""
    split: str = ""
    revision: str = ""

    def section(self, columns: Mapping[str, str], golds: Sequence[str], rows: int) -> object:
        """The source of a subset that reads it."""
        held = Columns(**columns)
        known = tuple(golds)
        if self.hub:
            return HubSource(
                hub=self.hub,
                config=self.config,
                split=self.split,
                revision=self.revision,
                columns=held,
                licence=self.licence,
                golds=known,
                rows=rows,
            )
        return FileSource(
            file=self.file, columns=held, licence=self.licence, golds=known, rows=rows
        )


def open_dataset(what: str, config: str, split: str, licence: str) -> Dataset:
    """Find a dataset; raises UsageError or SourceError where there is none."""
    path = Path(what)
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file, or a pattern such as '{path}/*.jsonl'")
    if path.is_file() or glob.glob(what, recursive=True):
        return _files(path, licence)
    if found := _HUB.fullmatch(what):
        return _hub(found[1], found[2] or "", config, split, licence)
    raise UsageError(f"No file {what}; a dataset of the Hub is named ORG/NAME or ORG/NAME@REVISION")


def _files(path: Path, licence: str) -> Dataset:
    parts = path.parts
    if path.is_file():
        folder, file = path.parent, glob.escape(path.name)
    else:
        first = next(place for place, part in enumerate(parts) if glob.has_magic(part))
        folder, file = Path(*parts[:first]), str(Path(*parts[first:]))
    opened = open_source(_unread("audit", local=str(Path(glob.escape(str(folder))) / file)))
    rows = _rows(opened.files, opened.names)
    return Dataset(
        what=str(path),
        sample=rows,
        licence=licence or NOT_STATED,
        licence_from="you" if licence else "nobody",
        folder=folder,
        file=file,
    )


def _hub(name: str, revision: str, config: str, split: str, licence: str) -> Dataset:
    source = _unread(name, hub=name, revision=revision, config=config, split=split)
    opened = open_source(source)
    stated = licence or card_licence(source)
    return Dataset(
        what=f"{name} at {opened.revision[:7]}",
        sample=_rows(opened.files, opened.names),
        licence=stated or NOT_STATED,
        licence_from="you" if licence else "its card" if stated else "nobody",
        folder=Path(),
        hub=name,
        config=config,
        split=split,
        revision=opened.revision,
    )


def _unread(name: str, **where: str) -> Source:
    """A source whose files are found and whose rows nobody reads by it."""
    return Source(name, name, "", lambda row, place: (), **where)  # type: ignore[arg-type]


def _rows(files: Sequence[Path], names: Sequence[str]) -> list[Row]:
    found = chain.from_iterable(
        read_records(path, name) for path, name in zip(files, names, strict=True)
    )
    rows: list[Row] = []
    size = 0
    for each in islice(found, SAMPLE):
        if not isinstance(each, Quarantined):
            rows.append(each[1])
            size += sum(len(cell) for cell in each[1].values() if isinstance(cell, str))
        if size > LARGEST:
            break
    return rows
