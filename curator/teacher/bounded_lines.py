"""Reads the lines of a file in bounded memory, however long one of them is.

In: an open file. Out: number, offset and bytes of each line that is not blank.
"""

from collections.abc import Iterator
from typing import BinaryIO


def read_lines(file: BinaryIO, max_bytes: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield number, offset and text of each line; a longer line is cut to `max_bytes` bytes."""
    number, offset = 0, 0
    while text := file.readline(max_bytes):
        number, start, offset = number + 1, offset, offset + len(text)
        rest = text
        while len(rest) == max_bytes and not rest.endswith(b"\n"):
            rest = file.readline(max_bytes)
            offset += len(rest)
        if text.strip():
            yield number, start, text
