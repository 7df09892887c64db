r"""Write exact numbers in other notations: decimals, repeating decimals, words, powers of ten.

In: a `Fraction`. Out: texts; empty where a notation does not exist or would be too long.
"""

from fractions import Fraction

MAX_DECIMALS = 8
MAX_PERIOD = 6

_SMALL_WORDS = """zero one two three four five six seven eight nine ten eleven twelve thirteen
fourteen fifteen sixteen seventeen eighteen nineteen"""
_TENS_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL, _TENS = _SMALL_WORDS.split(), _TENS_WORDS.split()


def decimal(value: Fraction) -> str:
    """Return a terminating decimal of at most `MAX_DECIMALS` places."""
    for places in range(MAX_DECIMALS + 1):
        shifted = value * 10**places
        if shifted.denominator == 1:
            digits = str(abs(shifted.numerator)).rjust(places + 1, "0")
            sign = "-" if value < 0 else ""
            return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)
    return ""


def repeating(value: Fraction) -> str:
    r"""Return a decimal that repeats from its first place: `0.\overline{3}`, `-1.\overline{6}`."""
    size = abs(value)
    whole, rest = divmod(size.numerator, size.denominator)
    for period in range(1, MAX_PERIOD + 1):
        block = Fraction(rest, size.denominator) * (10**period - 1)
        if rest and block.denominator == 1:
            digits = str(block.numerator).rjust(period, "0")
            return rf"{'-' if value < 0 else ''}{whole}.\overline{{{digits}}}"
    return ""


def scientific(value: Fraction) -> tuple[str, int] | None:
    """Return mantissa and exponent of a number of at least 100 or below a tenth, else None."""
    text = decimal(abs(value))
    if not text or not value or Fraction(1, 10) <= abs(value) < 100:
        return None
    whole, _, places = text.partition(".")
    digits = (whole + places).lstrip("0")
    exponent = len(digits) - 1 - len(places)
    tail = digits[1:].rstrip("0")
    mantissa = digits[0] + (f".{tail}" if tail else "")
    return ("-" if value < 0 else "") + mantissa, exponent


def words(value: int) -> str:
    """Return a whole number below a million in words; empty for any other."""
    if not 0 <= value < 1_000_000:
        return ""
    if value >= 1000:
        rest = words(value % 1000) if value % 1000 else ""
        return f"{words(value // 1000)} thousand {rest}".strip()
    if value >= 100:
        rest = words(value % 100) if value % 100 else ""
        return f"{_SMALL[value // 100]} hundred {rest}".strip()
    if value >= 20:
        tail = f"-{_SMALL[value % 10]}" if value % 10 else ""
        return _TENS[value // 10 - 2] + tail
    return _SMALL[value]


def prime_factors(value: int) -> list[tuple[int, int]]:
    """Return primes with their powers; empty for 0, 1, primes, and numbers over a million."""
    found: list[tuple[int, int]] = []
    rest, prime = value, 2
    while 1 < value <= 10**6 and prime * prime <= rest:
        power = 0
        while rest % prime == 0:
            rest, power = rest // prime, power + 1
        if power:
            found.append((prime, power))
        prime += 1
    if not found or found == [(value, 1)]:
        return []
    return [*found, (rest, 1)] if rest > 1 else found


def grouped(value: int, separator: str) -> str:
    """Return a whole number of four digits or more in groups of three; empty for a smaller one."""
    return f"{value:,}".replace(",", separator) if abs(value) >= 1000 else ""
