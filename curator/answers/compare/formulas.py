"""Compare two formulas by rules. Pure Python, bounded, never raises.

In: two trees. Out: an outcome with its rule, or None where a symbolic grader is needed.

Rules for anything but a single number:
- `[3]`, `{3}` and `3` are equal; `x = 3` and `3` are equal;
- tuples and lists are ordered, sets and bare comma lists (`1, 2`) are not; two ordered collections
  with the same items in different orders are undecided (`other order`);
- `(1, 2)` and `[1, 2]` are undecided where they may be intervals (two ends in ascending order);
- expressions with variables are equal if they agree at `POINTS`, and different if they do not;
- equations are equal if the differences of their sides are proportional at those points.
"""

from collections.abc import Sequence

from curator.answers.compare.arithmetic import NoValue
from curator.answers.compare.assignments import (
    compare_definitions,
    expand_plus_minus,
    name_values,
    strip_assignment,
    to_tuple,
)
from curator.answers.compare.evaluate import evaluate
from curator.answers.compare.inequalities import solve_inequality
from curator.answers.compare.relations import (
    compare_bases,
    compare_proportional,
    compare_same_direction,
    may_be_time,
)
from curator.answers.compare.sampling import compare_expressions
from curator.answers.compare.scalars import Result, compare_scalars, variables
from curator.answers.compare.sets import compare_sets
from curator.answers.compare.vectors import compute
from curator.answers.parse.tree import Node, render

MAX_ITEMS = 64
"""Maximum size of an unordered collection whose items are compared as formulas, not as texts."""
_ORDERED = ("tuple", "list")
_UNORDERED = ("set", "items")
_SCALAR = {
    "num",
    "neg",
    "+",
    "*",
    "/",
    "^",
    "call",
    "const",
    "percent",
    "fact",
    "base",
    "apply",
    "series",
}
_COLLECTIONS = (*_ORDERED, *_UNORDERED)


def _unwrap_single(node: Node) -> Node:
    """Return the item of a list or set of one item."""
    single = node.op in _COLLECTIONS and len(node.args) == 1 and node.args[0].op != "set"
    return node.args[0] if single else node


def _combine(results: Sequence[Result | None], rule: str) -> Result | None:
    """Combine the results of the items of two collections."""
    outcomes = [result[0] if result else None for result in results]
    if "different" in outcomes:
        return "different", rule
    if None in outcomes:
        return None
    return ("undecided" if "undecided" in outcomes else "equal"), rule


def _compare_ordered(a: Sequence[Node], b: Sequence[Node], rule: str) -> Result | None:
    if len(a) != len(b):
        return "different", rule
    wrapped = {
        (_is_single(x), _is_single(y))
        for x, y in zip(a, b, strict=True)
        if _is_single(x) != _is_single(y)
    }
    if len(wrapped) > 1:
        return "undecided", "nested"  # (4, {5}) and ({4}, 5)
    return _combine([compare_nodes(x, y) for x, y in zip(a, b, strict=True)], rule)


def _is_single(node: Node) -> bool:
    return node.op in _COLLECTIONS and len(node.args) == 1


def _compare_unordered(a: Sequence[Node], b: Sequence[Node], rule: str) -> Result | None:
    """Match every item of one collection with an equal item of the other."""
    if len(a) != len(b):
        return "different", rule
    if len(a) > MAX_ITEMS:
        same = sorted(map(render, a)) == sorted(map(render, b))
        return ("equal", rule) if same else ("undecided", "too many items")
    rest, unmatched = list(b), []
    for item in a:
        match = next((i for i, other in enumerate(rest) if _are_equal(item, other)), None)
        if match is None:
            unmatched.append(item)
        else:
            del rest[match]
    if not unmatched:
        return "equal", rule
    # an item of one side that differs from all unmatched items of the other
    for items, others in ((unmatched, rest), (rest, unmatched)):
        for item in items:
            results = [compare_nodes(item, other) for other in others]
            if all(result and result[0] == "different" for result in results):
                return "different", rule
    return "undecided", rule


def _remove_duplicates(items: Sequence[Node]) -> list[Node]:
    distinct: list[Node] = []
    if len(items) > MAX_ITEMS:
        return list(dict.fromkeys(items))
    for item in items:
        if not any(_are_equal(item, other) for other in distinct):
            distinct.append(item)
    return distinct


def _unwrap_alternatives(node: Node) -> Node:
    """Return the value of `6 or 3!`, which states one value twice."""
    if node.op != "items" or node.text != "or":
        return node
    distinct = _remove_duplicates(node.args)
    return distinct[0] if len(distinct) == 1 else Node("items", tuple(distinct), "or")


def _is_ascending(pair: Sequence[Node]) -> bool:
    try:
        low, high = evaluate(pair[0]), evaluate(pair[1])
    except NoValue:
        return True
    return low.re < high.re and not low.im and not high.im


def count_of(node: Node, op: str) -> int:
    return (node.op == op) + sum(count_of(arg, op) for arg in node.args)


def _states_alternatives(node: Node) -> bool:
    """Return whether a formula is `x = 4 or y = 5`, alternatives with different names."""
    if node.op != "items" or node.text != "or":
        return False
    if any(arg.op != "rel" for arg in node.args):
        return False
    return len(variables(node)) > 1 and len({arg.args[0] for arg in node.args}) > 1


def _compare_named_values(a: Node, b: Node) -> Result | None:
    """Compare `x = 1, y = 2` with values of the same names or with a pair; None for others."""
    x, y = name_values(a), name_values(b)
    if x is None and y is None:
        return None
    if x is None or y is None:
        named, other = (x or {}, b) if x is not None else (y or {}, a)
        values = to_tuple(named)
        if other.op not in ("tuple", "list", "items"):
            return None
        if values is None:
            reordered = _compare_unordered(tuple(named.values()), other.args, "names")
            same = reordered is not None and reordered[0] == "equal"
            return ("undecided", "names in another order") if same else reordered
        return compare_nodes(values, other)
    if x.keys() != y.keys():
        return None
    return _combine([compare_nodes(x[name], y[name]) for name in x], "system")


def _compare_collections(a: Node, b: Node) -> Result | None:
    kinds = {a.op, b.op}
    if "set" in kinds:
        return _compare_with_set(a, b)
    if kinds == {"items"}:
        return _compare_unordered(a.args, b.args, "items")
    result = _compare_ordered(a.args, b.args, "in order")
    if result and result[0] == "equal":
        if kinds == {"tuple", "list"} and len(a.args) == 2 and _is_ascending(a.args):
            return "undecided", "pair or interval"
        return result
    if kinds == {"items", "list"}:
        return _compare_unordered(a.args, b.args, "items")
    if len(a.args) == len(b.args):
        reordered = _compare_unordered(a.args, b.args, "other order")
        if reordered and reordered[0] == "equal":
            return "undecided", "other order"
    return result


def _compare_with_set(a: Node, b: Node) -> Result | None:
    """Compare a set with a set or list; a pair is no set, and `[1, 2]` may be an interval."""
    result = _compare_unordered(_remove_duplicates(a.args), _remove_duplicates(b.args), "set")
    if result is None or result[0] != "equal":
        return result
    other = b if a.op == "set" else a
    if other.op == "tuple" and len(other.args) > 1:
        return "undecided", "set or tuple"
    if other.op == "list" and len(other.args) == 2 and _is_ascending(other.args):
        return "undecided", "set or interval"
    return result


def _compare_intervals(a: Node, b: Node) -> Result | None:
    """Compare intervals and unions; they differ from a number."""
    if any(side.op in _SCALAR and _has_collection(side) for side in (a, b)):
        return "undecided", "points or sets"
    if {a.op, b.op} & _SCALAR and not (variables(a) or variables(b)):
        return "different", "how many"
    return compare_sets(a, b)


def _has_collection(node: Node) -> bool:
    """Return whether an expression computes with points, sets or matrices: `2(1, 3)`."""
    return node.op in (*_COLLECTIONS, "matrix", "interval") or any(map(_has_collection, node.args))


def _compare_matrices(a: Node, b: Node) -> Result | None:
    """Compare two matrices, or a row or column with a list."""
    if a.op == b.op:
        if len(a.args) != len(b.args):
            return "different", "matrix"
        return _combine(
            [
                _compare_ordered(x.args, y.args, "matrix")
                for x, y in zip(a.args, b.args, strict=True)
            ],
            "matrix",
        )
    matrix, other = (a, b) if a.op == "matrix" else (b, a)
    if other.op in _SCALAR and _has_collection(other):
        return "undecided", "matrix"
    if (
        other.op in _SCALAR
        and not variables(other)
        and len(matrix.args) * len(matrix.args[0].args) > 1
    ):
        return "different", "how many"
    if other.op not in _COLLECTIONS or other.op == "set":
        return "undecided", "matrix"
    if other.args and all(item.op in _ORDERED for item in other.args):
        other_rows = tuple(Node("row", item.args) for item in other.args)
        return _compare_matrices(matrix, Node("matrix", other_rows))
    if len(matrix.args) == 1:
        return _compare_ordered(matrix.args[0].args, other.args, "vector")
    if all(len(row.args) == 1 for row in matrix.args):
        return _compare_ordered([row.args[0] for row in matrix.args], other.args, "vector")
    return "different", "matrix"


def _are_equal(a: Node, b: Node) -> bool:
    if (a.op == "set") != (b.op == "set"):
        return False  # {{1}, 2} and {1, {2}}
    result = compare_nodes(a, b)
    return result is not None and result[0] == "equal"


def _compare_cases(a: Node, b: Node) -> Result:
    """Compare two functions by cases, in any order: equal if the same conditions have equal values,
    different if they have different values.
    """
    rest, outcomes = list(b.args), []
    for row in a.args:
        matches = [i for i, other in enumerate(rest) if _are_equal(row.args[1], other.args[1])]
        if not matches or len(a.args) != len(b.args):
            return "undecided", "piecewise"
        outcomes.append(compare_nodes(row.args[0], rest.pop(matches[0]).args[0]))
    return _combine(outcomes, "piecewise") or ("undecided", "piecewise")


def _compare_relations(a: Node, b: Node) -> Result | None:
    if a.op == b.op == "rel":
        if a.text == b.text == ":":
            return _compare_ratios(a, b)
        if a.text == b.text == "=":
            return _compare_equations(a, b)
        if "to" in (a.text, b.text):
            return _compare_ranges(a, b)
        if a.text == b.text == "in":
            heads = compare_nodes(a.args[0], b.args[0])
            sets = _compare_memberships(a.args[1], b.args[1])
            return _combine([heads, sets], "interval")
        if a.text[0] in "<>" and b.text[0] in "<>" and len(a.args) == len(b.args) == 2:
            return compare_same_direction(a, b)
        return None
    ratio, other = (a, b) if a.op == "rel" else (b, a)
    if ratio.text == ":" and len(ratio.args) == 2:
        result = compare_scalars(Node("/", ratio.args), other)
        return (result[0], "ratio") if result else None
    if ratio.text == "to":
        return "undecided", "range"
    return ("undecided", "equation or value") if ratio.text == "=" else None


def _compare_ranges(a: Node, b: Node) -> Result:
    """Compare `3 to 4` with a range or a ratio of the same numbers."""
    if {a.text, b.text} > {"to", ":"} or len(a.args) != len(b.args):
        return "undecided", "range"
    result = _compare_ordered(a.args, b.args, "range")
    same = result is not None and result[0] == "equal"
    return ("equal" if same else "undecided"), "range"


def _compare_equations(a: Node, b: Node) -> Result | None:
    if len(a.args) == len(b.args) == 2:
        bodies = compare_definitions(a, b)
        if bodies:
            return compare_nodes(*bodies)
    return compare_proportional(a, b)


def _compare_memberships(a: Node, b: Node) -> Result | None:
    if {a.op, b.op} & {"interval", "union", "tuple"}:
        return compare_sets(a, b)
    return compare_nodes(a, b)


def _compare_ratios(a: Node, b: Node) -> Result | None:
    """Compare `3:4` and `6:8`; `3:45` may be a time of day, which equals only itself."""
    if len(a.args) != len(b.args):
        return "different", "ratio"
    if any(may_be_time(x) for x in (a, b)):
        result = _compare_ordered(a.args, b.args, "ratio")
        return result if result and result[0] == "equal" else ("undecided", "ratio or time")
    return _combine(
        [
            compare_scalars(Node("*", (a.args[0], y)), Node("*", (b.args[0], x)))
            for x, y in zip(a.args[1:], b.args[1:], strict=True)
        ],
        "ratio",
    )


def compare_nodes(a: Node, b: Node) -> Result | None:
    """Return the outcome for two formulas; None where a symbolic grader is needed."""
    if a == b:
        return "equal", "same formula"
    if _states_alternatives(a) != _states_alternatives(b):
        return "undecided", "and or or"
    named = _compare_named_values(a, b)
    if named:
        return named
    if any(count_of(side, "pm") > 1 and side.op == "pm" for side in (a, b)):
        return "undecided", "several signs"
    a, b = compute(a), compute(b)
    inequalities = a, b
    a, b = (solve_inequality(expand_plus_minus(_unwrap_single(side))) for side in (a, b))
    if a.op == b.op == "rel" and (a.text == "in") != (b.text == "in"):
        a, b = inequalities  # `-2x > 4y` has no solution by rules, `x < -2y` has one
    if Node("set") in (a, b):
        return ("equal" if a == b else "undecided"), "empty set"
    if not (a.op == b.op == "rel") or {a.text, b.text} == {"=", "in"}:
        a, b = (expand_plus_minus(_unwrap_single(strip_assignment(side))) for side in (a, b))
    elif a.args[0] == b.args[0] and a.text == b.text == "=":
        a, b = strip_assignment(a), strip_assignment(b)
    a, b = _unwrap_alternatives(a), _unwrap_alternatives(b)
    ops = {a.op, b.op}
    if "bool" in ops:
        if ops == {"bool"}:
            return ("equal" if a.text == b.text else "different"), "boolean"
        return "undecided", "boolean"
    if "rel" in ops:
        return _compare_relations(a, b)
    if ops & {"interval", "union"}:
        return _compare_intervals(a, b)
    if "cases" in ops:
        return _compare_cases(a, b) if a.op == b.op else None
    if "matrix" in ops:
        return _compare_matrices(a, b)
    if ops & set(_COLLECTIONS):
        if not (a.op in _COLLECTIONS and b.op in _COLLECTIONS):
            if any(side.op in _SCALAR and _has_collection(side) for side in (a, b)):
                return "undecided", "points or sets"
            vector = (variables(a) | variables(b)) & {"j", "k"}
            return ("undecided", "vector") if vector else ("different", "how many")
        return _compare_collections(a, b)
    if ops == {"neg"}:
        return compare_nodes(a.args[0], b.args[0])
    if "base" in ops and a.op != b.op:
        return compare_bases(a, b)
    if variables(a) or variables(b):
        return compare_expressions(a, b)
    return compare_scalars(a, b)
