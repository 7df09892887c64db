"""Differences between two versions as lists."""

from curator.versions.changes import RowChange, VerdictChange, open_changes
from datastore.store import Store
from datastore.versions import Manifest


def row_changes(store: Store, a: Manifest, b: Manifest) -> list[RowChange]:
    """Return every row that only one of two versions has."""
    with open_changes(store, a, b) as changes:
        return [row for row, _ in changes.rows()]


def verdict_changes(store: Store, a: Manifest, b: Manifest) -> list[VerdictChange]:
    """Return every verdict that changed."""
    with open_changes(store, a, b) as changes:
        return list(changes.verdicts())
