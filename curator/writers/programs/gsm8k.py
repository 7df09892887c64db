"""Compiles GSM8K's annotated solutions to programs.

In: a Problem whose `program` is upstream's text: `Natalia sold 48/2 = <<48/2=24>>24 clips in May.`
Out: `clips_in_may = 48 / 2`, …, and `print(...)` of the step whose result is the gold answer.
"""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import islice

from curator.core.model import Problem
from curator.writers.programs.expressions import NotCompiled, count_operations, exact_value
from curator.writers.programs.gsm8k_text import Computation, find_computations, number_value
from curator.writers.programs.steps import (
    Step,
    needed_steps,
    rename,
    substitute,
    to_source,
    used_names,
)
from curator.writers.programs.variable_names import Names, name_result

LONGEST = 20_000
MOST_STEPS = 60
_COMMON = frozenset(map(Fraction, (0, 1, 2, 3, 4, 7, 10, 12, 24, 30, 52, 60, 100, 365, 1000)))
"""Numbers that solutions use although the question does not state them."""


def compile_gsm8k(problem: Problem) -> str:
    """Return the program. Raises NotCompiled if the text contains no correct computation.

    The program prints the last result that equals the gold answer; without one, the last
    result, which the check of answers then rejects. A number is replaced by the name of an earlier
    step if it is that step's result and neither a number of the question nor a common one (2, 7,
    12, 60, 100, …). Other numbers are replaced only if the step is otherwise unused.
    """
    computations = list(
        islice(find_computations(problem.program.split("\n####")[0][:LONGEST]), MOST_STEPS)
    )
    if not computations:
        raise NotCompiled("no annotation")
    computations = computations[: _last_index(computations, problem.gold) + 1]
    steps = [Step(f"t{index}", each.value) for index, each in enumerate(computations)]
    results = [each.result for each in computations]
    linked = needed_steps(_link(steps, results, _given_numbers(problem.question)))
    if not any(count_operations(step.value) for step in linked):
        raise NotCompiled("nothing is computed")
    names = Names()
    suggested = {
        step.name: name_result(f.before, f.after)
        for step, f in zip(steps, computations, strict=True)
    }
    return to_source(
        rename(linked, {step.name: names.take(suggested[step.name]) for step in linked})
    )


def _last_index(computations: Sequence[Computation], gold: str) -> int:
    """Return the index of the last computation that gives the gold answer, or else of the last."""
    answer = number_value(gold)
    for index in range(len(computations) - 1, -1, -1):
        if answer is not None and abs(computations[index].result - answer) <= abs(answer) / 1000:
            return index
    return len(computations) - 1


def _given_numbers(question: str) -> frozenset[Fraction]:
    texts = re.findall(r"\d[\d,]*\.?\d*|\.\d+", question[:LONGEST])
    values = (number_value(text.rstrip(".,")) for text in texts)
    return _COMMON | {value for value in values if value is not None}


def _link(
    steps: Sequence[Step], results: Sequence[Fraction], given: frozenset[Fraction]
) -> list[Step]:
    """Replace literals that equal earlier results by names: first the certain, then the unused."""
    linked: list[Step] = []
    for index, step in enumerate(steps):
        earlier = zip(results[:index], steps[:index], strict=True)
        certain = {value: before.name for value, before in earlier if value not in given}
        linked.append(replace(step, value=_replace_literals(step.value, certain)))
    for index, step in enumerate(steps):
        if any(step.name in used_names(each.value) for each in linked):
            continue
        for place in range(index + 1, len(linked)):
            value = _replace_literals(linked[place].value, {results[index]: step.name}, most=1)
            if step.name in used_names(value):
                linked[place] = replace(linked[place], value=value)
                break
    return linked


def _replace_literals(
    expression: ast.expr, names: Mapping[Fraction, str], most: int = 100
) -> ast.expr:
    """Replace literals with these values by names, up to `most` of them."""
    left = most

    class Replace(ast.NodeTransformer):
        def visit_Constant(self, node: ast.Constant) -> ast.expr:
            nonlocal left
            value = exact_value(node)
            if value is None or value not in names or not left:
                return node
            left -= 1
            return ast.Name(names[value])

    return Replace().visit(substitute(expression, {}))  # type: ignore[no-any-return]
