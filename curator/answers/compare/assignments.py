"""What `x = 3`, `f(x) = 2x`, `P(A) = 1/2` and `x = y = 2` state: values with names.

In: trees. Out: `strip_assignment(node)`, the value that a relation gives to a name;
`expand_plus_minus(node)`, the values of `1 ± sqrt(2)`; `name_values(node)`, the values of several
names.
"""

from collections.abc import Mapping
from itertools import product

from curator.answers.compare.scalars import compare_scalars, variables
from curator.answers.parse.tree import Node

_MAX_EXPANDED = 16
_COLLECTIONS = ("set", "items", "list")
_RATIOS = ("sin", "cos", "tan", "cot", "sec", "csc")
_NAMED_CONSTANTS = ("i", "e")


def strip_assignment(node: Node) -> Node:
    """Return the right side of `x = 3`, which states `3`; other nodes as they are."""
    if node.op != "rel" or node.text not in ("=", "in"):
        return node
    if len(node.args) != 2:
        return _strip_chain(node) if node.text == "=" else node
    head, right = node.args
    if head.op == "name" and head.text not in variables(right):
        return right
    if _is_label(head) and (head.op == "apply" or not variables(right)):
        return right
    if head.op == "const" and head.text in _NAMED_CONSTANTS and right.op != "const":
        return right  # i = 3
    pair = head.op == right.op == "tuple" and len(head.args) == len(right.args)
    if pair and all(part.op == "name" for part in head.args):
        return right  # (x, y) = (1, 2)
    if node.text == "=" and not variables(head) | variables(right):
        return _strip_chain(node)
    return node


def _is_label(head: Node) -> bool:
    """Return whether a side only names what the other side states: f(x), AB, |AB|, [ABC]/[DEF]."""
    match head.op:
        case "apply":
            return True
        case "*":
            names = all(part.op == "name" for part in head.args)
            event = head.args[0].op == "name" and head.args[1].op == "rel"  # P(X = 2)
            return names or (event and len(head.args) == 2)
        case "call" if head.text == "abs":
            return head.args[0].op == "*" and _is_label(head.args[0])
        case "call" if head.text in _RATIOS:
            return head.args[0].op == "name" and head.args[0].text.isupper()  # tan A
        case "list":
            return len(head.args) == 1 and _is_label(head.args[0])
        case "/":
            return all(part.op in ("list", "*") and _is_label(part) for part in head.args)
        case _:
            return False


def _strip_chain(node: Node) -> Node:
    """Return the value of `2 + 3 = 5` or `A = 3 * 4 = 12`, if its parts are equal."""
    first, *rest = node.args
    numbers = [first, *rest]
    if first.op == "name" and len(node.args) > 2:
        numbers = rest
    if any(variables(number) for number in numbers):
        return node
    for number in numbers[1:]:
        result = compare_scalars(numbers[0], number)
        if result is None or result[0] != "equal":
            return node
    return numbers[0]


def _has_plus_minus(node: Node) -> bool:
    return node.op == "pm" or any(map(_has_plus_minus, node.args))


def _choose_signs(node: Node, sign: int) -> Node:
    """Return a formula with all its ± as plus (1) or minus (-1)."""
    if not node.args:
        return node
    args = tuple(_choose_signs(arg, sign) for arg in node.args)
    if node.op != "pm":
        return Node(node.op, args, node.text)
    middle, distance = args
    if sign < 0:
        distance = distance.args[0] if distance.op == "neg" else Node("neg", (distance,))
    return distance if middle == Node("num", (), "0") else Node("+", (middle, distance))


def expand_plus_minus(node: Node) -> Node:
    """Return `1 ± sqrt(2)` as its two values and `(0, ±2)` as its two points.

    Signs in one formula belong together; those of the coordinates of a point do not.
    """
    if not _has_plus_minus(node):
        return node
    if node.op in _COLLECTIONS:
        values = [expand_plus_minus(item) for item in node.args]
        flat = [x for old, new in zip(node.args, values, strict=True) for x in _new_items(old, new)]
        return Node(node.op, tuple(flat), node.text)
    if node.op == "tuple" and not any(map(_has_minus_plus, node.args)):
        choices = [
            [_choose_signs(x, 1), _choose_signs(x, -1)] if _has_plus_minus(x) else [x]
            for x in node.args
        ]
        if 2 ** sum(len(choice) - 1 for choice in choices) > _MAX_EXPANDED:
            return node
        return Node("items", tuple(Node("tuple", point) for point in product(*choices)))
    return Node("items", (_choose_signs(node, 1), _choose_signs(node, -1)))


def _has_minus_plus(node: Node) -> bool:
    """Return whether a formula has a ∓, whose sign belongs to that of a ±."""
    if node.op == "pm" and node.args[1].op == "neg":
        return True
    return any(map(_has_minus_plus, node.args))


def _new_items(old: Node, new: Node) -> tuple[Node, ...]:
    return new.args if new.op == "items" and new is not old else (new,)


def name_values(node: Node) -> Mapping[str, Node] | None:
    """Return the values of `x = 1, y = 2`, `(y, x) = (2, 1)` or `x = y = 2`; None for others."""
    if node.op == "items":
        relations = node.args
        if any(r.op != "rel" or r.text != "=" or len(r.args) != 2 for r in relations):
            return None
        values = {r.args[0].text: r.args[1] for r in relations if r.args[0].op == "name"}
        return values if len(values) == len(relations) else None
    if node.op != "rel" or node.text != "=":
        return None
    head, right = node.args[0], node.args[-1]
    if len(node.args) == 2 and head.op == right.op == "tuple":
        names = [part.text for part in head.args if part.op == "name"]
        same = len(names) == len(set(names)) == len(head.args) == len(right.args)
        return dict(zip(names, right.args, strict=True)) if same else None
    names = [part.text for part in node.args[:-1] if part.op == "name"]
    if len(node.args) > 2 and len(names) == len(node.args) - 1 and not variables(right):
        return dict.fromkeys(names, right)
    return None


def to_tuple(values: Mapping[str, Node]) -> Node | None:
    """Return values in the order of their names, x before y; None if the order is unknown.

    Names are ordered by the alphabet if they are neighbours in it; others only if they are written
    in that order.
    """
    names = list(values)
    ordered = sorted(names)
    single = all(len(name) == 1 for name in names)
    neighbours = single and ord(ordered[-1]) - ord(ordered[0]) == len(names) - 1
    if names != ordered and not neighbours:
        return None
    return Node("tuple", tuple(values[name] for name in ordered))


def compare_definitions(a: Node, b: Node) -> tuple[Node, Node] | None:
    """Return the bodies of `f(x) = 2x` and `f(t) = 2t`, or of `f(x) = 2x` and `y = 2x`.

    The variables of the first are renamed to those of the second. None for other relations.
    """
    if a.args[0].op != "apply" and b.args[0].op == "apply":
        swapped = compare_definitions(b, a)
        return (swapped[1], swapped[0]) if swapped else None
    (head, body), (other, other_body) = a.args, b.args
    if head.op != "apply" or any(arg.op != "name" for arg in head.args):
        return None
    if any(arg.text.isupper() and arg.text not in variables(body) for arg in head.args):
        return None  # P(A) = 1/2 states a value
    if other == Node("name", (), "y") and len(head.args) == 1 and "y" not in variables(a):
        return body, other_body
    if other.op != "apply" or other.text != head.text or len(other.args) != len(head.args):
        return None
    if any(arg.op != "name" for arg in other.args):
        return None
    names = {old.text: new for old, new in zip(head.args, other.args, strict=True)}
    return _rename(body, names), other_body


def _rename(node: Node, names: Mapping[str, Node]) -> Node:
    if node.op == "name":
        return names.get(node.text, node)
    return Node(node.op, tuple(_rename(arg, names) for arg in node.args), node.text)
