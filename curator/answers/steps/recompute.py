"""Recompute one annotation, and the equations among the tokens of a text.

In: tokens. Out: `Step`s without numbers. What is written beside an expression decides what a
difference proves: an unknown makes it algebra, and a word such as `half` leaves it unread.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from curator.answers.compare.arithmetic import parse_fraction
from curator.answers.steps.agreement import (
    NotComputed,
    compare_sides,
    compute,
    describe,
    have_mixed_units,
    to_numeral,
)
from curator.answers.steps.brackets import match_brackets
from curator.answers.steps.expressions import Expression, find_expressions
from curator.answers.steps.step import Kind, Outcome, Step
from curator.answers.steps.tokens import Token, tokenize

_DIVISION = {"/", r"\frac", "{", "}", "(", ")"}
LARGEST = 10**4_000
"""Python prints integers of at most 4,300 digits; a larger value is stated as it is written."""
MAX_POWERS = 200
"""Maximum number of steps of a text with roots, powers or pi, of which a proof takes long."""
_POWERS = ("^", r"\sqrt", r"\pi")
_NUMBERS = ("number", "spaced", "opaque", "pi")
MOST_WORDS_BEFORE = 2
"""Maximum number of words between an equals sign and the number after it."""


def unread(kind: Kind, place: Token, reason: str) -> Step:
    return Step(0, kind, (place.start, place.end), place.text, "unread", reason)


def read_annotation(token: Token) -> Step | None:
    """Return the step of an annotation; None for other texts in such brackets (`<<EOF>>`)."""
    step = _read_annotation(token.text)
    return step.placed(0, (token.start, token.end)) if step else None


@lru_cache(maxsize=4_000)
def _read_annotation(text: str) -> Step | None:
    """Return the step of an annotation, without its place. Cached: half of GSM8K's repeat."""
    sides = _split(match_brackets(tokenize(text)))
    if text and not any(char.isdigit() or char == "=" for char in text):
        return None
    place = Token("annotation", f"<<{text}>>", 0, len(text) + 4)
    if len(sides) < 2:
        return unread("annotated", place, "an annotation without an equation")
    found = [find_expressions(side) for side in sides]
    if any(len(each) != 1 or not _is_plain(each[0]) for each in found):
        return unread("annotated", place, "an annotation that is not arithmetic")
    steps = [_compare("annotated", place, a[0], b[0]) for a, b in pairwise(found)]
    if any(each[0].words for each in found) and any(step.outcome == "wrong" for step in steps):
        return unread("annotated", place, "an annotation that is not arithmetic")
    worst = next((step for step in steps if step.outcome != "right"), steps[-1])
    operations = sum(each[0].operations for each in found)
    return replace(worst, stated=steps[-1].stated, operations=operations)


def _is_plain(expression: Expression) -> bool:
    doubts = expression.algebra or expression.letters or expression.words_before
    return expression.complete and expression.at_end and not doubts


def read_equations(tokens: Sequence[Token], text: str) -> Iterator[tuple[int, Step]]:
    """Yield the written equations, each with the place of the first number on its right."""
    powers = 0
    for marks, slices in _find_clauses(tokens):
        if not any(token.kind in _NUMBERS for each in slices for token in each):
            continue
        found = [find_expressions(each, at > 0) for at, each in enumerate(slices)]
        for at, mark in enumerate(marks):
            left = found[at][-1] if found[at] else None
            if left is None or not (left.complete and left.at_end) or left.algebra:
                continue
            blank = text[mark.end : mark.end + 3].lstrip(" $").startswith(("?", "_"))
            if not slices[at + 1] and left.operations and not left.letters and not blank:
                place = Token("", text[left.start : mark.end], left.start, mark.end)
                yield -1, unread("written", place, "an equation without a result")
            right = found[at + 1][0] if found[at + 1] else None
            if (
                right is None
                or not right.complete
                or right.algebra
                or right.words_before > MOST_WORDS_BEFORE
            ):
                continue
            place = Token("", text[left.start : right.end], left.start, right.end)
            powers += any(each.text in _POWERS for each in (*left.symbols, *right.symbols))
            if powers > MAX_POWERS:
                yield right.start, unread("written", place, "too many roots and powers before it")
                continue
            step = _compare_written(place, left, right, chained=at + 1 < len(marks))
            if step:
                yield right.start, step


def _find_clauses(tokens: Sequence[Token]) -> Iterator[tuple[list[Token], list[list[Token]]]]:
    """Yield the equals signs of each clause that has some, and the tokens around them."""
    start = 0
    marks: list[int] = []
    for at, token in enumerate((*tokens, Token("barrier", "", -1, -1))):
        if token.kind == "equals":
            marks.append(at)
        elif token.kind == "barrier":
            if marks:
                ends = zip((start, *(mark + 1 for mark in marks)), (*marks, at), strict=True)
                yield [tokens[mark] for mark in marks], [list(tokens[a:b]) for a, b in ends]
                marks = []
            start = at + 1


def _compare_written(
    place: Token, left: Expression, right: Expression, chained: bool
) -> Step | None:
    """Return the step of an equation; None if it is no equation between numbers."""
    if not left.operations and not right.operations:
        return None
    step = _compare("written", place, left, right)
    if step.outcome == "right":
        return step
    if left.letters or right.letters:
        return None
    in_words = " equal" in place.text
    if step.outcome == "wrong" and _names_a_value(left, right, in_words):
        return None
    if step.outcome == "wrong" and chained and _runs_on(step.computed, right):
        return replace(step, outcome="right", reason="run-on", stated=right.symbols[0].text)
    if step.outcome == "wrong" and have_mixed_units([*left.words, *right.words[:2]]):
        return replace(step, outcome="unread", reason="units that differ")
    if step.outcome == "wrong" and ("°" in left.words) != ("°" in right.words):
        return replace(step, outcome="unread", reason="units that differ")
    if step.outcome == "wrong" and _defines_operation(left, right):
        return replace(step, outcome="unread", reason="an operation that may be defined here")
    if step.outcome == "wrong" and _is_rounded_on_the_way(step, right):
        return replace(step, outcome="unread", reason="about equal")
    if step.outcome == "wrong" and (left.unclear or right.unclear or right.words_before):
        return replace(step, outcome="unread", reason="words beside it may change its value")
    return step


def _runs_on(computed: Fraction | None, right: Expression) -> bool:
    """Return whether writing goes on from a result: `2 + 3 = 5 * 2 = 10`."""
    first = right.symbols[0]
    return right.operations > 0 and first.kind == "num" and parse_fraction(first.text) == computed


def _defines_operation(left: Expression, right: Expression) -> bool:
    """Return whether a star may be an operation that the text defines: `2 * 6 = 2^6 + 6^2`."""
    others = {each.text for each in left.symbols if each.kind != "num"} - {"(", ")"}
    numbers = {each.text for each in left.symbols if each.kind == "num"}
    stated = {each.text for each in right.symbols if each.kind == "num"}
    return others == {"*"} and right.operations > 0 and numbers <= stated


def _is_rounded_on_the_way(step: Step, right: Expression) -> bool:
    """Return whether a computation goes on with rounded values: `452 / 1.05^14 = 452 / 1.98`.

    Or the sign says that it is about a round number: `53,700 ≈ 54,000`.
    """
    about = "approx" in step.text or "≈" in step.text
    goes_on = not right.numeral and any("." in each.text for each in right.symbols)
    exact = right.numeral and ("." in right.numeral or not right.numeral.endswith("0"))
    if step.computed is None or exact or not (about or goes_on):
        return False
    return abs(step.computed - compute(right.symbols)) * 100 <= abs(step.computed)


def _names_a_value(left: Expression, right: Expression, in_words: bool) -> bool:
    """Return whether the left side is no computation, but what the right side is worth.

    `2 hours = 2 x 60 minutes`, `$24 is equal to 24 x 4`, `1% = 450/45`, `1/4 of it = $15`,
    `8 miles / 1 hour = 1`.
    """
    unit = left.numeral == "1" and len(right.words) > 1
    if left.numeral:
        return unit or bool(left.words) or in_words or left.symbols[-1].text == "%"
    quotient = any(each.text in ("/", r"\frac") for each in left.symbols)
    if right.numeral == "1" and not right.words and len(left.words) > 1 and quotient:
        return True
    numbers = sum(each.kind == "num" for each in left.symbols)
    share = numbers == 2 and {each.text for each in left.symbols if each.kind != "num"} <= _DIVISION
    return share and compute(left.symbols) < 1 < compute(right.symbols)


def _compare(kind: Kind, place: Token, left: Expression, right: Expression) -> Step:
    if not (left.readable and right.readable):
        return unread(kind, place, "a number that cannot be read")
    try:
        sides = compare_sides(left, right)
    except NotComputed:
        return unread(kind, place, "an expression without a value")
    swapped = bool(left.numeral) and not right.numeral and sides.agreement != "converted"
    stated, computed = (sides.left, sides.right) if swapped else (sides.right, sides.left)
    numeral = left.numeral if swapped else right.numeral
    reason = (
        sides.agreement or f"the value is {describe(computed)}, not {numeral or describe(stated)}"
    )
    outcome: Outcome = "right" if sides.agreement else "wrong"
    return Step(
        0,
        kind,
        (place.start, place.end),
        place.text,
        outcome,
        reason,
        numeral or _state(left if swapped else right, stated, sides.exact[not swapped]),
        computed,
        left.operations + right.operations,
    )


def _state(side: Expression, value: Fraction, exact: bool) -> str:
    """Return a value as a plain number; an irrational one as the side that states it."""
    if exact and max(abs(value.numerator), value.denominator) < LARGEST:
        return to_numeral(value)
    return "".join(f" {each.text}" if each.gap else each.text for each in side.symbols).strip()


def _split(tokens: Sequence[Token]) -> list[list[Token]]:
    """Split tokens at the equals signs."""
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token.kind == "equals":
            parts.append([])
        else:
            parts[-1].append(token)
    return parts
