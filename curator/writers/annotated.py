"""Writer `annotated`: upstream's formal solution, compiled to a readable Python program.

In: a Problem with `program` and `notation`. Out: at most one Rationale of kind PoT. Upstream's text
is parsed, never run: running is the sandbox's work. Numbers are integers wherever upstream's are;
a division prints `24.0`, since `//` or a rounding that suits one row is a wrong habit for others.
"""

from collections.abc import Callable, Iterator, Mapping

from curator.core.model import Kind, Notation, Problem, Rationale
from curator.writers.instruction import build_instruction
from curator.writers.programs.expressions import NotCompiled
from curator.writers.programs.gsm8k import compile_gsm8k
from curator.writers.programs.lila import compile_lila
from curator.writers.programs.mathqa import compile_mathqa

COMPILERS: Mapping[Notation, Callable[[Problem], str]] = {
    "gsm8k": compile_gsm8k,
    "mathqa": compile_mathqa,
    "python": compile_lila,
}


def write_annotated(problem: Problem, kind: Kind) -> Iterator[Rationale]:
    """The compiled program, or nothing where upstream's text does not compile."""
    if kind != "PoT" or problem.notation not in COMPILERS:
        return
    try:
        text = COMPILERS[problem.notation](problem)
    except NotCompiled:
        return
    yield Rationale(problem.id, "annotated", kind, build_instruction(problem, kind), text)
