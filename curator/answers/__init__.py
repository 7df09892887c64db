"""Answers: read the final answer of a text or a program's output, compare two answers, and
recompute the arithmetic of a text.

In: texts of gold answers, solutions and program outputs. Out: `Answer` and `Equivalence`. Importing
this package is cheap: symbolic grading runs in child processes, which start when first needed.
"""

from collections.abc import Sequence

from curator.answers.compare.columns import compare_columns
from curator.answers.compare.decimals import DIGITS
from curator.answers.compare.rules import PLAIN_RULES, Equivalence, compare_by_rules, render_answer
from curator.answers.compare.symbolic import Grader, contradicts, grade_pair
from curator.answers.extract.program_output import extract_output
from curator.answers.extract.text import extract
from curator.answers.steps.label import label_steps
from curator.answers.steps.read import read_steps
from curator.answers.steps.step import Step, Steps
from curator.core.model import Answer

VERSION = 7
"""Part of verdict keys. Raise it with any change of a result of this package."""

__all__ = [
    "DIGITS",
    "PLAIN_RULES",
    "VERSION",
    "Equivalence",
    "Grader",
    "Step",
    "Steps",
    "compare_by_rules",
    "compare_columns",
    "contradicts",
    "equivalent",
    "extract",
    "extract_output",
    "label_steps",
    "read_steps",
    "render_answer",
]


def equivalent(
    gold: str | Answer,
    answer: str | Answer,
    choices: Sequence[str] = (),
    digits: int = DIGITS,
) -> Equivalence:
    """Return whether an answer means the same as the gold answer, and by which rule.

    Symmetric. With `choices`, both sides are matched to choices first. For `digits` see
    `compare_by_rules`. Starts one child process if the rules do not decide; for many pairs use
    `Grader.map`.
    """
    result = compare_by_rules(gold, answer, choices, digits)
    if result is not None:
        return result
    texts = [side if isinstance(side, str) else render_answer(side) for side in (gold, answer)]
    return grade_pair(texts[0], texts[1], tuple(choices))
