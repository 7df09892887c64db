"""Recompute the arithmetic of a worked solution.

In: the text as its author wrote it. Out: `read_steps(text)`, the `Steps`: every GSM8K annotation
(`<<48/2=24>>`) and every written equation between numbers (`48/2 = 24 clips`), each recomputed with
exact fractions. Reads at most `MAX_TEXT` characters and `MAX_STEPS` steps in linear time, never
fails, and runs nothing.

Not covered: equations with unknowns (`2x = 10`) are not steps, nor is arithmetic in words ("half of
the 48 clips"). A right step can still be the wrong thing to compute.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Literal

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
from curator.answers.steps.tokens import Token, tokenize

MAX_TEXT = 200_000
MAX_STEPS = 2_000

_DIVISION = {"/", r"\frac", "{", "}", "(", ")"}

Kind = Literal["annotated", "written"]
Outcome = Literal["right", "wrong", "unread"]


@dataclass(frozen=True, slots=True)
class Step:
    """One recomputed annotation or equation."""

    number: int
    """Counts from 1, in the order of the text."""
    kind: Kind
    span: tuple[int, int]
    """Its place in the text, in characters."""
    text: str
    """As written."""
    outcome: Outcome
    """`unread`: a number is missing or cannot be read, so that nothing could be recomputed."""
    reason: str
    """How the sides agree (exact, rounded, percent, run-on), or why they do not."""
    stated: str = ""
    """The value that the text states, as a plain number; empty if it cannot be read."""
    computed: Fraction | None = None
    """The recomputed value."""
    operations: int = 0
    """The number of operations; 0 for `<<3=3>>`."""

    def __str__(self) -> str:
        text = " ".join(self.text.split())
        shown = text if len(text) <= 80 else f"{text[:77]}..."
        return f"step {self.number}, {shown!r}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of a text in order."""

    steps: tuple[Step, ...]
    complete: bool = True
    """False if the text is longer than the bounds."""

    @property
    def fault(self) -> Step | None:
        """The first wrong step, or else the first that cannot be read."""
        faults = [step for step in self.steps if step.outcome != "right"]
        return min(faults, key=lambda step: step.outcome != "wrong", default=None)

    @property
    def recomputed(self) -> bool:
        """Whether there is a step with an operation, and every step was recomputed and is right."""
        computes = any(step.operations for step in self.steps)
        return self.complete and computes and self.fault is None

    @property
    def result(self) -> str | None:
        """The value that the last step states; None if it has none."""
        return (self.steps[-1].stated or None) if self.steps else None


def read_steps(text: str) -> Steps:
    """Return the steps of a worked solution."""
    found = _read(text[:MAX_TEXT])
    steps = tuple(replace(step, number=at) for at, step in enumerate(found[:MAX_STEPS], 1))
    return Steps(steps, len(text) <= MAX_TEXT and len(found) <= MAX_STEPS)


def _read(text: str) -> list[Step]:
    tokens = tokenize(text)
    annotated: dict[int, Step] = {}
    plain: list[Token] = []
    broken: list[Step] = []
    for at, token in enumerate(tokens):
        if token.kind not in ("annotation", "broken"):
            plain.append(token)
            continue
        if token.kind == "broken":
            broken.append(_unread("annotated", token, "an annotation without its end"))
            continue
        step = _read_annotation(token)
        repeated = _repeated_result(tokens[at + 1 : at + 3])
        if step:
            annotated[repeated.start if repeated else token.start] = step
        if repeated is None:
            kind = "number" if step and step.stated else "barrier"
            plain.append(token._replace(kind=kind, text=step.stated if step else ""))
    written = [
        step
        for at, step in _read_equations(match_brackets(plain), text)
        if not _repeats(step, annotated.get(at))
    ]
    return sorted([*annotated.values(), *written, *broken], key=lambda step: step.span[1])


def _repeated_result(following: Sequence[Token]) -> Token | None:
    """Return the first token of the number that repeats an annotation's result: `<<2-5=-3>>-3`."""
    kinds = [token.kind for token in following if not token.gap]
    signed = kinds == ["operator", "number"] and following[0].text == "-"
    return following[0] if kinds[:1] == ["number"] or signed else None


def _repeats(written: Step, annotated: Step | None) -> bool:
    """Return whether an equation is its annotation: `48/2 = <<48/2=24>>24`."""
    return annotated is not None and (
        (written.outcome, written.computed) == (annotated.outcome, annotated.computed)
        and annotated.operations > 0
    )


def _unread(kind: Kind, place: Token, reason: str) -> Step:
    return Step(0, kind, (place.start, place.end), place.text, "unread", reason)


def _read_annotation(token: Token) -> Step | None:
    """Return the step of an annotation; None for other texts in such brackets (`<<EOF>>`)."""
    sides = _split(match_brackets(tokenize(token.text)), "equals")
    if token.text and not any(char.isdigit() or char == "=" for char in token.text):
        return None
    place = token._replace(text=f"<<{token.text}>>")
    if len(sides) < 2:
        return _unread("annotated", place, "an annotation without an equation")
    found = [find_expressions(side) for side in sides]
    if any(len(each) != 1 or not _is_plain(each[0]) for each in found):
        return _unread("annotated", place, "an annotation that is not arithmetic")
    steps = [_compare("annotated", place, a[0], b[0]) for a, b in pairwise(found)]
    worst = next((step for step in steps if step.outcome != "right"), steps[-1])
    operations = sum(each[0].operations for each in found)
    return replace(worst, stated=steps[-1].stated, operations=operations)


def _is_plain(expression: Expression) -> bool:
    doubts = expression.algebra or expression.letters or expression.words_before
    return expression.complete and expression.at_end and not doubts


def _read_equations(tokens: Sequence[Token], text: str) -> Iterator[tuple[int, Step]]:
    """Yield the written equations, each with the place of the first number on its right."""
    for clause in _split(tokens, "barrier"):
        marks = [token for token in clause if token.kind == "equals"]
        if not marks:
            continue
        slices = _split(clause, "equals")
        found = [find_expressions(each) for each in slices]
        for at, mark in enumerate(marks):
            left = found[at][-1] if found[at] else None
            if left is None or not (left.complete and left.at_end) or left.algebra:
                continue
            if not slices[at + 1] and left.operations and not left.letters:
                place = Token("", text[left.start : mark.end], left.start, mark.end)
                yield -1, _unread("written", place, "an equation without a result")
            right = found[at + 1][0] if found[at + 1] else None
            if right is None or not right.complete or right.algebra or right.words_before > 2:
                continue
            place = Token("", text[left.start : right.end], left.start, right.end)
            step = _compare_written(place, left, right, chained=at + 1 < len(marks))
            if step:
                yield right.start, step


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
    if step.outcome == "wrong" and _names_a_value(left, right):
        return None
    if step.outcome == "wrong" and chained and _runs_on(step.computed, right):
        return replace(step, outcome="right", reason="run-on", stated=right.symbols[0].text)
    if step.outcome == "wrong" and have_mixed_units([*left.words, *right.words[:2]]):
        return replace(step, outcome="unread", reason="units that differ")
    if step.outcome == "wrong" and (left.unclear or right.unclear or right.words_before):
        return replace(step, outcome="unread", reason="words beside it may change its value")
    return step


def _runs_on(computed: Fraction | None, right: Expression) -> bool:
    """Return whether writing goes on from a result: `2 + 3 = 5 * 2 = 10`."""
    first = right.symbols[0]
    return right.operations > 0 and first.kind == "num" and parse_fraction(first.text) == computed


def _names_a_value(left: Expression, right: Expression) -> bool:
    """Return whether the left side is no computation, but what the right side is worth.

    `2 hours = 2 x 60 minutes`, `1% = 450/45`, `1/4 of it = $15`.
    """
    if left.numeral:
        return bool(left.words) or left.symbols[-1].text == "%"
    numbers = sum(each.kind == "num" for each in left.symbols)
    share = numbers == 2 and {each.text for each in left.symbols if each.kind != "num"} <= _DIVISION
    return share and compute(left.symbols) < 1 < compute(right.symbols)


def _compare(kind: Kind, place: Token, left: Expression, right: Expression) -> Step:
    if not (left.readable and right.readable):
        return _unread(kind, place, "a number that cannot be read")
    try:
        sides = compare_sides(left, right)
    except NotComputed:
        return _unread(kind, place, "an expression without a value")
    swapped = bool(left.numeral) and not right.numeral
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
        numeral or to_numeral(stated),
        computed,
        left.operations + right.operations,
    )


def _split(tokens: Sequence[Token], kind: str) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token.kind == kind:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts
