"""Recognise a statement of an answer that equates two numbers that differ, such as `4 = 3`.

In: the text that states an answer. Out: whether it holds a false equation. The last side would
count as the answer otherwise, so that a policy could state two answers at once. Sides are compared
as answers are: numbers that may be roundings of each other prove nothing. Not covered: sides with
variables, congruences, and what `≈` relates.
"""

import re
from itertools import combinations

from curator.answers import compare_by_rules
from curator.answers.compare.scalars import variables
from curator.answers.parse.read import read
from curator.answers.parse.tree import contains

_NOT_EQUALITY = re.compile(r"[≡≠]|\\(?:equiv|neq?|not|[bp]?mod)(?![a-zA-Z])|[<>!]=")
_ABOUT = re.compile(r"[≈≃≅∼~]|\\(?:approx|simeq|cong|sim|doteq)(?![a-zA-Z])")
"""What relates numbers that may differ."""
_EQUAL = re.compile(r"[\\&:\s]{0,9}[=＝][&\s]{0,9}")
r"""A sign of equality with what readers of answers skip around it: `\=`, `&=`, `:=`."""
_NO_NUMBERS = ("rel", "items", "bool", "interval", "union", "cases", "pm")
"""Operations of what is no number, nor several numbers in brackets."""
_MOST_SIDES = 8
"""Sides and equations that are compared; a longer chain is compared from its end."""


def states_false_equation(text: str) -> bool:
    """Return whether a text is an equation, or a chain of them, of numbers that differ."""
    if _NOT_EQUALITY.search(text):
        return False
    return any(map(_is_false, _ABOUT.split(_EQUAL.sub(" = ", text))[-_MOST_SIDES:]))


def _is_false(chain: str) -> bool:
    if "=" not in chain:
        return False
    reading = read(chain)
    if reading.node is None:
        return False
    # A name on the left is no side, but `£4` or `4 ` of `£4 = £3` is read as a name, too.
    named = reading.label and not re.search("[a-zA-Z]", reading.label)
    if not named and (reading.node.op, reading.node.text) != ("rel", "="):
        return False
    sides = [side for side in _split(chain)[-_MOST_SIDES:] if _is_number(side)]
    return any(_differ(*pair) for pair in combinations(sides, 2))


def _split(text: str) -> list[str]:
    """Return the sides of an equation, without a sign of equality inside of brackets."""
    sides, depth, start = [], 0, 0
    for place, char in enumerate(text):
        depth += (char in "([{") - (char in ")]}")
        if char == "=" and not depth:
            sides.append(text[start:place])
            start = place + 1
    return [side.strip(" $").rstrip(".") for side in (*sides, text[start:])]


def _is_number(side: str) -> bool:
    node = read(side).node
    if node is None or node.op in _NO_NUMBERS or variables(node):
        return False
    # `i = 3` and `e = 2` give letters a value; whether an angle has a unit depends on its place
    return node.op != "const" and not contains(node, "deg")


def _differ(one: str, other: str) -> bool:
    outcome = compare_by_rules(one, other)
    return outcome is not None and outcome.outcome == "different"
