"""Whether two readings with units say the same.

In: two `Reading`s of formulas, at least one with a unit. Out: an outcome with its rule. The rules:
- units of one dimension are converted (1.5 km and 1500 m, 50 cents and $0.50); others differ;
- a unit on one side only is left out (`18 dollars` and `18`), without conversion;
- `50%` equals both `0.5` and `50`; 90 degrees equals 90 and pi/2;
- a scale word on one side only decides if it is counted (`12 million` and 12000000), not if it is
  left out (`12`: undecided);
- words that count things decide only if they are the same (`18 eggs` and `18 apples`: undecided).
"""

from curator.answers.compare.formulas import compare_nodes
from curator.answers.compare.scalars import Result, scalars
from curator.answers.parse.tree import Node
from curator.answers.parse.units import Unit

_PERCENT = (("percent", 1),)
_ANGLE = (("angle", 1),)
_INVERSE = {"asin", "acos", "atan", "pi"}
_TWO_MEANINGS = ({"mass", "money£"}, {"month", "time"})
"""Pounds, and calendar units without a fixed number of days."""


def _either(first: Result | None, second: Result | None, rule: str) -> Result | None:
    """Equal if one of two meanings is; different only if both are."""
    for found in (first, second):
        if found and found[0] == "equal":
            return "equal", rule
    if first is None or second is None:
        return None
    both = first[0] == second[0] == "different"
    return ("different" if both else "undecided"), rule


def _one_sided(a: Node, unit: Unit, b: Node) -> Result | None:
    """A number with a unit against one without."""
    if "base" in (a.op, b.op):
        return "undecided", "base"
    bare = compare_nodes(a, b)
    if unit.dimensions == _PERCENT:
        return _either(scalars(Node("percent", (a,)), b), bare, "percent")
    if unit.dimensions == _ANGLE and unit.factor == 1 and _constants(b) & _INVERSE:
        return _either(scalars(Node("deg", (a,)), b), bare, "angle")
    if unit.scale != 1:
        counted = scalars(a, b, unit.scale)
        if counted and counted[0] == "equal":
            return "equal", "scale"
        return ("undecided", "scale left out") if bare and bare[0] == "equal" else counted
    if bare is None or bare[0] == "equal":
        return bare and ("equal", "unit left out")
    if unit.compound:
        return "undecided", "unit left out"
    converted = scalars(a, b, unit.factor) if unit.factor != 1 and unit.known else None
    return ("undecided", "unit left out") if converted and converted[0] == "equal" else bare


def _constants(node: Node) -> set[str]:
    if node.op == "const":
        return {node.text}
    if node.op == "call" and node.text in _INVERSE:
        return {node.text}
    return set().union(*map(_constants, node.args)) if node.args else set()


def _temperatures(celsius: Node, fahrenheit: Node) -> Result | None:
    degrees = Node("/", (Node("*", (celsius, Node("num", (), "9"))), Node("num", (), "5")))
    found = compare_nodes(Node("+", (degrees, Node("num", (), "32"))), fahrenheit)
    return (found[0], "unit") if found else None


def _known(unit: Unit) -> dict[str, int]:
    return {name: power for name, power in unit.dimensions if not name.startswith("#")}


def compare(a: Node, a_unit: Unit | None, b: Node, b_unit: Unit | None) -> Result | None:
    """The outcome for two quantities; None where a symbolic grader is needed."""
    if a_unit is None or b_unit is None:
        if a_unit:
            return _one_sided(a, a_unit, b)
        return _one_sided(b, b_unit, a) if b_unit else compare_nodes(a, b)
    ratio = a_unit.factor / b_unit.factor
    if a_unit.dimensions == b_unit.dimensions:
        found = compare_nodes(a, b) if ratio == 1 else scalars(a, b, ratio)
        return (found[0], "unit") if found else None
    if not a_unit.dimensions or not b_unit.dimensions:  # `units`, `million`
        bare = compare_nodes(a, b)
        same = bare is not None and bare[0] == "equal"
        return ("undecided", "part of the unit") if same else bare
    known_a, known_b = _known(a_unit), _known(b_unit)
    if known_a == known_b:
        found = scalars(a, b, ratio)
        if found and found[0] == "equal":
            # `18 dollars` and `18 dollars profit`: the words say more of the same thing
            return ("equal", "unit") if known_a else ("undecided", "other words")
        return found
    if {*known_a} == {"temperature"} and {*known_b} == {"fahrenheit"}:
        return _temperatures(a, b)
    if {*known_b} == {"temperature"} and {*known_a} == {"fahrenheit"}:
        return _temperatures(b, a)
    if {*known_a, *known_b} in _TWO_MEANINGS:
        return "undecided", "two readings"
    common = known_a.keys() & known_b.keys()
    alike = [known_a[name] == known_b[name] for name in common]
    if not known_a or not known_b or (alike and all(alike)):
        return "undecided", "part of the unit"
    return "different", "dimension"
