r"""Read the shape of a gold answer.

In: the text of a gold answer. Out: `read_shape(text)`, a `Shape`, or None for anything that
could be read in two ways.

A pair in round brackets is a point. It is an interval only if an end is infinite, if its brackets
differ, if it is part of a union, or after `x \in`; `[1, 4]` is None, because it can be a list, too.
"""

import re

from curator.answers.variants.formula import (
    MAX_LENGTH,
    Formula,
    clean,
    letters,
    number,
    read_formula,
    walk,
)
from curator.answers.variants.shapes import INFINITY, MINUS_INFINITY, Kind, Shape
from curator.answers.variants.units import MONEY_SIGN, read_unit

MAX_PARTS = 16

_GROUPED = re.compile(r"-?\d{1,3}(?:(?:,|\{,\}|,\\!|\\!,)\d{3})+(?:\.\d+)?")
_SEPARATOR = re.compile(r"\{,\}|,\\!|\\!,|,")
_LATEX_SEPARATOR = re.compile(r"(?<=\d)(?:\{,\}|,\s*\\!|\\!,)\s*(?=\d{3}(?!\d))")
_WORDS = re.compile(
    r"\\(?:text|mbox|textbf)\s*\{\s*([A-Za-z]+(?: [A-Za-z]+)*)\s*\}|(True|False|yes|no|Yes|No)"
)
_LETTER = re.compile(
    r"\(?\s*\\(?:text|mbox|textbf)\s*\{\s*\(?([A-Z])\)?\s*\}\s*\)?|\(([a-h])\)|([A-H])"
)
_SCIENTIFIC = re.compile(r"(-?\d+(?:\.\d+)?)e([-+]?\d{1,2})")
_MEMBER = re.compile(r"[a-z]\s*\\in(?![A-Za-z])\s*(.*)")
_MIXED = re.compile(r"(-?)(\d+)\s*\\frac\s*(?:\{(\d+)\}|(\d))\s*(?:\{(\d+)\}|(\d))")
_BASE = re.compile(r"(-?)(\d+)_(?:\{(\d+)\}|(\d))")
_MATRIX = re.compile(r"\\begin\{([pb]?matrix)\}(.{1,200})\\end\{\1\}", re.S)
_NAMED = re.compile(r"([A-Za-z])\s*=\s*([^=]+)")
_UNION = re.compile(r"\\cup(?![A-Za-z])")
_OPENING, _CLOSING = "([{", ")]}"


def split_items(text: str) -> list[str]:
    """Return the items between commas outside all brackets."""
    items, depth, start = [], 0, 0
    for at, char in enumerate(text):
        depth += (char in _OPENING) - (char in _CLOSING)
        if char == "," and depth == 0:
            items.append(text[start:at])
            start = at + 1
    return [*items, text[start:]]


def read_shape(text: str) -> Shape | None:
    """Return what a gold answer is, or None if that is not certain."""
    text = text.strip().rstrip(".")
    if not text or len(text) > MAX_LENGTH:
        return None
    if match := _LETTER.fullmatch(text):
        return Shape("words", (), (match[1] or match[2] or match[3]).upper())
    if match := _WORDS.fullmatch(text):
        return Shape("words", (), match[1] or match[2])
    if match := _SCIENTIFIC.fullmatch(text):
        power = Formula("power", (number(10), number(int(match[2]))))
        return Shape("value", (Formula("product", (number(match[1]), power)),))
    text = _LATEX_SEPARATOR.sub("", text)
    if _GROUPED.fullmatch(text):
        digits = _SEPARATOR.sub("", text)
        return Shape("value", (number(digits),))
    cleaned = clean(text.replace(r"\$", MONEY_SIGN))
    for reader in (_read_marked, _read_matrix, _read_intervals, _read_items, _read_equation):
        shape = reader(cleaned)
        if shape is not None:
            return shape
    formula = read_formula(cleaned)
    return Shape("value", (formula,)) if formula else None


def _read_marked(text: str) -> Shape | None:
    """Read mixed numbers, numbers with a base, and quantities."""
    if match := _MIXED.fullmatch(text):
        whole, top, bottom = match[1] + match[2], match[3] or match[4], match[5] or match[6]
        proper = 0 < int(top) < int(bottom) and int(match[2])
        return Shape("mixed", tuple(map(number, (whole, top, bottom)))) if proper else None
    if match := _BASE.fullmatch(text):
        base = match[3] or match[4]
        valid = 2 <= int(base) <= 10 and all(int(digit) < int(base) for digit in match[2])
        return Shape("base", (number(match[1] + match[2]),), base) if valid else None
    return _read_quantity(text)


def _read_quantity(text: str) -> Shape | None:
    parts = read_unit(text)
    if parts is None:
        return None
    amount, unit = parts
    grouped = _GROUPED.fullmatch(amount)
    formula = number(_SEPARATOR.sub("", amount)) if grouped else read_formula(amount)
    if formula is None or any(part.op == "call" for _, part in walk(formula)):
        return None  # in `\cos 15^\circ` the unit belongs to the argument
    return Shape("quantity", (formula,), unit)


def _read_matrix(text: str) -> Shape | None:
    match = _MATRIX.fullmatch(text)
    if match is None:
        return None
    rows = [row.split("&") for row in match[2].strip().removesuffix("\\\\").split("\\\\")]
    cells = [read_formula(cell) for row in rows for cell in row]
    if len({len(row) for row in rows}) != 1 or None in cells or len(cells) > MAX_PARTS:
        return None
    return Shape("matrix", tuple(filter(None, cells)), str(len(rows[0])))


def _read_end(text: str) -> Formula | None:
    infinite = {r"\infty": INFINITY, r"+\infty": INFINITY, r"-\infty": MINUS_INFINITY}
    return infinite.get("".join(text.split())) or read_formula(text)


def _read_intervals(text: str) -> Shape | None:
    member = _MEMBER.fullmatch(text)
    text = member[1] if member else text
    pieces = [piece.strip() for piece in _UNION.split(text)]
    ends: list[Formula] = []
    form = ""
    for piece in pieces:
        inside = split_items(piece[1:-1])
        pair = [_read_end(item) for item in inside]
        if piece[:1] not in ("(", "[") or piece[-1] not in (")", "]") or len(pair) != 2:
            return None
        ends += filter(None, pair)
        form += piece[0] + piece[-1]
    infinite = INFINITY in ends or MINUS_INFINITY in ends
    certain = infinite or member or len(pieces) > 1 or form in ("(]", "[)")
    if len(ends) != 2 * len(pieces) or not certain or len(ends) > MAX_PARTS:
        return None
    return Shape("intervals", tuple(ends), form)


def _read_items(text: str) -> Shape | None:
    kind: Kind = "list"
    form = ""
    if text.startswith(r"\{") and text.endswith(r"\}"):
        kind, text = "set", text[2:-2]
    elif text.startswith("(") and text.endswith(")") and len(split_items(text)) == 1:
        inside = text[1:-1]
        if len(split_items(inside)) > 1 and _balanced(inside):
            kind, text = "tuple", inside
    elif text.startswith("[") and text.endswith("]") and len(split_items(text[1:-1])) > 2:
        kind, text, form = "tuple", text[1:-1], "["
    items = [formula for item in split_items(text) for formula in _read_item(item, kind)]
    if None in items or len(items) > MAX_PARTS or (kind != "set" and len(items) < 2):
        return None
    if kind == "list" and _GROUPED.match("".join(text.split())):
        return None  # `1,234`: two numbers or one
    return Shape(kind, tuple(filter(None, items)), form)


def _balanced(text: str) -> bool:
    depth = 0
    for char in text:
        depth += (char in _OPENING) - (char in _CLOSING)
        if depth < 0:
            return False
    return depth == 0


_PLUS_MINUS = re.compile(r"\\pm(?![A-Za-z])")


def _read_item(text: str, kind: Kind) -> list[Formula | None]:
    """Read one item, or the two values of a ± in a set or list."""
    if kind != "tuple" and len(_PLUS_MINUS.findall(text)) == 1 and _is_top_level(text):
        head = text[: _PLUS_MINUS.search(text).start()].strip()  # type: ignore[union-attr]
        plus = "+" if head else ""
        return [read_formula(_PLUS_MINUS.sub(sign, text)) for sign in (plus, "-")]
    return [read_formula(text)]


def _is_top_level(text: str) -> bool:
    """Return whether ± is outside all brackets."""
    head = text[: _PLUS_MINUS.search(text).start()]  # type: ignore[union-attr]
    return _balanced(head)


def _read_equation(text: str) -> Shape | None:
    if match := _NAMED.fullmatch(text):
        value = read_formula(match[2])
        name = read_formula(match[1])
        if value and name and match[1] not in letters(value):
            if letters(value):
                return Shape("equation", (name, value))
            return Shape("value", (value,), match[1])
    sides = [read_formula(side) for side in text.split("=")]
    if len(sides) != 2 or None in sides:
        return None
    return Shape("equation", tuple(filter(None, sides)))
