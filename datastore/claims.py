"""Claims: which keys a live process works on, so that no two processes do the same work at once.

In: a folder and keys (hashes). Out: whether this process holds the claim; and a log of started
work, from which interrupted work can be read. The locks are POSIX byte-range locks, one byte per
key, which the system releases when their process dies.
"""

import fcntl
import os
import re
from io import FileIO
from pathlib import Path
from zlib import crc32

from datastore.errors import wrap_os_errors
from datastore.files import make_folder
from datastore.locks import is_elsewhere, new_name, try_lock

LOCK_FILES = 64
"""Number of lock files: for each new lock the system walks the list of all locks of its file."""

_LOG_LINE = re.compile(rb"([0-9a-f]{8}) (((?:[0-9a-f]{2})+) (.*))")
"""The crc32 of the rest of the line, the key and the note."""


class Claims:
    """The claims in `folder`, which is created with the first claim.

    Use one object per process and folder: POSIX locks belong to the process, not to the object, so
    a second object would be granted what the first one holds, and closing either one drops the
    locks of both. Two keys whose hashes collide (one in 2**68) wait for each other, which does no
    harm. Not covered: file systems where such locks do not reach other machines (some network
    mounts). There work may be done twice, but nothing breaks.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[int, int] = {}
        self._log: FileIO | None = None
        self._interrupted: list[tuple[Path, FileIO]] = []

    def acquire(self, key: bytes) -> bool:
        """Claim the key; return False if another process has it."""
        with wrap_os_errors("claim a key", self._folder):
            file, byte = self._locate(key)
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
            except (BlockingIOError, PermissionError):  # POSIX allows either of them
                return False
        return True

    def release(self, key: bytes) -> None:
        """Release the key."""
        file, byte = self._locate(key)
        fcntl.lockf(file, fcntl.LOCK_UN, 1, byte)

    def log_start(self, key: bytes, note: str) -> None:
        """Log that work on the key starts now; `note` is one line without spaces at its ends.

        The entry survives a kill of the process but not a power failure: it is not synced.
        """
        with wrap_os_errors("log the start of work", self._folder):
            if self._log is None:
                self._log = self._new_log()
            line = f"{key.hex()} {note}".encode()
            self._log.write(b"%08x %s\n" % (crc32(line), line))

    def read_interrupted(self) -> list[tuple[bytes, str]]:
        """Return key and note of all work that was started by processes that died before `close`.

        One process at a time sees an entry, and the next one sees it too unless `clear_interrupted`
        is called. Damaged lines, and those of older releases, are skipped.
        """
        entries: list[tuple[bytes, str]] = []
        with wrap_os_errors("read the log of started work", self._folder):
            for path in sorted(self._folder.glob("*.log")):
                if not is_elsewhere(path) and (lock := try_lock(path)):
                    self._interrupted.append((path, lock))
                    entries += [
                        (bytes.fromhex(match[3].decode()), match[4].decode())
                        for line in path.read_bytes().split(b"\n")[:-1]
                        if (match := _LOG_LINE.fullmatch(line))
                        and match[1] == b"%08x" % crc32(match[2])
                    ]
        return entries

    def clear_interrupted(self) -> None:
        """Remove what `read_interrupted` returned."""
        for path, lock in self._interrupted:
            path.unlink(missing_ok=True)
            lock.close()
        self._interrupted.clear()

    def close(self) -> None:
        """Release all claims; started work counts as finished."""
        if self._log:
            Path(self._log.name).unlink(missing_ok=True)
            self._log.close()
            self._log = None
        for _, lock in self._interrupted:
            lock.close()
        self._interrupted.clear()
        for file in self._files.values():
            os.close(file)
        self._files.clear()

    def __enter__(self) -> "Claims":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _locate(self, key: bytes) -> tuple[int, int]:
        number = int.from_bytes(key[:8], "big")
        file_number, byte = number % LOCK_FILES, number // LOCK_FILES
        if file_number not in self._files:
            make_folder(self._folder)
            path = self._folder / f"{file_number:02d}.lock"
            self._files[file_number] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        return self._files[file_number], byte

    def _new_log(self) -> FileIO:
        make_folder(self._folder)
        while True:
            # None if another process, reading interrupted work, has just locked it.
            if log := try_lock(self._folder / f"{new_name()}.log"):
                return log
