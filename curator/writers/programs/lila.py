"""Cleans Lila's programs to readable Python.

In: a Problem whose `program` has the lines `n0 = 30.0`, `t0 = n0 - 10.0`, `answer = t0 * 100.0`,
`print(answer)`. Out: the same computation with names from the question. Any other program that
parses and prints is returned unchanged.
"""

import ast
import re
from collections.abc import Mapping
from fractions import Fraction

from curator.core.model import Problem
from curator.writers.programs.expressions import NotCompiled, exact_value, number_literal
from curator.writers.programs.quantities import Quantity, find_quantities
from curator.writers.programs.simplify import write_program
from curator.writers.programs.steps import Step, rename

LONGEST = 20_000
MOST_NODES = 200
"""Maximum syntax nodes of a statement that is rewritten."""
_FUNCTIONS = frozenset(
    {"sqrt", "floor", "ceil", "factorial", "comb", "gcd", "lcm", "log", "log2", "log10"}
)
_HINTS: Mapping[type[ast.operator] | None, str] = {
    ast.Add: "total",
    ast.Sub: "difference",
    ast.Mult: "product",
    ast.Div: "quotient",
    ast.Pow: "power",
}
_SCIPY: Mapping[str, str] = {
    "scipy.lcm": "lcm",
    "scipy.gcd": "gcd",
    "scipy.special.comb": "comb",
    "scipy.misc.comb": "comb",
}
"""Functions of `math` that replace those of `scipy`, which may be gone or slow to import."""
_PLAIN = frozenset({"min", "max", "abs", "round", "int", "float", "sum"})


def compile_lila(problem: Problem) -> str:
    """Return the program. Raises NotCompiled if the text is not Python or prints nothing."""
    text = problem.program.strip()
    if not text or len(text) > LONGEST:
        raise NotCompiled("program too long" if text else "no program")
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise NotCompiled("not Python") from None
    steps = _straight_line_steps(tree)
    if steps is None:
        if "print(" not in text:
            raise NotCompiled("prints nothing")
        return text
    return _use_question_names(steps, find_quantities(problem.question))


def _straight_line_steps(tree: ast.Module) -> list[Step] | None:
    """Return the assignments of a program of arithmetic and a final `print`; None for any other."""
    body = [node for node in tree.body if not _is_library_import(node)]
    steps: list[Step] = []
    constants: dict[str, Fraction] = {}
    for node in body[:-1]:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if _is_small(value):
                cleaned = _Simplifier(constants).visit(value)
                if not _is_arithmetic(cleaned):
                    return None
                steps.append(Step(name, cleaned, _HINTS.get(_operator(cleaned), "")))
                if (fixed := exact_value(cleaned)) is not None:
                    constants[name] = fixed
            case _:
                return None
    names = [step.name for step in steps]
    match body[-1:]:
        case [ast.Expr(value=ast.Call(func=ast.Name(id="print"), args=[ast.Name(id=last)]))] if (
            names and last == names[-1] and len(set(names)) == len(names)
        ):
            return steps
    return None


def _is_library_import(node: ast.stmt) -> bool:
    """Return whether a statement imports only libraries that are replaced, or imported again."""
    return isinstance(node, ast.Import) and all(
        alias.name in ("math", "scipy", "scipy.special", "scipy.misc") and not alias.asname
        for alias in node.names
    )


def _is_small(value: ast.expr) -> bool:
    return sum(1 for _ in ast.walk(value)) <= MOST_NODES


def _operator(value: ast.expr) -> type[ast.operator] | None:
    return type(value.op) if isinstance(value, ast.BinOp) else None


def _is_arithmetic(root: ast.expr) -> bool:
    for node in ast.walk(root):
        match node:
            case ast.Constant(value=value) if type(value) in (int, float):
                pass
            case ast.Call(func=ast.Name(id=name), keywords=[]) if name in _PLAIN:
                pass
            case ast.Call(func=ast.Attribute(value=ast.Name(id="math")), keywords=[]):
                pass
            case ast.Attribute(value=ast.Name(id="math"), attr=name):
                if name not in _FUNCTIONS | {"pi", "e"}:
                    return False
            case ast.BinOp() | ast.UnaryOp() | ast.Name() | ast.operator() | ast.unaryop():
                pass
            case ast.expr_context():
                pass
            case _:
                return False
    return True


class _Simplifier(ast.NodeTransformer):
    """Simplifies upstream's floats and guards: 100.0 → 100, x + 1e-05 → x, x ** min(2, 5) → x ** 2.

    The guards protected upstream's interpreter: exponents are at most 5, divisors never 0. An
    exponent above 5 keeps its guard, since upstream's answer was computed with it.
    """

    def __init__(self, constants: Mapping[str, Fraction]) -> None:
        self.constants = constants

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        plain = type(node.value) in (int, float) and 1e-4 < abs(node.value) < 1e15  # type: ignore[arg-type]
        return number_literal(repr(node.value)) if plain else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        name = _SCIPY.get(ast.unparse(node))
        return ast.Attribute(ast.Name("math"), name) if name else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        whole = isinstance(node.func, ast.Attribute) and ast.unparse(node.func) in _SCIPY
        self.generic_visit(node)
        if whole:  # scipy takes floats, math does not
            node.args = [ast.Call(ast.Name("round"), [each], []) for each in node.args]
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        match node:
            case ast.BinOp(left=left, op=ast.Add(), right=ast.Constant(value=1e-05)):
                return left
            case ast.BinOp(
                op=ast.Pow(), right=ast.Call(func=ast.Name(id="min"), args=[power, cap])
            ):
                value, limit = exact_value(power, self.constants), exact_value(cap)
                if value is not None and limit is not None and value <= limit:
                    node.right = power
        return node


def _use_question_names(steps: list[Step], quantities: list[Quantity]) -> str:
    """Write the program with inputs named after the question's numbers of the same value."""
    inputs = [step for step in steps if isinstance(step.value, ast.Constant)]
    rest = [step for step in steps if step not in inputs]
    if not rest or steps[-1] in inputs:
        raise NotCompiled("nothing is computed")
    given = [Quantity(_constant(step), _quantity_name(step, quantities)) for step in inputs]
    names = {step.name: f"n{index}" for index, step in enumerate(inputs)}
    names |= {step.name: f"t{index}" for index, step in enumerate(rest)}
    return write_program(rename(rest, names), given)


def _constant(step: Step) -> ast.Constant:
    assert isinstance(step.value, ast.Constant)
    return step.value


def _quantity_name(step: Step, quantities: list[Quantity]) -> str:
    place = re.fullmatch(r"n(\d{1,3})", step.name)
    at_place = quantities[int(place[1]) : int(place[1]) + 1] if place else []
    for quantity in [*at_place, *quantities]:
        if quantity.value is not None and exact_value(quantity.value) == exact_value(step.value):
            return quantity.name
    return ""
