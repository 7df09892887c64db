"""Writes a chain of small steps over the question's numbers as a readable program.

In: steps `t0`, `t1`, … over `n0`, `n1`, …, and the question's quantities. Out: source text with
named inputs, small steps merged into their users, names for the others, and `answer` printed.
"""

import ast
from collections.abc import Sequence
from dataclasses import replace

from curator.writers.programs.expressions import NotCompiled, count_operations, exact_value
from curator.writers.programs.quantities import Quantity
from curator.writers.programs.steps import (
    Step,
    count_uses,
    inline,
    needed_steps,
    rename,
    substitute,
    to_source,
    used_names,
)
from curator.writers.programs.variable_names import Names

MOST_OPERATIONS = 3
"""Maximum operators of a merged line, so that it stays easy to read."""
LARGEST_FOLDED = 10**9
_PLAIN = frozenset(
    {"total", "difference", "product", "quotient", "negative", "inverse", "power", ""}
)
"""Names that say no more than the operator; steps with such names are merged."""


def write_program(steps: Sequence[Step], given: Sequence[Quantity]) -> str:
    """Return the program as text. Raises NotCompiled if it computes nothing.

    Values do not change: operands are swapped only in commutative operations, and constants are
    evaluated only if operands and result are integers.
    """
    steps = needed_steps(steps)
    if any(name.startswith("n") for step in steps for name in used_names(step.value)):
        steps = _inline_constants(steps)
    steps = needed_steps(inline(steps, _foldable))
    count = count_uses(steps)
    inputs = [
        (f"n{index}", quantity.name, quantity.value)
        for index, quantity in enumerate(given)
        if quantity.value is not None and count[f"n{index}"]
    ]
    if not any(count_operations(step.value) for step in steps):
        raise NotCompiled("nothing is computed")
    literals: dict[str, ast.expr] = {n: v for n, name, v in inputs if not name and count[n] == 1}
    named = [Step(n, v, name) for n, name, v in inputs if n not in literals]
    body = [replace(s, value=reorder_operands(substitute(s.value, literals))) for s in steps]
    body = remove_rounding([*named, *body])[len(named) :]
    return to_source(rename([*named, *body], _final_names(named, body)))


def _final_names(inputs: Sequence[Step], steps: Sequence[Step]) -> dict[str, str]:
    names = Names()
    final = {step.name: names.take(step.hint, step.name) for step in inputs}
    for step in steps[:-1]:
        final[step.name] = names.take(step.hint, "result")
    final[steps[-1].name] = "answer"
    return final


def _foldable(step: Step, user: Step) -> bool:
    plain = step.hint in _PLAIN and not any(isinstance(n, ast.Call) for n in ast.walk(step.value))
    return plain and count_operations(step.value) + count_operations(user.value) <= MOST_OPERATIONS


def _inline_constants(steps: Sequence[Step]) -> list[Step]:
    """Evaluate constants, and move steps that are constants into their users."""
    constants: dict[str, ast.expr] = {}
    result: list[Step] = []
    for step in steps:
        value = fold_constants(substitute(step.value, constants))
        if isinstance(value, ast.Constant) and step is not steps[-1]:
            constants[step.name] = value
        else:
            result.append(replace(step, value=value))
    return result


_WHOLE_CALLS = frozenset({"gcd", "lcm", "comb", "perm", "factorial", "floor"})


def remove_rounding(steps: Sequence[Step]) -> list[Step]:
    """Replace `round(x)` by `x` where x is an integer."""
    integers: set[str] = set()

    def is_integer(value: ast.expr) -> bool:
        match value:
            case ast.Constant(value=int()):
                return True
            case ast.Name(id=name):
                return name in integers
            case ast.Call(func=ast.Attribute(attr=name)):
                return name in _WHOLE_CALLS
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult(), right=right):
                return is_integer(left) and is_integer(right)
        return False

    class Strip(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> ast.expr:
            self.generic_visit(node)
            cast = isinstance(node.func, ast.Name) and node.func.id in ("int", "round")
            return (
                node.args[0] if cast and len(node.args) == 1 and is_integer(node.args[0]) else node
            )

    plain: list[Step] = []
    for step in steps:
        value = Strip().visit(substitute(step.value, {}))
        plain.append(replace(step, value=value))
        if is_integer(value):
            integers.add(step.name)
    return plain


def fold_constants(expression: ast.expr) -> ast.expr:
    """Replace `10 / 2` by 5: upstream builds constants that it lacks from others."""

    class Fold(ast.NodeTransformer):
        def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
            self.generic_visit(node)
            sides = (node.left, node.right)
            integral = all(isinstance(s, ast.Constant) and isinstance(s.value, int) for s in sides)
            value = exact_value(node) if integral else None
            if value is None or value.denominator != 1 or not 0 <= value <= LARGEST_FOLDED:
                return node
            return ast.Constant(value.numerator)

    return Fold().visit(substitute(expression, {}))  # type: ignore[no-any-return]


def reorder_operands(expression: ast.expr) -> ast.expr:
    """Write `a + (b + c)` as `b + c + a` and `a * (5 / 18)` as `a * 5 / 18`: fewer brackets."""

    class Swap(ast.NodeTransformer):
        def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
            self.generic_visit(node)
            if isinstance(node.op, ast.Mult) and _is_fraction(node.right):
                return _times_fraction(node.left, node.right)
            if isinstance(node.op, ast.Mult) and _is_fraction(node.left):
                return _times_fraction(node.right, node.left)
            leaf = isinstance(node.left, ast.Name | ast.Constant)
            if (
                leaf
                and isinstance(node.right, ast.BinOp)
                and _needs_brackets(node.op, node.right.op)
            ):
                return ast.BinOp(node.right, node.op, node.left)
            return node

    return Swap().visit(substitute(expression, {}))  # type: ignore[no-any-return]


def _is_fraction(value: ast.expr) -> bool:
    match value:
        case ast.BinOp(left=ast.Constant(), op=ast.Div(), right=ast.Constant()):
            return True
    return False


def _times_fraction(value: ast.expr, fraction: ast.expr) -> ast.BinOp:
    assert isinstance(fraction, ast.BinOp)
    return ast.BinOp(ast.BinOp(value, ast.Mult(), fraction.left), ast.Div(), fraction.right)


def _needs_brackets(outer: ast.operator, inner: ast.operator) -> bool:
    if isinstance(outer, ast.Add):
        return isinstance(inner, ast.Add | ast.Sub)
    return isinstance(outer, ast.Mult) and isinstance(inner, ast.Mult | ast.Div)
