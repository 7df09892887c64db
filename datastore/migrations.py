"""The store's format, as numbered steps from an empty folder to the current format.

In: the root of a store in format N-1. Out: the same store in format N. A step may be killed at any
moment and run again, so a repeated step must do no harm. A released step never changes.
"""

import json
from collections.abc import Callable
from pathlib import Path

from datastore.files import make_folder, write_record


def create_folders(root: Path) -> None:
    """Create format 1: one folder for each kind of data."""
    for name in ("objects", "ledgers", "memo", "versions", "locks", "tmp"):
        make_folder(root / name)


def add_digests(root: Path) -> None:
    """Create format 2: every manifest and every record of the memo states its own digest.

    A file that is not a JSON object is left as it is: it is damaged, and readers say so.
    """
    for folder in ("versions", "memo"):
        for path in (root / folder).glob("*/*.json"):
            try:
                values = json.loads(path.read_bytes())
            except (ValueError, RecursionError):
                continue
            if isinstance(values, dict) and "sha256" not in values:
                write_record(values, path, root / "tmp")


MIGRATIONS: dict[int, Callable[[Path], None]] = {1: create_folders, 2: add_digests}
"""Format number -> the step that produces it."""

FORMAT = max(MIGRATIONS)
"""The format that this release reads and writes."""
