"""Compare formulas with variables by their values at fixed points.

In: two expressions, equations or inequalities. Out: an outcome with its rule, or None where they
have no value here. The points have all combinations of signs and several magnitudes, and lie at and
around the numbers of the formulas, so that `|x + 100|` and `x + 100` differ at one of them.
Variables of exponents, factorials and binomials (`n`, `k`, `m`) are whole numbers. A point where
one formula is not real is left out: `ln(ab)` and `ln a + ln b` are equal.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from hashlib import sha256
from itertools import islice, product

from curator.answers.compare.arithmetic import NotReal, NoValue, Value
from curator.answers.compare.decimals import Outcome
from curator.answers.compare.evaluate import evaluate
from curator.answers.compare.scalars import Result, compare_values, has_float, variables
from curator.answers.parse.tree import Node, count_nodes

Point = dict[str, Fraction]

MAX_VARIABLES = 12
MIN_POINTS = 3
"""Minimum number of points at which both formulas are real."""
_GENERIC = 4
_MIN_TESTED = 12
_MAX_STEPS = 20_000
"""Maximum number of operations at all points together, above `_MIN_TESTED` points."""
_MAX_SIGNS = 3
_MAX_CONSTANTS = 4
_EXTREME = 10**15
_WHOLE = frozenset("nkmNKM")
_PIECEWISE = frozenset(("abs", "floor", "ceil", "max", "min", "sign", "sgn"))


def compare_expressions(a: Node, b: Node) -> Result | None:
    """Compare two expressions of which at least one has variables."""
    if len(variables(a) | variables(b)) > MAX_VARIABLES:
        return None
    noisy = has_float(a) or has_float(b)
    exact = True

    def test(point: Point, real: bool) -> Outcome | None:
        nonlocal exact
        sides: list[Value | None] = []
        for node in (a, b):
            try:
                sides.append(evaluate(node, point, real))
            except NotReal:
                sides.append(None)
        x, y = sides
        if x is None and y is None:
            raise NotReal("neither side is real")
        if x is None or y is None:
            return None
        exact &= x.exact and y.exact
        return compare_values(x, y, noisy)[0]

    result = _compare_at_points((a, b), test)
    if result is None:
        return None
    if result[0] == "equal" and not exact and any(_is_extreme(x) for x in _constants(a, b)):
        return "undecided", "too close"
    if result[0] != "different":
        return result
    if variables(a) != variables(b):
        return "undecided", "other variables"
    return ("undecided", "decimals in a formula") if _has_decimal(a) or _has_decimal(b) else result


def compare_equations(a: Node, b: Node) -> Result | None:
    """Compare two equations: equal if the differences of their sides are proportional."""
    return _compare_proportional(a, b, "equation")


def compare_inequalities(a: Node, b: Node) -> Result | None:
    """Compare two inequalities of the same sign, proportional by a positive factor."""
    return _compare_proportional(a, b, "inequality")


def _compare_proportional(a: Node, b: Node, kind: str) -> Result | None:
    unknowns = variables(a) | variables(b)
    if len(a.args) != 2 or len(b.args) != 2 or not unknowns or len(unknowns) > MAX_VARIABLES:
        return None
    first = {name: _generic(name, 97) for name in unknowns}

    def test(point: Point, real: bool) -> Outcome | None:
        p, q, r, s = (_difference(relation, at) for at in (point, first) for relation in (a, b))
        left = Value(p.re * s.re - p.im * s.im, p.re * s.im + p.im * s.re, p.exact and s.exact)
        right = Value(q.re * r.re - q.im * r.im, q.re * r.im + q.im * r.re, q.exact and r.exact)
        if not (q.re or q.im) or not (r.re or r.im):
            raise NoValue("an equation that holds at a point by chance or always")
        if kind == "inequality" and (p.im or q.im or (p.re > 0) != (q.re > 0)):
            return "different"
        return compare_values(left, right)[0]

    result = _compare_at_points((a, b), test)
    if result is None or result[0] != "different":
        return result
    return ("undecided", f"other {kind}") if variables(a) != variables(b) else result


def _difference(relation: Node, point: Point) -> Value:
    left, right = relation.args
    return evaluate(Node("+", (left, Node("neg", (right,)))), point)


def _compare_at_points(
    nodes: tuple[Node, Node], test: Callable[[Point, bool], Outcome | None]
) -> Result | None:
    """Run a test at all points: equal if equal at all, different if different at a positive one.

    The test returns None where only one formula is real, and raises NoValue where neither has a
    value. If the formulas are real nowhere, they are compared as complex numbers.
    """
    limit = max(_MIN_TESTED, _MAX_STEPS // sum(map(count_nodes, nodes)))
    complex_ = any(_has(node, lambda n: n.op == "const" and n.text == "i") for node in nodes)
    for real in (False,) if complex_ else (True, False):
        outcomes: list[Outcome] = []
        half_real = 0
        for point in islice(_points(nodes), limit):
            try:
                outcome = test(point, real)
            except NoValue:
                continue
            if outcome is None:
                half_real += 1
                continue
            if outcome == "different" and all(number > 0 for number in point.values()):
                return "different", "points"
            outcomes.append(outcome)
        if outcomes or half_real:
            break
    if not outcomes:
        return ("undecided", "points") if half_real else None
    piecewise = half_real and any(_has(node, _is_piecewise) for node in nodes)
    if len(outcomes) < MIN_POINTS or piecewise or any(one != "equal" for one in outcomes):
        return "undecided", "points"
    return "equal", "points"


def _points(nodes: tuple[Node, Node]) -> Iterator[Point]:
    """Yield the points at which two formulas are compared, generic positive ones first."""
    unknowns = sorted(variables(nodes[0]) | variables(nodes[1]))
    whole = _whole_variables(nodes)
    free = [name for name in unknowns if name not in whole and not name.endswith("(")]

    def base(index: int) -> Point:
        """Return a positive point; unknown functions have another value at each."""
        return {n: (_whole_number if n in whole else _generic)(n, index) for n in unknowns}

    count = 3 * _GENERIC if whole else _GENERIC
    yield from map(base, range(count))
    constants = [abs(number) for number in _constants(*nodes) if number][:_MAX_CONSTANTS]
    scale = max([Fraction(10**6), *(10 * number for number in constants)])
    for step, (signs, factor) in enumerate(
        product(_signs(len(free)), (Fraction(1), Fraction(1, 5), scale))
    ):
        point = base(count + step)
        yield point | {n: s * factor * point[n] for n, s in zip(free, signs, strict=True)}
    for number in constants:
        for value in (number, -number, number + Fraction(1, 2), Fraction(-1, 2) - number):
            yield base(1) | dict.fromkeys(free, value)
    for integer in (1, -1, 2, -3):
        yield base(2) | {n: Fraction(integer + 2 * i) for i, n in enumerate(free)}


def _signs(count: int) -> list[tuple[int, ...]]:
    if count <= _MAX_SIGNS:
        return list(product((1, -1), repeat=count))
    patterns = product((1, -1), repeat=_MAX_SIGNS)
    return [tuple(signs[i % _MAX_SIGNS] for i in range(count)) for signs in patterns]


def _generic(name: str, index: int) -> Fraction:
    """Return a fixed positive rational value for a variable, between 1/2 and 4.5."""
    seed = sha256(f"{name}:{index}".encode()).digest()
    below = 2 * (seed[2] % 44) + 11
    return Fraction(1, 2) + Fraction(1 + int.from_bytes(seed[:2], "big") % (4 * below), below)


def _whole_number(name: str, index: int) -> Fraction:
    """Return a whole value: the numbers 1 to 13 in an order that depends on the name, then more."""
    seed = sha256(name.encode()).digest()
    cycle, step = divmod(index, 13)[0], 1 + seed[0] % 12
    return Fraction(1 + (index * step + seed[1]) % 13 + 6 * cycle)


def _has(node: Node, condition: Callable[[Node], bool]) -> bool:
    return condition(node) or any(_has(arg, condition) for arg in node.args)


def _is_piecewise(node: Node) -> bool:
    return node.op == "call" and node.text in _PIECEWISE


def _whole_variables(nodes: tuple[Node, Node]) -> frozenset[str]:
    """Return the variables that stand for whole numbers: those of n!, binomials, (-1)^n."""
    found: set[str] = set()

    def visit(node: Node) -> None:
        if node.op == "fact" or (node.op == "call" and node.text in ("binomial", "gcd", "lcm")):
            found.update(variables(node))
        if node.op == "series":
            found.update(variables(node.args[2]) | variables(node.args[3]))
        if node.op == "^":
            found.update(variables(node.args[1]) & _WHOLE)
        for arg in node.args:
            visit(arg)

    for node in nodes:
        visit(node)
    return frozenset(found)


def _constants(*nodes: Node) -> list[Fraction]:
    """Return the numbers and powers of numbers in formulas."""
    found: dict[Fraction, None] = {}

    def visit(node: Node) -> None:
        if node.op == "num" or (node.op == "^" and not variables(node)):
            try:
                found[evaluate(node).re] = None
            except NoValue:
                return
        for arg in node.args:
            visit(arg)

    for node in nodes:
        visit(node)
    return list(found)


def _is_extreme(number: Fraction) -> bool:
    """Return whether a number is so large or small that 30 digits may not show a difference."""
    return number != 0 and not Fraction(1, _EXTREME) < abs(number) < _EXTREME


def _has_decimal(node: Node) -> bool:
    return _has(node, lambda n: n.op == "num" and not n.text.isdigit())
