"""Compute with points and matrices: `2(1, 3)`, `(1, 2) + (3, 4)`, half of a matrix.

In: a tree. Out: `compute(node)`, a point, list or matrix whose items are formulas; other trees, and
products of two points or matrices, as they are.
"""

from collections.abc import Callable, Sequence

from curator.answers.parse.tree import Node

_ORDERED = ("tuple", "list")
_SHAPES = (*_ORDERED, "matrix")
_MAX_ITEMS = 64


def compute(node: Node) -> Node:
    """Return a sum of points or matrices of one shape, or a multiple of one, item by item."""
    if node.op not in ("neg", "+", "*", "/"):
        return node
    parts = [compute(arg) for arg in node.args]
    shaped = [part for part in parts if part.op in _SHAPES]
    if not shaped or any(_size(part) > _MAX_ITEMS for part in shaped):
        return node
    if node.op == "+":
        same = len(shaped) == len(parts) and len({_shape(part) for part in parts}) == 1
        return _map_items(lambda items: Node("+", tuple(items)), parts) if same else node
    if len(shaped) > 1 or (node.op == "/" and parts[1].op in _SHAPES):
        return node
    if any(part.op not in _SHAPES and _is_no_scalar(part) for part in parts):
        return node
    if any(part.op == "name" and part.text[0].isupper() for part in parts):
        return node  # C(6, 3), P(1, 2)
    place = parts.index(shaped[0])

    def scale(items: Sequence[Node]) -> Node:
        return Node(node.op, (*parts[:place], items[0], *parts[place + 1 :]))

    return _map_items(scale, shaped)


def _is_no_scalar(node: Node) -> bool:
    other = (*_SHAPES, "set", "items", "interval", "union", "rel", "pm")
    return node.op in other or any(map(_is_no_scalar, node.args))


def _size(node: Node) -> int:
    return sum(len(row.args) for row in node.args) if node.op == "matrix" else len(node.args)


def _shape(node: Node) -> tuple[str, tuple[int, ...]]:
    if node.op == "matrix":
        return "matrix", tuple(len(row.args) for row in node.args)
    return "tuple", (len(node.args),)


def _map_items(function: Callable[[Sequence[Node]], Node], parts: Sequence[Node]) -> Node:
    first = parts[0]
    if first.op == "matrix":
        rows = zip(*(part.args for part in parts), strict=True)
        return Node("matrix", tuple(_map_items(function, row) for row in rows))
    items = zip(*(part.args for part in parts), strict=True)
    return Node(first.op, tuple(map(function, items)))
