"""The answer that a program printed.

In: what a program wrote to its output. Out: an `Answer`, or None where it printed nothing, `None`
or `nan`. The last line that is not empty counts. Read are numbers, fractions, sympy expressions,
lists, dicts of solutions (`{x: 3}`), matrices, arrays, truth values, words, and `name = value`
lines.
"""

import re
from dataclasses import replace

from curator.answers.extract.text import MAX_TEXT, extract
from curator.answers.parse.read import canonical, read
from curator.core.model import Answer

_NO_VALUE = frozenset(("none", "nan", "[]", "{}", "()", "null", "zoo", "set()", "emptyset"))
_MAPPING = re.compile(r"\{(.+)\}", re.S)
_ARRAY = re.compile(r"(?:array\()?(\[[-+\d.eE\s\[\]]+\])(?:\))?", re.S)
_WRAPPED = re.compile(r"(?:np|numpy)\.\w+\((-?[\w.+]+)\)")
_QUOTED = re.compile(r"(?<![A-Za-z])'([^'\n]{0,200})'(?![A-Za-z])")
_OPEN = re.compile(r"Interval\.(open|Lopen|Ropen)\(([^()]*)\)")
_LABELLED = re.compile(r"[A-Za-z][\w ,'()-]{0,80}(?::|=| is)\s*(\S.*)", re.S)
_NO_VALUES = re.compile(r"[\[(] *None(?: *, *None)*,? *[\])]|<[^<>]*(?:<[^<>]*>)?[^<>]*>")
_SOLUTION_LIST = re.compile(r"\[\{[^{}]*\}(?:, \{[^{}]*\})+\]")
_VIEW = re.compile(r"dict_(?:values|keys)\((\[.*\])\)", re.S)
_POLY = re.compile(r"Poly\((.+?)(?:, [A-Za-z]\w*)+, domain=.*\)", re.S)
_BOTH = re.compile(r"\(([^()]*[<>][^()]*)\) ([&|]) \(([^()]*[<>][^()]*)\)")
_BRACKETS = {"[": "]", "(": ")", "{": "}"}


def _closed(match: re.Match[str]) -> str:
    """`Interval.Ropen(0, 1)` with its open ends as arguments, which is sympy's other spelling."""
    kind = match[1]
    return f"Interval({match[2]}, {kind in ('open', 'Lopen')}, {kind in ('open', 'Ropen')})"


def _value_lines(text: str) -> tuple[int, int]:
    """The span of the last value: the last line, or the lines of a bracket that ends there."""
    end = len(text.rstrip())
    start = text.rfind("\n", 0, end) + 1
    opened = text[start:end]
    while start and (opened.count("[") < opened.count("]")) and end - start < 5_000:
        start = text.rfind("\n", 0, start - 1) + 1
        opened = text[start:end]
    return start, end


def _array(text: str) -> str:
    """numpy's `[1. 2. 3.]` with commas."""
    if "," in text or not _ARRAY.fullmatch(text):
        return text
    inner = _ARRAY.sub(r"\1", text)
    return re.sub(r"(?<=[\d.\]])\s+(?=[-+\d.\[])", ", ", inner)


def _solutions(text: str) -> str:
    """A printed dict of solutions as its value or its equations: `{x: 3}` is `3`."""
    if _SOLUTION_LIST.fullmatch(text):
        rows = [_sides(row) for row in text[2:-2].split("}, {")]
        return ", ".join(
            row[0][1] if len(row) == 1 else f"({', '.join(value for _, value in row)})"
            for row in rows
        )
    found = _MAPPING.fullmatch(text)
    if found is None or ":" not in text:
        return text
    sides = _sides(found[1])
    if len(sides) == 1:
        return sides[0][1]
    return ", ".join(f"{name} = {value}" for name, value in sides)


def _sides(inside: str) -> list[tuple[str, str]]:
    """Names and values of what stands in the braces of a dict."""
    pairs = re.split(r",\s*(?=['\"]?[A-Za-z]\w*['\"]?\s*:)", inside)
    sides = [pair.partition(":")[::2] for pair in pairs]
    return [(name.strip(" '\""), value.strip()) for name, value in sides]


def extract_output(text: str) -> Answer | None:
    """The value that a program printed last, None where there is none."""
    span = _value_lines(text[-MAX_TEXT:])
    offset = max(0, len(text) - MAX_TEXT)
    line = text[-MAX_TEXT:][slice(*span)].strip()
    place = (span[0] + offset, span[1] + offset)
    if not line or line.lower() in _NO_VALUE or _NO_VALUES.fullmatch(line):
        return None
    line = _OPEN.sub(_closed, _QUOTED.sub(r"\1", line))
    line = _POLY.sub(r"\1", _VIEW.sub(r"\1", _WRAPPED.sub(r"\1", line)))
    both = _BOTH.fullmatch(line)
    if both:
        line = f"{both[1]} {'and' if both[2] == '&' else 'or'} {both[3]}"
    said = _solutions(_array(line))
    if said.startswith("[{") and said.endswith("}]") and said.count("{") == 1:
        said = _solutions(said[1:-1])
    if read(said).node is None:
        labelled = _LABELLED.fullmatch(said)
        if labelled and read(labelled[1]).node is not None:
            said = labelled[1]
        elif (stated := extract(said)) is not None:
            return replace(stated, span=place, stated="printed")
    answer = canonical(said, place)
    return replace(answer, stated="printed") if answer else None
