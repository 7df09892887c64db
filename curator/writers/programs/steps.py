"""Transforms straight-line programs, given as named steps, and writes them as Python.

In: steps in order; the last one is the answer. Out: source text that ends with `print(...)`.
"""

import ast
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Step:
    """One assignment."""

    name: str
    value: ast.expr
    hint: str = ""
    """Suggested name for the value; may be empty."""


def used_names(expression: ast.expr) -> list[str]:
    """Return the names in the expression, repeated as often as they occur."""
    return [node.id for node in ast.walk(expression) if isinstance(node, ast.Name)]


def needed_steps(steps: Sequence[Step]) -> list[Step]:
    """Return the last step and the steps that it depends on."""
    names = {steps[-1].name}
    result: list[Step] = []
    for step in reversed(steps):
        if step.name in names:
            result.append(step)
            names.update(used_names(step.value))
    return result[::-1]


def count_uses(steps: Sequence[Step]) -> Counter[str]:
    """Count how often the steps use each name."""
    return Counter(name for step in steps for name in used_names(step.value))


def substitute(expression: ast.expr, values: Mapping[str, ast.expr]) -> ast.expr:
    """Return a copy with variables replaced; names of libraries and functions stay."""
    match expression:
        case ast.Name(id=name):
            return values.get(name, expression)
        case ast.UnaryOp(op=op, operand=operand):
            return ast.UnaryOp(op, substitute(operand, values))
        case ast.BinOp(left=left, op=op, right=right):
            return ast.BinOp(substitute(left, values), op, substitute(right, values))
        case ast.Call(func=function, args=arguments):
            return ast.Call(function, [substitute(each, values) for each in arguments], [])
    return expression


def inline(steps: Sequence[Step], when: Callable[[Step, Step], bool]) -> list[Step]:
    """Move each step that is used exactly once into its user, if `when(step, user)` is true."""
    result = list(steps)
    for step in steps:
        if count_uses(result)[step.name] != 1:
            continue
        current = next(each for each in result if each.name == step.name)
        user = next(each for each in result if step.name in used_names(each.value))
        if when(current, user):
            value = substitute(user.value, {step.name: current.value})
            result[result.index(user)] = replace(user, value=value)
            result.remove(current)
    return result


def rename(steps: Sequence[Step], names: dict[str, str]) -> list[Step]:
    """Return the steps with new names."""
    nodes: dict[str, ast.expr] = {old: ast.Name(new) for old, new in names.items()}
    return [Step(names.get(s.name, s.name), substitute(s.value, nodes), s.hint) for s in steps]


def to_source(steps: Sequence[Step]) -> str:
    """Return Python source: an import if needed, one assignment per line, `print` of the last."""
    lines = [f"{step.name} = {ast.unparse(step.value)}" for step in steps]
    head = ["import math"] if any("math" in used_names(step.value) for step in steps) else []
    return "\n".join([*head, *lines, f"print({steps[-1].name})"])
