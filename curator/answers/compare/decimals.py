"""Plain numbers, and the rule by which decimals agree.

In: two numbers as written, or values with their stated digits. Out: an outcome and the rule.

The decimal rule. A decimal has a number of significant digits; a whole number, a fraction and a
root are exact. `12.0` states no more than `12`. Two exact numbers are equal or not. Otherwise the
number with fewer decimals (or the only one with decimals) is the shorter one:
1. exactly equal: equal;
2. one has 15 digits or more and they differ by less than 1e-9, relatively: equal, `float noise`
   (0.30000000000000004 and 0.3, 17.999999999999996 and 18); with the same number of decimals they
   are undecided from the second last bit on;
3. the longer rounds to the shorter, and the shorter has at least `digits` significant digits
   (default 4), or one digit less if the longer is exact or has at least 3 digits more: equal,
   `rounded` (2/3 and 0.6667 or 0.667);
4. the longer cut off gives the shorter, which has at least `digits` digits: equal, `cut off`
   (0.6666);
5. as 3 or 4, but the shorter has too few digits: undecided, `few digits` (2/3 and 0.67; 10.0 and
   10.02);
6. otherwise different. A whole number is never a rounding: 3 and 3.14 differ.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from curator.answers.compare.arithmetic import NoValue, parse_fraction

Outcome = Literal["equal", "different", "undecided"]

DIGITS = 4
"""Minimum number of significant digits of a rounded decimal; one less if the other is exact."""
MIN_EXTRA_DIGITS = 3
FLOAT_NOISE = Fraction(1, 10**9)
LAST_BIT = Fraction(5, 10**16)
FLOAT_DIGITS = 15

NUMERAL_TEXT = r"[-+]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,18})?"
NUMERAL = re.compile(NUMERAL_TEXT)
_GROUPED = re.compile(r"[-+]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")


_digits: ContextVar[int] = ContextVar("digits", default=DIGITS)


@contextmanager
def require_digits(digits: int) -> Iterator[None]:
    """Set the minimum number of digits of rounded decimals within the block.

    A context variable spares every rule a parameter.
    """
    before = _digits.set(digits)
    try:
        yield
    finally:
        _digits.reset(before)


@dataclass(frozen=True, slots=True)
class PreciseNumber:
    """A real number and the precision with which it is stated."""

    number: Fraction
    digits: int = 0
    """The significant digits of a decimal; 0 for exact numbers."""
    place: Fraction = Fraction(0)
    """The value of one unit of the last decimal; 0 for exact numbers."""
    exact: bool = True
    """False for decimals."""

    def times(self, factor: Fraction) -> "PreciseNumber":
        return PreciseNumber(
            self.number * factor, self.digits, self.place * abs(factor), self.exact
        )


def parse_numeral(text: str) -> PreciseNumber:
    """Return a numeral with its precision; raises NoValue if it is too long or too large."""
    number = parse_fraction(text.lstrip("+-"))
    if text.startswith("-"):
        number = -number
    mantissa, _, exponent = text.lstrip("+-").lower().partition("e")
    whole, dot, decimals = mantissa.partition(".")
    if not dot and not exponent:
        return PreciseNumber(number)
    place = Fraction(10) ** (int(exponent or 0) - len(decimals))
    if not decimals or decimals == "0":
        # programs write `12.0` whatever the precision: the zero is not significant
        return PreciseNumber(number, 0, place, exact=not exponent)
    digits = len((whole + decimals).lstrip("0"))
    return PreciseNumber(number, digits, place, exact=False)


def compare_decimals(
    a: PreciseNumber, b: PreciseNumber, converted: bool = False
) -> tuple[Outcome, str]:
    """Apply the decimal rule of this module; symmetric.

    `converted` means that one number was converted to the other's unit, where a whole number is
    whole by chance.
    """
    if a.number == b.number:
        return "equal", "number"
    gap = abs(a.number - b.number)
    size = max(abs(a.number), abs(b.number))
    if max(a.digits, b.digits) >= FLOAT_DIGITS and gap <= FLOAT_NOISE * size:
        # as many decimals: only the last bit of a float may differ
        noise = not a.place or a.place != b.place or gap <= LAST_BIT * size
        return ("equal" if noise else "undecided"), "float noise"
    if not a.place and not b.place:
        return "different", "number"
    short, long = (a, b) if a.place and (not b.place or a.place >= b.place) else (b, a)
    if long.exact and long.number.denominator == 1 and short.digits and not converted:
        # a whole number is not a rounding of a decimal: 100 does not stand for 99.99
        # but 2.4329e18 may be one of 20!
        near = short.place >= 10 and gap < short.place
        return ("undecided", "rounded") if near else ("different", "number")
    if short.place == long.place:
        return "different", "number"
    if short.exact:  # 12.0
        return ("undecided", "few digits") if gap * 2 <= short.place else ("different", "number")
    needed = _digits.get()
    enough = short.digits >= needed or (
        short.digits >= needed - 1
        and (long.exact or not long.place or long.digits >= short.digits + MIN_EXTRA_DIGITS)
    )
    if gap * 2 <= short.place:
        return ("equal", "rounded") if enough else ("undecided", "few digits")
    if gap < short.place and abs(long.number) > abs(short.number):
        return ("equal", "cut off") if short.digits >= needed else ("undecided", "few digits")
    return "different", "number"


def compare_numerals(a: str, b: str) -> tuple[Outcome, str] | None:
    """Return the outcome for two plain numerals, or None if one of the texts is anything else."""
    written = a, b
    a, b = _remove_separators(a), _remove_separators(b)
    if NUMERAL.fullmatch(a) is None or NUMERAL.fullmatch(b) is None:
        return None
    if _normalize_numeral(a) == _normalize_numeral(b):
        return "equal", "number"
    both = a + b
    if "." not in both and "e" not in both and "E" not in both:
        return "different", "number"
    if _has_thousands_point(*written) or _has_thousands_point(*written[::-1]):
        return "undecided", "point for thousands"
    if len(both) < 60 and "e" not in both and "E" not in both:
        # without an exponent the last place is at most 0.1, so a larger gap means different
        x, y = float(a), float(b)
        if abs(x - y) > 0.11 and -1e8 < x < 1e8 and -1e8 < y < 1e8:
            return "different", "number"
    try:
        return compare_decimals(parse_numeral(a), parse_numeral(b))
    except NoValue:
        return _compare_huge(a, b)


def _has_thousands_point(a: str, b: str) -> bool:
    """Return whether a point may separate thousands: `70.000` and `70000`, but not `70,000`."""
    return len(a) > 4 and a[-4] == "." and a[:-4] + a[-3:] == b and len(a) < 8 and a[0] != "0"


def _remove_separators(text: str) -> str:
    """Return `1,000` without its separators."""
    return text.replace(",", "") if "," in text and _GROUPED.fullmatch(text) else text


def _normalize_numeral(text: str) -> str:
    """Return a numeral without exponent in one form, so that equal numerals are equal texts."""
    text = text.lstrip("+0")
    if text.startswith("-"):
        text = "-" + text[1:].lstrip("0")
    if "." in text and "e" not in text and "E" not in text:
        text = text.rstrip("0").rstrip(".")
    return "" if text == "-" else text


def _scientific_parts(text: str) -> tuple[str, str, int]:
    """Return sign, digits without zeros at the ends, and the exponent of the first digit."""
    sign = "-" if text[0] == "-" else ""
    mantissa, _, exponent = text.lstrip("+-").lower().partition("e")
    whole, _, decimals = mantissa.partition(".")
    digits = whole + decimals
    first = len(digits) - len(digits.lstrip("0"))
    significant = digits.strip("0")
    if not significant:
        return "", "", 0
    return sign, significant, int(exponent or 0) + len(whole) - first


def _compare_huge(a: str, b: str) -> tuple[Outcome, str]:
    """Compare numbers that exceed the bounds digit by digit, without computing them."""
    x, y = _scientific_parts(a), _scientific_parts(b)
    if x == y:
        return "equal", "number"
    if x[0] != y[0] or x[2] != y[2] or x[1][:3] != y[1][:3]:
        return "different", "number"
    whole = not any(char in a + b for char in ".eE")
    return ("different", "number") if whole else ("undecided", "too large")
