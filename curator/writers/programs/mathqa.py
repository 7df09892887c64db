"""Compiles MathQA's `linear_formula` to a program.

In: a Problem whose `program` is `subtract(const_100,n0)|divide(n1,#0)|`: operations on the
question's numbers (`n0`), constants and earlier results (`#0`). Out: the same steps as readable
Python. `annotated_formula` is not used: its thousands commas look like those between arguments, and
upstream inserted its numbers by text replacement, wrongly in a few rows.
"""

import ast
import re
from collections.abc import Sequence

from curator.core.model import Problem
from curator.writers.programs.expressions import NotCompiled
from curator.writers.programs.mathqa_operations import OPERATIONS, constant
from curator.writers.programs.quantities import Quantity, find_quantities
from curator.writers.programs.simplify import write_program
from curator.writers.programs.steps import Step, substitute

LONGEST = 4_000
MOST_STEPS = 64
_CALL = re.compile(r"([a-z_]{2,40})\(([^()|]{1,200})\)")


def compile_mathqa(problem: Problem) -> str:
    """Return the program. Raises NotCompiled if it is not a formula over the question's numbers."""
    given = find_quantities(problem.question)
    return write_program(parse_formula(problem.program, given), given)


def parse_formula(formula: str, given: Sequence[Quantity]) -> list[Step]:
    """Return one step per operation: `t0`, `t1`, … over the question's numbers `n0`, `n1`, …"""
    calls = [call.strip() for call in formula.strip().strip("|").split("|")]
    if not calls[0] or len(formula) > LONGEST or len(calls) > MOST_STEPS:
        raise NotCompiled("no formula" if not calls[0] else "formula too long")
    steps: list[Step] = []
    for call in calls:
        parts = _CALL.fullmatch(call)
        if not parts:
            raise NotCompiled("not a formula")
        operation = OPERATIONS.get(parts[1])
        if operation is None:
            raise NotCompiled("unknown operation")
        arguments = [_argument(text.strip(), given, len(steps)) for text in parts[2].split(",")]
        if len(arguments) != operation.arity:
            raise NotCompiled("wrong number of arguments")
        values = dict(zip("abc", arguments, strict=False))
        steps.append(Step(f"t{len(steps)}", substitute(operation.value, values), operation.result))
    return steps


def _argument(text: str, given: Sequence[Quantity], done: int) -> ast.expr:
    if re.fullmatch(r"n\d{1,3}", text):
        index = int(text[1:])
        if index >= len(given):
            raise NotCompiled("no such number in the question")
        if given[index].value is None:
            raise NotCompiled("a list where a number is needed")
        return ast.Name(text)
    if re.fullmatch(r"#\d{1,3}", text):
        if int(text[1:]) >= done:
            raise NotCompiled("a step that is not there yet")
        return ast.Name(f"t{text[1:]}")
    if text.startswith("const_") and (value := constant(text)) is not None:
        return value
    raise NotCompiled("unknown argument")
