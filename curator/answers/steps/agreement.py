"""Decide whether the two sides of a written equation agree, as writers mean it.

In: two expressions. Out: `compare_sides(left, right)`: both values and how they agree, empty if
they do not. Exact values agree as `exact`; a numeral agrees with the value that it rounds or cuts
off (`rounded`); a percentage may stand for its number (`percent`).
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from curator.answers.compare.arithmetic import NoValue, Value, parse_fraction
from curator.answers.compare.decimals import FLOAT_DIGITS
from curator.answers.compare.evaluate import evaluate
from curator.answers.compare.separation import confirm_equal
from curator.answers.parse.grammar import Parser
from curator.answers.parse.tokens import Token as Symbol
from curator.answers.parse.tokens import Unreadable
from curator.answers.parse.tree import Node
from curator.answers.parse.units import Unit, parse_unit
from curator.answers.steps.expressions import Expression

_MONEY = (("money$", 1),)
FLOAT_NOISE = Fraction(1, 10**12)


class NotComputed(ValueError):
    """An expression has no value within the bounds."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The values of both sides and how they agree; `agreement` is empty if they do not."""

    left: Fraction
    right: Fraction
    agreement: str
    exact: tuple[bool, bool] = (True, True)
    """Whether each value is exact; an irrational one has 50 digits."""


def compute(symbols: Sequence[Symbol]) -> Fraction:
    """Return the value of an expression, with 50 digits if it is not rational.

    Raises NotComputed if it has none within the bounds.
    """
    return _compute(symbols)[0]


def _compute(symbols: Sequence[Symbol]) -> tuple[Fraction, bool]:
    """Return the value, and whether it is exact."""
    plain = _compute_plain(symbols) if len(symbols) < 20 else None
    if plain is not None:
        return plain, True
    value = _compute_or_explain(tuple(symbols))
    if isinstance(value, str):
        raise NotComputed(value)
    return value.re, value.exact


@lru_cache(maxsize=1_000)
def _compute_or_explain(symbols: tuple[Symbol, ...]) -> Value | str:
    """Return the value, or why it cannot be computed. Cached: texts repeat expressions."""
    try:
        value = evaluate(_parse(symbols))
    except (Unreadable, NoValue, RecursionError) as error:
        return str(error)
    return "a complex number" if value.im else value


def _compute_plain(symbols: Sequence[Symbol]) -> Fraction | None:
    """Return the value of short numbers with + - * / between them; None for all else.

    A shortcut: most expressions are of this kind, and the parser takes ten times as long.
    """
    total: int | Fraction = 0
    term: int | Fraction = 1
    operator = "*"
    for at, (kind, text, _) in enumerate(symbols):
        if at % 2:
            if kind != "op" or text not in ("+", "-", "*", "/"):
                return None
            operator = text
            continue
        if kind != "num" or len(text) > 30:
            return None
        number = int(text) if text.isdecimal() else parse_fraction(text)
        match operator:
            case "*":
                term *= number
            case "/" if number:
                term = Fraction(term) / number
            case "/":
                return None
            case _:
                total += term
                term = number if operator == "+" else -number
    return Fraction(total + term) if len(symbols) % 2 else None


def _parse(symbols: Sequence[Symbol]) -> Node:
    parser = Parser(list(symbols))
    node = parser.sum()
    parser.expect("end")
    return node


def compare_sides(left: Expression, right: Expression) -> Sides:
    """Compare the sides of an equation. Raises NotComputed if one of them has no value."""
    (first, exact_left), (second, exact_right) = _compute(left.symbols), _compute(right.symbols)
    exact = exact_left and exact_right
    if first == second and exact:
        return Sides(first, second, "exact")
    if not exact and _are_close(first, second):
        _prove_equal(left, right)
        return Sides(first, second, "exact", (exact_left, exact_right))
    symbols = [*left.symbols, *right.symbols]
    noisy = any("." in each.text and len(each.text) > FLOAT_DIGITS for each in symbols)
    agreement = _agree(first, second, right, noisy)
    if not agreement and any(
        _agree(a, b, right, noisy)
        for a in _readings(left, first)
        for b in [*_readings(right, second), *_share(right)]
    ):
        agreement = "another reading"
    if not agreement and first == second * _unit_ratio(left.words, right.words[:2]):
        agreement = "converted"
    return Sides(first, second, agreement, (exact_left, exact_right))


def _are_close(first: Fraction, second: Fraction) -> bool:
    return abs(first - second) * 10**30 <= max(abs(first), abs(second), Fraction(1))


def _prove_equal(left: Expression, right: Expression) -> None:
    """Prove that values which agree in 30 digits are equal, or raise NotComputed."""
    with suppress(NoValue, RecursionError):
        if confirm_equal(_parse(left.symbols), _parse(right.symbols)) == "equal":
            return
    raise NotComputed("values too close to distinguish")


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
    return 1 / factors.get(_MONEY, Fraction(1))  # 5 cents * 20 = $1


def _units(words: Sequence[str]) -> list[Unit]:
    """Return the units of time, length, weight, volume and money among words."""
    found = (parse_unit(word) for word in words if len(word) > 2)
    return [unit for unit in found if unit and unit.known and unit.dimensions]


def _agree(value: Fraction, stated: Fraction, right: Expression, noisy: bool) -> str:
    """Return how the value of the left side agrees with what the right side states."""
    if value == stated:
        return "exact"
    if noisy and abs(value - stated) <= FLOAT_NOISE * max(abs(value), abs(stated)):
        return "exact"
    return "rounded" if right.numeral and _is_rounding(value, stated, right.numeral) else ""


def _is_rounding(value: Fraction, stated: Fraction, numeral: str) -> bool:
    """Return whether a numeral is a value rounded at its last place, or a decimal cut off there."""
    decimals = len(numeral.partition(".")[2])
    # a percentage is a hundredth of its numeral, and so is its last place
    scale = stated / parse_fraction(numeral.lstrip("-")) if stated else Fraction(0)
    place = abs(scale) / 10**decimals
    gap = abs(value - stated)
    if gap >= place:
        return False
    return gap * 2 <= place or (decimals > 0 and abs(value) > abs(stated))


def _readings(side: Expression, value: Fraction) -> list[Fraction]:
    """Return the values of a side as writers may mean it.

    `50%` is a half, but 50 as a result, as in `1/2 * 100% = 50`. `$50 + 10%` is $55. `6 / 1/2` is 6
    divided by a half, which the blanks show. Pi may be 3.14.
    """
    found = [value]
    for read in (_without_percent, _with_changed_percent, _with_tight_fractions, _with_short_pi):
        symbols = read(side.symbols)
        if symbols != side.symbols:
            with suppress(NotComputed):
                found.append(compute(symbols))
    return found


def _share(right: Expression) -> list[Fraction]:
    """Return the 15% (or 15) of a result such as `45/300 = 15% of $300`."""
    symbols = right.symbols[: right.share_end]
    with suppress(NotComputed):
        return [compute(symbols), compute(_without_percent(symbols))] if symbols else []
    return []


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


def _with_short_pi(symbols: list[Symbol]) -> list[Symbol]:
    return [Symbol("num", "3.14", each.gap) if each.text == r"\pi" else each for each in symbols]


def to_numeral(value: Fraction) -> str:
    """Return a value as a whole number, a decimal if it is short, or a fraction."""
    decimals = next((n for n in range(9) if 10**n % value.denominator == 0), None)
    if decimals is None:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(value.numerator) * 10**decimals // value.denominator).zfill(decimals + 1)
    sign = "-" if value < 0 else ""
    return sign + (f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits)


def describe(value: Fraction) -> str:
    """Return a value for people: as a numeral, or about its value if that is long."""
    if max(abs(value.numerator), value.denominator) < 10**12:
        text = to_numeral(value)
        return text if len(text) <= 20 else f"about {float(value):.6g}"
    near = Fraction(1, 10**300) < abs(value) < 10**300
    return f"about {float(value):.6g}" if near else "too long to show"
