"""Whether two formulas say the same, and by which rule. Pure Python, bounded, never raises.

In: two trees. Out: an outcome with its rule, or None where only a symbolic grader can tell.

Rules for what is not a single number:
- `[3]`, `{3}` and `3` are equal; `x = 3` and `3` are equal;
- tuples and lists are ordered, sets and bare comma lists (`1, 2`) are not; the same items of two
  ordered ones in another order are undecided (`other order`);
- `(1, 2)` and `[1, 2]` are undecided where they may be intervals (two ends in ascending order);
- expressions with variables are equal if they agree at `POINTS`, different if they do not;
- equations are equal if their differences of sides are proportional at those points.
"""

from collections.abc import Sequence

from curator.answers.compare.arithmetic import NoValue
from curator.answers.compare.evaluate import value
from curator.answers.compare.scalars import Result, equations, expressions, names, scalars
from curator.answers.compare.sets import compare_sets, solved
from curator.answers.parse.tree import Node, render

MAX_ITEMS = 64
"""Longer collections without order are compared as texts of their items."""
_ORDERED = ("tuple", "list")
_UNORDERED = ("set", "items")
_SINGLE = {"num", "neg", "+", "*", "/", "^", "call", "const", "percent", "fact", "base"}
_MANY = (*_ORDERED, *_UNORDERED)


def _assigned(node: Node) -> Node:
    """The value of `x = 3`, `x = 3` being said for `3`; other nodes as they are."""
    if node.op == "rel" and node.text in ("=", "in") and len(node.args) == 2:
        head, right = node.args
        if head.op == "name" and head.text not in names(right):
            return right
        if head.op == "*" and all(part.op == "name" for part in head.args):
            return right  # `f(x)` reads as f times x
        pair = head.op == right.op == "tuple" and len(head.args) == len(right.args)
        if pair and all(part.op == "name" for part in head.args):
            return right  # (x, y) = (1, 2)
    return node


def _alone(node: Node) -> Node:
    """The item of a list or set of one."""
    return node.args[0] if node.op in _MANY and len(node.args) == 1 else node


def _items(node: Node) -> tuple[Node, ...]:
    return node.args if node.op == "items" else (node,)


def _spread(node: Node) -> Node:
    """`1 ± sqrt(2)` as the two values that it stands for."""
    if node.op in _UNORDERED and any(item.op == "pm" for item in node.args):
        spread = [_spread(item) for item in node.args]
        return Node(node.op, tuple(x for item in spread for x in _items(item)))
    if node.op != "pm":
        return node
    middle, width = node.args
    if middle == Node("num", (), "0"):
        return Node("items", (width, Node("neg", (width,))))
    return Node("items", (Node("+", (middle, width)), Node("+", (middle, Node("neg", (width,))))))


def _all(results: Sequence[Result | None], rule: str) -> Result | None:
    """All items of two collections, pairwise."""
    outcomes = [result[0] if result else None for result in results]
    if "different" in outcomes:
        return "different", rule
    if None in outcomes:
        return None
    return ("undecided" if "undecided" in outcomes else "equal"), rule


def _in_order(a: Sequence[Node], b: Sequence[Node], rule: str) -> Result | None:
    if len(a) != len(b):
        return "different", rule
    return _all([compare_nodes(x, y) for x, y in zip(a, b, strict=True)], rule)


def _any_order(a: Sequence[Node], b: Sequence[Node], rule: str) -> Result | None:
    """Every item of one has its equal in the other."""
    if len(a) != len(b):
        return "different", rule
    if len(a) > MAX_ITEMS:
        same = sorted(map(render, a)) == sorted(map(render, b))
        return ("equal", rule) if same else ("undecided", "too many items")
    left, unmatched = list(b), []
    for item in a:
        match = next((i for i, other in enumerate(left) if _equal(item, other)), None)
        if match is None:
            unmatched.append(item)
        else:
            del left[match]
    if not unmatched:
        return "equal", rule
    # both ways: an item of either that differs from all of the other's
    for items, others in ((unmatched, left), (left, unmatched)):
        for item in items:
            found = [compare_nodes(item, other) for other in others]
            if all(one and one[0] == "different" for one in found):
                return "different", rule
    return "undecided", rule


def _unique(items: Sequence[Node]) -> list[Node]:
    kept: list[Node] = []
    if len(items) > MAX_ITEMS:
        return list(dict.fromkeys(items))
    for item in items:
        found = [compare_nodes(item, other) for other in kept]
        if not any(result and result[0] == "equal" for result in found):
            kept.append(item)
    return kept


def _ascending(pair: Sequence[Node]) -> bool:
    try:
        low, high = value(pair[0]), value(pair[1])
    except NoValue:
        return True
    return low.re < high.re


def _system(a: Node, b: Node) -> Result | None:
    """`x = 1, y = 2` against the same names; None for anything else."""
    sides: list[dict[str, Node]] = []
    for node in (a, b):
        named = [item for item in node.args if item.op == "rel" and item.text == "="]
        found = {item.args[0].text: item.args[1] for item in named if item.args[0].op == "name"}
        if len(found) != len(node.args) or any(len(item.args) != 2 for item in named):
            return None
        sides.append(found)
    x, y = sides
    return (
        _all([compare_nodes(x[name], y[name]) for name in x], "system")
        if x.keys() == y.keys()
        else None
    )


def _collections(a: Node, b: Node) -> Result | None:
    kinds = {a.op, b.op}
    if "set" in kinds:
        return _any_order(_unique(a.args), _unique(b.args), "set")
    if kinds == {"items"}:
        return _system(a, b) or _any_order(a.args, b.args, "items")
    found = _in_order(a.args, b.args, "in order")
    if found and found[0] == "equal":
        if kinds == {"tuple", "list"} and len(a.args) == 2 and _ascending(a.args):
            return "undecided", "pair or interval"
        return found
    if kinds == {"items", "list"}:
        return _any_order(a.args, b.args, "items")
    if len(a.args) == len(b.args):
        moved = _any_order(a.args, b.args, "other order")
        if moved and moved[0] == "equal":
            return "undecided", "other order"
    return found


def _intervals(a: Node, b: Node) -> Result | None:
    """Intervals and unions of them; against a number or a list they differ."""
    if {a.op, b.op} & _SINGLE and not (names(a) or names(b)):
        return "different", "how many"
    return compare_sets(a, b)


def _matrices(a: Node, b: Node) -> Result | None:
    """Two matrices, or a row or column against a list."""
    if a.op == b.op:
        if len(a.args) != len(b.args):
            return "different", "matrix"
        return _all(
            [_in_order(x.args, y.args, "matrix") for x, y in zip(a.args, b.args, strict=True)],
            "matrix",
        )
    matrix, other = (a, b) if a.op == "matrix" else (b, a)
    if other.op in _SINGLE and not names(other) and len(matrix.args) * len(matrix.args[0].args) > 1:
        return "different", "how many"
    if other.op not in _MANY or other.op == "set":
        return "undecided", "matrix"
    if other.args and all(item.op in _ORDERED for item in other.args):
        rows = Node("matrix", tuple(Node("row", item.args) for item in other.args))
        return _matrices(matrix, rows)
    if len(matrix.args) == 1:
        return _in_order(matrix.args[0].args, other.args, "vector")
    if all(len(row.args) == 1 for row in matrix.args):
        return _in_order([row.args[0] for row in matrix.args], other.args, "vector")
    return "different", "matrix"


def _equal(a: Node, b: Node) -> bool:
    found = compare_nodes(a, b)
    return found is not None and found[0] == "equal"


def _cases(a: Node, b: Node) -> Result:
    """Two functions by cases: equal if the cases are, in any order; different if the same
    conditions have different values."""
    left, outcomes = list(b.args), []
    for row in a.args:
        same = [i for i, other in enumerate(left) if _equal(row.args[1], other.args[1])]
        if not same or len(a.args) != len(b.args):
            return "undecided", "piecewise"
        outcomes.append(compare_nodes(row.args[0], left.pop(same[0]).args[0]))
    return _all(outcomes, "piecewise") or ("undecided", "piecewise")


def _relations(a: Node, b: Node) -> Result | None:
    if a.op == b.op == "rel":
        if a.text == b.text == ":":
            return _ratios(a, b)
        if a.text == b.text == "=":
            return equations(a, b)
        if a.text == b.text == "in":
            heads = compare_nodes(a.args[0], b.args[0])
            sets = _memberships(a.args[1], b.args[1])
            return _all([heads, sets], "interval")
        return None
    ratio, other = (a, b) if a.op == "rel" else (b, a)
    if ratio.text == ":" and len(ratio.args) == 2:
        found = scalars(Node("/", ratio.args), other)
        return (found[0], "ratio") if found else None
    return ("undecided", "equation or value") if ratio.text == "=" else None


def _memberships(a: Node, b: Node) -> Result | None:
    if {a.op, b.op} & {"interval", "union", "tuple"}:
        return compare_sets(a, b)
    return compare_nodes(a, b)


def _ratios(a: Node, b: Node) -> Result | None:
    """`3:4` and `6:8`; `3:45` may be a time of day, which only equals itself."""
    if len(a.args) != len(b.args):
        return "different", "ratio"
    if any(arg.text.isdigit() and len(arg.text) == 2 for x in (a, b) for arg in x.args[1:]):
        same = _in_order(a.args, b.args, "ratio")
        return same if same and same[0] == "equal" else ("undecided", "ratio or time")
    return _all(
        [
            scalars(Node("*", (a.args[0], y)), Node("*", (b.args[0], x)))
            for x, y in zip(a.args[1:], b.args[1:], strict=True)
        ],
        "ratio",
    )


def compare_nodes(a: Node, b: Node) -> Result | None:
    """The outcome for two formulas; None where a symbolic grader is needed."""
    if a == b:
        return "equal", "same formula"
    a, b = solved(_spread(_alone(a))), solved(_spread(_alone(b)))
    if not (a.op == b.op == "rel") or {a.text, b.text} == {"=", "in"}:
        a, b = (_spread(_alone(_assigned(side))) for side in (a, b))
    elif a.args[0] == b.args[0] and a.text == b.text == "=":
        a, b = _assigned(a), _assigned(b)
    ops = {a.op, b.op}
    if "bool" in ops:
        if ops == {"bool"}:
            return ("equal" if a.text == b.text else "different"), "boolean"
        return "undecided", "boolean"
    if "rel" in ops:
        return _relations(a, b)
    if ops & {"interval", "union"}:
        return _intervals(a, b)
    if "cases" in ops:
        return _cases(a, b) if a.op == b.op else None
    if "matrix" in ops:
        return _matrices(a, b)
    if ops & set(_MANY):
        if not (a.op in _MANY and b.op in _MANY):
            return "different", "how many"
        return _collections(a, b)
    if ops == {"neg"}:
        return compare_nodes(a.args[0], b.args[0])
    if "base" in ops and a.op != b.op:
        return _based(a, b)
    if names(a) or names(b):
        return expressions(a, b)
    return scalars(a, b)


def _based(a: Node, b: Node) -> Result:
    """`2677_9` and `2677`: the base may be left out; the value in base ten decides nothing."""
    based, other = (a, b) if a.op == "base" else (b, a)
    if other.op == "num":
        if other.text.lstrip("0") == based.text.lstrip("0"):
            return "equal", "base left out"
        found = scalars(based, other)
        if found and found[0] == "equal":
            return "undecided", "other base"
        return "different", "base"
    return "undecided", "other base"
