"""Writer `verbatim`: upstream's own row, unchanged, to be checked as it is.

In: a Problem with `solution` (CoT, TIR) or a Python `program` (PoT). Out: zero or one Rationale.
Nothing is added to the text, so that an answer that the solution does not state is not extracted
from it.
"""

from collections.abc import Iterator

from curator.core.model import Kind, Problem, Rationale
from curator.writers.instruction import add_choices


def write_verbatim(problem: Problem, kind: Kind) -> Iterator[Rationale]:
    """Yield the row unchanged; choices from a separate column are appended to the question."""
    text = problem.program if kind == "PoT" else problem.solution
    if not text.strip() or (kind == "PoT" and problem.notation != "python"):
        return
    question = add_choices(problem)
    gold_in_text = problem.gold_in == ("program" if kind == "PoT" else "solution")
    yield Rationale(
        problem.id,
        "verbatim",
        kind,
        question,
        text,
        gold_in_text=gold_in_text,
        labelled_steps=problem.labelled_steps if kind == "CoT" else (),
    )
