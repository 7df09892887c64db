"""Opens a data file as a stream of UTF-8: compressed files are expanded, UTF-16 is recoded.

In: a file. Out: a binary stream. Nothing is expanded to disk, and a stream ends with Unreadable
once it has expanded to more than 512 MB and more than 100 times the file.
"""

import bz2
import codecs
import gzip
import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from curator.sources.readers.parquet import EXPANDS, EXPANSION, UNPACKED

BUFFER = 1 << 18


class Broken(Exception):
    """A stream that cannot be read further. Its arguments are a fixed reason and the details."""


def open_utf8(path: Path) -> IO[bytes]:
    """Return the content of a file as UTF-8, expanded if it is compressed.

    Reading raises OSError, or Broken for content that is damaged or expands beyond the limit.
    """
    stream: IO[bytes] = path.open("rb")
    head = stream.read(4)
    stream.seek(0)
    for magic, expand in _COMPRESSED.items():
        if head.startswith(magic):
            stream = _buffered(_Expanded(expand(stream), path.stat().st_size))
            head = stream.peek(4)[:4]  # type: ignore[attr-defined]  # it is a BufferedReader
    encoding = json.detect_encoding(head)
    return _buffered(_Recoded(stream, encoding)) if "utf-8" not in encoding else stream


def is_plain(path: Path) -> bool:
    """Return whether the file itself is UTF-8, neither compressed nor recoded."""
    with path.open("rb") as file:
        head = file.read(4)
    return not head.startswith(tuple(_COMPRESSED)) and "utf-8" in json.detect_encoding(head)


class _Zstd:
    """A zstd stream that gives all it holds before the place where it is damaged."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.file, self.given = stream, 0
        self.expanded = self._open()

    def _open(self) -> Any:
        import pyarrow as pa

        self.file.seek(0)
        return pa.CompressedInputStream(pa.PythonFile(self.file), "zstd")

    def read1(self, size: int) -> bytes:
        try:
            data: bytes = self.expanded.read(size)
        except (OSError, ValueError) as error:
            data = self._read_to_damage()
            if not data:
                raise error
        self.given += len(data)
        return data

    def _read_to_damage(self) -> bytes:
        """Expand the file again, for a failed read returns nothing of what it has expanded."""
        parts: list[bytes] = []
        for size in (256, 1):
            again, skip = self._open(), self.given + sum(map(len, parts))
            try:
                while skip and (part := again.read(min(skip, BUFFER))):
                    skip -= len(part)
                while part := again.read(size):
                    parts.append(part)
            except (OSError, ValueError):
                pass  # the damage, which the caller reports
        return b"".join(parts)


_COMPRESSED: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": lambda stream: gzip.GzipFile(fileobj=stream),
    b"\x28\xb5\x2f\xfd": _Zstd,
    # A frame to skip: pzstd writes the size of each frame in front of it.
    **{bytes((0x50 + number, 0x2A, 0x4D, 0x18)): _Zstd for number in range(16)},
    b"BZh": bz2.BZ2File,
}
"""How each compressed format starts, and what expands it. Not xz: it may need 4 GB of memory."""


def _buffered(raw: io.RawIOBase) -> IO[bytes]:
    return io.BufferedReader(raw, BUFFER)


class _Expanded(io.RawIOBase):
    """A stream that is expanded up to a limit.

    Where it is damaged, it ends, and the next read raises Broken: buffers would lose what they hold
    at an exception. A reader must therefore read once more after its end.
    """

    def __init__(self, stream: Any, size: int) -> None:
        self.stream = stream
        self.left = self.limit = max(UNPACKED, EXPANSION * size)
        self.broken: Broken | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.broken:
            raise self.broken
        try:
            # Not `read`, which loses what it has read before an error.
            data = self.stream.read1(min(len(buffer), BUFFER))
        except (OSError, EOFError, ValueError, zlib.error) as error:
            self.broken = Broken("damaged compressed file", str(error))
            return 0
        self.left -= len(data)
        if self.left < 0:
            raise Broken(EXPANDS, f"to more than {self.limit >> 20:,} MB")
        buffer[: len(data)] = data
        return len(data)


class _Recoded(io.RawIOBase):
    """A stream in UTF-16 or UTF-32, as UTF-8. Lone surrogates become bytes that are not UTF-8."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self.stream, self.encoding, self.rest = stream, encoding, b""
        self.decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.rest:
            data = self.stream.read(BUFFER)
            try:
                text = self.decoder.decode(data, not data)
            except UnicodeDecodeError as error:
                raise Broken(f"not {self.encoding.upper()}", str(error)) from None
            self.rest = text.encode("utf-8", "surrogatepass")
            if not data and not self.rest:
                return 0
        count = min(len(buffer), len(self.rest))
        buffer[:count], self.rest = self.rest[:count], self.rest[count:]
        return count
