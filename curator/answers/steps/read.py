"""Recompute the arithmetic of a worked solution.

In: the text as its author wrote it. Out: `read_steps(text)`, the `Steps`: every GSM8K annotation
(`<<48/2=24>>`) and every written equation between numbers (`48/2 = 24 clips`), each recomputed with
exact fractions. Reads at most `MAX_TEXT` characters and `MAX_STEPS` steps in linear time, never
fails, and runs nothing.

Not covered: equations with unknowns (`2x = 10`) are not steps, nor is arithmetic in words ("half of
the 48 clips"). A text that annotates no step and has such an equation is not recomputed. A right
step can still be the wrong thing to compute.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from curator.answers.compare.decimals import NUMERAL
from curator.answers.steps.brackets import match_brackets
from curator.answers.steps.recompute import read_annotation, read_equations, unread
from curator.answers.steps.step import Step, Steps
from curator.answers.steps.tokens import Token, tokenize_equations

MAX_TEXT = 100_000
"""Maximum number of characters that are read."""
MAX_STEPS = 2_000
_RESIDUES = re.compile(
    r"\\[pb]?mod\b|\bmodul[oi]\b|\\equiv\b|\bunits digit|\bbase[ $-]{1,3}(?:\\boxed\{)?\d"
)
"""Words of texts in which 7 * 3 may equal 1, or 4 * 4 equal 22."""
_EQUALS = re.compile(r"[=≈≡≅]|\\(?:approx|equiv|cong|sim)\b")


def read_steps(text: str) -> Steps:
    """Return the steps of a worked solution."""
    found = _read(text[:MAX_TEXT])
    steps = tuple(step.placed(at, step.span) for at, step in enumerate(found[:MAX_STEPS], 1))
    complete = len(text) <= MAX_TEXT and len(found) <= MAX_STEPS
    annotates = any(step.kind == "annotated" for step in steps)
    return Steps(steps, complete, "" if annotates else _find_equation_beside(text, steps))


def _find_equation_beside(text: str, steps: Sequence[Step]) -> str:
    """Return the first equation outside of all steps, with some text around it; empty if none."""
    spans = sorted(step.span for step in steps)
    end = 0
    for start, stop in (*spans, (len(text), len(text))):
        if (sign := _EQUALS.search(text, end, max(end, start))) is not None:
            around = text[max(0, sign.start() - 20) : sign.end() + 20]
            return " ".join(around.split())
        end = max(end, stop)
    return ""


def _read(text: str) -> list[Step]:
    tokens = tokenize_equations(text)
    annotated: dict[int, Step] = {}
    plain: list[Token] = []
    broken: list[Step] = []
    in_broken = False
    for at, token in enumerate(tokens):
        in_broken = in_broken and not token.text.startswith("\n")
        if in_broken:
            continue
        if token.kind == "annotation":
            step = read_annotation(token) if len(annotated) <= MAX_STEPS else None
            repeated = _repeated_result(tokens[at + 1 : at + 3])
            if step:
                annotated[repeated.start if repeated else token.start] = step
            if repeated is None:
                _append_result(plain, token, step)
        elif token.kind == "broken":
            end = text.find("\n", token.start)
            end = end if end >= 0 else len(text)
            place = token._replace(text=text[token.start : end], end=end)
            broken.append(unread("annotated", place, "an annotation without its end"))
            in_broken = True
            _append_result(plain, token, None)
        else:
            plain.append(token)
    equations = islice(read_equations(match_brackets(plain), text), MAX_STEPS + 1)
    written = [step for at, step in equations if not _repeats(step, annotated.get(at))]
    if any(step.outcome == "wrong" for step in written) and _RESIDUES.search(text):
        written = [_doubt(step) for step in written]
    return sorted([*annotated.values(), *written, *broken], key=lambda step: step.span[1])


def _doubt(step: Step) -> Step:
    """Leave a wrong equation unread in a text on residues or other bases."""
    doubted = replace(step, outcome="unread", reason="a residue or another base")
    return doubted if step.outcome == "wrong" else step


def _append_result(plain: list[Token], token: Token, step: Step | None) -> None:
    """Append the number for which an annotation stands if its result is not repeated after it.

    Without a number, the equals sign before it goes too: the annotation is reported already.
    """
    if step and NUMERAL.fullmatch(step.stated):
        plain.append(token._replace(kind="number", text=step.stated))
        return
    while plain and plain[-1].kind == "equals":
        plain.pop()
    plain.append(token._replace(kind="barrier", text=""))


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
