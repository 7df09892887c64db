"""What a store holds and what is being built in it now."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from curator.versions.content import content_of
from datastore.migrations import FORMAT
from datastore.store import Store


@dataclass(frozen=True)
class Status:
    """A store at a glance."""

    folder: str
    format: int
    bytes: int
    """Size of all its files."""
    ledgers: Mapping[str, int]
    """Records by kind."""
    versions: Mapping[str, int]
    """Rows by version."""
    building: Sequence[str]
    """One line for each stage that a living process is making."""


def status(store: Store) -> Status:
    """What the store holds; it only reads."""
    kinds = sorted(path.name for path in (store.root / "ledgers").glob("*") if path.is_dir())
    return Status(
        folder=str(store.root),
        format=FORMAT,
        bytes=_size(store.root),
        ledgers={kind: store.ledger(kind).count() for kind in kinds},
        versions={m.ref: content_of(m).rows.count for m in store.versions.all()},
        building=store.memo.building(),
    )


def _size(folder: Path) -> int:
    """Bytes of all files; those that a build removes meanwhile count as nothing."""
    size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                size += os.lstat(os.path.join(place, name)).st_size
    return size
