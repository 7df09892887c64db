"""What a problem's own solution and program say about its gold answer.

In: problems. Out: their evidence; programs are run.
"""

from collections.abc import Iterator, Sequence

from curator.answers import render_answer
from curator.checks import Candidate
from curator.core.model import Problem
from curator.pipeline.checker import Checker
from curator.versions.golds.own_solution import OwnEvidence, read_solution
from curator.writers.annotated import write_annotated


def read_own(problems: Sequence[Problem], checker: Checker) -> list[OwnEvidence]:
    """Return the evidence of each problem, in order; programs are run."""
    written = [next(_programs(each), "") for each in problems]
    candidates = [Candidate(b"", "PoT", "", text, "", ()) for text in written if text]
    printed = iter(checker.extract_answers(candidates))
    outputs = [next(printed) if text else None for text in written]
    return [
        read_solution(problem, render_answer(output) if output else "")
        for problem, output in zip(problems, outputs, strict=True)
    ]


def _programs(problem: Problem) -> Iterator[str]:
    """Yield the program of a problem that is not its solution in another form."""
    if problem.gold_in == "program" or problem.notation == "gsm8k":
        return
    if problem.notation == "python":
        yield problem.program
    elif problem.program:
        yield from (each.text for each in write_annotated(problem, "PoT"))
