"""One writing process's journal: a line a record, each with its checksum, only ever appended to.

A line is `<crc32, 8 hex digits> <key, hex> <when, ns> <JSON>`; the checksum is over what follows
it. Reading skips lines that do not match theirs: a torn end, zeros after a power failure.
"""

import json
from pathlib import Path
from typing import Any
from zlib import crc32

_encode = json.JSONEncoder(separators=(",", ":")).encode


def line(key: bytes, when: int, record: dict[str, Any]) -> bytes:
    """One record as a line, newline included; the JSON is ASCII, so it never holds another one."""
    text = f"{key.hex()} {when} {_encode(record)}".encode("ascii")
    return b"%08x %s\n" % (crc32(text), text)


class Journal:
    """What has been read so far of the journal at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.records: dict[bytes, tuple[int, bytes]] = {}
        """Key -> (when it was put, in ns; its JSON)."""

    def read_on(self) -> None:
        """Reads what was appended since the last time; a line still being written is left."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for text in file:
                if not text.endswith(b"\n"):
                    break
                self._offset += len(text)
                if text[:8] == b"%08x" % crc32(text[9:-1]):
                    _, key, when, record = text[:-1].split(b" ", 3)
                    self.records[bytes.fromhex(key.decode())] = (int(when), record)
