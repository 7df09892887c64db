"""Sets of real numbers: intervals, unions of them, points, and inequalities in one variable.

In: trees. Out: `solve_inequality(node)` turns an inequality into a membership (`2x > 6` into x in
(3, inf)), and `compare_sets(a, b)` compares two sets. If all ends have values, overlapping and
touching pieces are joined first, so that every difference counts; otherwise pieces are only
matched.
"""

from fractions import Fraction
from typing import NamedTuple

from curator.answers.compare.arithmetic import NoValue, Value
from curator.answers.compare.decimals import Outcome
from curator.answers.compare.evaluate import evaluate
from curator.answers.compare.scalars import (
    Result,
    compare_expressions,
    compare_scalars,
    is_infinite,
    variables,
)
from curator.answers.parse.tree import Node

INFINITY = Node("const", (), "inf")
MINUS_INFINITY = Node("neg", (INFINITY,))
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "!=": "!="}


_LINEAR_OPS = frozenset(("num", "name", "neg", "+", "*", "/"))


class Piece(NamedTuple):
    """An interval; a point is a closed interval with equal ends."""

    low: Node
    high: Node
    brackets: str


def _interval(piece: Piece) -> Node:
    return Node("interval", (piece.low, piece.high), piece.brackets)


def _split_pieces(node: Node) -> list[Piece] | None:
    """Return the parts of a set as written; a pair or a list of two counts as an interval."""
    match node.op, len(node.args):
        case "interval", 2:
            return [Piece(node.args[0], node.args[1], node.text)]
        case (("tuple" | "list"), 2):
            return [Piece(node.args[0], node.args[1], "()" if node.op == "tuple" else "[]")]
        case "set", _:
            return [Piece(point, point, "[]") for point in node.args]
        case "union", _:
            parts = [_split_pieces(part) for part in node.args]
            return [p for part in parts for p in part or []] if None not in parts else None
        case _:
            return None


def _position(end: Node) -> tuple[int, Fraction]:
    """Return the position of an end on the line; raises NoValue if it is unknown."""
    if is_infinite(end):
        return (-1 if end.op == "neg" else 1), Fraction(0)
    number = evaluate(end)
    if number.im:
        raise NoValue("a complex end")
    return 0, number.re


def _merge(pieces: list[Piece]) -> list[Piece]:
    """Return disjoint pieces in ascending order; raises NoValue if an end has no value."""
    ordered = sorted(pieces, key=lambda piece: (_position(piece.low), piece.brackets[0] == "("))
    merged: list[Piece] = []
    for piece in ordered:
        if _position(piece.low) > _position(piece.high):
            raise NoValue("an interval that ends before it begins")
        if merged:
            last = merged[-1]
            start, end = _position(piece.low), _position(last.high)
            touching = last.brackets[1] == "]" or piece.brackets[0] == "["
            if start < end or (start == end and touching):
                merged[-1] = _join(last, piece)
                continue
        merged.append(piece)
    return merged


def _join(a: Piece, b: Piece) -> Piece:
    """Join two pieces that touch; `a` begins first."""
    x, y = _position(a.high), _position(b.high)
    if x == y:
        closed = "]" in (a.brackets[1], b.brackets[1])
        return Piece(a.low, a.high, a.brackets[0] + ("]" if closed else ")"))
    last = a if x > y else b
    return Piece(a.low, last.high, a.brackets[0] + last.brackets[1])


def _compare_ends(a: Node, b: Node) -> Result | None:
    if is_infinite(a) and is_infinite(b):
        return ("equal" if a == b else "different"), "infinity"
    return compare_expressions(a, b) if variables(a) or variables(b) else compare_scalars(a, b)


def _compare_pieces(a: Piece, b: Piece) -> Outcome | None:
    """Return the outcome for two pieces; None where a symbolic grader is needed."""
    results = [_compare_ends(a.low, b.low), _compare_ends(a.high, b.high)]
    outcomes = [result[0] if result else None for result in results]
    if "different" in outcomes:
        return "different"
    if None in outcomes:
        return None
    if a.brackets != b.brackets:
        return "different"
    return "undecided" if "undecided" in outcomes else "equal"


def compare_sets(a: Node, b: Node) -> Result | None:
    """Return the outcome for two sets, one of which is an interval or a union."""
    x, y = _split_pieces(a), _split_pieces(b)
    if x is None or y is None:
        return None
    try:
        x, y = _merge(x), _merge(y)
    except NoValue:
        return _match_pieces(x, y)
    rule = "interval" if len(x) == len(y) == 1 else "union"
    if len(x) != len(y):
        return "different", rule
    outcomes = [_compare_pieces(p, q) for p, q in zip(x, y, strict=True)]
    if "different" in outcomes:
        return "different", rule
    if None in outcomes:
        return None
    return ("undecided" if "undecided" in outcomes else "equal"), rule


def _match_pieces(x: list[Piece], y: list[Piece]) -> Result | None:
    """Compare pieces whose ends cannot be ordered: equal if every piece has an equal one."""
    if len(x) == len(y) == 1:
        outcome = _compare_pieces(x[0], y[0])
        return (outcome, "interval") if outcome else None
    unmatched = list(y)
    for piece in x:
        match = next(
            (other for other in unmatched if _compare_pieces(piece, other) == "equal"), None
        )
        if match is None:
            return "undecided", "union"
        unmatched.remove(match)
    return ("undecided" if unmatched else "equal"), "union"


def _uses_linear_ops(node: Node) -> bool:
    """Return whether a node consists of sums, products and quotients only.

    A modulus would look linear on one side.
    """
    return node.op in _LINEAR_OPS and all(map(_uses_linear_ops, node.args))


def _solve_linear(node: Node) -> tuple[str, Fraction, str] | None:
    """Return variable, bound and sign of an inequality that is linear in its only variable."""
    (variable,) = variables(node) if len(variables(node)) == 1 else (None,)
    if variable is None:
        return None
    left, right = node.args
    if not _uses_linear_ops(left) or not _uses_linear_ops(right):
        return None

    def gap(gaps: int) -> Value:
        point = {variable: Fraction(gaps)}
        a, b = evaluate(left, point), evaluate(right, point)
        return Value(a.re - b.re, a.im - b.im, a.exact and b.exact)

    try:
        gaps = [gap(x) for x in (0, 1, 2, 7)]
    except NoValue:
        return None
    slope = gaps[1].re - gaps[0].re
    is_linear = gaps[2].re - gaps[0].re == 2 * slope and gaps[3].re - gaps[0].re == 7 * slope
    if not slope or not is_linear or not all(one.exact and not one.im for one in gaps):
        return None
    return variable, -gaps[0].re / slope, node.text if slope > 0 else _FLIPPED[node.text]


def _to_node(number: Fraction) -> Node:
    size = Node("num", (), str(abs(number.numerator)))
    if number.denominator != 1:
        size = Node("/", (size, Node("num", (), str(number.denominator))))
    return Node("neg", (size,)) if number < 0 else size


def solve_inequality(node: Node) -> Node:
    """Turn `x < 5`, `5 >= 2x`, `x != 2`, `x < 1 or x > 3` into memberships.

    Other nodes are returned as they are.
    """
    if node.op == "items" and len(node.args) == 2:
        return _solve_pair(node)
    if node.op != "rel" or node.text not in _FLIPPED or len(node.args) != 2:
        return node
    (name, end), sign = node.args, node.text
    if name.op != "name":
        name, end, sign = end, name, _FLIPPED[sign]
    if name.op != "name" or variables(end):
        solution = _solve_linear(node)
        if solution is None:
            return node
        name, end, sign = Node("name", (), solution[0]), _to_node(solution[1]), solution[2]
    below, above = (MINUS_INFINITY, end), (end, INFINITY)
    if sign == "!=":
        result = Node("union", (Node("interval", below, "()"), Node("interval", above, "()")))
    elif sign[0] == "<":
        result = Node("interval", below, "(" + ("]" if "=" in sign else ")"))
    else:
        result = Node("interval", above, ("[" if "=" in sign else "(") + ")")
    return Node("rel", (name, result), "in")


def _solve_pair(node: Node) -> Node:
    """Intersect two inequalities in one variable; return their union if they exclude each other."""
    parts = [solve_inequality(part) for part in node.args]
    if not all(part.op == "rel" and part.text == "in" for part in parts):
        return node
    heads, sets = zip(*(part.args for part in parts), strict=True)
    if heads[0] != heads[1] or any(one.op != "interval" for one in sets):
        return node
    a, b = (Piece(one.args[0], one.args[1], one.text) for one in sets)
    try:
        low = max((a, b), key=lambda piece: (_position(piece.low), piece.brackets[0] == "("))
        high = min((a, b), key=lambda piece: (_position(piece.high), piece.brackets[1] == "]"))
        empty = _position(low.low) >= _position(high.high)
    except NoValue:
        return node
    if empty:
        return Node("rel", (heads[0], Node("union", sets)), "in")
    inside = Piece(low.low, high.high, low.brackets[0] + high.brackets[1])
    return Node("rel", (heads[0], _interval(inside)), "in")
