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

_NOT_EQUALITY = re.compile(
    r"[≈≃≅∼~≡≠]|\\(?:approx|simeq|cong|sim|equiv|neq?|not|[bp]?mod)(?![a-zA-Z])|[<>!:]="
)
_NO_NUMBERS = ("rel", "items", "bool", "interval", "union", "cases", "pm")
"""Operations of what is no number, nor several numbers in brackets."""
_MOST_SIDES = 8
"""Sides that are compared; a longer chain is compared from its end."""


def states_false_equation(text: str) -> bool:
    """Return whether a text is an equation, or a chain of them, of numbers that differ."""
    if "=" not in text or _NOT_EQUALITY.search(text):
        return False
    node = read(text).node
    if node is None or (node.op, node.text) != ("rel", "="):
        return False
    sides = [side for side in _split(text)[-_MOST_SIDES:] if _is_number(side)]
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
