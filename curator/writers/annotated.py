"""Writer `annotated`: compiles upstream's formal solution to a readable Python program.

In: a Problem with `program` and `notation`. Out: zero or one Rationale of kind PoT. Upstream's text
is parsed, never run. Integers stay integers; a division prints `24.0`, since `//` or rounding would
be right for some rows and wrong for others.
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
    """Yield the compiled program; nothing if upstream's text does not compile."""
    if kind != "PoT" or problem.notation not in COMPILERS:
        return
    try:
        text = COMPILERS[problem.notation](problem)
    except NotCompiled:
        return
    gold_in_text = problem.gold_in == "program"
    yield Rationale(
        problem.id,
        "annotated",
        kind,
        build_instruction(problem, kind),
        text,
        gold_in_text=gold_in_text,
    )
