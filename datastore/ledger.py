"""An append-only store of records by key, for results that must never be lost or computed twice.

In: keys (16 to 32 bytes) with JSON records. Out: the newest record of each requested key. A folder
holds one journal per writing process (`*.journal`, lines with their own checksums), and parts
(`*.parquet`, sorted by key) into which the journals of dead processes are compacted. A record with
a wrong checksum counts as missing; compaction moves its file into `damaged/`.
"""

import errno
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import Any

from datastore.errors import wrap_os_errors
from datastore.files import make_folder, publish, sync
from datastore.journal import Journal, encode_line
from datastore.locks import is_elsewhere, new_name, try_lock
from datastore.parts import Part, Row, digest_of, merge_newest, write_part

ROLL_BYTES = 16_000_000
"""Size in bytes at which a journal is closed and compacted; readers hold journals in memory."""

ROLL_FILES = 8
"""Number of journals at which the next writing process compacts those of dead processes."""

MERGE_COUNT = 8
"""Number of parts of similar size (within a factor of 8) that are merged into one."""

_GONE = (errno.ENOENT, errno.ESTALE)
"""What reading a file that another machine has removed can raise; on NFS an open one, too."""


class Ledger:
    """The ledger in `folder`, which is created with the first record.

    Any number of processes can read and write at once. A record replaces an earlier record with the
    same key. `on_damage` receives one line per damaged file, when it is first read. Not
    thread-safe.
    """

    def __init__(self, folder: Path, on_damage: Callable[[str], None] = lambda line: None) -> None:
        self._folder = folder
        self._on_damage = on_damage
        self._reported: set[Path] = set()
        self._own: FileIO | None = None
        self._last_time = 0
        self._journals: dict[str, Journal] = {}
        self._parts: dict[str, Part] = {}

    def get_many(self, keys: Iterable[bytes]) -> dict[bytes, dict[str, Any]]:
        """Return the records of the keys that exist, whatever process wrote them.

        Journals are read from where the last call stopped, and only those row groups of parts are
        read that contain a key. Keys are hashes, so a thousand existing keys touch most row groups:
        request many keys at once.
        """
        requested = set(keys)
        records: dict[bytes, tuple[int, bytes]] = {}
        with wrap_os_errors("read a ledger", self._folder):
            for key, time_ns, text in self._find_in_parts(requested):
                records[key] = max(records.get(key, (0, b"")), (time_ns, text))
        for journal in self._journals.values():
            for key in journal.records.keys() & requested:
                records[key] = max(records.get(key, (0, b"")), journal.records[key])
        return {key: json.loads(text) for key, (_, text) in records.items()}

    def records(self) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """Yield all keys with their newest records, as of the call.

        Parts are read batch by batch, so memory use does not depend on their number.
        """
        with wrap_os_errors("read a ledger", self._folder):
            self._refresh()
        journals = [dict(journal.records) for journal in self._journals.values()]
        with wrap_os_errors("read a ledger", self._folder):
            for key, _, text in merge_newest(journals, list(self._parts.values())):
                yield key, json.loads(text)

    def put_many(self, records: Mapping[bytes, dict[str, Any]]) -> None:
        """Add the records; they are on the disk when the call returns (one fsync per call)."""
        if not records:
            return
        self._last_time = max(self._last_time + 1, time.time_ns())
        data = b"".join(
            encode_line(key, self._last_time, record) for key, record in records.items()
        )
        with wrap_os_errors("write a ledger", self._folder):
            if self._own is None or self._own.closed:
                self._own = self._new_journal()
            try:
                view = memoryview(data)
                while view:
                    view = view[self._own.write(view) :]
                os.fsync(self._own.fileno())
            except BaseException:
                # A torn line must remain the last one of its journal.
                self._own.close()
                raise
            if self._own.tell() >= ROLL_BYTES:
                self._own.close()
                self.compact()

    def count(self) -> int:
        """Return the number of records; a replaced one counts twice until it is compacted."""
        with wrap_os_errors("read a ledger", self._folder):
            self._refresh()
        parts = sum(part.count for part in self._parts.values())
        return parts + sum(len(journal.records) for journal in self._journals.values())

    def damage(self) -> dict[Path, str]:
        """Return what is wrong with each damaged file.

        Damaged records count as missing; the next `compact` moves their files into `damaged/`.
        """
        found: dict[Path, str] = {}
        for name in sorted(self._names()):
            path = self._folder / name
            try:
                if name.endswith(".parquet"):
                    if Part(path).damaged:
                        found[path] = "damaged"
                elif name.endswith(".journal"):
                    journal = Journal(path)
                    journal.read_new()
                    if journal.damaged:
                        plural = "s" * (journal.damaged != 1)
                        found[path] = f"{journal.damaged:,} damaged record{plural}"
            except FileNotFoundError:  # another process has compacted it
                continue
        return found

    def compact(self) -> None:
        """Move the records of journals whose process no longer writes them into parts.

        Parts of similar size are merged, so that there are few parts and a record is rewritten few
        times. The intact records of a damaged file are moved, too; the file itself is kept in
        `damaged/`. A kill at any moment loses nothing. Does nothing if another process is
        compacting.
        """
        if not self._folder.is_dir():
            return
        if self._own:
            self._own.close()
        with wrap_os_errors("compact a ledger", self._folder):
            if lock := try_lock(self._folder / "lock"):
                try:
                    self._compact()
                except OSError as error:
                    # Another machine, which the lock does not reach, is compacting, too.
                    if error.errno not in _GONE:
                        raise
                finally:
                    lock.close()

    def close(self) -> None:
        """Close this process's journal, to be compacted; the next record starts a new one."""
        if self._own:
            self._own.close()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _new_journal(self) -> FileIO:
        make_folder(self._folder)
        if self._reported or len(list(self._folder.glob("*.journal"))) >= ROLL_FILES:
            self.compact()
        while True:
            # None if a compaction has just locked the new, empty file.
            if journal := try_lock(self._folder / f"{new_name()}.journal"):
                sync(self._folder)
                return journal

    def _refresh(self) -> None:
        """List the folder and read new records; repeat if a compaction removes one of them."""
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
                    journal.read_new()
                self._report_damage()
                return
            except FileNotFoundError:
                continue

    def _find_in_parts(self, requested: set[bytes]) -> list[Row]:
        while True:
            self._refresh()
            try:
                return [row for part in self._parts.values() for row in part.find(requested)]
            except OSError as error:
                if error.errno not in _GONE:
                    raise
                self._parts.clear()

    def _report_damage(self) -> None:
        intact = {name: len(each.records) for name, each in self._journals.items() if each.damaged}
        intact |= {name: part.count for name, part in self._parts.items() if part.damaged}
        for name, count in intact.items():
            path = self._folder / name
            if path not in self._reported:
                self._reported.add(path)
                self._on_damage(
                    f"{path} is damaged: {count:,} of its records are intact, the others count as "
                    "missing and are made again where they are needed. 'curator verify --repair' "
                    "moves the file away."
                )

    def _names(self) -> set[str]:
        """List the files of the folder until two lists agree.

        A list made during a compaction can miss both a journal and the part that replaces it.
        """
        if not self._folder.is_dir():
            return set()
        names: set[str] | None = None
        while names != (again := set(os.listdir(self._folder))):
            names = again
        return names

    def _compact(self) -> None:
        for path in self._folder.glob("*.tmp"):
            if not is_elsewhere(path):
                path.unlink()
        dead = {
            path: lock
            for path in self._folder.glob("*.journal")
            if not is_elsewhere(path) and (lock := try_lock(path))
        }
        journals = [Journal(path) for path in dead]
        for journal in journals:
            journal.read_new()
        parts = {path: Part(path) for path in self._folder.glob("*.parquet")}
        merged = {path: part for path, part in parts.items() if part.damaged}
        damaged = {path for path, j in zip(dead, journals, strict=True) if j.damaged} | {*merged}
        if any(journal.records for journal in journals):
            merged |= _find_mergeable(parts)
        if any(j.records for j in journals) or any(part.count for part in merged.values()):
            temporary = self._folder / f"{new_name()}.tmp"
            try:
                records = merge_newest([j.records for j in journals], list(merged.values()))
                write_part(records, temporary)
                # After a kill, this may be the part that the killed process published.
                part = self._folder / f"{digest_of(temporary)}.parquet"
                if part in damaged:  # all its records are intact
                    self._copy_aside(part)
                merged.pop(part, None)
                publish(temporary, part)
            finally:
                temporary.unlink(missing_ok=True)
        # Remove the old files only now that their records are durable in the new part.
        for path in (*dead, *merged):
            if path in damaged:
                self._copy_aside(path)
            path.unlink(missing_ok=True)  # another machine may have merged the same parts
        self._reported -= damaged
        sync(self._folder)
        for lock in dead.values():
            lock.close()

    def _copy_aside(self, path: Path) -> None:
        """Link a damaged file into `damaged/`, where nothing reads it."""
        make_folder(self._folder / "damaged")
        copy = self._folder / "damaged" / path.name
        copy.unlink(missing_ok=True)
        os.link(path, copy)


def _find_mergeable(parts: Mapping[Path, Part]) -> dict[Path, Part]:
    """Return the smallest intact parts to merge: `MERGE_COUNT` or more of similar size."""
    sizes: dict[int, dict[Path, Part]] = {}
    for path, part in parts.items():
        if not part.damaged:
            sizes.setdefault(part.count.bit_length() // 3, {})[path] = part
    return next((group for _, group in sorted(sizes.items()) if len(group) >= MERGE_COUNT), {})
