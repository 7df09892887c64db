"""Find the places in a text that state an answer.

In: a text and whether its question has choices. Out: `find_statements(text, with_choices)`, in the
order in which they end. Nothing is read here: a statement may turn out to be none.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from curator.answers.compare.choices import parse_letter
from curator.answers.extract.languages import (
    ENDS,
    ENGLISH,
    OPTIONS,
    RESULTS,
    Language,
    find_phrases,
    spoken,
)
from curator.answers.extract.letters import chosen_letters
from curator.core.model import AnswerForm

Span = tuple[int, int]

MAX_SENTENCE = 1_000
"""Maximum length of a sentence that states an answer, in characters."""


class Statement(NamedTuple):
    """A span that states an answer; a `phrase` counts only if it can be read as one."""

    start: int
    end: int
    kind: AnswerForm
    weak: bool = False
    """Whether it counts only if nothing else states an answer."""


_TRIMMED = " \t\r\n*_:`,\"“”#✓✔✅。、"
_CLOSERS = {")": "(", "]": "[", "}": "{"}
_SENTENCE = re.compile(
    r"\.(?:[\s\"”]|$)(?!\d)|\n|[!?](?:\s|$)(?!\s?[-=+*/<>×·^])|(?<=\d)\.(?=[A-Z])|[。！？؟।]"
    r"|</?\w{1,20}>|<\|\w{1,30}\|>"
)
_ABBREVIATIONS = ("rs", "approx", "sq", "a.m", "p.m", " a", " p", " no")
_FORMULA = re.compile(r"(?P<open>\\\[|\\\(|\$\$)")
_FORMULA_ENDS = {r"\[": r"\]", r"\(": r"\)", "$$": "$$"}
_OPEN_FORMULA = re.compile(r"\$[^\d\s]")
_LABELLED = re.compile(r"(?:^|[\s*_])\(?[A-Za-z]\Z")


def trim(text: str, start: int, end: int) -> Span:
    """Return the span without the blanks, punctuation and unmatched brackets around it."""
    while start < end and text[start] in _TRIMMED:
        start += 1
    while end > start:
        last = text[end - 1]
        opener = _CLOSERS.get(last)
        if last in _TRIMMED and not (last == "_" and text[end - 2 : end] == "__"):
            end -= 1
        elif opener and _is_unmatched(text, start, end):
            end -= 1
        else:
            break
    return start, end


def _is_unmatched(text: str, start: int, end: int) -> bool:
    """Return whether the last bracket of a short span closes more than the span opens."""
    if end - start > MAX_SENTENCE or text[max(start, end - 2)] == "\\":
        return False
    span = text[start:end]
    return sum(map(span.count, ")]}")) > sum(map(span.count, "([{"))


def sentence_span(text: str, start: int) -> Span:
    """Return the span from `start` to the end of the sentence, line, formula or quotation."""
    limit = min(len(text), start + MAX_SENTENCE)
    quoted = start
    start, _ = trim(text, start, limit)
    formula = _FORMULA.match(text, start)
    if formula:
        end = text.find(_FORMULA_ENDS[formula["open"]], formula.end(), limit)
        rest = text[end + 2 : text.find("\n", end) if "\n" in text[end:limit] else limit]
        if end >= 0 and not rest.strip(" .$*"):
            return trim(text, formula.end(), end)
    if start > quoted and text[start - 1] == '"':
        end = text.find('"', start, limit)
        if end >= 0 and "\n" not in text[start:end]:
            return trim(text, start, end)
    position = start
    while (match := _SENTENCE.search(text, position, limit)) is not None:
        sentence = text[start : match.start()]
        open_formula = sentence.count("$") % 2 == 1 and _OPEN_FORMULA.search(sentence)
        abbreviated = sentence.rstrip().lower().endswith(_ABBREVIATIONS)
        if match[0][0] == "." and (open_formula or abbreviated or _LABELLED.match(sentence)):
            position = match.end()
            continue
        return trim(text, start, match.start())
    return trim(text, start, limit)


_HASHES = re.compile(r"(?<!#)####(?!#)[ \t]{0,20}([^\n]{0,1000})")
_OUTPUT = re.compile(r"^```output[ \t]{0,20}\n", re.M)
_LABEL = re.compile(r"^[ \t]{0,20}A[ \t]{0,20}:[ \t]{0,20}(?=\S)", re.M)
_NEGATED = re.compile(r"\s{0,9}(?:not|n't|never|neither)\b", re.I)
_NOT_STATED = re.compile(
    r"\b(?:wrong|incorrect|false|mistaken|erroneous|tempting|another|other|if|whether|suppose|assum\w{1,4}"
    r"|unless)\s(?:that\s)?(?:(?:the|an?|this|our|my|your)\s)?(?:(?:final|correct)\s)?\Z",
    re.I,
)
_CONCLUSION = re.compile(
    r"(?:Therefore|Thus|Hence|So|Consequently|Finally|∴|\\therefore)\b[,:]?\s"
    r"(?:we\s(?:have|get|find|obtain)\s(?:that\s)?)?(?=[$\\(\[]{0,2}\s?[A-Za-z]\w?\s?=)"
)


def _hash_statements(text: str) -> Iterator[Statement]:
    for match in _HASHES.finditer(text):
        start, end = match.span(1)
        cut = re.search(r"</?\w{1,20}>|<\|\w{1,30}\|>", match[1])
        span = trim(text, start, start + cut.start() if cut else end)
        yield Statement(*span, "hashes")


def _output_statements(text: str) -> Iterator[Statement]:
    """Yield the last line of every closed block of program output."""
    for match in _OUTPUT.finditer(text):
        end = text.find("\n```", match.end() - 1)
        if end >= 0:
            block = text[match.end() : end].rstrip()
            start = match.end() + block.rfind("\n") + 1
            yield Statement(*trim(text, start, match.end() + len(block)), "output")


def _phrase_statements(text: str, language: Language, weak: bool = False) -> Iterator[Statement]:
    for start, end in find_phrases(text, language):
        if _NEGATED.match(text, end) or _NOT_STATED.search(text, max(0, start - 40), start):
            continue
        span = sentence_span(text, end)
        if not text.isascii():
            ending = ENDS.search(text, *span)
            span = trim(text, span[0], ending.start()) if ending else span
        yield Statement(*span, "phrase", weak)


def _last_line(text: str, with_choices: bool) -> Iterator[Statement]:
    """Yield a last line that is a letter, and a last sentence that gives an unknown its value."""
    line_start = text.rfind("\n") + 1
    start, end = trim(text, line_start, len(text))
    if end - start < (30 if with_choices else 5) and parse_letter(text[start:end]):
        yield Statement(start, end, "letter")
    for match in _CONCLUSION.finditer(text, max(line_start, len(text) - MAX_SENTENCE)):
        span = sentence_span(text, match.end())
        if not text[span[1] :].strip(" .$\\])*"):
            yield Statement(*span, "phrase", weak=True)


def find_statements(text: str, boxes: Iterable[Span], with_choices: bool) -> list[Statement]:
    """Return everything that may state an answer, in the order of its end."""
    statements = [Statement(*span, "box") for span in boxes]
    if "####" in text:
        statements += _hash_statements(text)
    if "```output" in text:
        statements += _output_statements(text)
    lowered = text.lower()
    for language in (ENGLISH, OPTIONS, RESULTS) if with_choices else (ENGLISH, RESULTS):
        if any(hint in lowered for hint in language.hints):
            statements += _phrase_statements(text, language, weak=language is RESULTS)
    for language in spoken(text):
        statements += _phrase_statements(text, language)
    for match in _LABEL.finditer(text):
        line_end = text.find("\n", match.end())
        span = trim(text, match.end(), line_end if line_end >= 0 else len(text))
        statements.append(Statement(*span, "phrase"))
    if with_choices:
        statements += [Statement(*span, "letter") for span in chosen_letters(text)]
    statements += _last_line(text, with_choices)
    nonempty = (each for each in statements if each.start < each.end)
    return sorted(nonempty, key=lambda statement: statement.end)
