"""The lines of a file that may have one of any length, which is never held whole.

In: an open file. Out: its lines that are not blank, each with its number and its place.
"""

from collections.abc import Iterator
from typing import BinaryIO


def lines(file: BinaryIO, longest: int) -> Iterator[tuple[int, int, bytes]]:
    """Number, place and bytes of each line; of a longer one the first `longest` bytes."""
    number, place = 0, 0
    while text := file.readline(longest):
        number, start, place = number + 1, place, place + len(text)
        rest = text
        while len(rest) == longest and not rest.endswith(b"\n"):
            rest = file.readline(longest)
            place += len(rest)
        if text.strip():
            yield number, start, text
