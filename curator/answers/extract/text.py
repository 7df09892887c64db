r"""Read the final answer that a worked solution states.

In: a text and the choices. Out: an `Answer` with its place in the text, or None. Only what is
*stated* as the answer counts, the last statement first: `#### 5`, `\boxed{5}`, `The answer is 5`,
`Answer: C`, `A: 5`, `D is the answer`, a fenced block of program output, a last line that is a
letter. The last number of a text that states no answer is not extracted: in 2.8% of GSM8K's own
solutions it is not the answer.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from curator.answers.compare.choices import match_choices, parse_letter
from curator.answers.compare.rules import compare_by_rules
from curator.answers.parse.normalize import normalize
from curator.answers.parse.read import read, to_answer
from curator.core.boxes import box_spans
from curator.core.model import LETTERS, Answer, AnswerForm

MAX_TEXT = 20_000
"""Maximum number of characters, counted from the end of the text, that are read."""


class Statement(NamedTuple):
    """A span that states an answer; a `phrase` counts only if it can be read as one."""

    start: int
    end: int
    kind: AnswerForm


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
_LETTERS = (  # letters of choices, for questions with choices
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
_TRIMMED = ' \t\r\n*:`,"“”'
_NOT_ANSWERS = {"correct", "incorrect", "right", "wrong", "clear", "obvious"}
_ABBREVIATIONS = ("rs", "approx", "sq", "a.m", "p.m", " a", " p", " no")


_MARKUP = re.compile(r"\\(?:text|mbox|boxed|fbox|q?quad)\b|\\[\[\](),;! ]|[{}$~\s]")
_CONJUNCTION = re.compile(r"[.,;]*(?:,|and|or)(?:[A-Za-z](?:_\w)?=)?")
MAX_BOXES = 8
"""Maximum number of boxes that form one answer."""


def _join_boxes(text: str, spans: Sequence[tuple[int, int]]) -> tuple[str, tuple[int, int]]:
    r"""Join the last box with the boxes before it that belong to the same answer.

    Returns the joined content and its span. `$k = \boxed{5}$ or $k = \boxed{-3}$` is `5, -3`.
    Boxes that are equal, or possibly equal, are not joined: `\boxed{x+2}$, or $\boxed{2+x}$`.
    """
    contents = [text[slice(*spans[-1])]]
    start, end = spans[-1]
    for box_start, box_end in reversed(spans[-MAX_BOXES:-1]):
        content = text[box_start:box_end]
        if not _CONJUNCTION.fullmatch(_MARKUP.sub("", text[box_end:start])):
            break
        results = [compare_by_rules(content, other) for other in contents]
        if any(result is None or result.outcome != "different" for result in results):
            break
        contents.insert(0, content)
        start = box_start
    return ", ".join(contents), (start, end)


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the span without the blanks and punctuation around it."""
    while start < end and text[start] in _TRIMMED:
        start += 1
    while end > start and text[end - 1] in _TRIMMED:
        end -= 1
    return start, end


def _sentence_span(text: str, start: int) -> tuple[int, int]:
    """Return the span from `start` to the end of the sentence or line."""
    limit = min(len(text), start + 1_000)
    start, _ = _trim(text, start, limit)
    position = start
    while (match := _SENTENCE.search(text, position, limit)) is not None:
        sentence = text[start : match.start()]
        open_formula = sentence.count("$") % 2 == 1 and re.search(r"\$[^\d\s]", sentence)
        abbreviated = sentence.rstrip().lower().endswith(_ABBREVIATIONS)
        if "\n" not in match[0] and (open_formula or abbreviated):
            position = match.end()
            continue
        return _trim(text, start, match.start())
    return _trim(text, start, limit)


def _find_statements(text: str, with_choices: bool) -> list[Statement]:
    """Return everything that states an answer, sorted by its end."""
    statements = [Statement(*match.span(1), "hashes") for match in _HASHES.finditer(text)]
    statements += [Statement(*match.span(1), "output") for match in _OUTPUT.finditer(text)]
    statements += [Statement(*span, "box") for span in box_spans(text)]
    for match in _PHRASE.finditer(text):
        if not _NEGATED.match(text, match.end()):
            statements.append(Statement(*_sentence_span(text, match.end()), "phrase"))
    statements += [Statement(*match.span(1), "phrase") for match in _LABEL.finditer(text)]
    if with_choices:
        for pattern in _LETTERS:
            statements += [Statement(*match.span(1), "letter") for match in pattern.finditer(text)]
    end = len(text.rstrip())
    line = _trim(text, text.rfind("\n", 0, end) + 1, end)
    if line[1] - line[0] < 5 and parse_letter(text[slice(*line)]):
        statements.append(Statement(*line, "letter"))
    nonempty = (each for each in statements if each.start < each.end)
    return sorted(nonempty, key=lambda statement: statement.end)


_PHRASES = ("phrase", "whole")
_BRACKETED = re.compile(r"\([A-H]\)")
_OPTION_HEAD = re.compile(r"\(?\[?([A-Z])(?:[\])]|\s*[.:,]|\s*$|\s+(?=[(=-]))|\(?([a-z])\s*\)")


def _match_choice(text: str, choices: tuple[str, ...]) -> str:
    """Return the letter of the choice that a statement names; empty if none or several."""
    head = _OPTION_HEAD.match(text)
    if head and LETTERS.find((head[1] or head[2]).upper()) < len(choices):
        return (head[1] or head[2]).upper()
    matches, _ = match_choices(text, choices)
    if not matches or len({choices[index] for index in matches}) > 1:
        return ""
    return parse_letter(text) or LETTERS[matches[0]]


def _split_clauses(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Return the span and its beginnings up to each clause: more text may follow the answer."""
    sentence = text[start:end]
    cuts = [cut.start() for cut in _CLAUSE.finditer(sentence)][:8]
    return [(start, end), *(_trim(text, start, start + cut) for cut in cuts)]


def _read_statement(text: str, statement: Statement, choices: tuple[str, ...]) -> Answer | None:
    """Return the answer in a statement; None if it states none after all."""
    start, end = statement.start, statement.end
    if statement.kind == "output" and "Error" in text[start:end]:
        return None
    inner_boxes: Sequence[tuple[int, int]] = ()
    if statement.kind in _PHRASES:
        inner_boxes = [(start + a, start + b) for a, b in box_spans(text[start:end])]
        start, end = inner_boxes[-1] if inner_boxes else (start, end)
    elif statement.kind == "box":
        inner_boxes = [span for span in box_spans(text) if span[1] <= end]
    if len(inner_boxes) > 1 and not choices:
        content, whole = _join_boxes(text, inner_boxes)
        if whole[0] < start and read(content).node is not None:
            return to_answer(content, whole)
    spans = _split_clauses(text, start, end) if statement.kind in _PHRASES else [(start, end)]
    for span in spans:
        content = text[slice(*span)]
        if choices and (choice := _match_choice(normalize(content), choices)):
            return Answer("option", choice, span=span)
        if statement.kind == "letter":
            mark = parse_letter(content)
            valid = mark and (not choices or LETTERS.find(mark) < len(choices))
            return Answer("option", mark, span=span) if valid else None
        if not choices and _BRACKETED.fullmatch(content):
            return Answer("option", parse_letter(content), span=span)
        if read(content).node is not None:
            return to_answer(content, span)
    content = text[slice(*spans[-1])]
    if not choices and len(content) > 1 and parse_letter(content):
        return Answer("option", parse_letter(content), span=spans[-1])
    words = read(content).words.split()
    if statement.kind in _PHRASES and (len(words) > 4 or set(words) & _NOT_ANSWERS):
        return None
    return to_answer(text[start:end], (start, end))


def extract(text: str, choices: Sequence[str] = ()) -> Answer | None:
    """Return the final answer that a solution states; None if it states none.

    With `choices`, an answer that is one of them becomes its letter (kind `option`). The last
    statement counts. A box inside a statement is the answer of that statement, and different boxes
    joined by a comma, `and` or `or` are one answer of several values. A text that consists of one
    readable answer (`36 km/h`) states it.
    """
    offset = max(0, len(text) - MAX_TEXT)
    part = text[offset:]
    all_choices = tuple(choices)
    statements = _find_statements(part, bool(all_choices))
    stripped = part.strip()
    if not statements and 0 < len(stripped) <= 200 and "\n" not in stripped:
        start = part.find(stripped)
        if read(stripped).node is not None or (
            all_choices and _match_choice(normalize(stripped), all_choices)
        ):
            statements = [Statement(start, start + len(stripped), "whole")]
    for statement in reversed(statements):
        answer = _read_statement(part, statement, all_choices)
        if answer is not None:
            start, end = answer.span or (statement.start, statement.end)
            return replace(answer, span=(start + offset, end + offset), stated=statement.kind)
    return None
