"""Plain numbers and the rule by which decimals agree. The fast path of `quick`.

In: two numbers as written, or values with the digits they state. Out: an outcome and the rule.

The decimal rule. A decimal states so many significant digits; a whole number, a fraction, a root
are exact. `12.0` says no more than `12`. Two exact numbers are equal or not. Otherwise the one with
fewer decimals (or the only one with any) is the shorter one:
1. exactly equal: equal;
2. one is printed with 15 digits or more and they differ by less than 1e-9 of it: equal, `float
   noise` (0.30000000000000004 and 0.3, 17.999999999999996 and 18);
3. the longer rounds to the shorter, and the shorter states at least `digits` significant digits (4
   unless asked otherwise), or one less where the longer is exact or has at least 3 digits more:
   equal, `rounded` (2/3 and 0.6667 or 0.667);
4. the longer cut off gives the shorter, which states at least `digits` digits: equal, `cut off`
   (0.6666);
5. the longer rounds to the shorter or cut off gives it, but too few digits are stated: undecided,
   `few digits` (2/3 and 0.67; 10.0 and 10.02);
6. else different. A whole number is never a rounding: 3 and 3.14 differ.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from curator.answers.compare.arithmetic import NoValue, numeral

Outcome = Literal["equal", "different", "undecided"]

DIGITS = 4
"""Significant digits that a rounded decimal must state; one less is enough of an exact number."""
LONGER_BY = 3
NOISE = Fraction(1, 10**9)
PRINTED_DIGITS = 15

NUMERAL_TEXT = r"[-+]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,18})?"
NUMERAL = re.compile(NUMERAL_TEXT)
_GROUPED = re.compile(r"[-+]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")


_digits: ContextVar[int] = ContextVar("digits", default=DIGITS)


@contextmanager
def rounded_to(digits: int) -> Iterator[None]:
    """Within it, rounded decimals must state so many digits. It spares every rule a parameter."""
    before = _digits.set(digits)
    try:
        yield
    finally:
        _digits.reset(before)


@dataclass(frozen=True, slots=True)
class Stated:
    """A real number and how precisely it is stated."""

    number: Fraction
    digits: int = 0
    """Significant digits of a decimal; 0 for exact numbers."""
    place: Fraction = Fraction(0)
    """One unit of its last decimal; 0 for exact numbers."""
    exact: bool = True
    """False for decimals."""

    def times(self, factor: Fraction) -> "Stated":
        return Stated(self.number * factor, self.digits, self.place * abs(factor), self.exact)


def stated(text: str) -> Stated:
    """A numeral with its precision; raises NoValue where it is too long or too large."""
    number = numeral(text.lstrip("+-"))
    if text.startswith("-"):
        number = -number
    mantissa, _, exponent = text.lstrip("+-").lower().partition("e")
    whole, dot, decimals = mantissa.partition(".")
    if not dot and not exponent:
        return Stated(number)
    place = Fraction(10) ** (int(exponent or 0) - len(decimals))
    if not decimals or decimals == "0":
        # written so by programs whatever the precision: no digit is vouched for
        return Stated(number, 0, place, exact=not exponent)
    digits = len((whole + decimals).lstrip("0"))
    return Stated(number, digits, place, exact=False)


def agree(a: Stated, b: Stated, converted: bool = False) -> tuple[Outcome, str]:
    """The decimal rule of this module; symmetric.

    `converted`: one was converted to the other's unit, and whole numbers are so by chance.
    """
    if a.number == b.number:
        return "equal", "number"
    gap = abs(a.number - b.number)
    printed = max(a.digits, b.digits) >= PRINTED_DIGITS
    if printed and gap <= NOISE * max(abs(a.number), abs(b.number)):
        return "equal", "float noise"
    if not a.place and not b.place:
        return "different", "number"
    short, long = (a, b) if a.place and (not b.place or a.place >= b.place) else (b, a)
    if long.exact and long.number.denominator == 1 and short.digits and not converted:
        # a whole number is no rounding, but a decimal may be one of it: 99.99 is not 100
        return "different", "number"
    if short.place == long.place:
        return "different", "number"
    if short.exact:  # 12.0
        return ("undecided", "few digits") if gap * 2 <= short.place else ("different", "number")
    needed = _digits.get()
    enough = short.digits >= needed or (
        short.digits >= needed - 1
        and (long.exact or not long.place or long.digits >= short.digits + LONGER_BY)
    )
    if gap * 2 <= short.place:
        return ("equal", "rounded") if enough else ("undecided", "few digits")
    if gap < short.place and abs(long.number) > abs(short.number):
        return ("equal", "cut off") if short.digits >= needed else ("undecided", "few digits")
    return "different", "number"


def fast(a: str, b: str) -> tuple[Outcome, str] | None:
    """The outcome for two plain numerals, None where one of them is something else."""
    a, b = _ungrouped(a), _ungrouped(b)
    if NUMERAL.fullmatch(a) is None or NUMERAL.fullmatch(b) is None:
        return None
    if _shown(a) == _shown(b):
        return "equal", "number"
    signs = a + b
    if "." not in signs and "e" not in signs and "E" not in signs:
        return "different", "number"
    if len(signs) < 60 and "e" not in signs and "E" not in signs:
        # without exponent the last place is 0.1 at most: far apart is different, and cheap to see
        x, y = float(a), float(b)
        if abs(x - y) > 0.11 and -1e8 < x < 1e8 and -1e8 < y < 1e8:
            return "different", "number"
    try:
        return agree(stated(a), stated(b))
    except NoValue:
        return _huge(a, b)


def _ungrouped(text: str) -> str:
    """`1,000` without its separators."""
    return text.replace(",", "") if "," in text and _GROUPED.fullmatch(text) else text


def _shown(text: str) -> str:
    """A numeral without exponent in one form; equal ones are equal as texts."""
    text = text.lstrip("+0")
    if text.startswith("-"):
        text = "-" + text[1:].lstrip("0")
    if "." in text and "e" not in text and "E" not in text:
        text = text.rstrip("0").rstrip(".")
    return "" if text == "-" else text


def _scientific(text: str) -> tuple[str, str, int]:
    """Sign, digits without zeros at the ends, and the exponent of the first digit."""
    sign = "-" if text[0] == "-" else ""
    mantissa, _, exponent = text.lstrip("+-").lower().partition("e")
    whole, _, decimals = mantissa.partition(".")
    digits = whole + decimals
    first = len(digits) - len(digits.lstrip("0"))
    shown = digits.strip("0")
    if not shown:
        return "", "", 0
    return sign, shown, int(exponent or 0) + len(whole) - first


def _huge(a: str, b: str) -> tuple[Outcome, str]:
    """Numbers beyond the bounds, compared digit by digit without computing them."""
    x, y = _scientific(a), _scientific(b)
    if x == y:
        return "equal", "number"
    if x[0] != y[0] or x[2] != y[2] or x[1][:3] != y[1][:3]:
        return "different", "number"
    whole = not any(sign in a + b for sign in ".eE")
    return ("different", "number") if whole else ("undecided", "too large")
