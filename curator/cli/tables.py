"""Tables and text for a terminal or a pipe, 80 columns wide if the width is unknown.

In: rows of any values. Out: lines that line up and fit the width if the words do. Rich lays out
tables too, but needs 12 seconds for 27,000 rows where this needs 1.4, and squeezes numbers and
names to fit a long text.
"""

import shutil
from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from textwrap import fill, wrap

from rich.cells import cell_len, chop_cells

from curator.cli.terminal import print_head, print_lines
from curator.core.escape import for_terminal

MAX_CELL = 1_000
"""Characters of a cell that are measured and printed in a cut table."""


def format_cell(cell: object) -> str:
    """Return a cell as text: thousands with commas, zero as a dot so that other numbers stand out.

    True and False are `yes` and `no`; other values are escaped.
    """
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int):
        return f"{cell:,}" if cell else "·"
    return for_terminal(str(cell))


def print_wrapped(text: str) -> None:
    """Print a sentence, with line breaks between words."""
    width = _terminal_width()
    print_lines(fill(for_terminal(text), width, break_long_words=False, break_on_hyphens=False))


def print_table(
    head: Sequence[str],
    rows: Iterable[Sequence[object]],
    right: Sequence[str] = (),
    whole: Sequence[str] = (),
) -> None:
    """Print rows under a head; wide texts continue on the next line.

    Columns named in `right` are aligned to the right. They and those in `whole` are never wrapped.
    """
    head, right, whole = ([for_terminal(name) for name in names] for names in (head, right, whole))
    lines = [head, *([format_cell(cell) for cell in row] for row in rows)]
    minimum = [
        _widest(column) if name in right or name in whole else _widest(" ".join(column).split())
        for name, column in zip(head, zip(*lines, strict=True), strict=True)
    ]
    _print_lines(lines, minimum, right, wrap)


def print_cut_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> bool:
    """Print one line per row, texts cut to the width; return whether any was cut.

    Columns of numbers are aligned to the right and never cut. Values are printed as they are.
    """
    head, values = [for_terminal(name) for name in head], [list(row) for row in rows]
    right = [
        name
        for place, name in enumerate(head)
        if values and all(isinstance(row[place], int | float) for row in values)
    ]
    lines = [
        head,
        *(["NULL" if cell is None else for_terminal(str(cell)) for cell in row] for row in values),
    ]
    minimum = [
        _widest(column) if name in right else min(_widest(column), 3)
        for name, column in zip(head, zip(*lines, strict=True), strict=True)
    ]
    return _print_lines(lines, minimum, right, _cut)


def _cut(cell: str, width: int) -> list[str]:
    return [f"{chop_cells(cell[:MAX_CELL], width - 1)[0]}…"]


def _print_lines(
    lines: Sequence[Sequence[str]],
    minimum: Sequence[int],
    right: Sequence[str],
    fold: Callable[[str, int], list[str]],
) -> bool:
    """Print lines, the head first; `fold` shortens cells that do not fit. Returns if any did not.

    Columns have at least their minimum width and at most their widest cell.
    """
    maximum = [_widest(column) for column in zip(*lines, strict=True)]
    gaps, terminal = len(maximum) - 1, _terminal_width()
    gap = " " if sum(maximum) + 2 * gaps > terminal else "  "
    widths = _fit(minimum, maximum, terminal - gaps * len(gap))
    head, folded = lines[0], False
    for line in lines:
        cells = []
        for cell, width in zip(line, widths, strict=True):
            fits = len(cell) <= width and cell_len(cell) <= width
            folded |= not fits
            cells.append([cell] if fits else fold(cell, width))
        for pieces in zip_longest(*cells, fillvalue=""):
            text = gap.join(
                _pad(piece, width, name in right)
                for name, piece, width in zip(head, pieces, widths, strict=True)
            ).rstrip()
            print_head(text) if line is head else print_lines(text)
    return folded


def _fit(minimum: Sequence[int], maximum: Sequence[int], room: int) -> list[int]:
    """Return widths for columns: narrow ones get their maximum, wide ones share what is left."""

    def widths(limit: int) -> list[int]:
        return [max(low, min(high, limit)) for low, high in zip(minimum, maximum, strict=True)]

    limit = max(maximum, default=0)
    while limit > 1 and sum(widths(limit)) > room:
        limit -= 1
    return widths(limit)


def _pad(text: str, width: int, to_the_right: bool) -> str:
    space = " " * (width - cell_len(text))
    return space + text if to_the_right else text + space


def _widest(texts: Iterable[str]) -> int:
    return max((cell_len(text[:MAX_CELL]) for text in texts), default=0)


def _terminal_width() -> int:
    return shutil.get_terminal_size((80, 24)).columns
