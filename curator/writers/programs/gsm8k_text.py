"""Finds the computations in a GSM8K solution.

In: upstream's text, with `<<48/2=24>>` or with arithmetic in plain words (`71 cars - 2 cars = 69`).
Out: what is computed, with its value and the words around it. Only arithmetic that is right counts.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from curator.writers.programs.expressions import exact, operations, parse_arithmetic

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
class Found:
    """A computation, with the words of its line before and after it."""

    value: ast.expr
    result: Fraction
    before: str
    after: str


def computations(text: str) -> Iterator[Found]:
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
    return None if node is None else exact(node)


def _in_line(line: str) -> Iterator[Found]:
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
            found = _annotated(mark[1], before, _SHOWN.sub("", after, count=1))
        else:
            left = _ANNOTATION.sub("", line[begin : mark.start()])
            found = _written(left, mark, before, after)
        begin = mark.end()
        if found:
            yield found


def _annotated(text: str, before: str, after: str) -> Found | None:
    """`48/2=24`; for `2/5*60 = <<24=24>>` the computation is taken from the text before it."""
    left, _, right = text.rpartition("=")
    value, result = parse_arithmetic(left.split("=")[0]), number_value(right)
    if value is None or result is None or not _equal(value, result):
        return None
    if not operations(value):
        value = _ending(re.split(r"=(?=.*\S)", before)[-1].strip().rstrip("=$ "), result) or value
    return Found(value, exact(value) or result, before, after)


def _written(left: str, mark: re.Match[str], before: str, after: str) -> Found | None:
    """`5 frogs + 2 frogs = 7`, and `6 men / 12 men * 100% = 50%`, where % only names the unit."""
    result = number_value(mark["result"])
    if result is None:
        return None
    if mark["percent"]:
        left = left.replace("%", "")
    value = _ending(left, result)
    return Found(value, exact(value) or result, before, after) if value else None


def _ending(text: str, result: Fraction) -> ast.expr | None:
    """The longest expression that the text ends in, words left out, whose value is the result."""
    plain = _UNIT.sub(" ", text.replace(" x ", " * ").replace(" X ", " * "))
    for start in list(_START.finditer(plain))[-MOST_TRIES:]:
        value = parse_arithmetic(plain[start.start() :])
        if value is not None and operations(value) and _equal(value, result):
            return value
    return None


def _equal(value: ast.expr, result: Fraction) -> bool:
    """Whether the result is the value, or the value rounded to at least two digits."""
    computed = exact(value)
    return computed is not None and abs(computed - result) <= abs(computed) / 200
