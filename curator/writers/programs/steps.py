"""A straight-line program: named steps, tidied and printed as Python.

In: steps in order, the last of which is the answer. Out: source text that ends in `print(...)`.
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
    """What the value may be called; empty where nothing is known."""


def used_names(expression: ast.expr) -> list[str]:
    """Names of variables in the expression, as often as they occur."""
    return [node.id for node in ast.walk(expression) if isinstance(node, ast.Name)]


def needed_steps(steps: Sequence[Step]) -> list[Step]:
    """The steps that the last one depends on, and the last one."""
    wanted = {steps[-1].name}
    kept: list[Step] = []
    for step in reversed(steps):
        if step.name in wanted:
            kept.append(step)
            wanted.update(used_names(step.value))
    return kept[::-1]


def count_uses(steps: Sequence[Step]) -> Counter[str]:
    """How often each name is used by the steps."""
    return Counter(name for step in steps for name in used_names(step.value))


def substitute(expression: ast.expr, values: Mapping[str, ast.expr]) -> ast.expr:
    """A copy of the expression with names replaced; names of libraries and functions stay."""
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
    """Steps used exactly once are written into their user where `when(step, user)` says so."""
    kept = list(steps)
    for step in steps:
        if count_uses(kept)[step.name] != 1:
            continue
        current = next(each for each in kept if each.name == step.name)
        user = next(each for each in kept if step.name in used_names(each.value))
        if when(current, user):
            value = substitute(user.value, {step.name: current.value})
            kept[kept.index(user)] = replace(user, value=value)
            kept.remove(current)
    return kept


def rename(steps: Sequence[Step], names: dict[str, str]) -> list[Step]:
    """The same steps under new names."""
    nodes: dict[str, ast.expr] = {old: ast.Name(new) for old, new in names.items()}
    return [Step(names.get(s.name, s.name), substitute(s.value, nodes), s.hint) for s in steps]


def to_source(steps: Sequence[Step]) -> str:
    """Python text: an import if needed, one assignment a line, `print` of the last."""
    lines = [f"{step.name} = {ast.unparse(step.value)}" for step in steps]
    head = ["import math"] if any("math" in used_names(step.value) for step in steps) else []
    return "\n".join([*head, *lines, f"print({steps[-1].name})"])
