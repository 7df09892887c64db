r"""Take degree and percent signs out of a formula: `\frac{360^\circ}{3}` is 360/3 degrees.

In: a tree. Out: `strip_signs(node, op)`, the tree without its signs, and whether it is a number of
degrees (or of per cent) as a whole. Terms with a sign and numbers without one (`90^\circ + 30`),
and powers of the sign (`60^\circ \cdot 60^\circ`) are not. Signs in arguments of functions stay:
`\sin 30^\circ` is a number.
"""

from dataclasses import dataclass

from curator.answers.parse.tree import Node

_SUMS = ("+", "pm")
_SELECTING = ("abs", "max", "min")
"""Functions whose value has the unit of their arguments."""
_COLLECTIONS = (
    *("tuple", "list", "set", "items", "interval", "union", "matrix", "row", "rel", "cases"),
)


@dataclass(frozen=True, slots=True)
class _Measured:
    """A formula without its signs."""

    node: Node
    power: int | None
    """The power of the sign: 1 for `2x^\\circ`. None if it can be any: 0, or an angle `x`."""
    whole: bool = True


def strip_signs(node: Node, op: str) -> tuple[Node, bool]:
    """Return a formula without its signs, and whether the number counts in their unit.

    `op` is `deg` or `percent`.
    """
    found = _strip(node, op)
    return found.node, found.whole and found.power in (0, 1, None)


def _strip(node: Node, op: str) -> _Measured:
    if node.op == "num":
        return _Measured(node, 0 if node.text.strip("0.") else None)
    if node.op == "name":
        return _Measured(node, None if op == "deg" else 0)
    selecting = node.op == "call" and node.text in _SELECTING
    inner = (op, "neg", "*", "/", "^", *_SUMS, *_COLLECTIONS)
    if node.op not in inner and not selecting:
        return _Measured(node, 0)
    parts = [_strip(arg, op) for arg in node.args]
    power, whole = _join(node.op, op, parts)
    if node.op == op:
        return _Measured(parts[0].node, power, whole)
    bare = Node(node.op, tuple(part.node for part in parts), node.text)
    return _Measured(bare, power, whole and all(part.whole for part in parts))


def _join(operation: str, op: str, parts: list[_Measured]) -> tuple[int | None, bool]:
    """Return the power of the sign after an operation, and whether the operation suits units."""
    powers = [part.power for part in parts]
    known = {power for power in powers if power is not None}
    if operation == op:
        return 1, known <= {0}
    if operation in _COLLECTIONS:
        return 0, known <= {0, 1}
    if operation == "^":
        return powers[0], known <= {0}
    if operation not in ("*", "/"):
        return (min(known) if known else None), len(known) < 2
    if operation == "/":
        powers[1] = -powers[1] if powers[1] else powers[1]
    total = sum(power or 0 for power in powers)
    # 20% of 50 is 10, and not 1000 per cent
    suits = op == "deg" or operation == "/" or not known - {0}
    return (None if not total and None in powers else total), suits
