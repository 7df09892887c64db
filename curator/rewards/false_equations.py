"""Recognise a statement of an answer that equates two numbers that differ, such as `4 = 3`.

In: the text that states an answer. Out: whether it holds a false equation. The last side would
count as the answer otherwise, so that a policy could state two answers at once. Sides are compared
as answers are: numbers that may be roundings of each other prove nothing. Words on the left may
name what the right states: quantities in words are compared if both sides count the same (`4 apples
= 3 apples`, `four = 3`). Not covered: sides with variables, congruences, what `≈` relates, and
other quantities in words: `3 pens = 15` may be a price, `5 days = 40 hours` a rule of the question.
"""

import re
from itertools import combinations, pairwise

from curator.answers import compare_by_rules
from curator.answers.compare.scalars import variables
from curator.answers.parse.normalize import CURRENCY, normalize
from curator.answers.parse.phrases import PARTS
from curator.answers.parse.read import read
from curator.answers.parse.tree import contains

_NOT_EQUALITY = re.compile(r"[≡≠]|\\(?:equiv|neq?|not|[bp]?mod)(?![a-zA-Z])|[<>]=|(?<!\\)!=")
_ABOUT = re.compile(r"[≈≃≅∼]|\\(?:approx|simeq|cong|sim|doteq)(?![a-zA-Z])")
"""What relates numbers that may differ."""
_EQUAL = re.compile(
    r"(?:[\\&:\s]|\{\}){0,9}(?:(?:\\math(?:rel|bin) ?)?\{ ?= ?\}|=)(?:\\?[=&\s]|\{\}){0,9}"
)
r"""A sign of equality with what readers of answers skip around it: `\=`, `&=`, `:=`, `{}={}`, `==`,
in plain notation."""
_NO_NUMBERS = ("rel", "items", "bool", "interval", "union", "cases", "pm")
"""Operations of what is no number, nor several numbers in brackets."""
_NAMES = ("zero", "one")
"""Numbers in words that may be names, as `half` and `two thirds` may: `zero = 3`."""
_MOST_SIDES = 8
"""Sides and equations that are compared; a longer chain is compared from its end."""


def states_false_equation(text: str) -> bool:
    """Return whether a text is an equation, or a chain of them, of numbers that differ."""
    if _NOT_EQUALITY.search(text):
        return False
    plain = _EQUAL.sub(" = ", normalize(text).replace(CURRENCY, "$"))
    return any(map(_is_false, _ABOUT.split(plain)[-_MOST_SIDES:]))


def _is_false(chain: str) -> bool:
    if "=" not in chain:
        return False
    sides = _split(chain)[-_MOST_SIDES:]
    if _has_no_words(chain):
        numbers = [each for side in sides if _is_number(each := side.strip(" $"))]
        return any(_differ(*pair) for pair in combinations(numbers, 2))
    # `dogs = 5 * 11 = 55 and cats = 4 * 11 = 44` is no chain: its second side is no number
    chained = read(sides[-1]).node is not None and all(map(_is_number, sides[1:-1]))
    pairs = [pair for pair in pairwise(sides) if chained and all(map(_is_number, pair))]
    return any(_count_the_same(*pair) and _differ(*pair) for pair in pairs)


def _has_no_words(chain: str) -> bool:
    """Return whether a chain is read as an equation, or as a name and a value without letters.

    `£4` and the `4 ` of `£4 = £3` are read as names.
    """
    reading = read(chain)
    if reading.node is None:
        return False
    named = reading.label and not re.search("[a-zA-Z]", reading.label)
    return bool(named) or (reading.node.op, reading.node.text) == ("rel", "=")


def _count_the_same(one: str, other: str) -> bool:
    """Return whether two numbers have the same unit or none, and the first one is no name."""
    left, right = read(one), read(other)
    if left.words in _NAMES or left.words.rpartition(" ")[2] in PARTS:
        return False
    if left.unit and right.unit and left.unit.alike(right.unit):
        return True
    return not any(each.unit and each.unit.dimensions for each in (left, right))


def _split(text: str) -> list[str]:
    """Return the sides of an equation, without a sign of equality inside of brackets."""
    sides, depth, start = [], 0, 0
    for place, char in enumerate(text):
        depth += (char in "([{") - (char in ")]}")
        if char == "=" and not depth:
            sides.append(text[start:place])
            start = place + 1
    return [side.strip().rstrip(".") for side in (*sides, text[start:])]


def _is_number(side: str) -> bool:
    node = read(side).node
    if node is None or node.op in _NO_NUMBERS or variables(node):
        return False
    # `i = 3` and `e = 2` give letters a value; whether an angle has a unit depends on its place
    return node.op != "const" and not contains(node, "deg") and not contains(node, "pm")


def _differ(one: str, other: str) -> bool:
    outcome = compare_by_rules(one, other)
    return outcome is not None and outcome.outcome == "different"
