"""Compare two equations, inequalities or numbers with a base, without looking into their items.

In: two trees. Out: an outcome with its rule, or None where a symbolic grader is needed.
"""

from curator.answers.compare.sampling import compare_equations, compare_inequalities
from curator.answers.compare.scalars import Result, compare_scalars, variables
from curator.answers.parse.tree import Node


def compare_proportional(a: Node, b: Node) -> Result | None:
    """Compare two equations: equal if the differences of their sides are proportional."""
    result = compare_equations(a, b)
    if result and result[0] == "different" and (_divides_by_name(a) or _divides_by_name(b)):
        return "undecided", "denominators"  # xy = 6 and y = 6/x
    squared = _square_moduli(a), _square_moduli(b)
    if result and result[0] != "equal" and squared != (a, b):
        again = compare_equations(*squared)
        return again if again and again[0] == "equal" else ("undecided", "modulus")
    return result


def _divides_by_name(node: Node) -> bool:
    if node.op == "/" and variables(node.args[1]):
        return True
    return any(map(_divides_by_name, node.args))


def _square_moduli(relation: Node) -> Node:
    """Return `x^2 = y^2` for `|x| = |y|`."""
    if any(side.op != "call" or side.text != "abs" for side in relation.args):
        return relation
    two = Node("num", (), "2")
    return Node("rel", tuple(Node("^", (side.args[0], two)) for side in relation.args), "=")


def compare_same_direction(a: Node, b: Node) -> Result | None:
    """Compare inequalities that have no solution by rules: equal if they are proportional."""
    sides = [
        Node("rel", node.args[::-1], node.text.replace("<", ">")) if node.text[0] == "<" else node
        for node in (a, b)
    ]
    if sides[0].text != sides[1].text:
        return None
    result = compare_inequalities(*sides)
    return result if result and result[0] == "equal" else None


def may_be_time(ratio: Node) -> bool:
    """Return whether `3:45` or `3:45:10` may be a time of day; `6:8:10` is a ratio."""
    parts = [arg.text.isdigit() and len(arg.text) == 2 for arg in ratio.args[1:]]
    return all(parts)


def compare_bases(a: Node, b: Node) -> Result:
    """Compare `1011_2` with `11`, its value, or with `1011`, where the base may be left out."""
    with_base, other = (a, b) if a.op == "base" else (b, a)
    result = compare_scalars(with_base, other)
    if result and result[0] == "equal":
        return "equal", "base"
    if other.op == "num" and other.text.lstrip("0") == with_base.text.lstrip("0"):
        return "undecided", "base left out"
    return ("different" if result and result[0] == "different" else "undecided"), "base"
