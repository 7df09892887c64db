"""Compare two formulas of which at least one has a unit.

In: formulas and units. Out: an outcome with its rule. The rules:
- units of one dimension are converted (1.5 km and 1500 m, 50 cents and $0.50); others differ;
- a unit on one side only is ignored (`18 dollars` and `18`), without conversion;
- `50%` equals both `0.5` and `50`; 90 degrees equals 90 and pi/2; so do formulas with such signs
  (`20% + 30%`, `2 * 45°`, a list of angles);
- a scale word on one side only is decided if the other side applies it (`12 million` and 12000000),
  and undecided if the other side omits it (`12`);
- words that count things are decided only if they are the same (`18 eggs` and `18 apples`:
  undecided).
"""

from curator.answers.compare.formulas import compare_nodes
from curator.answers.compare.scalars import Result, compare_scalars
from curator.answers.compare.signs import strip_signs
from curator.answers.parse.tree import Node, contains
from curator.answers.parse.units import Unit

_PERCENT = (("percent", 1),)
_ANGLE = (("angle", 1),)
_SIGNS = (("deg", _ANGLE, "angle"), ("percent", _PERCENT, "percent"))
_ANGLE_VALUES = {"asin", "acos", "atan", "pi"}
_AMBIGUOUS = ({"mass", "money£"}, {"month", "time"})
"""Dimensions with ambiguous units: pounds, and calendar units without a fixed length."""


def _combine_readings(first: Result | None, second: Result | None, rule: str) -> Result | None:
    """Return equal if one of two readings is equal, and different only if both are different."""
    for result in (first, second):
        if result and result[0] == "equal":
            return "equal", rule
    if first is None or second is None:
        return None
    both = first[0] == second[0] == "different"
    return ("different" if both else "undecided"), rule


def _compare_one_unit(a: Node, unit: Unit, b: Node) -> Result | None:
    """Compare a quantity with a number that has no unit."""
    if "base" in (a.op, b.op):
        return "undecided", "base"
    bare = compare_nodes(a, b)
    if unit.dimensions == _PERCENT:
        return _combine_readings(compare_scalars(Node("percent", (a,)), b), bare, "percent")
    if unit.dimensions == _ANGLE and unit.factor == 1 and _constants(b) & _ANGLE_VALUES:
        return _combine_readings(compare_scalars(Node("deg", (a,)), b), bare, "angle")
    if unit.scale != 1:
        scaled = compare_scalars(a, b, unit.scale)
        if scaled and scaled[0] == "equal":
            return "equal", "scale"
        return ("undecided", "scale left out") if bare and bare[0] == "equal" else scaled
    if bare is None or bare[0] == "equal":
        return bare and ("equal" if unit.sure else "undecided", "unit left out")
    if unit.compound:
        return "undecided", "unit left out"
    converted = compare_scalars(a, b, unit.factor) if unit.factor != 1 and unit.known else None
    return ("undecided", "unit left out") if converted and converted[0] == "equal" else bare


def _constants(node: Node) -> set[str]:
    if node.op == "const":
        return {node.text}
    if node.op == "call" and node.text in _ANGLE_VALUES:
        return {node.text}
    return set().union(*map(_constants, node.args)) if node.args else set()


def _compare_temperatures(celsius: Node, fahrenheit: Node) -> Result | None:
    degrees = Node("/", (Node("*", (celsius, Node("num", (), "9"))), Node("num", (), "5")))
    result = compare_nodes(Node("+", (degrees, Node("num", (), "32"))), fahrenheit)
    return (result[0], "unit") if result else None


def _compare_with_kelvin(kelvin: Node, celsius: Node) -> Result | None:
    result = compare_nodes(Node("+", (celsius, Node("num", (), "273.15"))), kelvin)
    return (result[0], "unit") if result else None


def _known_dimensions(unit: Unit) -> dict[str, int]:
    return {name: power for name, power in unit.dimensions if not name.startswith("#")}


def compare_quantities(a: Node, a_unit: Unit | None, b: Node, b_unit: Unit | None) -> Result | None:
    """Return the outcome for two quantities; None where a symbolic grader is needed."""
    result = _compare_as_written(a, a_unit, b, b_unit)
    if result and result[0] == "equal":
        return result
    for op, dimensions, rule in _SIGNS:
        if contains(a, op) or contains(b, op):
            units = [unit for unit in (a_unit, b_unit) if unit]
            if all(unit.dimensions == dimensions and unit.factor == 1 for unit in units):
                return _compare_without_signs(a, b, op, rule, result)
    return result


def _compare_without_signs(
    a: Node, b: Node, op: str, rule: str, result: Result | None
) -> Result | None:
    """Return the outcome for two formulas that may both count degrees, or both per cent.

    `result` is the outcome for their values, where a degree is pi/180.
    """
    (x, x_counts), (y, y_counts) = strip_signs(a, op), strip_signs(b, op)
    if (x, y) == (a, b):  # all signs are in functions
        return result
    both = _combine_readings(result, compare_nodes(x, y), rule)
    if both and both[0] == "equal" and not (x_counts and y_counts):
        return "undecided", rule
    if both and both[0] == "different" and contains(a, op) != contains(b, op):
        # the number may count in the unit of the sign: `1 + 20%` is 120%
        x, y = (each if contains(each, op) else Node(op, (each,)) for each in (a, b))
        signed = compare_nodes(x, y)
        return both if signed and signed[0] == "different" else ("undecided", rule)
    return both


def _compare_as_written(
    a: Node, a_unit: Unit | None, b: Node, b_unit: Unit | None
) -> Result | None:
    if a_unit is None or b_unit is None:
        if a_unit:
            return _compare_one_unit(a, a_unit, b)
        return _compare_one_unit(b, b_unit, a) if b_unit else compare_nodes(a, b)
    ratio = a_unit.factor / b_unit.factor
    if a_unit.dimensions == b_unit.dimensions:
        result = compare_nodes(a, b) if ratio == 1 else compare_scalars(a, b, ratio)
        return (result[0], "unit") if result else None
    if not a_unit.dimensions or not b_unit.dimensions:  # `units`, `million`
        bare = compare_nodes(a, b)
        same = bare is not None and bare[0] == "equal"
        return ("undecided", "part of the unit") if same else bare
    known_a, known_b = _known_dimensions(a_unit), _known_dimensions(b_unit)
    if known_a == known_b:
        result = compare_scalars(a, b, ratio)
        if result and result[0] == "equal":
            # `18 dollars` and `18 dollars profit`: the words only add detail
            more = {*a_unit.dimensions} ^ {*b_unit.dimensions}
            detail = {*a_unit.dimensions} >= more or {*b_unit.dimensions} >= more
            sure = bool(known_a) and detail and a_unit.sure and b_unit.sure
            return ("equal", "unit") if sure else ("undecided", "other words")
        return result
    if {*known_a} == {"temperature"} and {*known_b} == {"fahrenheit"}:
        return _compare_temperatures(a, b)
    if {*known_b} == {"temperature"} and {*known_a} == {"fahrenheit"}:
        return _compare_temperatures(b, a)
    if {*known_a} == {"kelvin"} and {*known_b} == {"temperature"}:
        return _compare_with_kelvin(a, b)
    if {*known_b} == {"kelvin"} and {*known_a} == {"temperature"}:
        return _compare_with_kelvin(b, a)
    if {*known_a, *known_b} in _AMBIGUOUS:
        return "undecided", "two readings"
    common = known_a.keys() & known_b.keys()
    alike = [known_a[name] == known_b[name] for name in common]
    if not known_a or not known_b or (alike and all(alike)):
        return "undecided", "part of the unit"
    return "different", "dimension"
