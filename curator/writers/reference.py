"""Writer `reference`: upstream's solution in the form of the released MathInstruct.

In: a Problem with `solution`. Out: zero or one Rationale. Its text has MathInstruct's phrases: an
opening line for multiple choice, and "The answer is X" as the last line. Checks do not read these
phrases: they read the solution as its author wrote it.
"""

from collections.abc import Iterator

from curator.core.model import Kind, Problem, Rationale
from curator.core.thoughts import join_thought, split_thought
from curator.writers.instruction import build_instruction

OPENING = "Let's think about the multi-choice question."


def write_reference(problem: Problem, kind: Kind) -> Iterator[Rationale]:
    """Yield the solution as CoT; for rows of the released MathInstruct either kind, unchanged.

    Yields nothing for a problem without a solution, for PoT of other sources (`annotated` compiles
    their programs), and for a released row of the other kind.
    """
    if not problem.solution.strip() or _kind(problem) != kind:
        return
    text = problem.solution if problem.source == "mathinstruct" else format_solution(problem)
    yield Rationale(
        problem.id,
        "reference",
        kind,
        build_instruction(problem, kind),
        text,
        as_written=problem.whole_solution if problem.whole_solution != text else "",
        gold_in_text=problem.gold_in == "solution",
    )


def _kind(problem: Problem) -> Kind:
    return "PoT" if problem.part.startswith("data/PoT/") else "CoT"


def format_solution(problem: Problem) -> str:
    """Return the solution with MathInstruct's phrases.

    Multiple choice such as AQuA: opening line, solution, "The answer is C." (with a full stop).
    GSM8K, MATH, TheoremQA and others: solution, "The answer is 72" (without). The last line is
    omitted if there is no gold answer (Camel) or the solution already ends with it. A thought comes
    first, in Curator's marks.
    """
    thought, text = split_thought(problem.solution.strip())
    if problem.choices:
        text = f"{OPENING}\n{text}"
    closing = f"The answer is {problem.gold.strip()}"
    if problem.gold and not text.rstrip(". ").lower().endswith(closing.lower()):
        stop = "." if problem.choices else ""
        text = f"{text}\n{closing}{stop}"
    return join_thought(thought, text)
