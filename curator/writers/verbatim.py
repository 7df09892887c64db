"""Writer `verbatim`: upstream's own row, letter by letter, to be judged and passed on as it is.

In: a Problem with `solution` (CoT) or a Python `program` (PoT). Out: at most one Rationale. Nothing
is added to the text, so that an answer that a solution does not state is not found in it either.
"""

from collections.abc import Iterator

from curator.core.model import Kind, Problem, Rationale
from curator.writers.instruction import choices_line


def write_verbatim(problem: Problem, kind: Kind) -> Iterator[Rationale]:
    """The row as it is; options in a column of their own follow the question."""
    text = problem.solution if kind == "CoT" else problem.program
    if not text.strip() or (kind == "PoT" and problem.notation != "python"):
        return
    question = problem.question
    # A gold that was lent brings its options along, and the question has them already.
    if problem.choices and "answer choices:" not in question.lower():
        question = f"{question}\n{choices_line(problem.choices)}"
    yield Rationale(problem.id, "verbatim", kind, question, text)
