"""Bounds the memory that a row group of a Parquet file takes, from the headers of its pages.

In: a Parquet file. Out: one `Chunk` per column of a row group. Statistics and sizes in the footer
are whatever the author wrote; the headers of pages are what the reader of pyarrow obeys. The format
of a header is Thrift's compact protocol (https://parquet.apache.org/docs/file-format).
"""

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

DICTIONARY_PAGE = 2
_DICTIONARY_ENCODINGS = (2, 8)  # PLAIN_DICTIONARY, RLE_DICTIONARY
_DELTA_BYTE_ARRAY = 7
WINDOWS = (1_000, 100, 10, 1)
"""Numbers of rows that may be read at once."""
_HEADER = 1 << 12
_MAX_ENTRIES = 1_000_000
_MAX_HEADER = 32 << 20  # a header may contain the smallest and the largest value of its page


@dataclass(slots=True)
class Chunk:
    """The pages of one column in one row group. Sizes are bytes after decompression."""

    path: str
    nested: bool
    text: bool
    """Whether values vary in length; others have `width` bytes."""
    width: int
    values: int = 0
    """Number of values, in a nested column also those of lists."""
    stored: int = 0
    """Bytes in the file."""
    unpacked: int = 0
    """Bytes of all data pages."""
    largest_page: int = 0
    dictionary: int = 0
    """Bytes of the dictionary page."""
    longest_entry: int = 0
    """Bytes of the longest entry of the dictionary."""
    by_dictionary: int = 0
    """Values that name an entry of the dictionary."""
    repeats: bool = False
    """Whether a value may be a part of the value before it (DELTA_BYTE_ARRAY)."""
    windows: dict[int, int] = field(default_factory=lambda: dict.fromkeys(WINDOWS, 0))
    """Bytes of the pages that n consecutive values touch, by n."""


def read_chunk(file: IO[bytes], chunk: Chunk, column: Any, limit: int) -> None:
    """Fill in a chunk from its page headers; `column` is pyarrow's metadata.

    Stops after a page larger than `limit`. Raises ValueError if a header is not valid.
    """
    recent: dict[int, deque[tuple[int, int]]] = {n: deque() for n in WINDOWS}
    sums = dict.fromkeys(WINDOWS, 0)
    for page, at in _pages(file, column):
        size = page[2]
        data = page.get(5) or page.get(8)
        if page[1] == DICTIONARY_PAGE:
            chunk.dictionary = max(chunk.dictionary, size)
            if size <= limit:
                longest = _longest_entry(file, at, page, column) if chunk.text else chunk.width
                chunk.longest_entry = max(chunk.longest_entry, longest)
        elif data:
            count, encoding = data[1], data[4 if 8 in page else 2]
            chunk.largest_page = max(chunk.largest_page, size)
            chunk.unpacked += size
            chunk.by_dictionary += count if encoding in _DICTIONARY_ENCODINGS else 0
            chunk.repeats |= encoding == _DELTA_BYTE_ARRAY
            for n, pages in recent.items():
                # Keep the last pages such that fewer than n values lie between their ends.
                pages.append((chunk.values, size))
                sums[n] += size
                while len(pages) > 1 and pages[1][0] <= chunk.values - n:
                    sums[n] -= pages.popleft()[1]
                chunk.windows[n] = max(chunk.windows[n], sums[n])
            chunk.values += count
        if size > limit:
            return


def _pages(file: IO[bytes], column: Any) -> Iterator[tuple[dict[int, Any], int]]:
    """Yield each page header and where its data begin."""
    start = column.data_page_offset
    if column.dictionary_page_offset:
        start = min(start, column.dictionary_page_offset)
    end = start + column.total_compressed_size
    while start < end:
        header, size = _read_header(file, start)
        if min(header.get(2, -1), header.get(3, -1)) < 0 or 1 not in header:
            raise ValueError("a page header is not valid")
        yield header, start + size
        start += size + header[3]


def _read_header(file: IO[bytes], start: int) -> tuple[dict[int, Any], int]:
    length = _HEADER
    while True:
        file.seek(start)
        raw = file.read(length)
        try:
            return _read_struct(raw, 0)
        except (IndexError, struct.error, RecursionError):
            if len(raw) < length or length >= _MAX_HEADER:
                raise ValueError("a page header is not valid") from None
            length *= 8


def _longest_entry(file: IO[bytes], at: int, page: dict[int, Any], column: Any) -> int:
    """Return the bytes of the longest text in a dictionary; at most the size of its page."""
    import pyarrow as pa

    file.seek(at)
    raw = file.read(page[3])
    count, size = int((page.get(7) or {}).get(1, 0)), int(page[2])
    if column.compression != "UNCOMPRESSED":
        codec = {"LZ4": "lz4_raw"}.get(column.compression, column.compression.lower())
        try:
            raw = pa.decompress(raw, size, codec, asbytes=True)
        except (pa.ArrowException, OSError, ValueError):
            return size
    if count > _MAX_ENTRIES:
        return size
    longest = place = 0
    read_length, end = struct.Struct("<I").unpack_from, len(raw) - 4
    for _ in range(count):
        if place > end:
            break
        length = read_length(raw, place)[0]
        if length > longest:
            longest = length
        place += 4 + length
    return min(size, longest)


def _read_varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise ValueError("a page header is not valid")


def _read_struct(raw: bytes, at: int) -> tuple[dict[int, Any], int]:
    """Return the numbers and structures of a Thrift structure by field id, and its end."""
    fields: dict[int, Any] = {}
    last = 0
    while (head := raw[at]) != 0:
        at += 1
        if head >> 4:
            last += head >> 4
        else:
            number, at = _read_varint(raw, at)
            last = (number >> 1) ^ -(number & 1)
        fields[last], at = _read_value(raw, at, head & 15)
    return fields, at + 1


def _read_value(raw: bytes, at: int, kind: int) -> tuple[Any, int]:
    match kind:
        case 1 | 2:
            return kind == 1, at
        case 3:
            return raw[at], at + 1
        case 4 | 5 | 6:
            number, at = _read_varint(raw, at)
            return (number >> 1) ^ -(number & 1), at
        case 7:
            return None, at + 8
        case 8:
            length, at = _read_varint(raw, at)
            if at + length > len(raw):
                raise IndexError
            return None, at + length
        case 12:
            return _read_struct(raw, at)
    raise ValueError("a page header is not valid")  # headers have no lists and maps
