"""Finds the numbers of a question, numbered as MathQA does, and names for them.

In: a question such as `a train 150 m long runs at 54 km / hr`. Out: Quantity(150, `meters`) and
Quantity(54, `speed_in_kmph`). `n0`, `n1`, … of MathQA and Lila are indices into this list.
"""

import ast
import re
from dataclasses import dataclass
from itertools import takewhile

from curator.writers.programs.expressions import number_literal
from curator.writers.programs.variable_names import make_identifier, split_words, word_set

MOST = 200
"""Maximum number of quantities per question."""
_NUMBER = re.compile(r"\d+(?:,\d+)*(?:\.\d+)?")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d+)?|\d+(?:\.\d+)?")
_LONGEST_NUMBER = 24


@dataclass(frozen=True, slots=True)
class Quantity:
    """One number of a question."""

    value: ast.Constant | None
    """None for a list such as `5,6` or `12,27`, which MathQA counts as one number."""
    name: str
    """Derived from the words around it; empty if they give no name."""


def find_quantities(question: str) -> list[Quantity]:
    """Return all numbers of the question in order: digits, with inner commas and decimals.

    As in MathQA, a sign is not part of a number, and `.5` counts as 5.
    """
    matches = list(_NUMBER.finditer(question))[:MOST]
    return [Quantity(_value(mark[0]), _name(question, mark)) for mark in matches]


def _value(text: str) -> ast.Constant | None:
    well_formed = len(text) <= _LONGEST_NUMBER and _GROUPED.fullmatch(text)
    return number_literal(text) if well_formed else None


_UNITS = {
    "km / h": "speed_in_kmph",
    "kmph": "speed_in_kmph",
    "kmh": "speed_in_kmph",
    "kmhr": "speed_in_kmph",
    "km per h": "speed_in_kmph",
    "kilometers per h": "speed_in_kmph",
    "kilometers / h": "speed_in_kmph",
    "kms / h": "speed_in_kmph",
    "mph": "speed_in_mph",
    "miles per h": "speed_in_mph",
    "miles / h": "speed_in_mph",
    "miles an h": "speed_in_mph",
    "m / s": "speed_in_mps",
    "m per s": "speed_in_mps",
    "mps": "speed_in_mps",
    "meters per s": "speed_in_mps",
    "m": "meters",
    "metre": "meters",
    "meter": "meters",
    "metres": "meters",
    "mtr": "meters",
    "mtrs": "meters",
    "km": "kilometers",
    "kms": "kilometers",
    "sec": "seconds",
    "secs": "seconds",
    "second": "seconds",
    "min": "minutes",
    "mins": "minutes",
    "minute": "minutes",
    "hr": "hours",
    "hrs": "hours",
    "hour": "hours",
    "h": "hours",
    "day": "days",
    "year": "years",
    "yrs": "years",
    "cm": "centimeters",
    "kg": "kilograms",
    "kgs": "kilograms",
    "lit": "liters",
    "litre": "liters",
    "litres": "liters",
    "ltr": "liters",
}
_SPEEDS = [(text, name) for text, name in _UNITS.items() if name.startswith("speed")]
_ROLES = word_set(
    "length width breadth height radius diameter depth side edge base perimeter area volume "
    "circumference diagonal average mean sum product difference age speed distance cost price "
    "salary income rent principal profit loss discount gain interest rate tax commission tip "
    "investment remainder population hypotenuse"
)
_LENGTHS = word_set(
    "length width breadth height radius diameter depth side edge base perimeter distance "
    "circumference diagonal hypotenuse"
)
_LENGTH_UNITS = frozenset({"meters", "kilometers", "centimeters", "feet", "inches", "miles"})
_OF_MANY = frozenset({"average", "mean", "sum", "product", "difference"})
"""Before `of 3 , 4 and 5`, these words name the result, not the number."""
_PERCENTS = word_set(
    "profit loss discount gain interest tax commission tip increase decrease raise off water "
    "milk alcohol salt sugar acid solution vote votes"
)
_MONEY = re.compile(r"(?:\$|£|€|\br[se](?:\s*+\.)?)\s*+$")
_STOP = re.compile(r"[.,;:()?!=+*/^<>\"]| - |–|−|×")


def _name(question: str, mark: re.Match[str]) -> str:
    before = question[max(0, mark.start() - 80) : mark.start()]
    after = question[mark.end() : mark.end() + 60].lstrip()
    if after.startswith(("%", "percent", "per cent")):
        return _percent(before, re.sub(r"^(%|percent|per cent)\s*", "", after))
    if _MONEY.search(before):
        return _money(_MONEY.sub("", before), after)
    if after.startswith(":") or before.rstrip().endswith(":"):
        return "ratio_part"
    if re.match(r"/\s*\d", after):
        return "numerator"
    if re.search(r"\d\s*/\s*$", before):
        return "denominator"
    role = _role(before)
    for text, name in _SPEEDS:
        rest = after[len(text) :]
        word_ends = text.endswith("h") or not re.match(r"\w", rest)
        if after.startswith(text) and word_ends:
            return name
    noun = _STOP.split(after, maxsplit=1)[0] if not after.startswith(("-", ":")) else ""
    parts = _noun(noun)
    if role and not parts:
        return make_identifier([role])
    if role in _LENGTHS and parts[0] in _LENGTH_UNITS:
        return make_identifier([role, "in", parts[0]])
    return make_identifier(parts)


def _noun(text: str) -> list[str]:
    """Return the noun phrase after a number: `4 red marbles in` → red, marbles."""
    parts: list[str] = []
    for word in split_words(text)[:3]:
        if word in _ENDS or word[0].isdigit():
            break
        if parts and word.endswith(("ed", "ing")):
            break
        parts.append(_UNITS.get(word, word) if not parts else word)
        plural = len(parts[-1]) > 3 and parts[-1].endswith("s") and not parts[-1].endswith("ss")
        if plural or parts[-1] in _UNITS.values():
            break
    if parts and len(parts[0]) == 1:
        return []
    return parts


_ENDS = word_set(
    "a an the and or of in on at to for from by with per is are was were be been can could will "
    "would has have had if then than when what how find that which who so as but while after "
    "before each respectively only more less times th st nd rd do does did inclusive whose "
    "where it its he she they their his her every there not into during between until ago does "
    "takes take left long wide high tall deep old working got gets get go goes together"
)


def _percent(before: str, after: str) -> str:
    following = split_words(_STOP.split(after, maxsplit=1)[0])[:2]
    near = [word for word in following if word in _PERCENTS] or [
        word for word in split_words(before)[-3:][::-1] if word.rstrip("s") in _PERCENTS
    ]
    if near:
        return make_identifier([near[0], "percent"])
    if following[:1] == ["of"]:
        rest = split_words(re.sub(r"^of (?:(?:the|all|his|her|their|its) )*", "", after))[:2]
        nouns = list(takewhile(lambda word: word not in _ENDS and len(word) > 1, rest))
        return make_identifier(["percent", "of", *nouns]) if nouns else "percent"
    return "percent"


def _money(before: str, after: str) -> str:
    role = _role(before)
    per = re.match(r"(?:per|a|an|each|/)\s+([a-z]{2,})", after)
    if after.startswith("each"):
        return "price_each"
    if per:
        return make_identifier([role or "price", "per", per[1]])
    return make_identifier([role]) or "amount"


def _role(before: str) -> str:
    """Return the role that the words before a number give it: `at a cost of` → cost."""
    clause = re.split(r"[.;?!]", before)[-1]
    near = split_words(clause)[-5:]
    if near[-1:] == ["on"] or (near[-1:] == ["of"] and near[-2:-1] and near[-2] in _OF_MANY):
        return ""
    for word in reversed(near):
        if word in _ROLES or word.rstrip("s") in _ROLES:
            return word if word in _ROLES else word.rstrip("s")
        if word[0].isdigit():
            break
    return ""
