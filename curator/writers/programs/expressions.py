"""Parses arithmetic in upstream's notation to `ast` nodes, and evaluates it exactly.

In: untrusted text such as `$1,000 x 20%` or `4(2)-.5`. Out: an expression of numbers and + - * / **
only, or None. Text is never executed; length, size and exponents are bounded.
"""

import ast
import re
from collections.abc import Mapping
from fractions import Fraction

LONGEST = 200
"""Maximum characters of an expression."""
MOST_NODES = 120
LARGEST_POWER = 64
MOST_BITS = 4096

_OPERATOR_SYMBOLS = str.maketrans(
    {"×": "*", "÷": "/", "−": "-", "–": "-", "⁄": "/", "∗": "*", "^": "**"}
)
_ARITHMETIC = re.compile(r"[0-9.+\-*/() ]+")
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)


class NotCompiled(Exception):
    """Upstream's text does not compile. The message is one of a fixed set, to count reasons."""


def parse_arithmetic(text: str) -> ast.expr | None:
    """Return the expression, or None if the text is not arithmetic on numbers.

    Accepts Python's notation and `×` `÷` `x`, `^`, `$`, thousands commas, `20%` as 20/100, leading
    zeros, and brackets as multiplication in `4(2)`.
    """
    if len(text) > LONGEST:
        return None
    text = text.translate(_OPERATOR_SYMBOLS).replace("$", "").replace("{", "(").replace("}", ")")
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    text = re.sub(r"(?<=[\d)\s])[xX](?=[\s\d(.])", "*", text)
    text = re.sub(r"(?<!\d)(\d++(?:\.\d++)?+|\.\d++)\s*+%(?!\s*[\d(.])", r"(\1/100)", text)
    text = re.sub(r"(?<![\d.])0+(?=\d)", "", text)
    text = re.sub(r"(?<=[\d)])\s*\(", "*(", text).strip()
    if not _ARITHMETIC.fullmatch(text) or "//" in text:
        return None
    try:
        body = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return body if _is_arithmetic(body) else None


def _is_arithmetic(root: ast.expr) -> bool:
    nodes = list(ast.walk(root))
    if len(nodes) > MOST_NODES:
        return False
    for node in nodes:
        match node:
            case ast.Constant(value=value) if type(value) in (int, float):
                pass
            case ast.BinOp(op=op) if isinstance(op, _OPERATORS):
                pass
            case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
                pass
            case ast.operator() | ast.unaryop():
                pass
            case _:
                return False
    return True


def exact_value(
    expression: ast.expr, names: Mapping[str, Fraction] | None = None
) -> Fraction | None:
    """Return the exact value; None for division by zero, unknown names, roots and huge numbers."""
    try:
        return _evaluate(expression, names or {})
    except (ZeroDivisionError, KeyError, ValueError, OverflowError):
        return None


def _evaluate(node: ast.expr, names: Mapping[str, Fraction]) -> Fraction:
    match node:
        case ast.Constant(value=int() | float() as value):
            return Fraction(str(value))
        case ast.Name(id=name):
            return names[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_evaluate(operand, names)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _evaluate(operand, names)
        case ast.BinOp(left=left, op=op, right=right):
            return _operate(op, _evaluate(left, names), _evaluate(right, names))
    raise ValueError("not arithmetic")


def _operate(op: ast.operator, left: Fraction, right: Fraction) -> Fraction:
    match op:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            return left / right
    small = right.denominator == 1 and abs(right) <= LARGEST_POWER
    if not small or left.numerator.bit_length() * abs(right) > MOST_BITS:
        raise ValueError("power not exact or too large")
    return Fraction(left**right.numerator)


def count_operations(expression: ast.expr) -> int:
    """Count the operators and calls of an expression."""
    return sum(isinstance(node, ast.BinOp | ast.Call) for node in ast.walk(expression))


def number_literal(text: str) -> ast.Constant:
    """Return the literal of a number: `1,000` and `2.0` as integers, `0.50` as 0.5."""
    value = float(text.replace(",", ""))
    whole = Fraction(text.replace(",", ""))
    return ast.Constant(whole.numerator if whole.denominator == 1 else value)
