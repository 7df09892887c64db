"""Whether two shapes are certainly different. Independent of the graders.

In: two shapes of the same kind and form, or intervals. Out: `shapes_differ(a, b)`; False also means
that it is not certain.
"""

from itertools import pairwise

from curator.answers.variants.formula import Formula, join, letters, minus
from curator.answers.variants.shapes import INFINITY, MINUS_INFINITY, Shape, mixed_value, pieces
from curator.answers.variants.value import differ, far_apart, float_value, values


def shapes_differ(a: Shape, b: Shape) -> bool:
    """Return whether two shapes are certainly different."""
    match a.kind:
        case "intervals":
            return _intervals_differ(a, b)
        case "equation":
            return _equations_differ(a, b)
        case "set" | "list":
            return _items_differ(a, b)
        case "mixed":
            return mixed_value(a) != mixed_value(b)
        case _:
            if len(a.parts) != len(b.parts):
                return True
            return any(differ(x, y) for x, y in zip(a.parts, b.parts, strict=True))


def _items_differ(a: Shape, b: Shape) -> bool:
    """Return whether an item of one side differs from all items of the other."""
    sides = ((a.parts, b.parts), (b.parts, a.parts))
    return any(
        all(differ(item, other) for other in right) for left, right in sides for item in left
    )


def _position(end: Formula) -> float:
    if end in (INFINITY, MINUS_INFINITY):
        return float("inf") if end == INFINITY else float("-inf")
    return float_value(end, {}).real


def _contains(shape: Shape, x: float) -> bool:
    for low, high, form in pieces(shape):
        a, b = _position(low), _position(high)
        if a < x < b or (x == a and form[0] == "[") or (x == b and form[1] == "]"):
            return True
    return False


def _is_proper(shape: Shape) -> bool:
    return all(_position(low) < _position(high) for low, high, _ in pieces(shape))


def _intervals_differ(a: Shape, b: Shape) -> bool:
    """Return whether a number is in one set only: an end, or a number between two ends."""
    if any(map(letters, (*a.parts, *b.parts))):
        return False
    try:
        if not (_is_proper(a) and _is_proper(b)):
            return False
        ends = {_position(end) for end in (*a.parts, *b.parts)} - {float("inf"), float("-inf")}
    except (ArithmeticError, ValueError):
        return False
    ordered = sorted(ends)
    between = [(x + y) / 2 for x, y in pairwise(ordered)]
    outside = [ordered[0] - 1, ordered[-1] + 1] if ordered else [0.0]
    if any(not far_apart(complex(x), complex(y)) for x, y in pairwise(ordered)):
        return False
    return any(_contains(a, x) != _contains(b, x) for x in (*ordered, *between, *outside))


def _equations_differ(a: Shape, b: Shape) -> bool:
    """Return whether the differences of the sides are not proportional."""
    gaps = [join("sum", [shape.parts[0], minus(shape.parts[1])]) for shape in (a, b)]
    names = letters(gaps[0]) | letters(gaps[1])
    ratios = []
    for x, y in zip(*(values(gap, names) for gap in gaps), strict=True):
        if x is not None and y is not None and abs(x) > 1e-6 and abs(y) > 1e-6:
            ratios.append(x / y)
    return len(ratios) > 1 and any(far_apart(ratios[0], ratio) for ratio in ratios[1:])
