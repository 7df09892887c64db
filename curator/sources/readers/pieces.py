"""Cuts large data files into pieces that can be read independently, in any order.

In: a file. Out: its pieces, by offset in bytes, with the number of records before each. A file of
JSON Lines is cut behind line ends. A JSON list is cut before elements: where the bytes that open
the first one, such as `{"source"`, follow a comma. Within a text the quotation mark would be
escaped, and inside an element such a place shows when the piece is read, since its records are
counted: `NotCut` then says that the file must be read as a whole. All other files are read as a
whole.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PIECE_BYTES = 32 << 20
"""Size from which the next record begins a new piece."""
SEARCHED = 4 << 20
"""Bytes in which the beginning of a record must be found; a file with longer ones is not cut."""

_FIRST = re.compile(rb'(?:\xef\xbb\xbf)?\s*\[\s*(\{\s*"[^"\\]{1,200}")')
"""The start of a list up to the first key of its first element."""
_COMMA = re.compile(rb",\s{0,1000}+(?=\{)")
"""What may be in front of an element."""


class NotCut(Exception):
    """A piece has other records than it was cut for, so the file must be read as a whole."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some records of a file that follow each other."""

    start: int
    """Offset of its first byte."""
    stop: int
    """Offset behind its last byte."""
    before: int
    """Number of lines or elements before it."""
    count: int
    """Number of its lines or elements."""


def cut_lines(path: Path) -> list[Piece]:
    """Return the pieces of a file of lines; none if it is too small or its lines are too long."""
    with path.open("rb") as file:
        return _pieces(file, 0, lambda data: data.find(b"\n") + 1, b"\n")


def cut_list(path: Path) -> list[Piece]:
    """Return the pieces of a file with one JSON list; none if it is not cut."""
    with path.open("rb") as file:
        first = _FIRST.match(file.read(1 << 16))
        if not first:
            return []
        opening = first[1]

        def find(data: bytes) -> int:
            ends = (comma.end() for comma in _COMMA.finditer(data))
            return next((end for end in ends if data.startswith(opening, end)), 0)

        return _pieces(file, first.start(1), find, opening)


def _pieces(
    file: IO[bytes], start: int, find: Callable[[bytes], int], counted: bytes
) -> list[Piece]:
    """Cut at the first record after each `PIECE_BYTES`; `counted` occurs once per record.

    `find` returns where the first record in some bytes begins; 0 if it finds none.
    """
    size = file.seek(0, 2)
    pieces: list[Piece] = []
    before = 0
    while start < size:
        stop = size
        if size - start > PIECE_BYTES:
            file.seek(start + PIECE_BYTES)
            found = find(file.read(SEARCHED))
            if found:
                stop = start + PIECE_BYTES + found
            elif size - start > PIECE_BYTES + SEARCHED:
                return []
        file.seek(start)
        count = file.read(stop - start).count(counted)
        pieces.append(Piece(start, stop, before, count))
        start, before = stop, before + count
    return pieces if len(pieces) > 1 else []
