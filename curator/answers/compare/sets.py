"""Sets of real numbers: intervals, unions of them, points, and inequalities in one variable.

In: trees. Out: `solve_inequality(node)` turns an inequality into a membership (`2x > 6` into x in
(3, inf)), and `compare_sets(a, b)` compares two sets. If all ends have values, overlapping and
touching pieces are joined first, so that every difference counts; otherwise pieces are only
matched.
"""

from fractions import Fraction
from typing import NamedTuple

from curator.answers.compare.arithmetic import NoValue
from curator.answers.compare.decimals import Outcome
from curator.answers.compare.evaluate import evaluate
from curator.answers.compare.sampling import compare_expressions
from curator.answers.compare.scalars import Result, compare_scalars, is_infinite, variables
from curator.answers.parse.tree import Node

INFINITY = Node("const", (), "inf")
MINUS_INFINITY = Node("neg", (INFINITY,))


class Piece(NamedTuple):
    """An interval; a point is a closed interval with equal ends."""

    low: Node
    high: Node
    brackets: str


def to_interval(piece: Piece) -> Node:
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


def position(end: Node) -> tuple[int, Fraction]:
    """Return the position of an end on the line; raises NoValue if it is unknown."""
    if is_infinite(end):
        return (-1 if end.op == "neg" else 1), Fraction(0)
    number = evaluate(end)
    if number.im:
        raise NoValue("a complex end")
    return 0, number.re


def _merge(pieces: list[Piece]) -> list[Piece]:
    """Return disjoint pieces in ascending order; raises NoValue if an end has no value."""
    ordered = sorted(pieces, key=lambda piece: (position(piece.low), piece.brackets[0] == "("))
    merged: list[Piece] = []
    for piece in ordered:
        if position(piece.low) > position(piece.high):
            raise NoValue("an interval that ends before it begins")
        if merged:
            last = merged[-1]
            start, end = position(piece.low), position(last.high)
            touching = last.brackets[1] == "]" or piece.brackets[0] == "["
            if start < end or (start == end and touching):
                merged[-1] = _join(last, piece)
                continue
        merged.append(piece)
    return merged


def _join(a: Piece, b: Piece) -> Piece:
    """Join two pieces that touch; `a` begins first."""
    x, y = position(a.high), position(b.high)
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
