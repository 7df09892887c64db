"""Writer `reference`: upstream's own solution in the text forms of the released MathInstruct.

In: a Problem with `solution`. Out: at most one Rationale. Nothing is added but the phrases that
MathInstruct puts around a solution: an opening for multiple choice, "The answer is X" as last line.
"""

from collections.abc import Iterator

from curator.core.model import Kind, Problem, Rationale
from curator.writers.instruction import build_instruction

OPENING = "Let's think about the multi-choice question."


def write_reference(problem: Problem, kind: Kind) -> Iterator[Rationale]:
    """The solution as a CoT; for rows of the released MathInstruct either kind, unchanged.

    Yields nothing for a problem without solution, for PoT of other sources (their programs are
    compiled by `annotated`), and for a released row of the other kind.
    """
    if not problem.solution.strip() or _kind(problem) != kind:
        return
    text = problem.solution if problem.source == "mathinstruct" else format_solution(problem)
    yield Rationale(problem.id, "reference", kind, build_instruction(problem, kind), text)


def _kind(problem: Problem) -> Kind:
    return "PoT" if problem.part.startswith("data/PoT/") else "CoT"


def format_solution(problem: Problem) -> str:
    """The solution between MathInstruct's phrases.

    AQuA and other multiple choice: opening line, solution, "The answer is C." (with full stop).
    GSM8K, MATH, TheoremQA and others: solution, "The answer is 72" (none). Problems without
    gold answer (Camel) and solutions that end in that very line already get none.
    """
    text = problem.solution.strip()
    if problem.choices:
        text = f"{OPENING}\n{text}"
    closing = f"The answer is {problem.gold.strip()}"
    if problem.gold and not text.rstrip(". ").lower().endswith(closing.lower()):
        stop = "." if problem.choices else ""
        text = f"{text}\n{closing}{stop}"
    return text
