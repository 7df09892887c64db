"""Locks between processes: a file that is locked (flock) while its owner lives.

In: a path. Out: the open, locked file; closing it, or the death of the process, releases the lock.
A forked child never holds its parent's locks: they are closed in the child at once. On some network
mounts flock does not reach other machines. So names of files state the machine of their owner, and
no other machine takes them for those of a dead process: see `is_elsewhere`.
"""

import fcntl
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from uuid import uuid4
from weakref import WeakSet

from datastore.errors import wrap_os_errors

TAKE_OVER_SECONDS = 7 * 86_400
"""Age from which an unchanged file of another machine is that of a dead process, if no lock says
otherwise. A process that waits for a provider's batch may write nothing for days."""

_open_locks: WeakSet[FileIO] = WeakSet()


def _close_in_child() -> None:
    for file in list(_open_locks):
        file.close()


os.register_at_fork(after_in_child=_close_in_child)


def try_lock(path: Path) -> FileIO | None:
    """Lock the file at `path` and return it, open to append; None if another owner holds the lock.

    Creates the file if it is missing.
    """
    try:
        return _open_and_lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None


def lock(path: Path, *, shared: bool = False) -> FileIO:
    """Lock the file as `try_lock` does, but wait for the lock; several can hold a `shared` lock."""
    return _open_and_lock(path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)


def _open_and_lock(path: Path, mode: int) -> FileIO:
    while True:
        file = FileIO(path, "a+")
        try:
            fcntl.flock(file, mode)
            if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                _open_locks.add(file)
                return file
        except FileNotFoundError:
            pass  # removed, see below
        except BaseException:
            file.close()
            raise
        # The former owner removed the file after it was opened here and before it was locked.
        file.close()


def is_locked(path: Path) -> bool:
    """Return whether a live process holds the lock at `path`; only reads."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


def new_name() -> str:
    """Return a new name for a file or folder of this process; it states the machine."""
    return f"{uuid4().hex}@{_machine()}"


def is_elsewhere(path: Path) -> bool:
    """Return whether the owner of a file named by `new_name` may live on another machine.

    Locks may not reach that machine, so only the age of the file tells. A name that states no
    machine, as older releases chose them, is one of this machine.
    """
    machine = path.name.partition("@")[2].partition(".")[0]
    if machine in ("", _machine()):
        return False
    try:
        return time.time() - path.stat().st_mtime < TAKE_OVER_SECONDS
    except FileNotFoundError:
        return False


def _machine() -> str:
    return re.sub("[^A-Za-z0-9-]", "-", socket.gethostname())


@contextmanager
def exclusive(path: Path, note: str, on_wait: Callable[[str], None]) -> Iterator[None]:
    """Run the block in one process at a time.

    The other processes wait; `on_wait` receives the owner's `note`. The lock file exists only while
    a process holds the lock.
    """
    with wrap_os_errors("take a lock", path):
        file = try_lock(path)
        if file is None:
            on_wait(_read_note(path) or f"another process holds {path}")
            file = lock(path)
        file.truncate(0)
        file.write(note.encode("utf-8", "replace"))
    try:
        yield
    finally:
        with wrap_os_errors("release a lock", path):
            path.unlink(missing_ok=True)
            file.close()


def _read_note(path: Path) -> str:
    """Return the owner's note; empty if the owner is gone or writes none within a second."""
    for _ in range(100):
        try:
            if text := path.read_text(encoding="utf-8", errors="replace"):
                return text
        except FileNotFoundError:
            return ""
        time.sleep(0.01)
    return ""
