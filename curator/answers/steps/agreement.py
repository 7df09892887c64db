"""Decide whether the two sides of a written equation agree, as writers mean it.

In: two expressions. Out: `compare_sides(left, right)`: both values and how they agree, empty if
they do not. Exact values agree as `exact`; a numeral agrees with the value that it rounds or cuts
off (`rounded`); a percentage may stand for its number (`percent`).
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction

from curator.answers.compare.arithmetic import NoValue
from curator.answers.compare.evaluate import evaluate
from curator.answers.parse.grammar import Parser
from curator.answers.parse.tokens import Token as Symbol
from curator.answers.parse.tokens import Unreadable
from curator.answers.steps.expressions import Expression

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
        for a in _percent_readings(left, first)
        for b in _percent_readings(right, second)
    ):
        agreement = "percent"
    return Sides(first, second, agreement)


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


def _percent_readings(side: Expression, value: Fraction) -> list[Fraction]:
    """Return the values of a side with percentages; `50%` is a half, or 50 as a unit."""
    without = [each for each in side.symbols if each.text != "%"]
    if len(without) == len(side.symbols):
        return [value]
    with suppress(NotComputed):
        return [value, compute(without)]
    return [value]


def render(value: Fraction) -> str:
    """Return a value in digits: a whole number, a short decimal or a fraction."""
    if value.denominator == 1:
        return str(value.numerator)
    decimals = next((n for n in range(1, 9) if 10**n % value.denominator == 0), 0)
    if not decimals:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(value.numerator) * 10**decimals // value.denominator).zfill(decimals + 1)
    return f"{'-' if value < 0 else ''}{digits[:-decimals]}.{digits[-decimals:]}"
