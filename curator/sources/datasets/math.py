"""MATH: competition problems with worked solutions; train and test.

One row: {"problem": "…", "level": "Level 4", "type": "Prealgebra", "solution": "…
$\\\\boxed{100}$ …"}. There is no answer column: the gold answer is the last `\\boxed{…}`, or all
boxes if they differ and the question asks for several values. "Level ?" occurs. Drawings are code
(`[asy]…[/asy]`) inside the texts and are not removed; 264 of 3,000 questions contain one.
"""

import re
from collections.abc import Iterator

from curator.core.boxes import box_spans
from curator.core.model import Problem
from curator.sources.fields import Unreadable, optional, text
from curator.sources.source import Row, Source

LONGEST_BOX = 2_000
"""Maximum characters of a box that counts; otherwise 100,000 boxes, each of which holds the rest of
the text, would take minutes and gigabytes."""
_FORMULA_END = re.compile(r"[$\n]|\\[)\]]")
_SEVERAL = re.compile(r"separated by|\ball (?:the |possible )*(?:values|solutions)", re.IGNORECASE)
TOPICS = (
    "algebra",
    "counting_and_probability",
    "geometry",
    "intermediate_algebra",
    "number_theory",
    "prealgebra",
    "precalculus",
)


def boxes(solution: str) -> list[str]:
    """Return the content of every box of a solution, in order; a nested box counts, too.

    Without braces, as in `$\\boxed 2\\sqrt 3 + 1$`, the box holds the rest of its formula.
    """
    contents = []
    for start, end in box_spans(solution, nested=True):
        if end - start > LONGEST_BOX:
            continue
        content = solution[start:end].strip()
        if solution[start - 1] != "{":
            following = solution[start : start + LONGEST_BOX]
            rest = _FORMULA_END.split(following, maxsplit=1)[0].strip(" .")
            if rest.count("{") == rest.count("}"):  # otherwise the box lies in a group
                content = rest
        contents.append(content)
    return [content for content in contents if content]


def gold_of(question: str, solution: str) -> str:
    """Return the final answer: the last box, or all distinct ones if the question wants several."""
    answers = boxes(solution)
    if not answers:
        raise Unreadable("no boxed answer")
    distinct = list(dict.fromkeys(answers))
    return ", ".join(distinct) if _SEVERAL.search(question) else answers[-1]


def parse(row: Row, place: str) -> Iterator[Problem]:
    question, solution = text(row, "problem"), text(row, "solution")
    yield Problem(
        source="math",
        question=question,
        gold=gold_of(question, solution),
        solution=solution,
        gold_in="solution",
        field=optional(row, "type"),
        level=optional(row, "level"),
        licence="MIT",
        place=place,
    )


SOURCE = Source(
    name="math",
    about="Competition problems with human-written solutions (Hendrycks et al.)",
    licence="MIT",
    parse=parse,
    folder="sources/math",
    hub="EleutherAI/hendrycks_math",
    revision="21a5633873b6a120296cce3e2df9d5550074f4a3",
    files=tuple(f"{topic}/train-00000-of-00001.parquet" for topic in TOPICS),
    split="train",
    rows=7_500,
    paper_rows=14_000,
    fields=("problem", "level", "type", "solution"),
    citation="arXiv:2103.03874",
)
EVAL = Source(
    name="math",
    about="MATH test",
    licence="MIT",
    parse=parse,
    folder="evals/math",
    hub="EleutherAI/hendrycks_math",
    revision="21a5633873b6a120296cce3e2df9d5550074f4a3",
    files=tuple(f"{topic}/test-00000-of-00001.parquet" for topic in TOPICS),
    split="test",
    rows=5_000,
    fields=("problem", "level", "type", "solution"),
    citation="arXiv:2103.03874",
)
