"""Atomic, durable files: written in a private temporary folder, synced, then moved into place.

A reader sees a whole file or none, even if the writer is killed or the power fails. Temporary
folders are locked while in use; `sweep` removes those whose owner is dead.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from io import FileIO
from pathlib import Path
from typing import Any

from datastore.errors import wrap_os_errors
from datastore.locks import is_elsewhere, new_name, try_lock


def canonical_json(value: Any) -> bytes:
    """Return JSON in the form that is hashed and stored: sorted keys, no spaces, ASCII, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


@contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """Create a private folder inside `parent`; remove it with its content when the block ends."""
    with wrap_os_errors("make a temporary folder", parent):
        folder, lock = _make_locked_folder(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.close()


def _make_locked_folder(parent: Path) -> tuple[Path, FileIO]:
    while True:
        folder = parent / new_name()
        folder.mkdir(parents=True)
        try:
            if lock := try_lock(folder / "lock"):
                return folder, lock
        except FileNotFoundError:
            pass  # a sweep took the folder before it was locked


def sweep(parent: Path) -> None:
    """Remove the scratch folders that dead processes left in `parent`."""
    for folder in parent.iterdir():
        if is_elsewhere(folder):
            continue
        try:
            lock = try_lock(folder / "lock")
        except (FileNotFoundError, NotADirectoryError):
            continue
        if lock:
            shutil.rmtree(folder, ignore_errors=True)
            lock.close()


def make_folder(path: Path) -> None:
    """Create `path` and its missing parents, durably."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync(path.parent)


def sync(path: Path) -> None:
    """Force a file's bytes, or a folder's list of names, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def publish(temporary: Path, final: Path, *, exclusive: bool = False, durable: bool = True) -> None:
    """Move a finished file to its place, durably; both must be on one file system.

    Replaces an existing file; with `exclusive` it raises FileExistsError and changes nothing.
    Unless `durable`, a power failure soon afterwards may undo the move.
    """
    if durable:
        make_folder(final.parent)
    else:
        final.parent.mkdir(parents=True, exist_ok=True)
    sync(temporary)
    if exclusive:
        os.link(temporary, final)
    else:
        os.replace(temporary, final)
    if durable:
        sync(final.parent)


def write_record(
    values: Mapping[str, Any],
    final: Path,
    tmp: Path,
    *,
    exclusive: bool = False,
    durable: bool = True,
) -> None:
    """Publish a JSON object in canonical form, with its own digest under `sha256`."""
    record = {**values, "sha256": sha256(canonical_json(values)).hexdigest()}
    with scratch(tmp) as folder, wrap_os_errors("write a record", final):
        temporary = folder / "json"
        temporary.write_bytes(canonical_json(record) + b"\n")
        publish(temporary, final, exclusive=exclusive, durable=durable)


def read_record(path: Path) -> dict[str, Any]:
    """Return the JSON object that `write_record` wrote; ValueError if it is damaged."""
    with wrap_os_errors("read a record", path):
        data = path.read_bytes()
    try:
        values = json.loads(data)
        digest = values.pop("sha256")
        matches = sha256(canonical_json(values)).hexdigest() == digest
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError):
        matches = False
    if not matches:
        raise ValueError("its content does not match its digest")
    return dict(values)
