"""Read the answer in a statement: its box, its choice, or the first part that can be read.

In: a text, a statement, the choices. Out: `read_statement(…)`, an `Answer` with its place, or None
if nothing is stated after all ("the answer is reasonable").
"""

import re
from collections.abc import Sequence

from curator.answers.compare.choices import parse_letter
from curator.answers.compare.rules import compare_by_rules
from curator.answers.compare.scalars import variables
from curator.answers.extract.joined import join_boxes, selects_one, signed_content
from curator.answers.extract.languages import COUNTERS, UNITS
from curator.answers.extract.letters import parse_letters
from curator.answers.extract.options import (
    match_choice,
    names_alternatives,
    read_label,
    read_option,
)
from curator.answers.extract.sentences import cut_clauses, last_parts, read_quantity, read_words
from curator.answers.extract.statements import Statement
from curator.answers.parse.normalize import normalize
from curator.answers.parse.read import read, to_answer
from curator.core.boxes import box_spans
from curator.core.model import LETTERS, Answer

Span = tuple[int, int]
Choices = tuple[str, ...]

_NOTHING = re.compile(
    r"[\s.…?_\\]*|\\[lc]?dots|(?:your |final |the )?answer|n ?/ ?a"
    r"|see (?:above|below|the )[^\n]{0,60}|(?:as )?(?:shown|given|stated|written) (?:above|below)"
    r"|(?:above|below|tbd|unknown)",
    re.I,
)
_DECIMAL_COMMA = re.compile(
    r"(?<![\d.,(\[])(?<!\\\{)(?<!(?<!boxed)\{)(\d{1,3}(?:\.\d{3}){1,5}|\d{1,15}),(\d\d?|\d{4,15})(?![.,]?\d)"
)
_HAN = {
    **{character: value for value, character in enumerate("零一二三四五六七八九")},
    **{"〇": 0, "两": 2},
}
_HAN_UNITS = {"十": 10, "百": 100, "千": 1000}
_PRINTED_NOTHING = frozenset(("nan", "none", "null", "[]", "{}", "()", "zoo", "set()", "emptyset"))
_PRINTED_LIST = re.compile(r"[-+]?[\d.]+(?: [-+]?[\d.]+)+")
_ESCAPED_TWICE = re.compile(
    r"\\\\(?=(?:[dt]?frac|sqrt|text\w{0,2}|math\w{2}|pi|cdot|times|left|right|begin|end|circ|infty"
    r"|pm)\b)"
)
_SIGN_WORD = re.compile(r"(?:negative|minus)\s(?=[\d$\\.])", re.I)
_NUMERIC = re.compile(
    r"(?:[\s\d.,+*/()^!{}$%×÷·-]|\\(?:[dt]?frac|cdot|times|div|left|right|[,!])"
    r"|\b(?:of|times|plus|minus|over)\b)+"
)
_GROUPED = re.compile(r"^-?\d{1,3}(?: \d{3}){1,5}(?!\d| \d| ?[/*+^=,-])")
"""Thousands that are set apart by blanks: `12 345`."""
_GIVEN = re.compile(
    r"[^=\n]{1,120}?(?=\s(?:with|given(?:\sthat)?|taking|using)\s\$?[A-Za-z]\w{0,3}\s?=)"
    r"|[^\n]{1,120}?(?=,?\s(?:(?:and|but)\s)?(?:not|rather\sthan|instead\sof)\s)"
)
"""An answer before a value that belongs to it or is denied: `a + b with a = 3`, `3, not 4`."""
_LISTED = re.compile(
    r"(?<=[\d$)}])(?: ?(?:或者|或|和|及|与|、) ?| (?:und|oder|et|ou|y|и|или) (?=[-$\\(]{0,3}\d))"
)
_COUNTED = re.compile(
    rf"(.*[\d}}$)%])\s?(?:[{COUNTERS}][一-鿿가-힣]{{0,8}}"
    rf"|({'|'.join(sorted(UNITS, key=len, reverse=True))}))"
)


def _with_point(number: re.Match[str]) -> str:
    """Return `1.250,50` as `1,250.50`."""
    return f"{number[1].replace('.', ',')}.{number[2]}"


def _han_number(text: str) -> str:
    """Return `三十六` as 36; empty for a text that is no such number."""
    if not text or len(text) > 9 or not set(text) <= _HAN.keys() | _HAN_UNITS.keys():
        return ""
    if len(text) > 1 and not set(text) & _HAN_UNITS.keys():
        return ""
    total = digit = 0
    for character in text:
        if character in _HAN:
            digit = _HAN[character]
        else:
            total, digit = total + (digit or 1) * _HAN_UNITS[character], 0
    return str(total + digit)


def _shorten(content: str) -> str:
    """Return one of two equal values, and the last side of a calculation (`6 * 2 = 12`)."""
    first, joined, second = content.partition(" or ")
    if joined and read(first).node is not None and read(second).node is not None:
        result = compare_by_rules(first, second)
        return first if result is not None and result.outcome == "equal" else content
    *sides, last = re.split(r"(?<![<>!=])=(?!=)", content)
    if sides and last.strip() and all(map(_NUMERIC.fullmatch, sides[-1:])):
        zero = [side.strip() for side in sides] == ["0"]
        return content if zero and _has_variables(last) else last.strip()
    return content


def _has_variables(text: str) -> bool:
    node = read(text).node
    return node is not None and bool(variables(node))


def _read_formula(content: str, span: Span) -> Answer | None:
    """Return the answer of a readable formula with its unit; None for other texts."""
    if "\\\\" in content:
        content = _ESCAPED_TWICE.sub(r"\\", content)
    if content[:1] in "nmNM":
        content = _SIGN_WORD.sub("-", content)
    if " " in content:
        content = _GROUPED.sub(lambda digits: digits[0].replace(" ", ""), content)
    if not content.isascii():
        content = _han_number(content.rstrip(COUNTERS)) or content
    content = _LISTED.sub(", ", content).replace("℃", "°C").replace("℉", "°F")
    if not content.isascii() and (counted := _COUNTED.fullmatch(content)):
        content = f"{counted[1]} {UNITS.get(counted[2] or '', '')}".strip()
    reading = read(content)
    known = reading.node is not None or reading.time is not None or reading.date is not None
    return to_answer(content, span) if known else None


def _read_boxes(text: str, boxes: Sequence[Span]) -> Answer | None:
    """Return the answer of several boxes that belong together; None if they do not."""
    content, span = join_boxes(text, boxes)
    if span[0] == boxes[-1][0] or read(content).node is None:
        return None
    if selects_one(text, span[1]):
        line_end = text.find("\n", span[1])
        end = min(line_end if line_end >= 0 else len(text), span[1] + 200)
        start = text.rfind("\\", 0, span[0])
        return Answer("text", text[start:end].strip(), span=(start, end))
    return to_answer(content, span)


def _read_output(content: str, span: Span) -> Answer | None:
    if "Error" in content or content.lower() in _PRINTED_NOTHING:
        return None
    if _PRINTED_LIST.fullmatch(content):
        content = content.replace(" ", ", ")
    return to_answer(content, span)


def _read_span(text: str, span: Span, choices: Choices) -> Answer | None:
    """Return the answer that a span states as a whole."""
    content = text[slice(*span)]
    if not content:
        return None
    if choices:
        choice = match_choice(normalize(content), choices)
        option = Answer("option", choice, span=span) if choice else None
    else:
        option = read_option(content, span) if content[0] in "([\\$ABCDEFGHIJOco" else None
    if option is None and ("=" in content or " or " in content):
        content = _shorten(content)
    return option or _read_formula(content, span)


def read_statement(
    text: str, statement: Statement, boxes: Sequence[Span], choices: Choices
) -> Answer | None:
    """Return the answer in a statement; None if it states none after all.

    `boxes` are the spans of the boxes in the text.
    """
    span = statement.start, statement.end
    if statement.decimal_comma and _DECIMAL_COMMA.search(text, *span):
        points = _DECIMAL_COMMA.sub(_with_point, text[slice(*span)])
        text = text[: span[0]] + points + text[span[1] :]
    content = text[slice(*span)]
    if statement.kind == "output":
        return _read_output(content, span)
    if statement.kind == "letter":
        letter = parse_letters(content, len(choices)) or parse_letter(content)
        letter = letter or read_label(normalize(content), choices)
        valid = letter and (not choices or LETTERS.find(letter[0]) < len(choices))
        return Answer("option", letter, span=span) if valid else None
    if _NOTHING.fullmatch(content) or names_alternatives(content):
        return None
    if statement.kind == "box":
        before = [box for box in boxes if box[1] <= span[1]]
        signed = signed_content(text, span)
        joined = _read_boxes(text, before) if len(before) > 1 and not choices else None
        if joined is None and signed != content:
            joined = _read_formula(signed, span)
        return joined or _read_span(text, span, choices) or to_answer(content, span)
    inner = [(span[0] + start, span[0] + end) for start, end in box_spans(content)]
    if inner:
        return read_statement(text, Statement(*inner[-1], "box"), inner, choices)
    given = _GIVEN.match(text, *span)  # `a+b with a = 3`
    span = given.span() if given else span
    answer = _read_span(text, span, choices)
    if answer is not None:
        return answer
    spans = cut_clauses(text, *span)
    for part in (*spans[1:], *last_parts(text, spans)):
        answer = _read_span(text, part, choices)
        if answer is not None:
            return answer
    quantity = read_quantity(content, span, bounded=statement.kind != "hashes")
    if quantity is None and statement.kind == "hashes":
        return None if text[span[1] :].strip() else to_answer(content, span)
    return quantity or read_words(text, span)
