"""The append-only journal of one writing process: one line per record, each with its checksum.

A line is `<crc32, 8 hex digits> <key, hex> <time, ns> <JSON>`; the checksum covers the rest of the
line. Lines with a wrong checksum are skipped: a torn end, zeros after a power failure.
"""

import json
from pathlib import Path
from typing import Any
from zlib import crc32

_encode = json.JSONEncoder(separators=(",", ":")).encode


def encode_line(key: bytes, when: int, record: dict[str, Any]) -> bytes:
    """Return one record as a line; the JSON is ASCII and contains no newline."""
    text = f"{key.hex()} {when} {_encode(record)}".encode("ascii")
    return b"%08x %s\n" % (crc32(text), text)


class Journal:
    """The records read so far from the journal at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.records: dict[bytes, tuple[int, bytes]] = {}
        """Key -> (time of writing in ns, JSON)."""
        self.damaged = 0
        """Number of whole lines with a wrong checksum; their records count as missing."""

    def read_new(self) -> None:
        """Read what was appended since the last call, except a line that is still being written."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for text in file:
                if not text.endswith(b"\n"):
                    break
                self._offset += len(text)
                if text[:9] == b"%08x " % crc32(text[9:-1]):
                    _, key, when, record = text[:-1].split(b" ", 3)
                    self.records[bytes.fromhex(key.decode())] = (int(when), record)
                else:
                    self.damaged += 1
