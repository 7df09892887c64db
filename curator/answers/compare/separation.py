"""Decide whether two values that agree in 30 digits are equal, with as many digits as it takes.

In: two formulas without variables. Out: an outcome. For roots and fractions, the number of digits
follows from a root bound (Burnikel, Fleischer, Mehlhorn, Schirra: A strong and easily computable
separation bound for arithmetic expressions involving radicals), so that `equal` is a proof:
sqrt(10^40 + 1) is not 10^20. For other functions it follows from the size of the numbers, without
proof. Values that need more than `MAX_DIGITS` digits are undecided.
"""

from fractions import Fraction
from math import log2

from curator.answers.compare.arithmetic import NoValue, Value, precision
from curator.answers.compare.decimals import Outcome
from curator.answers.compare.evaluate import evaluate
from curator.answers.parse.tree import Node, count_nodes

MAX_DIGITS = 2_500
_MAX_WORK = 400_000
"""Maximum number of digits times the number of operations."""
_KNOWN_DIGITS = 28
_BITS_PER_DIGIT = 3.3219
_MAX_DEGREE = 2**10
_SPARE_DIGITS = 30
_TRANSCENDENTAL_DIGITS = 150
_GROWING = frozenset(("exp", "sinh", "cosh", "tanh"))


class _NotAlgebraic(NoValue):
    """The formula has functions that no root bound covers."""


def confirm_equal(a: Node, b: Node, ratio: Fraction = Fraction(1)) -> Outcome:
    """Return equal if a times `ratio` and b, which agree in 30 digits, are equal."""
    try:
        digits = _separation_digits(a, b, ratio)
    except _NotAlgebraic:
        digits = _TRANSCENDENTAL_DIGITS + 2 * _digits_of(a) + 2 * _digits_of(b)
    if digits <= _KNOWN_DIGITS:
        return "equal"
    if digits > MAX_DIGITS or digits * (count_nodes(a) + count_nodes(b)) > _MAX_WORK:
        return "undecided"
    with precision(int(digits) + _SPARE_DIGITS):
        x, y = evaluate(a), evaluate(b)
    x = Value(x.re * ratio, x.im * ratio, x.exact)
    gap = abs(x.re - y.re) + abs(x.im - y.im)
    size = max(abs(x.re) + abs(x.im), abs(y.re) + abs(y.im))
    return "equal" if gap * 10 ** (int(digits) + _SPARE_DIGITS // 2) <= size else "undecided"


def _separation_digits(a: Node, b: Node, ratio: Fraction) -> float:
    """Return the number of digits of two values after which they are equal if they agree."""
    degrees: dict[Node, int] = {}
    top_a, bottom_a = _bound(a, degrees)
    top_b, bottom_b = _bound(b, degrees)
    top_a, bottom_a = top_a + log2(ratio.numerator or 1), bottom_a + log2(ratio.denominator)
    top = max(top_a + bottom_b, top_b + bottom_a) + 1
    degree = 1
    for one in degrees.values():
        degree *= one
    if degree > _MAX_DEGREE:
        raise _NotAlgebraic("too many roots")
    bits = (degree - 1) * top + bottom_a + bottom_b
    return (bits + max(top_a, top_b, 0)) / _BITS_PER_DIGIT


def _bound(node: Node, degrees: dict[Node, int]) -> tuple[float, float]:
    """Return the logarithms of u and l of the root bound; add the roots to `degrees`."""
    match node.op:
        case "neg":
            return _bound(node.args[0], degrees)
        case "percent":
            top, bottom = _bound(node.args[0], degrees)
            return top, bottom + log2(100)
        case "const" if node.text == "i":
            degrees[node] = 2
            return 0.0, 0.0
        case "+":
            top, bottom = _bound(node.args[0], degrees)
            for arg in node.args[1:]:
                next_top, next_bottom = _bound(arg, degrees)
                top = max(top + next_bottom, next_top + bottom) + 1
                bottom += next_bottom
            return top, bottom
        case "*":
            bounds = [_bound(arg, degrees) for arg in node.args]
            return sum(top for top, _ in bounds), sum(bottom for _, bottom in bounds)
        case "/":
            (top, bottom), (next_top, next_bottom) = (_bound(arg, degrees) for arg in node.args)
            return top + next_bottom, bottom + next_top
        case "^":
            return _power_bound(node, degrees)
        case "call" if node.text in ("sqrt", "cbrt", "root"):
            index = {"sqrt": 2, "cbrt": 3}.get(node.text) or _whole(node.args[1])
            return _root_bound(node, index, _bound(node.args[0], degrees), degrees)
        case _:
            number = evaluate(node)
            if not number.exact or number.im:
                raise _NotAlgebraic(node.op)
            return log2(abs(number.re.numerator) or 1), log2(number.re.denominator)


def _whole(node: Node) -> int:
    number = evaluate(node)
    if not number.exact or number.im or number.re.denominator != 1 or number.re < 2:
        raise _NotAlgebraic("a root of no whole index")
    return number.re.numerator


def _power_bound(node: Node, degrees: dict[Node, int]) -> tuple[float, float]:
    base, exponent = node.args[0], evaluate(node.args[1])
    if not exponent.exact or exponent.im:
        raise _NotAlgebraic("a power that is not rational")
    top, bottom = _bound(base, degrees)
    if exponent.re.denominator > 1:
        index = exponent.re.denominator
        top, bottom = _root_bound(Node("root", (base,), str(index)), index, (top, bottom), degrees)
    times = abs(exponent.re.numerator)
    top, bottom = top * times, bottom * times
    return (bottom, top) if exponent.re < 0 else (top, bottom)


def _root_bound(
    node: Node, index: int, bound: tuple[float, float], degrees: dict[Node, int]
) -> tuple[float, float]:
    degrees[node] = index
    top, bottom = bound
    if top >= bottom:
        return (top + (index - 1) * bottom) / index, bottom
    return top, ((index - 1) * top + bottom) / index


def _digits_of(node: Node) -> int:
    """Return about how many digits the numbers of a formula have together."""
    digits = sum(_digits_of(arg) for arg in node.args)
    if node.op == "num":
        number = evaluate(node).re
        digits += (number.numerator.bit_length() + number.denominator.bit_length()) // 3
    elif node.op == "^" or (node.op == "call" and node.text in _GROWING):
        value = evaluate(node if node.op == "^" else node.args[0]).re
        size = abs(value.numerator.bit_length() - value.denominator.bit_length()) // 3
        digits += size if node.op == "^" else min(int(abs(value)), 10 * MAX_DIGITS)
    return digits
