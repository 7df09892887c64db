"""Arithmetic of complex numbers: exact fractions if possible, 50 digits otherwise; bounded.

In and out: `Value`s. Raises `NoValue` where the result does not exist (division by zero, 0^0) and
`TooLarge` where it would be too large to compute.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

import mpmath

MAX_BITS = 40_000
"""Maximum size of numerators and denominators, in bits (about 12,000 decimal digits)."""
MAX_DIGITS = 4_000
_DIGITS = 50

mp = mpmath.MPContext()
mp.dps = _DIGITS
_precision_lock = threading.RLock()


class NoValue(ArithmeticError):
    """The expression has no value that can be computed within the bounds."""


class TooLarge(NoValue):
    """The value exists but exceeds the bounds."""


class NotReal(NoValue):
    """The expression is not defined over the real numbers: log(-1), sqrt(-1)."""


@contextmanager
def precision(digits: int) -> Iterator[None]:
    """Compute with more than 50 digits within the block; one thread at a time."""
    with _precision_lock:
        mp.dps = digits
        try:
            yield
        finally:
            mp.dps = _DIGITS


@dataclass(frozen=True, slots=True)
class Value:
    """A complex number; `exact` is false if it was rounded."""

    re: Fraction
    im: Fraction = Fraction(0)
    exact: bool = True


def parse_fraction(text: str) -> Fraction:
    """Return the exact value of a numeral as written: `12`, `0.50`, `2.5e3`."""
    mantissa, _, exponent = text.lower().partition("e")
    if len(mantissa) > MAX_DIGITS or (exponent and not -MAX_DIGITS < int(exponent) < MAX_DIGITS):
        raise TooLarge("a number with too many digits")
    whole, _, decimals = mantissa.partition(".")
    top, power = int(whole + decimals or "0"), int(exponent or "0") - len(decimals)
    return Fraction(top * 10**power) if power >= 0 else Fraction(top, 10**-power)


def make_value(re: Fraction, im: Fraction = Fraction(0), exact: bool = True) -> Value:
    for part in (re, im):
        if part.numerator.bit_length() > MAX_BITS or part.denominator.bit_length() > MAX_BITS:
            raise TooLarge("too large")
    return Value(re, im, exact)


def to_mp(value: Value) -> mpmath.mpc:
    re = mp.mpf(value.re.numerator) / value.re.denominator
    im = mp.mpf(value.im.numerator) / value.im.denominator
    return mp.mpc(re, im)


def mp_to_fraction(number: mpmath.mpf) -> Fraction:
    if not mp.isfinite(number):
        raise NoValue("infinite")
    sign, mantissa, exponent, bits = number._mpf_
    if abs(exponent) > MAX_BITS or bits > MAX_BITS:
        raise TooLarge("too large")
    whole = int(mantissa) * (-1 if sign else 1)
    return Fraction(whole * 2**exponent) if exponent >= 0 else Fraction(whole, 2**-exponent)


def from_mp(number: mpmath.mpc) -> Value:
    number = mp.mpc(number)
    re, im = mp_to_fraction(number.real), mp_to_fraction(number.imag)
    size = abs(re) + abs(im)
    if im and re:
        # roots such as (-8)^(1/3) leave noise of 1e-50 in the other part
        noise = size / 10 ** (mp.dps - 5)
        im = Fraction(0) if abs(im) < noise else im
        re = Fraction(0) if abs(re) < noise else re
    return Value(re, im, exact=False)


def add(a: Value, b: Value) -> Value:
    return make_value(a.re + b.re, a.im + b.im, a.exact and b.exact)


def multiply(a: Value, b: Value) -> Value:
    exact = a.exact and b.exact
    if not a.im and not b.im:
        return make_value(a.re * b.re, Fraction(0), exact)
    return make_value(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re, exact)


def divide(a: Value, b: Value) -> Value:
    size = b.re * b.re + b.im * b.im
    if not size:
        raise NoValue("division by zero")
    exact = a.exact and b.exact
    if not a.im and not b.im:
        return make_value(a.re / b.re, Fraction(0), exact)
    conjugate = Value(b.re / size, -b.im / size, exact)
    return multiply(a, conjugate)


def shorten(value: Value) -> Value:
    """Round an inexact value to 50 digits, so that long sums and products do not grow."""
    if value.exact or value.re.denominator.bit_length() < 2.4 * mp.prec:
        return value
    return from_mp(to_mp(value))


def exact_root(number: Fraction, index: int) -> Fraction | None:
    def whole_root(n: int) -> int | None:
        if index == 2:
            result = isqrt(n)
        else:
            result = int(mp.nint(mp.root(n, index))) if n.bit_length() < 150 else 0
        return result if result**index == n else None

    top, bottom = whole_root(number.numerator), whole_root(number.denominator)
    return Fraction(top, bottom) if top is not None and bottom else None


def power(base: Value, exponent: Value) -> Value:
    if exponent.im or not exponent.exact:
        return mp_power(base, exponent)
    raised = exponent.re
    if raised.denominator == 1:
        n = raised.numerator
        if abs(n) <= 1 or (base.exact and not base.im and abs(base.re) in (0, 1)):
            if n < 0:
                return divide(Value(Fraction(1)), base)
            if n == 0:
                if not base.re and not base.im:
                    raise NoValue("0^0")
                return Value(Fraction(1))
            return base if n == 1 else Value(base.re ** (n if n < 3 else 2 + n % 2))
        bits = max(base.re.numerator.bit_length(), base.re.denominator.bit_length())
        if base.exact and not base.im and bits * abs(n) <= MAX_BITS:
            if not base.re:
                raise NoValue("division by zero")
            return Value(base.re**n)
    elif base.exact and not base.im and base.re > 0 and 2 <= raised.denominator <= 12:
        exact = exact_root(base.re, raised.denominator)
        if exact is not None:
            return power(Value(exact), Value(Fraction(raised.numerator)))
    return mp_power(base, exponent)


def real_power(base: Value, exponent: Value) -> Value:
    """Return the power over the real numbers: (-8)^(1/3) is -2; raises NotReal for (-1)^(1/2)."""
    if base.im or exponent.im:
        raise NotReal("a complex power")
    if base.re >= 0 or (exponent.exact and exponent.re.denominator == 1):
        return power(base, exponent)
    if not exponent.exact or exponent.re.denominator % 2 == 0:
        raise NotReal("a power of a negative number")
    size = power(Value(-base.re, Fraction(0), base.exact), exponent)
    return Value(-size.re, Fraction(0), size.exact) if exponent.re.numerator % 2 else size


def mp_power(base: Value, exponent: Value) -> Value:
    if not base.re and not base.im:
        if exponent.re > 0:
            return Value(Fraction(0))
        raise NoValue("0 to a power that is not positive")
    log = mp.log(to_mp(base))
    raised = to_mp(exponent)
    if abs(log * raised) > MAX_BITS // 2:
        raise TooLarge("too large")
    return from_mp(mp.exp(log * raised))


def root(radicand: Value, index: Value) -> Value:
    if index.im or index.re.denominator != 1 or not 2 <= index.re <= 1000:
        raise NoValue("a root of no whole index")
    n = index.re.numerator
    if not radicand.im and radicand.re < 0 and n % 2 == 1:
        positive = root(Value(-radicand.re, Fraction(0), radicand.exact), index)
        return Value(-positive.re, Fraction(0), positive.exact)
    if not radicand.im and radicand.exact:
        exact = exact_root(abs(radicand.re), n)
        if exact is not None and radicand.re >= 0:
            return Value(exact)
        if exact is not None and n == 2:
            return Value(Fraction(0), exact)
    return power(radicand, Value(Fraction(1, n)))


def require_real(value: Value) -> Fraction:
    if value.im:
        raise NoValue("a complex argument")
    return value.re


def require_whole(value: Value, limit: int) -> int:
    number = require_real(value)
    if number.denominator != 1 or not 0 <= number <= limit or not value.exact:
        raise NoValue("not a whole number within bounds")
    return number.numerator
