"""The final answer that a worked solution states.

In: a CoT text, the option texts. Out: an `Answer` with its place in the text, or None. Only what is
*stated* as the answer counts, the last statement first: `#### 5`, `\\boxed{5}`, `The answer is 5`,
`Answer: C`, `A: 5`, `D is the answer`, a fenced block of program output, a last line that is a
letter. The last number of a text that
states no answer is not extracted: on GSM8K's own solutions it is another number than the answer in
2.8% of them.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from curator.answers.compare.choices import chosen, letter
from curator.answers.compare.rules import compare_by_rules
from curator.answers.parse.normalize import plain
from curator.answers.parse.read import canonical, read
from curator.core.boxes import box_spans
from curator.core.model import LETTERS, Answer, Stated

MAX_TEXT = 20_000
"""Of longer texts only the end is read."""


class Statement(NamedTuple):
    """A span that states an answer; a `phrase` counts only if it can be read as one."""

    start: int
    end: int
    kind: Stated


_HASHES = re.compile(r"^[ \t]*####[ \t]*(.*?)[ \t]*$", re.M)
_OUTPUT = re.compile(r"^```output[ \t]*\n(?:.*\n)??[ \t]*(\S.*?)\s*^```", re.M)
_PHRASE = re.compile(
    r"\b(?:answer|option|choice|ans)\b(?:\s+(?:choice|option|here|to\s+(?:the|this)\s+\w+))?"
    r"\s*(?:(?:is|are|=|:|[-–—](?=\s|\(?(?-i:[A-Z])\b)|would\s+be|should\s+be|must\s+be|will\s+be|comes\s+to)[\s,]*)+"
    r"(?:\(?(?:option|choice)\b\s*)?",
    re.I,
)
_LABEL = re.compile(r"^[ \t]*A[ \t]*:[ \t]*(.+?)[ \t]*$", re.M)
_NEGATED = re.compile(r"\s*(?:not|n't|never|neither)\b", re.I)
_LETTERS = (  # letters of options, where options are known
    re.compile(
        r"(?i:\b(?:answer|ans|option|choice)\b[\s.:]*(?:option\b\s*)?)[(\[]?"
        r"([A-Z](?![\w'’-])|[a-z](?=[\s.)\]\"”]*\Z))"
    ),
    re.compile(
        r"[(\[]?\b([A-Z])\b[)\]]?\s+(?:is|must\s+be|would\s+be)\s+(?:the\s+)?"
        r"(?:(?:correct|right|best|only)\s+)?(?:answer|option|choice|correct|right|true)\b"
    ),
    re.compile(
        r"(?:\bgives\s+us|=|>>|->|=>|\b[Tt]hus,?|\b[Hh]ence,?|\b[Ss]o,?)\s*"
        r"[(\[]?([A-E])[)\]]?\s*\.?\s*\Z"
    ),
)
_SENTENCE = re.compile(
    r"\.(?:[\s\"”]|$)(?!\d)|\n|[!?](?:\s|$)|(?<=\d)\.(?=[A-Z])|</?\w+>|<\|\w+\|>"
)
_CLAUSE = re.compile(
    r",\s+(?=[A-Za-z])|;|\s+(?:because|since|as|so|which|where|when|for|if|i\.e)\b|\s\("
)
_MARKS = ' \t\r\n*:`,"“”'
_VERDICTS = {"correct", "incorrect", "right", "wrong", "clear", "obvious"}
_ABBREVIATIONS = ("rs", "approx", "sq", "a.m", "p.m", " a", " p", " no")


_DRESS = re.compile(r"\\(?:text|mbox|boxed|fbox|q?quad)\b|\\[\[\](),;! ]|[{}$~\s]")
_BETWEEN = re.compile(r"[.,;]*(?:,|and|or)(?:[A-Za-z](?:_\w)?=)?")
MOST_BOXES = 8
"""Boxes that together can be one answer."""


def _together(text: str, spans: Sequence[tuple[int, int]]) -> tuple[str, tuple[int, int]]:
    """What the last box holds, with those that it is joined to, and from where to where.

    `$k = \\boxed{5}$ or $k = \\boxed{-3}$` is `5, -3`; boxes that say the same, or of which that is
    not certain, are not joined: `\\boxed{x+2}$, or $\\boxed{2+x}$`.
    """
    held = [text[slice(*spans[-1])]]
    start, end = spans[-1]
    for first, last in reversed(spans[-MOST_BOXES:-1]):
        said = text[first:last]
        if not _BETWEEN.fullmatch(_DRESS.sub("", text[last:start])):
            break
        found = [compare_by_rules(said, other) for other in held]
        if any(each is None or each.outcome != "different" for each in found):
            break
        held.insert(0, said)
        start = first
    return ", ".join(held), (start, end)


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without blanks and marks around it."""
    while start < end and text[start] in _MARKS:
        start += 1
    while end > start and text[end - 1] in _MARKS:
        end -= 1
    return start, end


def _sentence(text: str, start: int) -> tuple[int, int]:
    """From `start` to the end of the sentence or line."""
    limit = min(len(text), start + 1_000)
    start, _ = _trim(text, start, limit)
    at = start
    while (found := _SENTENCE.search(text, at, limit)) is not None:
        inside = text[start : found.start()]
        open_formula = inside.count("$") % 2 == 1 and re.search(r"\$[^\d\s]", inside)
        ends_short = inside.rstrip().lower().endswith(_ABBREVIATIONS)
        if "\n" not in found[0] and (open_formula or ends_short):
            at = found.end()
            continue
        return _trim(text, start, found.start())
    return _trim(text, start, limit)


def _statements(text: str, with_choices: bool) -> list[Statement]:
    """Everything that states an answer, in the order in which it ends."""
    found = [Statement(*match.span(1), "hashes") for match in _HASHES.finditer(text)]
    found += [Statement(*match.span(1), "output") for match in _OUTPUT.finditer(text)]
    found += [Statement(*span, "box") for span in box_spans(text)]
    for match in _PHRASE.finditer(text):
        if not _NEGATED.match(text, match.end()):
            found.append(Statement(*_sentence(text, match.end()), "phrase"))
    found += [Statement(*match.span(1), "phrase") for match in _LABEL.finditer(text)]
    if with_choices:
        for pattern in _LETTERS:
            found += [Statement(*match.span(1), "letter") for match in pattern.finditer(text)]
    end = len(text.rstrip())
    line = _trim(text, text.rfind("\n", 0, end) + 1, end)
    if line[1] - line[0] < 5 and letter(text[slice(*line)]):
        found.append(Statement(*line, "letter"))
    return sorted((one for one in found if one.start < one.end), key=lambda one: one.end)


_LOOSE = ("phrase", "whole")
_BRACKETED = re.compile(r"\([A-H]\)")
_OPTION_HEAD = re.compile(r"\(?\[?([A-Z])(?:[\])]|\s*[.:,]|\s*$|\s+(?=[(=-]))|\(?([a-z])\s*\)")


def _option(said: str, choices: tuple[str, ...]) -> str:
    """The letter of the option that a statement names, empty if none or several."""
    head = _OPTION_HEAD.match(said)
    if head and LETTERS.find((head[1] or head[2]).upper()) < len(choices):
        return (head[1] or head[2]).upper()
    found, _ = chosen(said, choices)
    if not found or len({choices[index] for index in found}) > 1:
        return ""
    return letter(said) or LETTERS[found[0]]


def _clauses(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """The span, then its beginnings up to each clause: what states an answer may go on."""
    said = text[start:end]
    cuts = [cut.start() for cut in _CLAUSE.finditer(said)][:8]
    return [(start, end), *(_trim(text, start, start + cut) for cut in cuts)]


def _read(text: str, one: Statement, choices: tuple[str, ...]) -> Answer | None:
    """The answer in a statement, None if it states none after all."""
    start, end = one.start, one.end
    if one.kind == "output" and "Error" in text[start:end]:
        return None
    inner: Sequence[tuple[int, int]] = ()
    if one.kind in _LOOSE:
        inner = [(start + at, start + to) for at, to in box_spans(text[start:end])]
        start, end = inner[-1] if inner else (start, end)
    elif one.kind == "box":
        inner = [span for span in box_spans(text) if span[1] <= end]
    if len(inner) > 1 and not choices:
        said, whole = _together(text, inner)
        if whole[0] < start and read(said).node is not None:
            return canonical(said, whole)
    spans = _clauses(text, start, end) if one.kind in _LOOSE else [(start, end)]
    for span in spans:
        said = text[slice(*span)]
        if choices and (option := _option(plain(said), choices)):
            return Answer("option", option, span=span)
        if one.kind == "letter":
            sign = letter(said)
            known = sign and (not choices or LETTERS.find(sign) < len(choices))
            return Answer("option", sign, span=span) if known else None
        if not choices and _BRACKETED.fullmatch(said):
            return Answer("option", letter(said), span=span)
        if read(said).node is not None:
            return canonical(said, span)
    said = text[slice(*spans[-1])]
    if not choices and len(said) > 1 and letter(said):
        return Answer("option", letter(said), span=spans[-1])
    words = read(said).words.split()
    if one.kind in _LOOSE and (len(words) > 4 or set(words) & _VERDICTS):
        return None
    return canonical(text[start:end], (start, end))


def extract(text: str, choices: Sequence[str] = ()) -> Answer | None:
    """The final answer that a solution states, None where it states none.

    With `choices` an answer that is one of them becomes its letter (kind `option`). Of several
    statements the last one counts; a box inside a statement is the answer of that statement, and
    different boxes joined by a comma, `and` or `or` are one answer of several values. A text that
    is nothing but one readable answer (`36 km/h`) states it.
    """
    offset = max(0, len(text) - MAX_TEXT)
    part = text[offset:]
    options = tuple(choices)
    statements = _statements(part, bool(options))
    stripped = part.strip()
    if not statements and 0 < len(stripped) <= 200 and "\n" not in stripped:
        start = part.find(stripped)
        if read(stripped).node is not None or (options and _option(plain(stripped), options)):
            statements = [Statement(start, start + len(stripped), "whole")]
    for one in reversed(statements):
        answer = _read(part, one, options)
        if answer is not None:
            start, end = answer.span or (one.start, one.end)
            return replace(answer, span=(start + offset, end + offset), stated=one.kind)
    return None
