"""Minerva-math: 272 university problems in science and mathematics from OpenCourseWare (MIT).
Evaluation only.

The Hub's copy: {"question": "Each of the two Magellan telescopes …", "answer": "1.6"}. Qwen's copy,
the native form: {"problem": "…", "solution": "…\\\\boxed{1.6} \\\\mathrm{~cm}", "type":
"Introduction to Astronomy (8.282J Spring 2006)", "idx": 0}, where the gold answer is the last box;
the unit stands outside of it, and the question names it. Both give the same question and gold.
"""

from collections.abc import Iterator

from curator.core.model import Problem
from curator.sources.datasets.math import boxes
from curator.sources.fields import Unreadable, answer, optional, text
from curator.sources.source import Row, Source

LICENCE = "none stated on the card; MIT OpenCourseWare is CC BY-NC-SA 4.0"


def parse(row: Row, place: str) -> Iterator[Problem]:
    solution = optional(row, "solution")
    if solution:
        boxed = boxes(solution)
        if not boxed:
            raise Unreadable("no boxed answer")
        question, gold = text(row, "problem"), boxed[-1]
    else:
        question, gold = text(row, "question"), answer(row, "answer")
    yield Problem(
        source="minerva_math",
        question=question,
        gold=gold,
        solution=solution,
        gold_in="solution" if solution else "",
        field=optional(row, "type"),
        licence=LICENCE,
        place=place,
    )


EVAL = Source(
    name="minerva_math",
    about="University problems of OpenCourseWare (Lewkowycz et al.)",
    licence=LICENCE,
    parse=parse,
    folder="evals/minerva_math",
    hub="math-ai/minervamath",
    revision="ee46ddc498933b1977577953250ca5c66be64f96",
    files=("test.jsonl",),
    split="test",
    rows=272,
    fields=("question", "answer"),
    citation="arXiv:2206.14858",
)
