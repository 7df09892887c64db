"""The parts of a rationale, for every place that shows one: terminal, report, comparison.

In: a rationale, with its labelled steps and the results of its replay. Out: its parts in order:
thought, text, programs with their recorded outputs, answer, or labelled steps. Nothing but marks is
left out. This is the only place that splits a rationale to show it; all functions are linear.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from curator.core.model import Kind, LabelledStep
from curator.core.thoughts import find_marks, read_rationale
from curator.core.turns import find_turns, has_outputs, hide_blocks

PartKind = Literal["thought", "text", "program", "output", "answer", "step"]
NO_LABEL = "no label"
"""The note on a step that nobody labelled."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a rationale."""

    kind: PartKind
    """`answer` is the text behind a thought or behind the last output."""
    text: str
    note: str = ""
    """Fault of a thought (`unclosed thought`), result of the replay of a program (`equal`), or
    label of a step (`wrong`)."""
    number: int = 0
    """Place of a program, of its output, or of a step, from 1; 0 for other parts."""
    chosen: bool = True
    """False for an alternative to a step."""
    parts: tuple["Part", ...] = ()
    """The parts of a thought that has programs."""


def split_rationale(
    kind: Kind, text: str, steps: Sequence[LabelledStep] = (), results: Sequence[str] = ()
) -> list[Part]:
    """Return the parts of a rationale; none of an empty one.

    `results` are those of the replay, one per program of the text. They are ignored if its programs
    are others: a mark of a thought within a program that is not closed ends it here.
    """
    if steps:
        return list(_split_steps(text, steps))
    if kind == "PoT":
        return [Part("program", text)] if text else []
    parts = list(_split_text(kind, text))
    if results:
        replayed = [turn.text for turn in find_turns(text) if turn.kind == "program"]
        shown = [part.text for part in leaves(parts) if part.kind == "program"]
        results = results if shown == replayed and len(results) == len(shown) else ()
    parts = _number(parts, results)
    if len(parts) > 1 and parts[-1].kind == "text":
        parts[-1] = replace(parts[-1], kind="answer")
    return parts


def leaves(parts: Sequence[Part]) -> Iterator[Part]:
    """Yield the parts, and instead of a thought with parts these."""
    for part in parts:
        yield from part.parts or (part,)


def _split_steps(text: str, steps: Sequence[LabelledStep]) -> Iterator[Part]:
    """Yield each step by itself, before its alternatives, and the text that is not a step."""
    joined = "\n".join(step.text for step in steps if step.chosen)
    is_first = text.startswith(joined)
    if not is_first and text:
        yield Part("text", text)
    for step in sorted(steps, key=lambda step: (step.number, not step.chosen)):
        yield Part("step", step.text, step.label or NO_LABEL, step.number, step.chosen)
    if is_first and (rest := text[len(joined) :].strip()):
        yield Part("answer", rest)


def _split_text(kind: Kind, text: str) -> Iterator[Part]:
    trace = read_rationale(kind, text)
    if trace is None:
        yield from _split_turns(kind, text)
        return
    first = next(find_marks(hide_blocks(text) if kind == "TIR" else text))
    if not first.closes and text[: first.start].strip():
        yield from _split_turns(kind, text[: first.start].strip())
    thought = text[slice(*trace.thought)]
    inner = tuple(_split_turns(kind, thought))
    has_blocks = any(part.kind != "text" for part in inner)
    yield Part("thought", thought, trace.fault, parts=inner if has_blocks else ())
    yield from _split_turns(kind, text[slice(*trace.answer)])


def _split_turns(kind: Kind, text: str) -> Iterator[Part]:
    turns = find_turns(text) if kind == "TIR" or has_outputs(text) else []
    if all(turn.kind == "text" for turn in turns):
        if text:
            yield Part("text", text)
        return
    for turn in turns:
        yield Part(turn.kind, turn.text)


def _number(parts: list[Part], results: Sequence[str]) -> list[Part]:
    """Return the parts with the numbers of programs and outputs, and the results of programs."""
    numbered: list[Part] = []
    number = 0
    for before, part in pairwise([Part("text", ""), *leaves(parts)]):
        number += part.kind == "program"
        if part.kind == "program":
            numbered.append(
                replace(part, note=results[number - 1] if results else "", number=number)
            )
        elif part.kind == "output" and before.kind == "program":
            numbered.append(replace(part, number=number))
        else:
            numbered.append(part)
    rest = iter(numbered)
    return [
        replace(part, parts=tuple(next(rest) for _ in part.parts)) if part.parts else next(rest)
        for part in parts
    ]
