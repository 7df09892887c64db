"""Decide whether the two sides of a written equation agree, as writers mean it.

In: two expressions. Out: `compare_sides(left, right)`: both values and how they agree, empty if
they do not. Exact values agree as `exact`; a numeral agrees with the value that it rounds or cuts
off (`rounded`); a percentage may stand for its number (`percent`).
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from curator.answers.compare.arithmetic import NoValue, parse_fraction
from curator.answers.compare.evaluate import evaluate
from curator.answers.parse.grammar import Parser
from curator.answers.parse.tokens import Token as Symbol
from curator.answers.parse.tokens import Unreadable
from curator.answers.parse.units import Unit, parse_unit
from curator.answers.steps.expressions import Expression

_MONEY = (("money$", 1),)
FLOAT_NOISE = Fraction(1, 10**9)


class NotComputed(ValueError):
    """An expression has no value within the bounds."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The values of both sides and how they agree; `agreement` is empty if they do not."""

    left: Fraction
    right: Fraction
    agreement: str


def compute(symbols: Sequence[Symbol]) -> Fraction:
    """Return the value of an expression. Raises NotComputed if it has none within the bounds."""
    if len(symbols) == 1 and symbols[0].kind == "num":
        with suppress(NoValue):
            return parse_fraction(symbols[0].text)
    parser = Parser(list(symbols))
    try:
        node = parser.sum()
        parser.expect("end")
        value = evaluate(node)
    except (Unreadable, NoValue, RecursionError) as error:
        raise NotComputed(str(error)) from None
    if value.im:
        raise NotComputed("a complex number")
    return value.re


def compare_sides(left: Expression, right: Expression) -> Sides:
    """Compare the sides of an equation. Raises NotComputed if one of them has no value."""
    first, second = compute(left.symbols), compute(right.symbols)
    agreement = _agree(first, left.numeral, second, right.numeral)
    if not agreement and any(
        _agree(a, left.numeral, b, right.numeral)
        for a in _readings(left, first)
        for b in _readings(right, second)
    ):
        agreement = "another reading"
    if not agreement and first == second * _unit_ratio(left.words, right.words[:2]):
        agreement = "converted"
    return Sides(first, second, agreement)


def have_mixed_units(words: Sequence[str]) -> bool:
    """Return whether words name several units of one kind: `4 pounds - 6 ounces`."""
    units = {unit.dimensions: unit.factor for unit in _units(words)}
    return any(unit.factor != units[unit.dimensions] for unit in _units(words))


def _unit_ratio(left: Sequence[str], right: Sequence[str]) -> Fraction:
    """Return what one unit on the right is in units on the left: 1/100 for `$0.26 = 26 cents`."""
    factors = {unit.dimensions: unit.factor for unit in reversed(_units(left))}
    for unit in _units(right):
        usual = unit.factor if unit.dimensions != _MONEY else Fraction(1)
        return unit.factor / factors.get(unit.dimensions, usual)
    return Fraction(1)


def _units(words: Sequence[str]) -> list[Unit]:
    """Return the units of time, length, weight, volume and money among words."""
    found = (parse_unit(word) for word in words if len(word) > 2)
    return [unit for unit in found if unit and unit.known and unit.dimensions]


def _agree(left: Fraction, left_numeral: str, right: Fraction, right_numeral: str) -> str:
    if left == right:
        return "exact"
    if abs(left - right) <= FLOAT_NOISE * max(abs(left), abs(right)):
        return "exact"
    for value, stated, numeral in ((left, right, right_numeral), (right, left, left_numeral)):
        if numeral and _is_rounding(value, stated, numeral):
            return "rounded"
    return ""


def _is_rounding(value: Fraction, stated: Fraction, numeral: str) -> bool:
    """Return whether a numeral is a value rounded, or cut off, at its last place."""
    decimals = len(numeral.partition(".")[2])
    place = Fraction(1, 10 ** min(decimals, 1_000))
    gap = abs(value - stated)
    if not stated or gap >= place:
        return False
    return gap * 2 <= place or (decimals > 0 and abs(value) > abs(stated))


def _readings(side: Expression, value: Fraction) -> list[Fraction]:
    """Return the values of a side as writers may mean it.

    `50%` is a half, but 50 as a result, as in `1/2 * 100% = 50`. `$50 + 10%` is $55. `6 / 1/2` is 6
    divided by a half, which the blanks show.
    """
    found = [value]
    for read in (_without_percent, _with_changed_percent, _with_tight_fractions):
        symbols = read(side.symbols)
        if symbols != side.symbols:
            with suppress(NotComputed):
                found.append(compute(symbols))
    return found


def _without_percent(symbols: list[Symbol]) -> list[Symbol]:
    """Leave out the percent signs where they are units of a result or of all terms."""
    texts = [each.text for each in symbols]
    numbers = sum(each.kind == "num" for each in symbols)
    as_unit = texts.count("%") == numbers and not {"*", "/"} & set(texts)
    whole = any(pair == ("100", "%") for pair in pairwise(texts))
    return [each for each in symbols if each.text != "%"] if as_unit or whole else symbols


def _with_changed_percent(symbols: list[Symbol]) -> list[Symbol]:
    """Read `50 + 10%` as 50 * (1 + 10%)."""
    if len(symbols) < 4 or symbols[-1].text != "%" or symbols[-3].text not in ("+", "-"):
        return symbols
    one, times = Symbol("num", "1", True), Symbol("op", "*", True)
    return [*_bracketed(symbols[:-3]), times, *_bracketed([one, *symbols[-3:]])]


def _bracketed(symbols: Sequence[Symbol]) -> list[Symbol]:
    return [Symbol("op", "(", True), *symbols, Symbol("op", ")", False)]


def _with_tight_fractions(symbols: list[Symbol]) -> list[Symbol]:
    """Put brackets around every fraction after a division that is written without blanks."""
    found: list[Symbol] = []
    at = 0
    while at < len(symbols):
        part = symbols[at : at + 3]
        tight = len(part) == 3 and part[1] == ("op", "/", False) and not part[2].gap
        if tight and part[0].kind == part[2].kind == "num" and found and found[-1].text == "/":
            found += _bracketed(part)
            at += 3
        else:
            found.append(symbols[at])
            at += 1
    return found


def render(value: Fraction) -> str:
    """Return a value in digits: a whole number, a short decimal, a fraction or rounded."""
    if value.denominator == 1 and abs(value) < 10**20:
        return str(value.numerator)
    decimals = next((n for n in range(1, 9) if 10**n % value.denominator == 0), 0)
    if decimals and abs(value) < 10**12:
        return f"{float(value):.{decimals}f}"
    if max(abs(value.numerator), value.denominator) < 10**6:
        return f"{value.numerator}/{value.denominator}"
    near = Fraction(1, 10**300) < abs(value) < 10**300
    return f"about {float(value):.6g}" if near else "too long to show"
