"""Sets of real numbers: intervals, unions of them, points, and inequalities solved for a variable.

In: trees. Out: `solved(node)`, an inequality as membership (`2x > 6` as x in (3, inf)); and
`compare_sets(a, b)`. Where all ends have values, overlapping and touching pieces are joined first,
so that every difference counts; else pieces are only matched.
"""

from fractions import Fraction
from typing import NamedTuple

from curator.answers.compare.arithmetic import NoValue, Value
from curator.answers.compare.decimals import Outcome
from curator.answers.compare.evaluate import value
from curator.answers.compare.scalars import Result, expressions, infinite, names, scalars
from curator.answers.parse.tree import Node

INFINITY = Node("const", (), "inf")
MINUS_INFINITY = Node("neg", (INFINITY,))
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "!=": "!="}


_STRAIGHT = frozenset(("num", "name", "neg", "+", "*", "/"))


class Piece(NamedTuple):
    """An interval; a point is closed and has two equal ends."""

    low: Node
    high: Node
    brackets: str


def _interval(piece: Piece) -> Node:
    return Node("interval", (piece.low, piece.high), piece.brackets)


def _pieces(node: Node) -> list[Piece] | None:
    """The parts of a set as written; a pair or list of two is an interval here."""
    match node.op, len(node.args):
        case "interval", 2:
            return [Piece(node.args[0], node.args[1], node.text)]
        case (("tuple" | "list"), 2):
            return [Piece(node.args[0], node.args[1], "()" if node.op == "tuple" else "[]")]
        case "set", _:
            return [Piece(point, point, "[]") for point in node.args]
        case "union", _:
            parts = [_pieces(part) for part in node.args]
            return [p for part in parts for p in part or []] if None not in parts else None
        case _:
            return None


def _place(end: Node) -> tuple[int, Fraction]:
    """Where an end lies on the line; raises NoValue where that is not known."""
    if infinite(end):
        return (-1 if end.op == "neg" else 1), Fraction(0)
    found = value(end)
    if found.im:
        raise NoValue("a complex end")
    return 0, found.re


def _merged(pieces: list[Piece]) -> list[Piece]:
    """Disjoint pieces in ascending order; raises NoValue where an end has no value."""
    order = sorted(pieces, key=lambda piece: (_place(piece.low), piece.brackets[0] == "("))
    out: list[Piece] = []
    for piece in order:
        if _place(piece.low) > _place(piece.high):
            raise NoValue("an interval that ends before it begins")
        if out:
            last = out[-1]
            start, end = _place(piece.low), _place(last.high)
            touching = last.brackets[1] == "]" or piece.brackets[0] == "["
            if start < end or (start == end and touching):
                out[-1] = _joined(last, piece)
                continue
        out.append(piece)
    return out


def _joined(a: Piece, b: Piece) -> Piece:
    """Two pieces that touch, `a` beginning first."""
    x, y = _place(a.high), _place(b.high)
    if x == y:
        closed = "]" in (a.brackets[1], b.brackets[1])
        return Piece(a.low, a.high, a.brackets[0] + ("]" if closed else ")"))
    last = a if x > y else b
    return Piece(a.low, last.high, a.brackets[0] + last.brackets[1])


def _ends(a: Node, b: Node) -> Result | None:
    if infinite(a) and infinite(b):
        return ("equal" if a == b else "different"), "infinity"
    return expressions(a, b) if names(a) or names(b) else scalars(a, b)


def _same(a: Piece, b: Piece) -> Outcome | None:
    """The outcome for two pieces; None where a symbolic grader is needed."""
    found = [_ends(a.low, b.low), _ends(a.high, b.high)]
    outcomes = [one[0] if one else None for one in found]
    if "different" in outcomes:
        return "different"
    if None in outcomes:
        return None
    if a.brackets != b.brackets:
        return "different"
    return "undecided" if "undecided" in outcomes else "equal"


def compare_sets(a: Node, b: Node) -> Result | None:
    """The outcome for two sets, one of them an interval or a union."""
    x, y = _pieces(a), _pieces(b)
    if x is None or y is None:
        return None
    try:
        x, y = _merged(x), _merged(y)
    except NoValue:
        return _unordered(x, y)
    rule = "interval" if len(x) == len(y) == 1 else "union"
    if len(x) != len(y):
        return "different", rule
    outcomes = [_same(p, q) for p, q in zip(x, y, strict=True)]
    if "different" in outcomes:
        return "different", rule
    if None in outcomes:
        return None
    return ("undecided" if "undecided" in outcomes else "equal"), rule


def _unordered(x: list[Piece], y: list[Piece]) -> Result | None:
    """Pieces whose ends cannot be put in order: equal if each has its equal."""
    if len(x) == len(y) == 1:
        found = _same(x[0], y[0])
        return (found, "interval") if found else None
    left = list(y)
    for piece in x:
        match = next((other for other in left if _same(piece, other) == "equal"), None)
        if match is None:
            return "undecided", "union"
        left.remove(match)
    return ("undecided" if left else "equal"), "union"


def _straight(node: Node) -> bool:
    """Whether it is made of sums, products and quotients: no modulus looks linear on one side."""
    return node.op in _STRAIGHT and all(map(_straight, node.args))


def _linear(node: Node) -> tuple[str, Fraction, str] | None:
    """Variable, bound and sign of an inequality that is linear in its only variable."""
    (variable,) = names(node) if len(names(node)) == 1 else (None,)
    if variable is None:
        return None
    left, right = node.args
    if not _straight(left) or not _straight(right):
        return None

    def gap(at: int) -> Value:
        point = {variable: Fraction(at)}
        a, b = value(left, point), value(right, point)
        return Value(a.re - b.re, a.im - b.im, a.exact and b.exact)

    try:
        at = [gap(x) for x in (0, 1, 2, 7)]
    except NoValue:
        return None
    slope = at[1].re - at[0].re
    straight = at[2].re - at[0].re == 2 * slope and at[3].re - at[0].re == 7 * slope
    if not slope or not straight or not all(one.exact and not one.im for one in at):
        return None
    return variable, -at[0].re / slope, node.text if slope > 0 else _TURNED[node.text]


def _number(number: Fraction) -> Node:
    size = Node("num", (), str(abs(number.numerator)))
    if number.denominator != 1:
        size = Node("/", (size, Node("num", (), str(number.denominator))))
    return Node("neg", (size,)) if number < 0 else size


def solved(node: Node) -> Node:
    """`x < 5`, `5 >= 2x`, `x != 2`, `x < 1 or x > 3` as memberships; other nodes as they are."""
    if node.op == "items" and len(node.args) == 2:
        return _both(node)
    if node.op != "rel" or node.text not in _TURNED or len(node.args) != 2:
        return node
    (name, end), sign = node.args, node.text
    if name.op != "name":
        name, end, sign = end, name, _TURNED[sign]
    if name.op != "name" or names(end):
        found = _linear(node)
        if found is None:
            return node
        name, end, sign = Node("name", (), found[0]), _number(found[1]), found[2]
    below, above = (MINUS_INFINITY, end), (end, INFINITY)
    if sign == "!=":
        whole = Node("union", (Node("interval", below, "()"), Node("interval", above, "()")))
    elif sign[0] == "<":
        whole = Node("interval", below, "(" + ("]" if "=" in sign else ")"))
    else:
        whole = Node("interval", above, ("[" if "=" in sign else "(") + ")")
    return Node("rel", (name, whole), "in")


def _both(node: Node) -> Node:
    """Two inequalities for one variable: what both allow, or either where both allow nothing."""
    parts = [solved(part) for part in node.args]
    if not all(part.op == "rel" and part.text == "in" for part in parts):
        return node
    heads, sets = zip(*(part.args for part in parts), strict=True)
    if heads[0] != heads[1] or any(one.op != "interval" for one in sets):
        return node
    a, b = (Piece(one.args[0], one.args[1], one.text) for one in sets)
    try:
        low = max((a, b), key=lambda piece: (_place(piece.low), piece.brackets[0] == "("))
        high = min((a, b), key=lambda piece: (_place(piece.high), piece.brackets[1] == "]"))
        empty = _place(low.low) >= _place(high.high)
    except NoValue:
        return node
    if empty:
        return Node("rel", (heads[0], Node("union", sets)), "in")
    inside = Piece(low.low, high.high, low.brackets[0] + high.brackets[1])
    return Node("rel", (heads[0], _interval(inside)), "in")
