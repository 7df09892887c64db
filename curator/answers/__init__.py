"""Answers: what a text or a program states as its result, and whether two results are the same.

In: texts of golds, solutions and program outputs. Out: `Answer` and `Equivalence`. Importing this
is light: symbolic grading lives in child processes that are started when first needed.
"""

from collections.abc import Sequence

from curator.answers.compare.columns import compare_columns
from curator.answers.compare.decimals import DIGITS
from curator.answers.compare.rules import PLAIN_RULES, Equivalence, compare_by_rules, render_answer
from curator.answers.compare.symbolic import Grader, contested, grade
from curator.answers.extract.program_output import extract_output
from curator.answers.extract.text import extract
from curator.core.model import Answer

VERSION = 3
"""Part of verdict keys: a change of any judgement in this package is a new number."""

__all__ = [
    "DIGITS",
    "PLAIN_RULES",
    "VERSION",
    "Equivalence",
    "Grader",
    "compare_by_rules",
    "compare_columns",
    "contested",
    "equivalent",
    "extract",
    "extract_output",
    "render_answer",
]


def equivalent(
    gold: str | Answer,
    answer: str | Answer,
    choices: Sequence[str] = (),
    digits: int = DIGITS,
) -> Equivalence:
    """Whether an answer says the same as the gold one: equal, different or undecided, and why.

    Symmetric. With `choices` both are brought to options first. `digits` as in `quick`. Starts
    one child process when rules do not decide; for many pairs use `Grader.map`.
    """
    found = compare_by_rules(gold, answer, choices, digits)
    if found is not None:
        return found
    texts = [side if isinstance(side, str) else render_answer(side) for side in (gold, answer)]
    return grade(texts[0], texts[1], tuple(choices))
