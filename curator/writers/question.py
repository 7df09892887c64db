"""Writer `question`: a problem without a solution, for reinforcement learning or sampling.

In: any Problem. Out: one Rationale, whose text is empty. Its gold answer is not checked: there is
nothing to compare it with.
"""

from collections.abc import Iterator

from curator.core.model import Kind, Problem, Rationale
from curator.writers.instruction import add_choices


def write_question(problem: Problem, kind: Kind) -> Iterator[Rationale]:
    """Yield the question; choices from a separate column are appended to it."""
    yield Rationale(problem.id, "question", kind, add_choices(problem), "")
