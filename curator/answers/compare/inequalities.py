"""Solve inequalities in one variable: `2x > 6`, `|x| < 3`, `x^2 <= 9`, `x < 1 or x > 3`.

In: a tree. Out: `solve_inequality(node)`, a membership (`2x > 6` is x in (3, inf)); other trees as
they are. Inequalities whose sides are polynomials of degree 2 at most with rational coefficients,
and moduli of such, are solved exactly: their signs change only at roots of these polynomials, so
one test between two neighbouring roots is enough.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise, product

from curator.answers.compare.arithmetic import NoValue
from curator.answers.compare.evaluate import evaluate
from curator.answers.compare.scalars import variables
from curator.answers.compare.sets import INFINITY, MINUS_INFINITY, Piece, position, to_interval
from curator.answers.parse.tree import Node

_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "!=": "!="}
_MAX_CONDITIONS = 6
_MAX_MODULI = 2
_MAX_DEGREE = 4
_ZERO = Fraction(1, 10**30)


def solve_inequality(node: Node) -> Node:
    """Turn an inequality, or several joined by `and`, `or` or commas, into a membership.

    Commas mean `and` where the inequalities have a common solution, otherwise `or`.
    """
    if node.op == "items" and 2 <= len(node.args) <= _MAX_CONDITIONS:
        if any(arg.op != "rel" for arg in node.args):
            return node
        node = Node("items", tuple(map(_read_interval, node.args)), node.text)
        for mode in (node.text,) if node.text else ("and", "or"):
            solution = _solve_exactly(node.args, mode)
            if solution is not None and (solution.args or node.text):
                return solution
        return _solve_pair(node) if len(node.args) == 2 else node
    if node.op != "rel":
        return node
    solution = _solve_for_name(node)
    return solution or _solve_exactly((node,), "and") or node


def _read_interval(relation: Node) -> Node:
    """Return `x in (1, 2)` or `x in [1, 2]` with an interval in place of the pair."""
    members = relation.args[-1]
    brackets = {"tuple": "()", "list": "[]"}.get(members.op)
    if relation.text != "in" or brackets is None or len(members.args) != 2:
        return relation
    interval = Node("interval", members.args, brackets)
    return Node("rel", (*relation.args[:-1], interval), "in")


def _solve_for_name(node: Node) -> Node | None:
    """Solve `x < 5` and `5 >= x`, where the bound may have other variables."""
    if node.text not in _FLIPPED or len(node.args) != 2:
        return None
    (name, end), sign = node.args, node.text
    if name.op != "name":
        name, end, sign = end, name, _FLIPPED[sign]
    if name.op != "name" or name.text in variables(end):
        return None
    if variables(end) and node.args[0].op != "name":
        return None
    below, above = (MINUS_INFINITY, end), (end, INFINITY)
    if sign == "!=":
        result = Node("union", (Node("interval", below, "()"), Node("interval", above, "()")))
    elif sign[0] == "<":
        result = Node("interval", below, "(" + ("]" if "=" in sign else ")"))
    else:
        result = Node("interval", above, ("[" if "=" in sign else "(") + ")")
    return Node("rel", (name, result), "in")


def _solve_pair(node: Node) -> Node:
    """Intersect or unite two inequalities in one variable whose bounds are no numbers."""
    parts = [solve_inequality(part) for part in node.args]
    if not all(part.op == "rel" and part.text == "in" for part in parts):
        return node
    heads, sets = zip(*(part.args for part in parts), strict=True)
    if heads[0] != heads[1] or any(one.op != "interval" for one in sets):
        return node
    united = Node("rel", (heads[0], Node("union", sets)), "in")
    if node.text == "or":
        return united
    a, b = (Piece(one.args[0], one.args[1], one.text) for one in sets)
    try:
        low = max((a, b), key=lambda piece: (position(piece.low), piece.brackets[0] == "("))
        high = min((a, b), key=lambda piece: (position(piece.high), piece.brackets[1] == "]"))
        empty = position(low.low) >= position(high.high)
    except NoValue:
        return node
    if empty:
        return node if node.text == "and" else united
    inside = Piece(low.low, high.high, low.brackets[0] + high.brackets[1])
    return Node("rel", (heads[0], to_interval(inside)), "in")


def _conditions(relation: Node) -> list[tuple[Node, str, Node]] | None:
    """Return a relation as inequalities of two sides; None if it is another relation."""
    if relation.text in _FLIPPED:
        return [(x, relation.text, y) for x, y in pairwise(relation.args)]
    head, members = relation.args[0], relation.args[-1]
    if relation.text != "in" or members.op != "interval":
        return None
    brackets = members.text
    low = (head, ">=" if brackets[0] == "[" else ">", members.args[0])
    high = (head, "<=" if brackets[1] == "]" else "<", members.args[1])
    return [low, high]


def _solve_exactly(relations: Sequence[Node], mode: str) -> Node | None:
    """Return the membership in the set where all (`and`) or any (`or`) of the relations hold."""
    parts = [_conditions(relation) for relation in relations]
    if any(part is None for part in parts):
        return None
    groups = [part for part in parts if part is not None]
    names = frozenset().union(*(variables(x) | variables(y) for g in groups for x, _, y in g))
    if len(names) != 1 or any(name.endswith("(") for name in names):
        return None
    (name,) = names
    if len(relations) == 1 and relations[0].text == "in" and relations[0].args[0].op == "name":
        return None  # solved already
    try:
        roots: dict[Fraction, Node] = {}
        for left, _, right in (condition for group in groups for condition in group):
            roots |= _roots(Node("+", (left, Node("neg", (right,)))), name)
        ends = sorted(roots)

        def holds(number: Fraction) -> bool:
            results = (all(_is_true(c, name, number) for c in group) for group in groups)
            return all(results) if mode == "and" else any(results)

        pieces = _pieces(ends, roots, holds)
    except NoValue:
        return None
    if not pieces:
        return Node("set")
    sets = [to_interval(p) if p.low != p.high else Node("set", (p.low,)) for p in pieces]
    result = sets[0] if len(sets) == 1 else Node("union", tuple(sets))
    return Node("rel", (Node("name", (), name), result), "in")


def _pieces(
    ends: Sequence[Fraction], roots: Mapping[Fraction, Node], holds: Callable[[Fraction], bool]
) -> list[Piece]:
    """Return the intervals and points on which a condition holds that changes only at `ends`."""
    if not ends:
        return [Piece(MINUS_INFINITY, INFINITY, "()")] if holds(Fraction(0)) else []
    gaps = [ends[0] - 1, *((x + y) / 2 for x, y in pairwise(ends)), ends[-1] + 1]
    borders = [MINUS_INFINITY, *(roots[end] for end in ends), INFINITY]
    at_ends = [False, *(holds(end) for end in ends), False]
    pieces: list[Piece] = []
    low: tuple[Node, str] | None = None
    for index, gap in enumerate(gaps):
        inside = holds(gap)
        if inside and low is None:
            low = (borders[index], "[" if at_ends[index] else "(")
        elif not inside and index and at_ends[index] and low is None:
            pieces.append(Piece(borders[index], borders[index], "[]"))
        closed = at_ends[index + 1]
        goes_on = index + 1 < len(gaps) and closed and holds(gaps[index + 1])
        if low is not None and not goes_on:
            pieces.append(Piece(low[0], borders[index + 1], low[1] + ("]" if closed else ")")))
            low = None
            if closed:
                at_ends[index + 1] = False
    return pieces


def _is_true(condition: tuple[Node, str, Node], name: str, number: Fraction) -> bool:
    left, sign, right = condition
    point = {name: number}
    x, y = evaluate(left, point), evaluate(right, point)
    if x.im or y.im:
        raise NoValue("a complex side")
    gap = x.re - y.re
    if abs(gap) <= _ZERO * max(abs(x.re), abs(y.re), Fraction(1)):
        return sign in ("<=", ">=")
    return sign == "!=" or (gap > 0) == (sign[0] == ">")


def _roots(node: Node, name: str) -> dict[Fraction, Node]:
    """Return the roots of a polynomial with moduli; raises NoValue for other formulas."""
    moduli: dict[Node, None] = {}
    _collect_moduli(node, moduli)
    if len(moduli) > _MAX_MODULI:
        raise NoValue("too many moduli")
    found: dict[Fraction, Node] = {}
    for signs in product((1, -1), repeat=len(moduli)):
        chosen = dict(zip(moduli, signs, strict=True))
        found |= _polynomial_roots(_polynomial(node, name, chosen))
    return found


def _collect_moduli(node: Node, found: dict[Node, None]) -> None:
    if node.op == "call" and node.text == "abs" and variables(node):
        found[node] = None
    for arg in node.args:
        _collect_moduli(arg, found)


def _polynomial(node: Node, name: str, signs: Mapping[Node, int]) -> list[Fraction]:
    """Return the coefficients of a polynomial, constant first; raises NoValue for others."""
    if not variables(node):
        number = evaluate(node)
        if not number.exact or number.im:
            raise NoValue("a coefficient that is not rational")
        return [number.re]
    parts = node.args
    match node.op:
        case "name":
            return [Fraction(0), Fraction(1)]
        case "neg":
            return [-c for c in _polynomial(parts[0], name, signs)]
        case "+":
            total: list[Fraction] = []
            for part in parts:
                total = _add(total, _polynomial(part, name, signs))
            return total
        case "*":
            result = [Fraction(1)]
            for part in parts:
                result = _multiply(result, _polynomial(part, name, signs))
            return result
        case "/" if not variables(parts[1]):
            below = _polynomial(parts[1], name, signs)[0]
            if not below:
                raise NoValue("division by zero")
            return [c / below for c in _polynomial(parts[0], name, signs)]
        case "^" if parts[1].op == "num" and parts[1].text in ("1", "2", "3", "4"):
            base, result = _polynomial(parts[0], name, signs), [Fraction(1)]
            for _ in range(int(parts[1].text)):
                result = _multiply(result, base)
            return result
        case "call" if node in signs:
            return [signs[node] * c for c in _polynomial(parts[0], name, signs)]
        case _:
            raise NoValue("no polynomial")


def _add(a: list[Fraction], b: list[Fraction]) -> list[Fraction]:
    size = max(len(a), len(b))
    return [
        (a[i] if i < len(a) else 0) + (b[i] if i < len(b) else Fraction(0)) for i in range(size)
    ]


def _multiply(a: list[Fraction], b: list[Fraction]) -> list[Fraction]:
    if len(a) + len(b) - 2 > _MAX_DEGREE:
        raise NoValue("a polynomial of too high a degree")
    result = [Fraction(0)] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            result[i + j] += x * y
    return result


def _polynomial_roots(coefficients: list[Fraction]) -> dict[Fraction, Node]:
    """Return the real roots as rounded values with their formulas."""
    while coefficients and not coefficients[-1]:
        coefficients = coefficients[:-1]
    if len(coefficients) < 2:
        return {}
    if len(coefficients) == 2:
        root = -coefficients[0] / coefficients[1]
        return {root: to_node(root)}
    if len(coefficients) > 3:
        raise NoValue("a polynomial of too high a degree")
    c, b, a = coefficients
    discriminant = b * b - 4 * a * c
    if discriminant < 0:
        return {}
    found = {}
    for sign in (1, -1):
        size = Node("call", (to_node(discriminant),), "sqrt")
        top = Node("+", (to_node(-b), size if sign > 0 else Node("neg", (size,))))
        node = Node("/", (top, to_node(2 * a)))
        value = evaluate(node)
        found[value.re] = to_node(value.re) if value.exact else node
    return found


def to_node(number: Fraction) -> Node:
    """Return a fraction as a tree."""
    size = Node("num", (), str(abs(number.numerator)))
    if number.denominator != 1:
        size = Node("/", (size, Node("num", (), str(number.denominator))))
    return Node("neg", (size,)) if number < 0 else size
