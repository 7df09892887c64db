"""An append-only store of records by key, for what must never be lost or done twice.

In: keys (16 to 32 bytes) with JSON records. Out: the newest record of each key asked for.
A folder holds one journal a writing process (`*.journal`, lines that carry their own checksum), and
parts (`*.parquet`, sorted by key) into which the journals of dead processes are compacted.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import Any
from uuid import uuid4

from datastore.errors import wrap_os_errors
from datastore.files import make_folder, publish, sync
from datastore.journal import Journal, line
from datastore.locks import claim
from datastore.parts import Part, newest, write

ROLL_BYTES = 16_000_000
"""Size at which a journal is closed and compacted; readers hold the journals in memory."""

ROLL_FILES = 8
"""Number of journals at which the next process to write compacts those of the dead."""

MERGE = 8
"""Number of parts of like size (within a factor of 8) that are merged into one."""


class Ledger:
    """The ledger in `folder`, which is made by the first record.

    Any number of processes may read and write at once. A record put under a key that has one
    replaces it. Not for use by several threads at once.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own: FileIO | None = None
        self._now = 0
        self._journals: dict[str, Journal] = {}
        self._parts: dict[str, Part] = {}

    def get_many(self, keys: Iterable[bytes]) -> dict[bytes, dict[str, Any]]:
        """The records of those keys that are known, by whichever process.

        Only what was appended since the last call is read from the journals, and from the parts
        only row groups that hold a key. Keys are hashes, so a thousand that are there touch most of
        them: ask for many keys at once.
        """
        wanted = set(keys)
        found: dict[bytes, tuple[int, bytes]] = {}
        with wrap_os_errors("read a ledger", self._folder):
            self._refresh()
            for part in self._parts.values():
                for key, when, text in part.find(wanted):
                    found[key] = max(found.get(key, (0, b"")), (when, text))
        for journal in self._journals.values():
            for key in journal.records.keys() & wanted:
                found[key] = max(found.get(key, (0, b"")), journal.records[key])
        return {key: json.loads(text) for key, (_, text) in found.items()}

    def records(self) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """All keys with their newest records, as they are when it is called.

        Parts are read batch by batch, so memory stays small however many there are.
        """
        with wrap_os_errors("read a ledger", self._folder):
            self._refresh()
        journals = [dict(journal.records) for journal in self._journals.values()]
        with wrap_os_errors("read a ledger", self._folder):
            for key, _, text in newest(journals, list(self._parts.values())):
                yield key, json.loads(text)

    def put_many(self, records: Mapping[bytes, dict[str, Any]]) -> None:
        """Adds the records; when it returns they are on the disk (one fsync a call)."""
        if not records:
            return
        self._now = max(self._now + 1, time.time_ns())
        data = b"".join(line(key, self._now, record) for key, record in records.items())
        with wrap_os_errors("write a ledger", self._folder):
            if self._own is None or self._own.closed:
                self._own = self._new_journal()
            try:
                view = memoryview(data)
                while view:
                    view = view[self._own.write(view) :]
                os.fsync(self._own.fileno())
            except BaseException:
                # A torn line must stay the last one of its journal.
                self._own.close()
                raise
            if self._own.tell() >= ROLL_BYTES:
                self._own.close()
                self.compact()

    def count(self) -> int:
        """Records held; one that was put again under its key and not yet compacted counts twice."""
        with wrap_os_errors("read a ledger", self._folder):
            self._refresh()
        parts = sum(part.count for part in self._parts.values())
        return parts + sum(len(journal.records) for journal in self._journals.values())

    def compact(self) -> None:
        """Moves the records of journals whose process is done with them into parts.

        Parts of like size are merged, so that there are few of them and a record is rewritten few
        times. Killed at any moment it loses nothing. If another process compacts, it does nothing.
        """
        if not self._folder.is_dir():
            return
        if self._own:
            self._own.close()
        with wrap_os_errors("compact a ledger", self._folder):
            if lock := claim(self._folder / "lock"):
                with lock:
                    self._compact()

    def close(self) -> None:
        """Leaves the own journal to be compacted; the next record begins a new one."""
        if self._own:
            self._own.close()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _new_journal(self) -> FileIO:
        make_folder(self._folder)
        if len(list(self._folder.glob("*.journal"))) >= ROLL_FILES:
            self.compact()
        while True:
            # None, or nothing at its path any more, if a compaction took it for a dead one.
            if journal := claim(self._folder / f"{uuid4().hex}.journal"):
                sync(self._folder)
                return journal

    def _refresh(self) -> None:
        """Looks at the folder again; a file that goes meanwhile was compacted, so it looks anew."""
        while True:
            names = self._names()
            try:
                self._journals = {
                    name: self._journals.get(name) or Journal(self._folder / name)
                    for name in names
                    if name.endswith(".journal")
                }
                self._parts = {
                    name: self._parts.get(name) or Part(self._folder / name)
                    for name in names
                    if name.endswith(".parquet")
                }
                for journal in self._journals.values():
                    journal.read_on()
                return
            except FileNotFoundError:
                continue

    def _names(self) -> set[str]:
        """The files of the folder, listed until two lists agree.

        One list made during a compaction may miss both the journal and the part that replaces it.
        """
        if not self._folder.is_dir():
            return set()
        names: set[str] | None = None
        while names != (again := set(os.listdir(self._folder))):
            names = again
        return names

    def _compact(self) -> None:
        for path in self._folder.glob("*.tmp"):
            path.unlink()
        dead = {path: lock for path in self._folder.glob("*.journal") if (lock := claim(path))}
        journals = [Journal(path) for path in dead]
        for journal in journals:
            journal.read_on()
        merged: dict[Path, Part] = {}
        if any(journal.records for journal in journals):
            merged = self._due()
            temporary = self._folder / f"{uuid4().hex}.tmp"
            try:
                write(newest([j.records for j in journals], list(merged.values())), temporary)
                publish(temporary, temporary.with_suffix(".parquet"))
            finally:
                temporary.unlink(missing_ok=True)
        # Only now, with their records durable in the new part, may the old files go.
        for path in (*dead, *merged):
            path.unlink()
        sync(self._folder)
        for lock in dead.values():
            lock.close()

    def _due(self) -> dict[Path, Part]:
        """Parts of like size, once there are `MERGE` of them, the smallest first."""
        sizes: dict[int, dict[Path, Part]] = {}
        for path in self._folder.glob("*.parquet"):
            part = Part(path)
            sizes.setdefault(part.count.bit_length() // 3, {})[path] = part
        return next((like for _, like in sorted(sizes.items()) if len(like) >= MERGE), {})
