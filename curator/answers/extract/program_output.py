"""Read the answer that a program printed.

In: the output of a program. Out: an `Answer`, or None if it printed nothing, `None`, `nan` or a
formula drawn over several lines (sympy's `pprint`). The last line that is not blank counts. It can
be a number, a fraction, a sympy expression, a list, a dict of solutions (`{x: 3}`), a matrix, an
array, a truth value, words, or `name = value`.
"""

import re
from dataclasses import replace
from itertools import takewhile

from curator.answers.extract.text import MAX_TEXT, extract
from curator.answers.parse.read import read, to_answer
from curator.core.model import Answer

_NO_VALUE = frozenset(("none", "nan", "[]", "{}", "()", "null", "zoo", "set()", "emptyset"))
_MAPPING = re.compile(r"\{(.+)\}", re.S)
_ARRAY = re.compile(r"(?:array\()?(\[[-+\d.eE\s\[\]]+\])(?:\))?", re.S)
_NUMPY_SCALAR = re.compile(r"(?:np|numpy)\.\w+\((-?[\w.+]+)\)")
_QUOTED = re.compile(r"(?<![A-Za-z])'([^'\n]{0,200})'(?![A-Za-z])")
_OPEN_INTERVAL = re.compile(r"Interval\.(open|Lopen|Ropen)\(([^()]*)\)")
_LABELLED = re.compile(r"[A-Za-z][\w ,'()-]{0,80}(?::|=| is)\s*(\S.*)", re.S)
_NOTHING_PRINTED = re.compile(r"[\[(] *None(?: *, *None)*,? *[\])]|<[^<>]*+(?:<[^<>]*+>[^<>]*+)?>")
_SOLUTION_LIST = re.compile(r"\[\{[^{}]*\}(?:, \{[^{}]*\})+\]")
_DICT_VIEW = re.compile(r"dict_(?:values|keys)\((\[.*\])\)", re.S)
_NAME = re.compile(r"[A-Za-z]\w*")
_CONJUNCTION = re.compile(r"\(([^()<>]*[<>][^()]*)\) ([&|]) \(([^()<>]*[<>][^()]*)\)")
_BRACKETS = {"[": "]", "(": ")", "{": "}"}


def _rename_interval(match: re.Match[str]) -> str:
    """Turn `Interval.Ropen(0, 1)` into sympy's other notation, with open ends as arguments."""
    kind = match[1]
    return f"Interval({match[2]}, {kind in ('open', 'Lopen')}, {kind in ('open', 'Ropen')})"


def _last_value_span(text: str) -> tuple[int, int]:
    """Return the span of the last line, or of the bracket that ends in it."""
    end = len(text.rstrip())
    start = text.rfind("\n", 0, end) + 1
    lines = text[start:end]
    while start and (lines.count("[") < lines.count("]")) and end - start < 5_000:
        start = text.rfind("\n", 0, start - 1) + 1
        lines = text[start:end]
    return start, end


def _add_commas(text: str) -> str:
    """Put commas into numpy's `[1. 2. 3.]`."""
    array = None if "," in text else _ARRAY.fullmatch(text)
    if array is None:
        return text
    return re.sub(r"(?<=[\d.\]])\s+(?=[-+\d.\[])", ", ", array[1])


def _unwrap_polynomial(text: str) -> str:
    """Return the formula of sympy's `Poly(x**2 - 1, x, domain='ZZ')`."""
    start, end = text.find("Poly("), text.rfind(")")
    domain = text.find(", domain=", start)
    if not 0 <= start < domain < end:
        return text
    formula = text[start + len("Poly(") : domain].split(", ")
    count = len(formula)
    while len(formula) > 1 and _NAME.fullmatch(formula[-1]):
        formula.pop()
    if len(formula) == count:
        return text
    return f"{text[:start]}{', '.join(formula)}{text[end + 1 :]}"


def _unwrap_solutions(text: str) -> str:
    """Return a printed dict of solutions as its value or its equations: `{x: 3}` is `3`."""
    if _SOLUTION_LIST.fullmatch(text):
        rows = [_split_pairs(row) for row in text[2:-2].split("}, {")]
        return ", ".join(
            row[0][1] if len(row) == 1 else f"({', '.join(value for _, value in row)})"
            for row in rows
        )
    match = _MAPPING.fullmatch(text)
    if match is None or ":" not in text:
        return text
    sides = _split_pairs(match[1])
    if len(sides) == 1:
        return sides[0][1]
    return ", ".join(f"{name} = {value}" for name, value in sides)


def _split_pairs(text: str) -> list[tuple[str, str]]:
    """Return the names and values in the braces of a dict."""
    pairs = re.split(r",\s*(?=['\"]?[A-Za-z]\w*['\"]?\s*:)", text)
    sides = [pair.partition(":")[::2] for pair in pairs]
    return [(name.strip(" '\""), value.strip()) for name, value in sides]


_DRAWING_CHARACTERS = frozenset("━⎯⎛⎜⎝⎞⎟⎠⎡⎢⎣⎤⎥⎦⎧⎨⎩⎪⎫⎬⎭⌠⌡╱╲⎲⎳")
_RULE = re.compile(r" *(-+|_+|─+) *")
_HEADING = re.compile(r"(?!sin|cos|tan|exp|log)[A-Za-z]{3}")
_MAX_DRAWING = 40


def _is_drawing(text: str) -> bool:
    """Return whether the last lines draw a formula: a fraction bar, raised digits, tall brackets.

    A drawing is padded to one width. Where the blanks at the end are lost, a rule counts as a
    fraction bar if the last line is centred below it, and a line above as exponents if its
    characters stand over blanks.
    """
    block: list[str] = []
    for line in reversed(text.rstrip("\n").rsplit("\n", _MAX_DRAWING)[-_MAX_DRAWING:]):
        if not line.strip() and block:
            break
        block.insert(0, line)
    if len(block) < 2:
        return False
    last, above = block[-1], block[-2]
    if _DRAWING_CHARACTERS & set(last) or r"\/" in last:
        return True
    same_width = list(takewhile(lambda line: len(line) == len(last), reversed(block)))
    padded = len(same_width) > 1 and any(line.endswith(" ") for line in same_width)
    bars = zip(["", *block], block[:-1], strict=False)
    return (
        padded
        or any(_is_bar(rule, last) and not _HEADING.search(top) for top, rule in bars)
        or _stands_over_blanks(above, last)
    )


def _is_bar(rule: str, last: str) -> bool:
    """Return whether a line is a fraction bar with the last line centred below it."""
    match = _RULE.fullmatch(rule)
    content = last.strip()
    if match is None:
        return False
    left = last.index(content) - match.start(1)
    spare = len(match[1]) - len(content)
    return spare >= 0 and abs(2 * left - spare) <= 1


def _stands_over_blanks(raised: str, line: str) -> bool:
    """Return whether an indented line has characters only where another has blanks."""
    if not raised.startswith(" "):
        return False
    places = [i for i, char in enumerate(raised) if char != " "]
    inside = [i for i in places if i < len(line)]
    return all(line[i] == " " for i in inside) and max(places) <= len(line)


def extract_output(text: str) -> Answer | None:
    """Return the value that a program printed last; None without a value."""
    span = _last_value_span(text[-MAX_TEXT:])
    offset = max(0, len(text) - MAX_TEXT)
    line = text[-MAX_TEXT:][slice(*span)].strip()
    place = (span[0] + offset, span[1] + offset)
    if not line or line.lower() in _NO_VALUE or _NOTHING_PRINTED.fullmatch(line):
        return None
    if "\n" not in line and _is_drawing(text[-MAX_TEXT:]):
        return None
    line = _OPEN_INTERVAL.sub(_rename_interval, _QUOTED.sub(r"\1", line))
    line = _unwrap_polynomial(_DICT_VIEW.sub(r"\1", _NUMPY_SCALAR.sub(r"\1", line)))
    conjunction = _CONJUNCTION.fullmatch(line)
    if conjunction:
        line = f"{conjunction[1]} {'and' if conjunction[2] == '&' else 'or'} {conjunction[3]}"
    value = _unwrap_solutions(_add_commas(line))
    if value.startswith("[{") and value.endswith("}]") and value.count("{") == 1:
        value = _unwrap_solutions(value[1:-1])
    if read(value).node is None:
        labelled = _LABELLED.fullmatch(value)
        if labelled and read(labelled[1]).node is not None:
            value = labelled[1]
        elif (stated_answer := extract(value)) is not None:
            return replace(stated_answer, span=place, stated="printed")
    answer = to_answer(value, place)
    return replace(answer, stated="printed") if answer else None
