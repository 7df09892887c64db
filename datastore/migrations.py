"""The store's format, as numbered steps from an empty folder to the current format.

In: the root of a store in format N-1. Out: the same store in format N. A step may be killed at any
moment and run again, so a repeated step must do no harm. A released step never changes.
"""

from collections.abc import Callable
from pathlib import Path

from datastore.files import make_folder


def create_folders(root: Path) -> None:
    """Create format 1: one folder for each kind of data."""
    for name in ("objects", "ledgers", "memo", "versions", "locks", "tmp"):
        make_folder(root / name)


MIGRATIONS: dict[int, Callable[[Path], None]] = {1: create_folders}
"""Format number -> the step that produces it."""

FORMAT = max(MIGRATIONS)
"""The format that this release reads and writes."""
