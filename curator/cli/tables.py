"""Tables and texts for people, on a terminal or in a pipe: 80 columns where none are known.

In: rows of anything. Out: lines that line up and are never wider than the terminal, if words allow.
"""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from textwrap import fill, wrap

from rich.cells import cell_len, chop_cells

WHOLE = 1_000
"""Signs of a cell that are looked at: a table is no place to read a book."""

_UNSEEN = dict.fromkeys((*range(32), *range(127, 160)), "�")


def printable(text: str) -> str:
    """Outside text as one line without control signs, so that data cannot drive a terminal."""
    return text.replace("\r", "").replace("\n", "\\n").replace("\t", " ").translate(_UNSEEN)


def number(cell: object) -> str:
    """A cell as text: thousands apart, zero as a dot so that what is there stands out."""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int):
        return f"{cell:,}" if cell else "·"
    return printable(str(cell))


def print_wrapped(text: str) -> None:
    """Print a sentence, broken between words where the line ends."""
    print(fill(text, _width(), break_long_words=False, break_on_hyphens=False))


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[object]],
    right: Sequence[str] = (),
    whole: Sequence[str] = (),
) -> None:
    """Print rows under a head, columns named in `right` to the right.

    What is too wide is broken between words, but never in columns named in `right` and `whole`.
    """
    texts = [[number(cell) for cell in row] for row in rows]
    fixed = {name for name in head if name in right or name in whole}
    _draw(head, texts, right, fixed, cut=False)


def cut_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> bool:
    """Print one line a row, cells as they are but cut to the width; whether any was cut."""
    cells = [list(row) for row in rows]
    right = [
        name
        for place, name in enumerate(head)
        if cells and all(isinstance(row[place], int | float) for row in cells)
    ]
    texts = [["NULL" if cell is None else printable(str(cell)) for cell in row] for row in cells]
    return _draw(head, texts, right, set(right), cut=True)


def _draw(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Sequence[str],
    fixed: set[str],
    cut: bool,
) -> bool:
    width = _width()
    columns = list(zip(head, *rows, strict=True))
    wanted = [max(cell_len(cell[:WHOLE]) for cell in column) for column in columns]
    gap = 2 if sum(wanted) + 2 * (len(head) - 1) <= width else 1
    room = width - gap * (len(head) - 1)
    words = [max(map(cell_len, " ".join(column).split())) for column in columns]
    least = [
        full if name in fixed else min(full, 3) if cut else word
        for name, full, word in zip(head, wanted, words, strict=True)
    ]
    widths = _share(wanted, least, room)
    was_cut = False
    for place, row in enumerate([head, *rows]):
        folded = []
        for cell, size in zip(row, widths, strict=True):
            fits = len(cell) <= size and cell_len(cell) <= size
            was_cut |= cut and not fits
            folded.append([cell] if fits else _cut(cell, size) if cut else wrap(cell, size))
        for line in _lines(folded, widths, [name in right for name in head], gap):
            print(f"\033[1m{line}\033[0m" if place == 0 and _bold() else line)
    return was_cut


def _width() -> int:
    return shutil.get_terminal_size((80, 24)).columns


def _share(wanted: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Widths of columns: narrow ones get what they want, wide ones all the same of what is left."""

    def at(level: int) -> list[int]:
        return [max(low, min(full, level)) for low, full in zip(least, wanted, strict=True)]

    level = max(wanted, default=0)
    while level > 1 and sum(at(level)) > room:
        level -= 1
    return at(level)


def _cut(cell: str, size: int) -> list[str]:
    return [f"{chop_cells(cell[:WHOLE], size - 1)[0]}…"]


def _lines(
    cells: Sequence[Sequence[str]], widths: Sequence[int], right: Sequence[bool], gap: int
) -> Iterator[str]:
    for pieces in zip_longest(*cells, fillvalue=""):
        padded = []
        for piece, size, to_right in zip(pieces, widths, right, strict=True):
            space = " " * (size - cell_len(piece))
            padded.append(space + piece if to_right else piece + space)
        yield (" " * gap).join(padded).rstrip()


def _bold() -> bool:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not plain
