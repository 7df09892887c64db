"""Small mistakes in formulas: one digit, a sign, an exponent, a factor lost.

In: a `Formula`. Out: formulas that are meant to differ from it. Some do not (`x + y` with the terms
exchanged); `near_misses` leaves those out by comparing values.
"""

import string
from collections.abc import Callable, Iterator
from dataclasses import replace

from curator.answers.variants.algebra import is_whole
from curator.answers.variants.formula import Formula, join, letters, minus, number, replace_at, walk

Tweak = Callable[[Formula], Iterator[Formula]]

MAX_DIGITS = 8
"""Digits after the eighth are left alone: graders compare floats."""


def _numbers(formula: Formula) -> Iterator[tuple[tuple[int, ...], str]]:
    for path, part in walk(formula):
        if part.op == "number":
            yield path, part.text


def _is_numeral(text: str) -> bool:
    plain = text.replace(".", "", 1)
    return plain.isdigit() and not (len(text) > 1 and text[0] == "0" and text[1] != ".")


def _texts(formula: Formula, change: Callable[[str], Iterator[str]]) -> Iterator[Formula]:
    """Yield the formula with each number changed in each way that leaves a number."""
    for path, text in _numbers(formula):
        for other in change(text):
            if _is_numeral(other):
                yield replace_at(formula, path, number(other))


def one_digit(formula: Formula) -> Iterator[Formula]:
    """Change the first, the middle and the last digit."""

    def change(text: str) -> Iterator[str]:
        places = [at for at, char in enumerate(text[:MAX_DIGITS]) if char.isdigit()]
        for at in sorted({places[0], places[len(places) // 2], places[-1]}):
            digit = str(int(text[at]) % 9 + 1)
            yield text[:at] + digit + text[at + 1 :]

    return _texts(formula, change)


def digit_lost(formula: Formula) -> Iterator[Formula]:
    """Leave out the first digit, or the last one of a whole number: `1.2` is 1.23, rounded."""

    def change(text: str) -> Iterator[str]:
        if len(text) > 1:
            yield text[1:]
            yield text[:-1] if text.isdigit() else ""

    return _texts(formula, change)


def digit_doubled(formula: Formula) -> Iterator[Formula]:
    """Write the first digit twice, or the last one of a whole number."""

    def change(text: str) -> Iterator[str]:
        yield text[0] + text
        yield text + text[-1] if text.isdigit() else ""

    return _texts(formula, change)


def digits_swapped(formula: Formula) -> Iterator[Formula]:
    """Swap two neighbouring digits."""

    def change(text: str) -> Iterator[str]:
        for at in range(min(len(text), MAX_DIGITS) - 1):
            yield text[:at] + text[at + 1] + text[at] + text[at + 2 :]

    return _texts(formula, change)


def off_by_one(formula: Formula) -> Iterator[Formula]:
    """Add or subtract one."""

    def change(text: str) -> Iterator[str]:
        if text.isdigit():
            yield from (str(int(text) + 1), str(int(text) - 1))

    return _texts(formula, change)


def negative(formula: Formula) -> Iterator[Formula]:
    """Change the sign of the whole."""
    if formula.op == "sum":
        yield replace(formula, parts=tuple(map(minus, formula.parts)))
    else:
        yield minus(formula)


def term_sign(formula: Formula) -> Iterator[Formula]:
    """Exchange plus and minus before one term."""
    for path, part in walk(formula):
        if part.op == "sum":
            for index, term in enumerate(part.parts):
                yield replace_at(formula, (*path, index), minus(term))


def upside_down(formula: Formula) -> Iterator[Formula]:
    """Exchange top and bottom, or take the reciprocal."""
    inner = formula.parts[0] if formula.op == "minus" else formula
    if inner.op == "quotient":
        turned = replace(inner, parts=inner.parts[::-1])
    else:
        turned = Formula("quotient", (number(1), inner))
    yield minus(turned) if formula.op == "minus" else turned


def exponent(formula: Formula) -> Iterator[Formula]:
    """Raise or lower an exponent by one, or square a letter."""
    for path, part in walk(formula):
        if part.op == "power" and is_whole(part.parts[1]):
            power = int(part.parts[1].text)
            yield replace_at(formula, (*path, 1), number(power + 1))
            yield replace_at(formula, (*path, 1), number(power - 1))
        elif part.op == "letter":
            yield replace_at(formula, path, Formula("power", (part, number(2))))


def root(formula: Formula) -> Iterator[Formula]:
    """Change the degree of a root, or leave the root out."""
    for path, part in walk(formula):
        if part.op == "root":
            yield replace_at(formula, (*path, 1), number(int(part.parts[1].text) + 1))
            yield replace_at(formula, path, part.parts[0])


def root_or_square(formula: Formula) -> Iterator[Formula]:
    """Take the root or the square of the whole."""
    yield Formula("root", (formula, number(2)))
    yield Formula("power", (formula, number(2)))


def pi(formula: Formula) -> Iterator[Formula]:
    """Leave out pi, or multiply by it."""
    constant = Formula("constant", (), "pi")
    found = [path for path, part in walk(formula) if part == constant]
    for path in found:
        yield replace_at(formula, path, number(1))
    if not found and formula.op != "sum":
        yield join("product", [formula, constant])


def imaginary(formula: Formula) -> Iterator[Formula]:
    """Leave out the imaginary unit."""
    for path, part in walk(formula):
        if part == Formula("constant", (), "i"):
            yield replace_at(formula, path, number(1))


def _rename(formula: Formula, old: str, new: str) -> Formula:
    if formula.op == "letter" and formula.text == old:
        return replace(formula, text=new)
    return replace(formula, parts=tuple(_rename(part, old, new) for part in formula.parts))


def other_letter(formula: Formula) -> Iterator[Formula]:
    """Write another letter, or the same one as a capital."""
    for name in sorted(letters(formula)):
        if len(name) == 1:
            names = string.ascii_letters.replace("e", "").replace("i", "")
            yield _rename(formula, name, names[(names.index(name) + 1) % len(names)])
            yield _rename(formula, name, name.swapcase().replace("E", "F").replace("I", "J"))


def prime(formula: Formula) -> Iterator[Formula]:
    """Add a prime to a letter."""
    for name in sorted(letters(formula)):
        yield _rename(formula, name, f"{name}'")


def subscript(formula: Formula) -> Iterator[Formula]:
    """Add a subscript to a letter."""
    for name in sorted(letters(formula)):
        yield _rename(formula, name, f"{name}_{{1}}")


_FUNCTIONS = {"sin": "cos", "cos": "sin", "tan": "sin", "ln": "sin"}


def function(formula: Formula) -> Iterator[Formula]:
    """Exchange a function, or double its argument."""
    for path, part in walk(formula):
        if part.op == "call":
            if part.text in _FUNCTIONS:
                yield replace_at(formula, path, replace(part, text=_FUNCTIONS[part.text]))
            double = join("product", [number(2), part.parts[0]])
            yield replace_at(formula, (*path, 0), double)


def bracket_lost(formula: Formula) -> Iterator[Formula]:
    """Write 2x + 3 for 2(x + 3)."""
    for path, part in walk(formula):
        if part.op == "product" and part.parts[-1].op == "sum":
            first, *rest = part.parts[-1].parts
            term = join("product", [*part.parts[:-1], first])
            yield replace_at(formula, path, join("sum", [term, *rest]))


def part_lost(formula: Formula) -> Iterator[Formula]:
    """Leave out one term of a sum or one factor of a product."""
    for path, part in walk(formula):
        if part.op in ("sum", "product"):
            for index in range(len(part.parts)):
                rest = [each for at, each in enumerate(part.parts) if at != index]
                yield replace_at(formula, path, join(part.op, rest))


def power_flattened(formula: Formula) -> Iterator[Formula]:
    """Write 2*10 or 210 for 2 to the power of 10."""
    for path, part in walk(formula):
        if part.op == "power":
            yield replace_at(formula, path, join("product", list(part.parts)))
            if all(map(is_whole, part.parts)):
                digits = part.parts[0].text + part.parts[1].text
                yield replace_at(formula, path, number(digits))


def root_misplaced(formula: Formula) -> Iterator[Formula]:
    """Write 5 + sqrt(2), sqrt(10) or the fifth root of 2 for 5 sqrt(2)."""
    for path, part in walk(formula):
        if part.op != "product" or len(part.parts) != 2 or part.parts[1].op != "root":
            continue
        outside, inner = part.parts
        yield replace_at(formula, path, join("sum", [outside, inner]))
        inside = join("product", [outside, inner.parts[0]])
        yield replace_at(formula, path, replace(inner, parts=(inside, inner.parts[1])))
        if is_whole(outside) and len(outside.text) == 1 and outside.text not in "012":
            yield replace_at(formula, path, replace(inner, parts=(inner.parts[0], outside)))


def fraction_flattened(formula: Formula) -> Iterator[Formula]:
    """Write a - b, a*b or the decimal a.b for a/b."""
    for path, part in walk(formula):
        if part.op == "quotient":
            top, bottom = part.parts
            yield replace_at(formula, path, join("sum", [top, minus(bottom)]))
            yield replace_at(formula, path, join("product", [top, bottom]))
            if is_whole(top) and is_whole(bottom):
                yield replace_at(formula, path, number(f"{top.text}.{bottom.text}"))
