"""Parse what is laid out in rows or named fields: matrices, functions by cases, sympy's intervals.

In: the parser, past the opening command or name. Out: a `Node`; `Unreadable` for other layouts.
"""

from curator.answers.parse.cursor import Cursor
from curator.answers.parse.tokens import Unreadable
from curator.answers.parse.tree import Node

_CONDITION_WORDS = ("if", "for", "when", "where")
_OTHERWISE = Node("bool", (), "true")


def sympy_interval(p: Cursor) -> Node:
    """Parse `Interval(1, 2)`, `Interval(1, 2, True, False)` and `Interval_Lopen(1, 2)`."""
    name = p.peek(-1).text.removeprefix("Interval").removeprefix("_")
    p.expect("(")
    inside = p.items()
    p.expect(")")
    ends = inside.args
    if inside.op != "items" or not 2 <= len(ends) <= 4:
        raise Unreadable("Interval")
    flags = [*(arg == Node("bool", (), "true") for arg in ends[2:]), False, False]
    if name:
        flags = [name in ("open", "Lopen"), name in ("open", "Ropen")]
    infinite = [
        end.text == "inf" or (end.op == "neg" and end.args[0].text == "inf") for end in ends
    ]
    brackets = ("(" if flags[0] or infinite[0] else "[") + (")" if flags[1] or infinite[1] else "]")
    return Node("interval", ends[:2], brackets)


def matrix(p: Cursor) -> Node:
    rows: list[Node] = []
    cells: list[Node] = []
    while not p.accept(r"\endmatrix"):
        if p.accept(r"\\"):
            rows.append(Node("row", tuple(cells)))
            cells = []
            continue
        cells.append(p.sum())
        p.accept("&")
    if cells:
        rows.append(Node("row", tuple(cells)))
    if not rows or len({len(row.args) for row in rows}) != 1:
        raise Unreadable("a matrix with ragged rows")
    return Node("matrix", tuple(rows))


def cases(p: Cursor) -> Node:
    r"""Parse `\cases x & x > 0 \\ -x & otherwise \endcases`: rows of a value and its condition."""
    rows: list[Node] = []
    while not p.accept(r"\endcases"):
        if rows and not p.accept("\\\\"):
            raise Unreadable("cases without rows")
        if p.accept(r"\endcases"):
            break
        rows.append(_parse_case(p))
    if rows and all(row.op == "rel" for row in rows):
        return Node("items", tuple(rows), "and")
    return _cases_node(rows)


def _parse_case(p: Cursor) -> Node:
    """Parse a value with its condition, or one equation of a system."""
    value = p.relation()
    if value.op == "rel" and p.next.text in ("\\\\", r"\endcases"):
        return value
    while p.accept("&", ","):
        pass
    if p.next.kind == "word" and p.next.text in _CONDITION_WORDS:
        p.take()
    if p.next.kind == "word" and p.next.text == "otherwise":
        p.take()
        return Node("row", (value, _OTHERWISE))
    condition = p.relation()
    p.accept(",", ";")
    return Node("row", (value, condition))


def piecewise(p: Cursor) -> Node:
    """Parse sympy's `Piecewise((x, x > 0), (-x, True))`."""
    inside = p.items()
    p.expect(")")
    rows = inside.args if inside.op == "items" else (inside,)
    if any(row.op != "tuple" or len(row.args) != 2 for row in rows):
        raise Unreadable("Piecewise")
    return _cases_node([Node("row", row.args) for row in rows])


def _cases_node(rows: list[Node]) -> Node:
    if not rows or any(row.op != "row" or row.args[1].op not in ("rel", "bool") for row in rows):
        raise Unreadable("cases without conditions")
    return Node("cases", tuple(rows))
