"""Bounds the memory that a row group of a Parquet file takes, from the headers of its pages.

In: a Parquet file. Out: one `Chunk` per column of a row group. Statistics and sizes in the footer
are whatever the author wrote; the headers of pages are what the reader of pyarrow obeys.
"""

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from curator.sources.readers.thrift import Fields, read_struct

DICTIONARY_PAGE = 2
_DATA_PAGES = {0: (5, 2), 3: (8, 4)}
"""Fields of a header's details and, in these, of the encoding, by type of the page."""
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
        kind, size = page[1], page[2]
        if kind == DICTIONARY_PAGE:
            chunk.dictionary = max(chunk.dictionary, size)
            if size <= limit:
                longest = _longest_entry(file, at, page, column) if chunk.text else chunk.width
                chunk.longest_entry = max(chunk.longest_entry, longest)
        elif kind in _DATA_PAGES:
            details, field = _DATA_PAGES[kind]
            count, encoding = (_number(page.get(details), each) for each in (1, field))
            chunk.largest_page = max(chunk.largest_page, size)
            chunk.unpacked += size
            chunk.by_dictionary += count if encoding in _DICTIONARY_ENCODINGS else 0
            chunk.repeats |= encoding == _DELTA_BYTE_ARRAY
            for n, pages in recent.items():
                # Keep the last pages such that fewer than n values lie between their ends. Pages
                # without values count together, since a file may have millions of them.
                empty = pages.pop()[1] if pages and pages[-1][0] == chunk.values else 0
                pages.append((chunk.values, empty + size))
                sums[n] += size
                while len(pages) > 1 and pages[1][0] <= chunk.values - n:
                    sums[n] -= pages.popleft()[1]
                chunk.windows[n] = max(chunk.windows[n], sums[n])
            chunk.values += count
        if size > limit:
            return


def _pages(file: IO[bytes], column: Any) -> Iterator[tuple[Fields, int]]:
    """Yield each page header and where its data begin."""
    start = column.data_page_offset
    if column.dictionary_page_offset:
        start = min(start, column.dictionary_page_offset)
    end = start + column.total_compressed_size
    while start < end:
        header, size = _read_header(file, start)
        _, _, stored = (_number(header, each) for each in (1, 2, 3))
        yield header, start + size
        start += size + stored


def _number(fields: Fields | None, field: int) -> int:
    """Return a required field of a header."""
    value = fields.get(field) if isinstance(fields, dict) else None
    if not isinstance(value, int) or value < 0:
        raise ValueError("a page header is not valid")
    return value


def _read_header(file: IO[bytes], start: int) -> tuple[Fields, int]:
    length = _HEADER
    while True:
        file.seek(start)
        raw = file.read(length)
        try:
            return read_struct(raw)
        except IndexError:
            if len(raw) < length or length >= _MAX_HEADER:
                raise ValueError("a page header is not valid") from None
            length *= 8


def _longest_entry(file: IO[bytes], at: int, page: Fields, column: Any) -> int:
    """Return the bytes of the longest text in a dictionary; at most the size of its page."""
    import pyarrow as pa

    size, stored, count = _number(page, 2), _number(page, 3), _number(page.get(7), 1)
    file.seek(at)
    raw = file.read(stored)
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
