"""Compare the values of two expressions without variables.

In: two trees that are not lists or relations. Out: an outcome with its rule, or None where they
have no value here. They are compared by exact value, by 30 of 50 digits (which `separation` then
confirms with as many digits as it takes), or by the decimal rule of `decimals`.
"""

from fractions import Fraction

from curator.answers.compare.arithmetic import NoValue, TooLarge, Value
from curator.answers.compare.decimals import (
    FLOAT_DIGITS,
    FLOAT_NOISE,
    Outcome,
    PreciseNumber,
    compare_decimals,
    parse_numeral,
)
from curator.answers.compare.evaluate import evaluate
from curator.answers.compare.separation import confirm_equal
from curator.answers.parse.tree import Node

Result = tuple[Outcome, str]

_CLOSE = Fraction(1, 10**30)
_FAR = Fraction(1, 10**20)
_TINY = Fraction(1, 10**30)


def parse_number(node: Node) -> PreciseNumber | None:
    """Return a number as written, with sign, percent sign and precision; None for other nodes."""
    if node.op == "num":
        return parse_numeral(node.text)
    if node.op == "neg":
        inner = parse_number(node.args[0])
        return inner.times(Fraction(-1)) if inner else None
    if node.op == "percent":
        inner = parse_number(node.args[0])
        if inner and not inner.place and node.args[0].text.isdigit():
            # 33% is a decimal of two digits, like 0.33
            digits = len(node.args[0].text.lstrip("0"))
            inner = PreciseNumber(inner.number, digits, Fraction(1), exact=False)
        return inner.times(Fraction(1, 100)) if inner else None
    if node.op == "*" and len(node.args) == 2 and node.args[1].op == "^":
        mantissa, (base, exponent) = node.args[0], node.args[1].args
        negative = exponent.op == "neg"
        size = exponent.args[0] if negative else exponent
        plain = mantissa.op == size.op == "num" and "e" not in mantissa.text.lower()
        if plain and base.text == "10" and size.text.isdigit() and len(size.text) < 6:
            return parse_numeral(f"{mantissa.text}e{'-' if negative else ''}{size.text}")
    return None


def variables(node: Node) -> frozenset[str]:
    """Return the variables of an expression; `f(` stands for an unknown function f."""
    if node.op == "name":
        return frozenset((node.text,))
    if node.op == "series":
        body, index, low, high = map(variables, node.args)
        return (body - index) | low | high
    if node.op == "apply":
        return frozenset((f"{node.text}(",)).union(*map(variables, node.args))
    return frozenset().union(*map(variables, node.args)) if node.args else frozenset()


def compare_values(a: Value, b: Value, noisy: bool = False) -> Result:
    """Compare exact values by identity and rounded ones by 30 of their 50 digits.

    `noisy` means that one of them was computed from printed floats: then 9 digits are enough.
    """
    gap = abs(a.re - b.re) + abs(a.im - b.im)
    if (a.exact and b.exact and not noisy) or not gap:
        return ("different" if gap else "equal"), "value"
    size = max(abs(a.re) + abs(a.im), abs(b.re) + abs(b.im))
    if size < _TINY:
        return "undecided", "too small"
    if gap <= _CLOSE * size:
        return "equal", "value"
    if noisy and gap <= FLOAT_NOISE * size:
        return "equal", "float noise"
    return ("different", "value") if gap > _FAR * size else ("undecided", "too close")


def is_infinite(node: Node) -> bool:
    """Return whether a node is infinity or minus infinity."""
    return node.text == "inf" or (node.op == "neg" and node.args[0].text == "inf")


def compare_scalars(a: Node, b: Node, ratio: Fraction = Fraction(1)) -> Result | None:
    """Compare two expressions without variables; `ratio` is the size of a's unit in units of b."""
    if is_infinite(a) or is_infinite(b):
        return "different", "infinity"
    try:
        x, y = parse_number(a), parse_number(b)
        if x is not None and y is not None:
            return compare_decimals(x.times(ratio), y, ratio != 1)
        u, v = evaluate(a), evaluate(b)
    except TooLarge:
        return "undecided", "too large"
    except NoValue:
        return None
    u = Value(u.re * ratio, u.im * ratio, u.exact)
    result = compare_values(u, v, has_float(a) or has_float(b))
    if result[0] != "equal" and not (x is None and y is None) and not (u.im or v.im):
        rounded = compare_decimals(
            x.times(ratio) if x else PreciseNumber(u.re), y or PreciseNumber(v.re), ratio != 1
        )
        # other values are known to 50 digits: only a decimal can be a rounding
        result = rounded if (x and x.place) or (y and y.place) else result
    if result == ("equal", "value") and not (u.exact and v.exact):
        try:
            return (confirm_equal(a, b, ratio), "value")
        except NoValue:
            return "undecided", "too close"
    if result[0] == "different" and (u.im or v.im) and _are_equal_reals(a, b, ratio):
        return "equal", "real root"
    if result[0] == "different" and _is_ambiguous(a, b):
        return "undecided", "two readings"
    return result


def _are_equal_reals(a: Node, b: Node, ratio: Fraction) -> bool:
    """Return whether two values are equal over the real numbers, where (-8)^(1/3) is -2."""
    try:
        u, v = evaluate(a, real=True), evaluate(b, real=True)
    except NoValue:
        return False
    return compare_values(Value(u.re * ratio, u.im * ratio, u.exact), v)[0] == "equal"


_CIRCULAR = frozenset(("sin", "cos", "tan", "sec", "csc", "cot"))


def _is_ambiguous(*nodes: Node) -> bool:
    """Return whether a logarithm has no base (10 or e) or an angle has no unit (`cos 60`)."""
    for node in nodes:
        if node.op == "call" and len(node.args) == 1:
            if node.text == "log":
                return True
            if node.text in _CIRCULAR and node.args[0].op == "num":
                return True
        if _is_ambiguous(*node.args):
            return True
    return False


def has_float(node: Node) -> bool:
    """Return whether a formula contains a float as programs print it: `0.541666666666667*x`."""
    if node.op == "num":
        return "." in node.text and len(node.text.lstrip("0.")) >= FLOAT_DIGITS
    return any(map(has_float, node.args))
