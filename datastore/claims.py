"""Claims: which keys a living process works on, so that no two do the same work at once.

In: a folder and keys (hashes). Out: a claim that this process has or has not; a log of work that
was begun, from which work that a kill cut off is told. Locks are POSIX byte-range locks, one byte a
key, which the system frees when their process dies.
"""

import fcntl
import os
import re
from io import FileIO
from pathlib import Path
from uuid import uuid4

from datastore.errors import wrap_os_errors
from datastore.files import make_folder
from datastore.locks import claim

FILES = 64
"""Lock files: the system keeps the locks of one file in a list that it walks for each new one."""

_BEGUN = re.compile(r"((?:[0-9a-f]{2})+) ([^\x00-\x1f\ufffd]*)")


class Claims:
    """The claims in `folder`, which is made by the first one.

    One object a process and folder: POSIX locks belong to the process, not to the object, so a
    second object would be given what the first one holds, and closing either drops the locks of
    both. Two keys whose hashes meet (one in 2**68) wait for each other, which does no harm. Not
    covered: file systems where such locks do not reach other machines (some network mounts); there
    work may be done twice, but nothing breaks.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[int, int] = {}
        self._log: FileIO | None = None
        self._told: list[tuple[Path, FileIO]] = []

    def take(self, key: bytes) -> bool:
        """Claims the key; False if a process other than this one has it."""
        with wrap_os_errors("claim a key", self._folder):
            file, byte = self._place(key)
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
            except (BlockingIOError, PermissionError):  # POSIX allows systems either of them
                return False
        return True

    def free(self, key: bytes) -> None:
        """Lets others have the key."""
        file, byte = self._place(key)
        fcntl.lockf(file, fcntl.LOCK_UN, 1, byte)

    def begin(self, key: bytes, note: str) -> None:
        """Writes down that work on the key begins now; `note` is one line without blanks at ends.

        It outlives a kill of the process, not a loss of power: it is not synced.
        """
        with wrap_os_errors("note a begun work", self._folder):
            if self._log is None:
                self._log = self._new_log()
            self._log.write(f"{key.hex()} {note}\n".encode())

    def cut_off(self) -> list[tuple[bytes, str]]:
        """Key and note of all work begun by processes that died without `close`.

        Each is told to one process, and again to the next unless that one calls `forget`. Lines
        that a loss of power spoiled are left out.
        """
        begun: list[tuple[bytes, str]] = []
        with wrap_os_errors("read begun work", self._folder):
            for path in sorted(self._folder.glob("*.log")):
                if lock := claim(path):
                    self._told.append((path, lock))
                    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
                    begun += [
                        (bytes.fromhex(found[1]), found[2])
                        for line in lines
                        if (found := _BEGUN.fullmatch(line))
                    ]
        return begun

    def forget(self) -> None:
        """Removes what `cut_off` told."""
        for path, lock in self._told:
            path.unlink(missing_ok=True)
            lock.close()
        self._told.clear()

    def close(self) -> None:
        """Frees all claims; work that was begun counts as done."""
        if self._log:
            Path(self._log.name).unlink(missing_ok=True)
            self._log.close()
            self._log = None
        for _, lock in self._told:
            lock.close()
        self._told.clear()
        for file in self._files.values():
            os.close(file)
        self._files.clear()

    def __enter__(self) -> "Claims":
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _place(self, key: bytes) -> tuple[int, int]:
        number = int.from_bytes(key[:8], "big")
        which, byte = number % FILES, number // FILES
        if which not in self._files:
            make_folder(self._folder)
            path = self._folder / f"{which:02d}.lock"
            self._files[which] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        return self._files[which], byte

    def _new_log(self) -> FileIO:
        make_folder(self._folder)
        while True:
            # None if another process, telling what was cut off, takes it for a dead one's.
            if log := claim(self._folder / f"{uuid4().hex}.log"):
                return log
