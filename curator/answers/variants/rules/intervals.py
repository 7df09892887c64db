r"""Variants of intervals and unions: inequalities, sympy's constructors; an end open or closed.

In: a `Gold`. Out: `FORMS` and `MISSES`.
"""

from collections.abc import Iterator
from dataclasses import replace

from curator.answers.variants.formula import Formula, letters
from curator.answers.variants.notation import LATEX, PYTHON, write
from curator.answers.variants.rules.rule import Gold, Rule, write_different
from curator.answers.variants.shapes import (
    INFINITY,
    MINUS_INFINITY,
    Shape,
    pieces,
    write_end,
    write_inequalities,
    write_shape,
)


def _intervals(gold: Gold) -> Shape | None:
    """Return the intervals of a gold answer if their ends have no letters."""
    shape = gold.shape
    if shape is None or shape.kind != "intervals" or any(map(letters, shape.parts)):
        return None
    return shape


def _inequalities(gold: Gold) -> Iterator[str]:
    shape = _intervals(gold)
    if shape is None:
        return
    for style in (LATEX, PYTHON):
        yield write_inequalities(shape, style)


def _excluded_point(gold: Gold) -> Iterator[str]:
    shape = _intervals(gold)
    if shape is None or shape.form != "()()" or shape.parts[1] != shape.parts[2]:
        return
    if (shape.parts[0], shape.parts[3]) == (MINUS_INFINITY, INFINITY):
        yield rf"x \neq {write_end(shape.parts[1], LATEX)}"
        yield f"x != {write_end(shape.parts[1], PYTHON)}"


def _membership(gold: Gold) -> Iterator[str]:
    shape = _intervals(gold)
    if shape is not None:
        yield rf"x \in {write_shape(shape)}"
        inequality = write_inequalities(shape)
        if len(shape.form) == 2 and inequality:
            yield rf"\{{x \mid {inequality}\}}"


def _sympy_name(low: Formula, high: Formula, form: str) -> str:
    """Return the name that sympy prints, which does not mark infinite ends as open."""
    opened = form[0] == "(" and low != MINUS_INFINITY, form[1] == ")" and high != INFINITY
    if low == MINUS_INFINITY or high == INFINITY:
        return "Interval.open" if any(opened) else "Interval"
    names = {(True, True): ".open", (True, False): ".Lopen", (False, True): ".Ropen"}
    return f"Interval{names.get(opened, '')}"


def _sympy(gold: Gold) -> Iterator[str]:
    shape = _intervals(gold)
    if shape is not None:
        parts = [
            f"{_sympy_name(*piece)}({write_end(piece[0], PYTHON)}, {write_end(piece[1], PYTHON)})"
            for piece in pieces(shape)
        ]
        yield parts[0] if len(parts) == 1 else f"Union({', '.join(parts)})"


def _reordered(gold: Gold) -> Iterator[str]:
    shape = _intervals(gold)
    if shape is not None and len(shape.form) > 2:
        found = list(pieces(shape))[::-1]
        ends = [end for low, high, _ in found for end in (low, high)]
        turned = Shape("intervals", tuple(ends), "".join(form for _, _, form in found))
        yield write_shape(turned)


def _outward_brackets(gold: Gold) -> Iterator[str]:
    shape = _intervals(gold)
    if shape is not None and set("()") & set(shape.form):
        brackets = {"(": "]", ")": "["}
        yield r" \cup ".join(
            f"{brackets.get(form[0], form[0])}{write_end(low, LATEX)}, "
            f"{write_end(high, LATEX)}{brackets.get(form[1], form[1])}"
            for low, high, form in pieces(shape)
        )


def _brackets(gold: Gold) -> Iterator[str]:
    shape = gold.shape
    if shape is None or shape.kind != "intervals":
        return
    turned = {"(": "[", "[": "(", ")": "]", "]": ")"}
    others = []
    for index, end in enumerate(shape.parts):
        if end not in (INFINITY, MINUS_INFINITY):
            form = shape.form
            form = form[:index] + turned[form[index]] + form[index + 1 :]
            others.append(replace(shape, form=form))
    yield from write_different(gold, iter(others))


def _pieces(gold: Gold) -> Iterator[str]:
    """Leave out an interval, an infinite end, or take the other side of an end."""
    shape = gold.shape
    if shape is None or shape.kind != "intervals":
        return
    others = []
    for index in range(0, len(shape.parts), 2):
        if len(shape.parts) > 2:
            form = shape.form[:index] + shape.form[index + 2 :]
            kept = (*shape.parts[:index], *shape.parts[index + 2 :])
            others.append(Shape("intervals", kept, form))
        low, high = shape.parts[index : index + 2]
        if low == MINUS_INFINITY and high != INFINITY:
            others.append(Shape("intervals", (high, INFINITY), "()"))
        if high == INFINITY and low != MINUS_INFINITY:
            others.append(Shape("intervals", (MINUS_INFINITY, low), "()"))
    yield from write_different(gold, iter(others))


def _intersection(gold: Gold) -> Iterator[str]:
    shape = gold.shape
    if shape is None or shape.kind != "intervals" or len(shape.parts) != 4:
        return
    yield write_shape(shape).replace(r"\cup", r"\cap")
    low, high = shape.parts[1:3]
    if shape.form == "()()" and (shape.parts[0], shape.parts[3]) == (MINUS_INFINITY, INFINITY):
        yield f"x < {write_end(low, LATEX)} and x > {write_end(high, LATEX)}"


def _ends_alone(gold: Gold) -> Iterator[str]:
    shape = gold.shape
    if shape is not None and shape.kind == "intervals" and len(shape.parts) == 2:
        ends = [write(end) for end in shape.parts if end not in (INFINITY, MINUS_INFINITY)]
        if ends:
            yield rf"\{{{', '.join(ends)}\}}"
            yield ends[0]


FORMS = (
    Rule("inequalities", r"`1 < x \leq 2` for `(1, 2]`", _inequalities),
    Rule("excluded point", r"`x \neq 1` for all numbers but 1", _excluded_point),
    Rule("membership", r"`x \in (1, 2]`, `\{x \mid x > 1\}`", _membership),
    Rule("sympy's intervals", "`Interval.Lopen(1, 2)`, `Union(…)`", _sympy),
    Rule("order of a union", r"`(3, 4) \cup (1, 2)`", _reordered),
    Rule("outward brackets", "`]1, 2]` for `(1, 2]`", _outward_brackets),
)

MISSES = (
    Rule("open or closed end", "`[1, 2]` for `(1, 2]`", _brackets),
    Rule("interval lost or turned", r"`(3, \infty)` for `(-\infty, 3)`", _pieces),
    Rule("intersection", r"`\cap` for `\cup`, `and` for `or`", _intersection),
    Rule("ends alone", r"`\{1, 2\}` for `(1, 2]`", _ends_alone),
)
