r"""What a gold answer is: a value, a pair, a set, an interval, a matrix, a quantity, an equation.

In: formulas. Out: a `Shape` of them; `write_shape(shape, style)`, its text. `reading` reads it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from curator.answers.variants.formula import Formula
from curator.answers.variants.notation import LATEX, Style, write
from curator.answers.variants.units import write_quantity

Kind = Literal[
    "value",
    "mixed",
    "tuple",
    "set",
    "list",
    "intervals",
    "matrix",
    "equation",
    "quantity",
    "base",
    "words",
]

MAX_PARTS = 16


@dataclass(frozen=True, slots=True)
class Shape:
    """A gold answer as formulas and how they belong together."""

    kind: Kind
    parts: tuple[Formula, ...]
    """The value (mixed: whole number, top and bottom), the items, the ends of all intervals, the
    cells of a matrix by rows, the two sides of an equation, or the number before a unit or base.
    Words have none."""

    form: str = ""
    """Value: `x` if it is written after `x =`. Tuple: `[` for a list in square brackets. Intervals:
    their brackets (`(]()`). Matrix: its number of columns. Quantity: its unit. Base: the base.
    Words: the words."""

    def having(self, *parts: Formula) -> "Shape":
        """Return the same shape of other parts."""
        return replace(self, parts=parts)


INFINITY = Formula("constant", (), "inf")
MINUS_INFINITY = Formula("minus", (INFINITY,))


def mixed_value(shape: Shape) -> Fraction:
    """Return the value of a mixed number."""
    whole, top, bottom = shape.parts
    part = Fraction(int(top.text), int(bottom.text))
    if whole.op == "minus":
        return -(int(whole.parts[0].text) + part)
    return int(whole.text) + part


def write_end(end: Formula, style: Style) -> str:
    """Return an end of an interval as text."""
    names = {INFINITY: r"\infty", MINUS_INFINITY: r"-\infty"}
    plain = {INFINITY: "oo", MINUS_INFINITY: "-oo"}
    return (names if style.latex else plain).get(end) or write(end, style)


def pieces(shape: Shape) -> Iterator[tuple[Formula, Formula, str]]:
    """Yield low end, high end and brackets of every interval."""
    for index in range(0, len(shape.parts), 2):
        yield shape.parts[index], shape.parts[index + 1], shape.form[index : index + 2]


def _inequality(low: Formula, high: Formula, form: str, style: Style) -> str:
    """Return `x < 3` or `1 < x <= 3`; empty for all real numbers."""
    signs = ("<", r"\leq") if style.latex else ("<", "<=")
    turned = (">", r"\geq") if style.latex else (">", ">=")
    first, second = signs[form[0] == "["], signs[form[1] == "]"]
    if low == MINUS_INFINITY:
        return "" if high == INFINITY else f"x {second} {write_end(high, style)}"
    if high == INFINITY:
        return f"x {turned[form[0] == '[']} {write_end(low, style)}"
    return f"{write_end(low, style)} {first} x {second} {write_end(high, style)}"


def write_inequalities(shape: Shape, style: Style = LATEX) -> str:
    """Return intervals as `x < 1 or x > 3`; empty if one of them is all real numbers."""
    between = r" \text{ or } " if style.latex else " or "
    parts = [_inequality(*piece, style) for piece in pieces(shape)]
    return between.join(parts) if all(parts) else ""


def rows(shape: Shape) -> list[tuple[Formula, ...]]:
    """Return the rows of a matrix."""
    width = int(shape.form)
    return [shape.parts[at : at + width] for at in range(0, len(shape.parts), width)]


def write_shape(shape: Shape, style: Style = LATEX) -> str:
    """Return a shape as text."""
    texts = [write_end(part, style) for part in shape.parts]
    joined = ", ".join(texts)
    match shape.kind:
        case "value":
            return f"{shape.form} = {texts[0]}" if shape.form else texts[0]
        case "mixed":
            tail = (
                rf"\frac{{{texts[1]}}}{{{texts[2]}}}" if style.latex else f" {texts[1]}/{texts[2]}"
            )
            return texts[0] + tail
        case "tuple":
            return f"[{joined}]" if shape.form else f"({joined})"
        case "set":
            return rf"\{{{joined}\}}" if style.latex else f"{{{joined}}}"
        case "list":
            return joined
        case "intervals":
            union = r" \cup " if style.latex else " U "
            return union.join(
                f"{form[0]}{write_end(low, style)}, {write_end(high, style)}{form[1]}"
                for low, high, form in pieces(shape)
            )
        case "matrix":
            if not style.latex:
                lines = (", ".join(write(cell, style) for cell in row) for row in rows(shape))
                return f"[{', '.join(f'[{line}]' for line in lines)}]"
            cells = r" \\ ".join(" & ".join(map(write, row)) for row in rows(shape))
            return rf"\begin{{pmatrix}} {cells} \end{{pmatrix}}"
        case "equation":
            return f"{texts[0]} = {texts[1]}"
        case "words":
            return rf"\text{{{shape.form}}}" if style.latex else shape.form
        case "base":
            return f"{texts[0]}_{{{shape.form}}}" if style.latex else f"{texts[0]}_{shape.form}"
        case _:
            return write_quantity(texts[0], shape.form, style.latex)
