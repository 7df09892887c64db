"""Compare the values of two expressions, with or without variables.

In: two trees that are not lists or relations (or two equations). Out: an outcome with its rule, or
None where they have no value here. Without variables: by exact value, by 30 of 50 digits, or by the
decimal rule of `decimals`. With variables: by their values at `POINTS` fixed points, half of them
positive.
"""

from collections.abc import Callable
from fractions import Fraction
from hashlib import sha256

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
from curator.answers.parse.tree import Node

Result = tuple[Outcome, str]

POINTS = 6
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
    """Return the variables of an expression."""
    if node.op == "name":
        return frozenset((node.text,))
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
    if result[0] == "different" and _is_ambiguous(a, b):
        return "undecided", "two readings"
    return result


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


def _point(name: str, index: int) -> Fraction:
    """Return a fixed rational value for a variable; the first half of the points is positive."""
    seed = sha256(f"{name}:{index}".encode()).digest()
    number = Fraction(int.from_bytes(seed[:2], "big") % 997 + 2, seed[2] % 89 + 7)
    return number if index * 2 < POINTS else -number


def _compare_at_points(
    unknowns: frozenset[str], test: Callable[[dict[str, Fraction]], Outcome]
) -> Result | None:
    """Run a test at all points: equal if equal at all, different if different at a positive one."""
    outcomes: list[tuple[bool, Outcome]] = []
    for index in range(POINTS):
        point = {name: _point(name, index) for name in unknowns}
        try:
            outcomes.append((index * 2 < POINTS, test(point)))
        except NoValue:
            continue
    if not outcomes:
        return None
    if any(outcome == "different" for positive, outcome in outcomes if positive):
        return "different", "points"
    if any(outcome != "equal" for _, outcome in outcomes) or len(outcomes) * 2 < POINTS:
        return "undecided", "points"
    return "equal", "points"


def has_float(node: Node) -> bool:
    """Return whether a formula contains a float as programs print it: `0.541666666666667*x`."""
    if node.op == "num":
        return "." in node.text and len(node.text.lstrip("0.")) >= FLOAT_DIGITS
    return any(map(has_float, node.args))


def _has_decimal(node: Node) -> bool:
    if node.op == "num":
        return not node.text.isdigit()
    return any(map(_has_decimal, node.args))


def compare_expressions(a: Node, b: Node) -> Result | None:
    """Compare two expressions of which at least one has variables."""
    unknowns = variables(a) | variables(b)
    if len(unknowns) > 12:
        return None
    noisy = has_float(a) or has_float(b)

    def test(point: dict[str, Fraction]) -> Outcome:
        return compare_values(evaluate(a, point), evaluate(b, point), noisy)[0]

    result = _compare_at_points(unknowns, test)
    if result is None or result[0] != "different":
        return result
    if variables(a) != variables(b):
        return "undecided", "other variables"
    return ("undecided", "decimals in a formula") if _has_decimal(a) or _has_decimal(b) else result


def _difference(relation: Node, point: dict[str, Fraction]) -> Value:
    left, right = relation.args
    return evaluate(Node("+", (left, Node("neg", (right,)))), point)


def compare_equations(a: Node, b: Node) -> Result | None:
    unknowns = variables(a) | variables(b)
    if len(a.args) != 2 or len(b.args) != 2 or not unknowns or len(unknowns) > 12:
        return None
    first = {name: _point(name, POINTS + 1) for name in unknowns}

    def test(point: dict[str, Fraction]) -> Outcome:
        p, q, r, s = (_difference(relation, at) for at in (point, first) for relation in (a, b))
        left = Value(p.re * s.re - p.im * s.im, p.re * s.im + p.im * s.re, p.exact and s.exact)
        right = Value(q.re * r.re - q.im * r.im, q.re * r.im + q.im * r.re, q.exact and r.exact)
        if not (q.re or q.im) or not (r.re or r.im):
            raise NoValue("an equation that holds at a point by chance or always")
        return compare_values(left, right)[0]

    result = _compare_at_points(unknowns, test)
    if result is None or result[0] != "different":
        return result
    return ("undecided", "other equation") if variables(a) != variables(b) else result
