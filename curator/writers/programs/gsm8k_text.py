"""Finds the computations in a GSM8K solution.

In: upstream's text, with `<<48/2=24>>` or arithmetic between words (`71 cars - 2 cars = 69`).
Out: the computations with their values and the text around them. Wrong arithmetic is skipped.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from curator.writers.programs.expressions import count_operations, exact_value, parse_arithmetic

LONGEST_LINE = 2_000
MOST_TRIES = 12
"""Maximum number of possible starts of an expression to try, counted from the end of the text."""

_NUMBER = r"-?(?:\d[\d,]*(?:\.\d+)?|\.\d+)"
_ANNOTATION = re.compile(r"<<([^<>\n]{1,200})>>")
_STATED = re.compile(rf"=\s*+(?:\$\s*+)?(?P<result>{_NUMBER})(?P<percent>%?)(?![\d(]|\s*[*/×÷^])")
_REPEATED_RESULT = re.compile(rf"^\s*\$?{_NUMBER}")
_UNIT = re.compile(r"/\s*[A-Za-z][A-Za-z']*|[A-Za-zÀ-ÿ’'][\w’'-]*|[$€£#:]")
_START = re.compile(r"(?<![\d.,])\({0,20}+-?\({0,20}+(?:\d|\.\d)")


@dataclass(frozen=True, slots=True)
class Computation:
    """A computation, with the text of its line before and after it."""

    value: ast.expr
    result: Fraction
    before: str
    after: str


def find_computations(text: str) -> Iterator[Computation]:
    """Yield every computation of the text in order, without repetitions."""
    seen: set[tuple[str, Fraction]] = set()
    for line in text.split("\n"):
        for computation in _in_line(line[:LONGEST_LINE]):
            key = (ast.unparse(computation.value), computation.result)
            if key not in seen:
                seen.add(key)
                yield computation


def number_value(text: str) -> Fraction | None:
    """Return the exact value of a number in upstream's notation (`1,000`, `.5`, `-3`), or None."""
    node = parse_arithmetic(text)
    return None if node is None else exact_value(node)


def _in_line(line: str) -> Iterator[Computation]:
    annotations = list(_ANNOTATION.finditer(line))
    inside = [(mark.start(), mark.end()) for mark in annotations]
    stated = [
        mark
        for mark in _STATED.finditer(line)
        if not any(start <= mark.start() < end for start, end in inside)
    ]
    begin = 0
    for mark in sorted([*annotations, *stated], key=lambda each: each.start()):
        before = _ANNOTATION.sub("", line[: mark.start()])
        after = _ANNOTATION.sub("", line[mark.end() :])
        if mark.re is _ANNOTATION:
            computation = _from_annotation(
                mark[1], before, _REPEATED_RESULT.sub("", after, count=1)
            )
        else:
            left = _ANNOTATION.sub("", line[begin : mark.start()])
            computation = _from_text(left, mark, before, after)
        begin = mark.end()
        if computation:
            yield computation


def _from_annotation(text: str, before: str, after: str) -> Computation | None:
    """Read `48/2=24`; for `2/5*60 = <<24=24>>`, read the computation before the annotation."""
    left, _, right = text.rpartition("=")
    value, result = parse_arithmetic(left.split("=")[0]), number_value(right)
    if value is None or result is None or not _rounds_to(value, result):
        return None
    if not count_operations(value):
        before_last = before.rstrip()
        left = before_last[before_last.rfind("=", 0, -1) + 1 :]
        value = _trailing_expression(left.strip().rstrip("=$ "), result) or value
    return Computation(value, exact_value(value) or result, before, after)


def _from_text(left: str, mark: re.Match[str], before: str, after: str) -> Computation | None:
    """Read `5 frogs + 2 frogs = 7`, or `6 men / 12 men * 100% = 50%`, where % is only a unit."""
    result = number_value(mark["result"])
    if result is None:
        return None
    if mark["percent"]:
        left = left.replace("%", "")
    value = _trailing_expression(left, result)
    return Computation(value, exact_value(value) or result, before, after) if value else None


def _trailing_expression(text: str, result: Fraction) -> ast.expr | None:
    """Return the longest expression at the end of the text that gives the result; skip words."""
    plain = _UNIT.sub(" ", text.replace(" x ", " * ").replace(" X ", " * "))
    for start in list(_START.finditer(plain))[-MOST_TRIES:]:
        value = parse_arithmetic(plain[start.start() :])
        if value is not None and count_operations(value) and _rounds_to(value, result):
            return value
    return None


def _rounds_to(value: ast.expr, result: Fraction) -> bool:
    """Return whether the result is the value, or the value rounded to two or more digits."""
    computed = exact_value(value)
    return computed is not None and abs(computed - result) <= abs(computed) / 200
