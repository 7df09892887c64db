"""OlympiadBench: 674 open-ended competition problems, English text only (OE_TO_maths_en_COMP).
Evaluation only.

One row, shortened: {"id": 1606, "question": "…", "context": null, "solution": ["…"],
"final_answer": ["$\\\\frac{1}{2}$"], "image_1": null, …, "modality": "Text-only",
"is_multiple_answer": false, "unit": null, "answer_type": "Numerical", "error": null, "subfield":
"Algebra"}. Copies write the two lists as Python does, in a text: "['2']".

Several answers are one text, "$2,3$", or several entries. The unit of a single answer is added to
the gold answer. A problem that needs a picture, as those of the other configurations do, is
quarantined, and so is a proof, which has no final answer. `error` is the absolute tolerance with
which upstream grades: Curator compares by stated digits, so such a problem has no gold answer here;
it is screened against, but not sampled.
"""

import ast
import re
from collections.abc import Iterator

from curator.core.model import Problem
from curator.sources.fields import Unreadable, answer, join_context, optional, text, value
from curator.sources.source import Row, Source

MAX_ANSWER = 10_000
"""Maximum characters of final answers that are written in a text."""
_IMAGE = re.compile(r"<img_\d+>")


def parse(row: Row, place: str) -> Iterator[Problem]:
    question, context = text(row, "question"), optional(row, "context")
    if context:
        question = join_context(context, question)
    if _needs_picture(row, question):
        raise Unreadable("needs a picture")
    answers = final_answers(row)
    yield Problem(
        source="olympiadbench",
        question=question,
        gold="" if _has_tolerance(row) else " ".join([", ".join(answers), *_unit(row, answers)]),
        part=optional(row, "answer_type"),
        field=optional(row, "subfield"),
        level=optional(row, "difficulty"),
        licence="Apache-2.0",
        place=place,
    )


def final_answers(row: Row) -> list[str]:
    """Return the final answers: a list, or a list that a text holds, or one text."""
    cell = value(row, "final_answer")
    if isinstance(cell, str):
        written = text(row, "final_answer")
        if len(written) > MAX_ANSWER:
            raise Unreadable("final_answer is not a list of answers")
        cell = [written]
        if written[0] == "[" and written[-1] == "]":
            try:
                cell = ast.literal_eval(written)
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                cell = [written]  # an interval, such as [0,1]
    if not isinstance(cell, list) or not cell:
        raise Unreadable("final_answer is not a list of answers")
    if not all(isinstance(each, str) for each in cell):
        cell = [written] if isinstance(row["final_answer"], str) else cell
    return [answer({"final_answer": each}, "final_answer") for each in cell]


def _needs_picture(row: Row, question: str) -> bool:
    pictures = any(row[key] for key in row if key.startswith("image_"))
    modality = optional(row, "modality")
    return pictures or modality not in ("", "Text-only") or bool(_IMAGE.search(question))


def _unit(row: Row, answers: list[str]) -> list[str]:
    """Return the unit, unless there are several answers, which may have a unit each."""
    unit = optional(row, "unit")
    several = row.get("is_multiple_answer") is True or len(answers) > 1
    return [unit] if unit and not several else []


def _has_tolerance(row: Row) -> bool:
    return row.get("error") not in (None, "", 0)


EVAL = Source(
    name="olympiadbench",
    about="Open-ended competition problems, English text only (He et al.)",
    licence="Apache-2.0",
    parse=parse,
    folder="evals/olympiadbench",
    hub="Hothan/OlympiadBench",
    revision="91184b52131e7fc9455fef848035173aea8cc01a",
    files=("OlympiadBench/OE_TO_maths_en_COMP/OE_TO_maths_en_COMP.parquet",),
    config="OE_TO_maths_en_COMP",
    split="train",
    rows=674,
    fields=(
        *("id", "question", "context", "final_answer", "is_multiple_answer", "unit"),
        *("answer_type", "error", "subfield", "modality"),
    ),
    citation="arXiv:2402.14008",
)
