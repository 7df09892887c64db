"""What a store holds and what is being built in it: `curator status`."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from curator.versions.content import content_of
from curator.versions.queries import inspect_versions
from datastore.migrations import FORMAT
from datastore.running import running_lines
from datastore.store import Store
from datastore.versions import Manifest


@dataclass(frozen=True)
class Status:
    """Summary of a store."""

    folder: str
    format: int
    bytes: int
    """Total size of its files."""
    ledgers: Mapping[str, int]
    """Number of records by kind of ledger."""
    versions: Mapping[str, int]
    """Number of rows by version."""
    building: Sequence[str]
    """One line per stage that a running process is making."""
    runs: Sequence[str]
    """One line per running process: its recipe, what it does, and how far it is."""


def status(store: Store) -> Status:
    """Summarize a store; reads only."""
    return Status(
        folder=str(store.root),
        format=FORMAT,
        bytes=_size(store.root),
        ledgers={kind: store.ledger(kind).count() for kind in store.ledger_kinds()},
        versions={
            ref: content_of(read).rows.count
            for ref, read in inspect_versions(store)
            if isinstance(read, Manifest)
        },
        building=store.memo.list_running(),
        runs=running_lines(store.root),
    )


def _size(folder: Path) -> int:
    """Return the total bytes of all files; files that a build is removing count as 0."""
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                size += os.lstat(os.path.join(parent, name)).st_size
    return size
