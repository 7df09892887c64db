"""Finds the computations in a GSM8K solution.

In: upstream's text, with `<<48/2=24>>` or with arithmetic in plain words (`71 cars - 2 cars = 69`).
Out: what is computed, with its value and the words around it. Only arithmetic that is right counts.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from curator.writers.programs.expressions import count_operations, exact_value, parse_arithmetic

LONGEST_LINE = 2_000
MOST_TRIES = 12
"""Places in a text at which an expression may begin, counted from its end."""

_NUMBER = r"-?(?:\d[\d,]*(?:\.\d+)?|\.\d+)"
_ANNOTATION = re.compile(r"<<([^<>\n]{1,200})>>")
_STATED = re.compile(rf"=\s*\$?\s*(?P<result>{_NUMBER})(?P<percent>%?)(?![\d(]|\s*[*/×÷^])")
_SHOWN = re.compile(rf"^\s*\$?{_NUMBER}")
_UNIT = re.compile(r"/\s*[A-Za-z][A-Za-z']*|[A-Za-zÀ-ÿ’'][\w’'-]*|[$€£#:]")
_START = re.compile(r"(?<![\d.,])\(*-?\(*(?:\d|\.\d)")


@dataclass(frozen=True, slots=True)
class Computation:
    """A computation, with the words of its line before and after it."""

    value: ast.expr
    result: Fraction
    before: str
    after: str


def find_computations(text: str) -> Iterator[Computation]:
    """Every computation of the text in order, each once."""
    seen: set[tuple[str, Fraction]] = set()
    for line in text.split("\n"):
        for found in _in_line(line[:LONGEST_LINE]):
            key = (ast.unparse(found.value), found.result)
            if key not in seen:
                seen.add(key)
                yield found


def number_value(text: str) -> Fraction | None:
    """The exact value of a number as upstream writes it (`1,000`, `.5`, `-3`), or None."""
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
            found = _from_annotation(mark[1], before, _SHOWN.sub("", after, count=1))
        else:
            left = _ANNOTATION.sub("", line[begin : mark.start()])
            found = _from_text(left, mark, before, after)
        begin = mark.end()
        if found:
            yield found


def _from_annotation(text: str, before: str, after: str) -> Computation | None:
    """`48/2=24`; for `2/5*60 = <<24=24>>` the computation is taken from the text before it."""
    left, _, right = text.rpartition("=")
    value, result = parse_arithmetic(left.split("=")[0]), number_value(right)
    if value is None or result is None or not _rounds_to(value, result):
        return None
    if not count_operations(value):
        value = (
            _trailing_expression(re.split(r"=(?=.*\S)", before)[-1].strip().rstrip("=$ "), result)
            or value
        )
    return Computation(value, exact_value(value) or result, before, after)


def _from_text(left: str, mark: re.Match[str], before: str, after: str) -> Computation | None:
    """`5 frogs + 2 frogs = 7`, and `6 men / 12 men * 100% = 50%`, where % only names the unit."""
    result = number_value(mark["result"])
    if result is None:
        return None
    if mark["percent"]:
        left = left.replace("%", "")
    value = _trailing_expression(left, result)
    return Computation(value, exact_value(value) or result, before, after) if value else None


def _trailing_expression(text: str, result: Fraction) -> ast.expr | None:
    """The longest expression that the text ends in, words left out, whose value is the result."""
    plain = _UNIT.sub(" ", text.replace(" x ", " * ").replace(" X ", " * "))
    for start in list(_START.finditer(plain))[-MOST_TRIES:]:
        value = parse_arithmetic(plain[start.start() :])
        if value is not None and count_operations(value) and _rounds_to(value, result):
            return value
    return None


def _rounds_to(value: ast.expr, result: Fraction) -> bool:
    """Whether the result is the value, or the value rounded to at least two digits."""
    computed = exact_value(value)
    return computed is not None and abs(computed - result) <= abs(computed) / 200
