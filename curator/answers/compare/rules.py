"""Equivalence by rules, in process: what is decided without a symbolic grader.

In: gold and answer as texts, option texts. Out: an `Equivalence`, or None where only a symbolic
grader can tell. Bounded in time and memory whatever the input, never raises, symmetric in gold and
answer.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from curator.answers.compare.choices import compare_chosen, labelled, letter
from curator.answers.compare.decimals import DIGITS, NUMERAL, Outcome, fast, rounded_to
from curator.answers.compare.scalars import Result
from curator.answers.compare.with_units import compare
from curator.answers.parse import normalize
from curator.answers.parse.atoms import FUNCTIONS
from curator.answers.parse.phrases import MATHEMATICAL, clock
from curator.answers.parse.read import Reading, read
from curator.core.model import Answer


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Whether an answer says the same as the gold one."""

    outcome: Outcome
    rule: str
    """A few fixed words for the rule that decided: `number`, `rounded`, `option`, `timeout`."""


NOTHING = frozenset(("", "none", "nan", "null", "undefined", "n/a", "zoo", "?"))
_FORMULA = re.compile(r"[\d\\^=+*/<>|{}]")
_WORD = re.compile(r"(?<![A-Za-z\\])[A-Za-z]{3,}")
_YES = {"yes": "true", "no": "false", "true": "true", "false": "false", "True": "true"}


PLAIN_RULES = frozenset(
    ("number", "same text", "letter", "no gold", "no answer", "boolean", "float noise")
)
"""Rules that leave nothing to ask another grader."""


def render_answer(answer: Answer) -> str:
    """An answer as one text, with its unit: what `equivalent` takes."""
    if not answer.unit:
        return answer.text
    plain = NUMERAL.fullmatch(answer.text) is not None
    if answer.unit in ("$", "£", "€", "Rs") and plain:
        return f"{answer.unit} {answer.text}"
    unit = "dollars" if answer.unit == "$" else answer.unit
    return f"{answer.text if plain else f'({answer.text})'}{'' if unit in '%°' else ' '}{unit}"


def _truth(reading: Reading) -> str:
    if reading.node is not None and reading.node.op == "bool":
        return reading.node.text
    return _YES.get(reading.words, "")


def _prose(text: str) -> bool:
    """Whether words stand in the text that are no functions or commands."""
    return any(word not in FUNCTIONS for word in _WORD.findall(text))


_STEM = 5
_NEGATIVE = frozenset(["no", "none", "not", "dne", "impossible", "undefined", "nothing", "empty"])


def _akin(x: str, y: str) -> bool:
    """Whether two texts may say the same: one is part, beginning or initials of the other, or they
    share a word's stem."""
    a, b = set(x.split()), set(y.split())
    short, long = sorted((x, y), key=len)
    if a <= b or b <= a or long.startswith(short) or (a & _NEGATIVE and b & _NEGATIVE):
        return True
    if short == "".join(word[0] for word in long.split()):
        return True
    stems = [{word[:_STEM] for word in words if len(word) >= _STEM} for words in (a - b, b - a)]
    return bool(stems[0] & stems[1])


def _times(a: Reading, b: Reading) -> Result:
    """At least one of the two is a time of day; `15:15` may be one, or a ratio."""
    x, y = (clock(side.plain) if side.time is None else side.time for side in (a, b))
    if x is not None and x == y:
        return "equal", "time"
    return ("undecided" if a.time is None or b.time is None else "different"), "time"


def _texts(a: Reading, b: Reading) -> Result | None:
    """At least one of the two is no formula known here."""
    formulas = [bool(_FORMULA.search(reading.plain)) for reading in (a, b)]
    if not any(formulas) and (a.node is None or b.node is None):
        x, y = a.words, b.words
        if not x or not y:
            return "undecided", "text"
        if x == y:
            return "equal", "text"
        return ("undecided", "part of the text") if _akin(x, y) else ("different", "text")
    if "".join(a.plain.split()).casefold() == "".join(b.plain.split()).casefold():
        return "equal", "text"
    if a.time is not None or b.time is not None:
        return _times(a, b)
    if a.ambiguous or b.ambiguous:
        return "undecided", "two readings"
    for side, has_formula in zip((a, b), formulas, strict=True):
        said = set(side.words.replace("-", " ").split())
        if (
            side.node is None
            and not has_formula
            and len(side.words) > 2
            and not (said & MATHEMATICAL)
        ):
            return "different", "words or formula"
    if _prose(a.plain) or _prose(b.plain):
        return "undecided", "words and formula"
    return None


def _open(gold: str, answer: str) -> Result | None:
    a, b = read(gold), read(answer)
    if a.plain == b.plain:
        return "equal", "same text"
    if _comma_for_point(a.plain, b.plain) or _comma_for_point(b.plain, a.plain):
        return "undecided", "decimal comma"
    truths = _truth(a), _truth(b)
    if all(truths):
        return ("equal" if truths[0] == truths[1] else "different"), "boolean"
    if a.node is not None and b.node is not None:
        found = compare(a.node, a.unit, b.node, b.unit)
        letters = _letters(gold, answer)
        return letters if letters and not (found and found[0] == "equal") else found
    return _letters(gold, answer) or _texts(a, b)


def _comma_for_point(a: str, b: str) -> bool:
    return "," in a and "." in b and a.count(",") == 1 and a.replace(",", ".") == b


def _letters(gold: str, answer: str) -> Result | None:
    """Options without their texts: `(b)`, `B)` and `B. web`; bare letters are variables."""
    gold, answer = normalize.plain(gold), normalize.plain(answer)
    marks = [letter(text) for text in (gold, answer)]
    labels = [labelled(text) for text in (gold, answer)]
    signs = [mark or label for mark, (label, _) in zip(marks, labels, strict=True)]
    if all(signs) and any(len(text.strip()) > 1 for text in (gold, answer)):
        if signs[0] != signs[1] or not (labels[0][1] and labels[1][1]):
            return ("equal" if signs[0] == signs[1] else "different"), "letter"
        rests = _open(labels[0][1], labels[1][1])
        same = rests is not None and rests[0] == "equal"
        return ("equal" if same else "undecided"), "letter"
    for (label, rest), other in zip(labels, (answer, gold), strict=True):
        if label and not labelled(other)[0]:
            return ("equal", "same text") if rest == other else _open(rest, other)
    return None


def compare_by_rules(
    gold: str | Answer,
    answer: str | Answer,
    choices: Sequence[str] = (),
    digits: int = DIGITS,
) -> Equivalence | None:
    """The outcome by rules alone, None where a symbolic grader is needed.

    `digits`: how many significant digits a decimal must state to count as the rounding of another
    number (rules 3 to 5 of `numerals`); with more, 0.6667 for 2/3 is undecided.
    """
    if digits != DIGITS:
        with rounded_to(digits):
            return compare_by_rules(gold, answer, choices)
    a = gold if isinstance(gold, str) else render_answer(gold)
    b = answer if isinstance(answer, str) else render_answer(answer)
    if not choices:
        plain = fast(a, b)
        if plain is not None:
            return Equivalence(*plain)
    a, b = a.strip(), b.strip()
    if a.lower() in NOTHING and not choices:
        return Equivalence("equal" if a == b and a == "undefined" else "undecided", "no gold")
    if b.lower() in NOTHING and not (choices and b):
        return Equivalence("undecided", "no answer")
    if a == b:
        return Equivalence("equal", "same text")
    if max(len(a), len(b)) > normalize.MAX_LENGTH:
        return Equivalence("undecided", "too long")
    try:
        found = compare_chosen(a, b, tuple(choices)) if choices else _open(a, b)
    except Exception as fault:  # one strange answer must not end a build; tests look for this rule
        return Equivalence("undecided", f"rule failed: {type(fault).__name__}")
    return Equivalence(*found) if found else None
