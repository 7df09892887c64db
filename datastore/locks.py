"""Locks between processes: a file that is locked (flock) for as long as its owner lives.

In: a path. Out: the open, locked file; closing it, or dying in any way, frees the lock.
A child made by fork never holds its parent's locks: they are closed in it at once.
Not covered: file systems where flock does not reach other machines (some network mounts).
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from weakref import WeakSet

from datastore.errors import wrap_os_errors

_held: WeakSet[FileIO] = WeakSet()


def _close_in_child() -> None:
    for file in list(_held):
        file.close()


os.register_at_fork(after_in_child=_close_in_child)


def claim(path: Path) -> FileIO | None:
    """The file at `path`, made if missing, locked and open to append; None if another has it."""
    try:
        return _lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None


def wait_for(path: Path, *, shared: bool = False) -> FileIO:
    """As `claim`, but waits for the lock; `shared` ones are held together."""
    return _lock(path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)


def _lock(path: Path, mode: int) -> FileIO:
    while True:
        file = FileIO(path, "a+")
        try:
            fcntl.flock(file, mode)
            if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                _held.add(file)
                return file
        except FileNotFoundError:
            pass  # as below
        except BaseException:
            file.close()
            raise
        # The former owner removed the file between our opening and our locking it.
        file.close()


def held(path: Path) -> bool:
    """Whether a living process has the lock at `path`; it only reads."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


@contextmanager
def only_one(path: Path, note: str, waiting: Callable[[str], None]) -> Iterator[None]:
    """Runs the block in one process at a time; the others are told the owner's `note` and wait.

    The lock file is there only while somebody holds it.
    """
    with wrap_os_errors("take a lock", path):
        file = claim(path)
        if file is None:
            waiting(_note(path) or f"another process holds {path}")
            file = wait_for(path)
        file.truncate(0)
        file.write(note.encode("utf-8", "replace"))
    try:
        yield
    finally:
        with wrap_os_errors("free a lock", path):
            path.unlink(missing_ok=True)
            file.close()


def _note(path: Path) -> str:
    """The owner's note; empty if the owner is gone, or does not write one within a second."""
    for _ in range(100):
        try:
            if text := path.read_text(encoding="utf-8", errors="replace"):
                return text
        except FileNotFoundError:
            return ""
        time.sleep(0.01)
    return ""
