"""The sha256 of files that have not changed since they were hashed.

In: a path. Out: its sha256, read from the file's bytes only if its device, inode, size, or one of
its times is new. What is known is kept in one file of the store, which is safe to delete. Not
covered: a disk that changes bytes and no time; `curator verify` hashes every file again.
"""

import os
import re
import time
from contextlib import suppress
from hashlib import file_digest
from pathlib import Path
from zlib import crc32

SETTLED_NS = 2_000_000_000
"""Age of a file from which a later change must change its time, too."""

_LINE = re.compile(rb"(([0-9a-f]{64})((?: -?[0-9]{1,20}){5})) ([0-9a-f]{8})")
"""sha256 and state of a file, and the crc32 of both."""

State = tuple[int, int, int, int, int]
"""Device, inode, size, and the times of change of content and inode."""


class KnownFiles:
    """What is known is read from and appended to `path`; None keeps it in memory."""

    def __init__(self, path: Path | None, readonly: bool = False) -> None:
        self._path, self._readonly = path, readonly
        self._known: dict[State, str] | None = None

    def sha256(self, path: Path, again: bool = False) -> str:
        """Return the sha256 of a file, as hex; `again` hashes it in any case. Raises OSError."""
        before = _state(path)
        if not again and (known := self._load().get(before)):
            return known
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        after = _state(path)
        *_, changed, altered = after
        settled = time.time_ns() - max(changed, altered) > SETTLED_NS
        if before == after and (settled or after in self._load()):
            self._add(after, digest)
        return digest

    def knows(self, path: Path | str, digest: str) -> bool:
        """Return whether the file is known to have this sha256. Raises OSError."""
        return self._load().get(_state(path)) == digest

    def add(self, path: Path, digest: str) -> None:
        """Receive the sha256 of a file that never changes."""
        self._add(_state(path), digest)

    def _add(self, state: State, digest: str) -> None:
        known = self._load()
        before = known.get(state)
        if before == digest:
            return
        known[state] = digest
        # A hash that is wrong is corrected even by a reader: builds would trust it again.
        if self._path and (before or not self._readonly):
            line = f"{digest} {' '.join(map(str, state))}".encode()
            # A full disk costs one more hash, no more.
            with suppress(OSError), self._path.open("ab", buffering=0) as file:
                # The line before may be torn.
                file.write(b"\n%s %08x\n" % (line, crc32(line)))

    def _load(self) -> dict[State, str]:
        if self._known is None:
            data = b""
            if self._path:
                with suppress(OSError):
                    data = self._path.read_bytes()
            self._known = _parse(data)
        return self._known


def _parse(data: bytes) -> dict[State, str]:
    """Return what the intact lines state; a torn or damaged line is skipped."""
    known: dict[State, str] = {}
    for line in data.split(b"\n"):
        match = _LINE.fullmatch(line)
        if match and match[4] == b"%08x" % crc32(match[1]):
            device, inode, size, changed, altered = map(int, match[3].split())
            known[device, inode, size, changed, altered] = match[2].decode()
    return known


def _state(path: Path | str) -> State:
    status = os.stat(path)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
