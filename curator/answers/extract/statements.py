"""Find the places in a text that state an answer.

In: a text and whether its question has choices. Out: `find_statements(text, with_choices)`, in the
order in which they end. Nothing is read here: a statement may turn out to be none.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from curator.answers.compare.choices import parse_letter
from curator.answers.extract.denials import (
    has_condition,
    is_supposed,
    stated_place,
    undenied_place,
)
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
from curator.answers.extract.regions import lower
from curator.core.model import AnswerForm

Span = tuple[int, int]

MAX_STATEMENTS = 50
"""Maximum number of statements of a kind, counted from the last one, that are read."""
MAX_SENTENCE = 1_000
"""Maximum length of a sentence that states an answer, in characters."""


class Statement(NamedTuple):
    """A span that states an answer; a `phrase` counts only if it can be read as one."""

    start: int
    end: int
    kind: AnswerForm
    decimal_comma: bool = False
    """Whether its language writes 2.5 as `2,5`."""


_TRIMMED = ' \t\r\n*_:`,"“”#✓✔✅。、【】「」『』'
_CLOSERS = {")": "(", "]": "[", "}": "{"}
_SENTENCE = re.compile(
    r"\.(?:[\s\"”]|$)(?!\d)|\n|[!?](?:\s|$)(?!\s?[-=+*/<>×·^])|(?<=\d)\.(?=[A-Z])|[。！？؟।]"
    r"|</?\w{1,20}>|<\|\w{1,30}\|>"
)
_TITLE = re.compile(r"(?:^|\W)(?:Mrs?|Ms|Dr|Prof|St|Mt)\Z")
_ABBREVIATIONS = ("rs", "approx", "sq", "a.m", "p.m", " a", " p", " no")
_FORMULA = re.compile(r"\\\[|\\\(|\$\$")
_FORMULA_ENDS = {r"\[": r"\]", r"\(": r"\)", "$$": "$$"}
_IN_FORMULA = re.compile(r"\$[^\d\s]")
_LABELLED = re.compile(r"\(?[A-Za-z]")
REVERSED = re.compile(
    r"(?<![\w$.,^/*+(-])(?P<value>(?:\$[^$\n]{1,80}\$|\([^()\n]{1,60}\)|\\\([^\n]{1,80}?\\\)|[-+]?\$?\d[\d,./]{0,30}(?:%|\b))"
    r"(?:\s[a-z]{1,12}){0,2}?)\s(?:is|as|for(?=\s(?:our|my)\b))\s(?:the|our|my|your)\s"
    r"(?:(?:final|correct|right)\s)?answer\b"
    r"(?!\s(?:if|when|because|only|key|choices?|options?|sheet)\b|['’]|\s(?:to|of|for)\s(?!(?:the|this|our)\s(?:question|problem)))"
)
_BEFORE_ANSWER = re.compile(
    r"\s(?:is|as|for)\s(?:the|our|my|your)\s(?:(?:final|correct|right)\s)?\Z"
)
"""What `REVERSED` needs before the word `answer`: a cheap check."""
_UNFIT = re.compile(r"(?:[+*/^<>(-]|[\d)}$],|\b(?:not|or|than|of|from|by))\s?\Z")


def trim(text: str, start: int, end: int) -> Span:
    """Return the span without the blanks, punctuation and unmatched brackets around it."""
    while start < end and text[start] in _TRIMMED:
        start += 1
    while end > start:
        last = text[end - 1]
        opener = _CLOSERS.get(last)
        if last not in _TRIMMED and not (opener and _is_unmatched(text, start, end)):
            break
        end -= 1
    return start, end


def _is_unmatched(text: str, start: int, end: int) -> bool:
    """Return whether the last bracket of a short span closes more than the span opens."""
    if end - start > MAX_SENTENCE or text[max(start, end - 2)] == "\\":
        return False
    span = text[start:end]
    return sum(map(span.count, ")]}")) > sum(map(span.count, "([{"))


def _sentence_end(text: str, start: int, limit: int) -> int:
    """Return where the sentence ends: not inside `$…$`, after `a.m` or after `B` of `B. 12`."""
    dollars, formula, counted = 0, False, start
    for match in _SENTENCE.finditer(text, start, limit):
        end = match.start()
        if "\n" in match[0]:
            return end
        dollars += text.count("$", counted, end)
        formula = formula or _IN_FORMULA.search(text, counted, end) is not None
        counted = end
        before = text[max(start, end - 8) : end].rstrip()
        abbreviated = before.lower().endswith(_ABBREVIATIONS) or _TITLE.search(before)
        labelled = match[0][0] == "." and _LABELLED.fullmatch(text, start, end)
        if not (abbreviated or labelled or (formula and dollars % 2 == 1)):
            return end
    return limit


def sentence_span(text: str, start: int) -> Span:
    """Return the span from `start` to the end of the sentence, line, formula or quotation."""
    limit = min(len(text), start + MAX_SENTENCE)
    first = start
    start, _ = trim(text, start, limit)
    if start > first and text[start - 1] == '"':
        end = text.find('"', start, limit)
        if end >= 0 and "\n" not in text[start:end]:
            return trim(text, start, end)
    formula = _FORMULA.match(text, start)
    end = text.find(_FORMULA_ENDS[formula[0]], formula.end(), limit) if formula else -1
    if formula and end >= 0 and not text[end + 2 : limit].partition("\n")[0].strip(" .$*"):
        return trim(text, formula.end(), end)
    return trim(text, start, _sentence_end(text, start, limit))


_TAG = re.compile(r"</?\w{1,20}>|<\|\w{1,30}\|>")
_OUTPUT = re.compile(r"^```output[ \t]{0,20}\n", re.M)
_LABEL = re.compile(r"^[ \t]{0,20}A[ \t]{0,20}:[ \t]{0,20}(?=\S)", re.M)
_LETTERED = re.compile(r"[*_$(\[ ]{0,4}[A-Z][*_$ ]{0,3}[).:\]]")
_BULLET = re.compile(r"[ \t]{0,8}(?:[-–—+•·]|\\item)\s{1,4}(?=\S)")
_CONCLUSION = re.compile(
    r"(?:Therefore|Thus|Hence|So|Consequently|Finally|∴|\\therefore)\b[,:]?\s"
    r"(?:we\s(?:have|get|find|obtain)\s(?:that\s)?)?(?=[$\\(\[]{0,2}\s?[A-Za-z]\w?\s?=)"
)


def _hash_statements(text: str) -> Iterator[Statement]:
    end = 0
    while (start := text.find("####", end)) >= 0:
        line_end = text.find("\n", start)
        end = min(line_end if line_end >= 0 else len(text), start + MAX_SENTENCE)
        cut = _TAG.search(text, start, end) if "<" in text[start:end] else None
        if text[start + 4 : start + 5] != "#":  # a heading of level five or six
            yield Statement(*trim(text, start, cut.start() if cut else end), "hashes")


def _output_statements(text: str) -> Iterator[Statement]:
    """Yield the last line of every closed block of program output."""
    for match in _OUTPUT.finditer(text):
        end = text.find("\n```", match.end() - 1)
        if end >= 0:
            block = text[match.end() : end].rstrip()
            start = match.end() + block.rfind("\n") + 1
            yield Statement(*trim(text, start, match.end() + len(block)), "output")


def _phrase_statements(text: str, lowered: str, language: Language) -> Iterator[Statement]:
    conditional, stated = None, False
    for start, end in sorted(find_phrases(text, lowered, language))[-MAX_STATEMENTS:]:
        place = stated_place(text, start, end, language.name)
        if place is None:
            continue
        span = sentence_span(text, _after_bullet(text, place))
        if not text.isascii():
            place = undenied_place(text, *span)
            if place is None:
                continue
            ending = ENDS.search(text, max(place, span[1] - 12), span[1])
            span = trim(text, place, ending.start() if ending else span[1])
        statement = Statement(*span, "phrase", language.decimal_comma)
        if has_condition(text, start, end):
            conditional = statement
        else:
            stated = True
            yield statement
    if conditional and not stated:
        yield conditional


def _after_bullet(text: str, start: int) -> int:
    """Return where the item of a list begins that follows a phrase on a line of its own."""
    bullet = _BULLET.match(text, start)
    new_line = text[max(0, start - 20) : start].rstrip(" \t*_").endswith("\n")
    return bullet.end() if bullet and new_line else start


def has_reversed(text: str) -> bool:
    """Return whether a text may have a value that is named before the word `answer`."""
    place = text.find("answer")
    while place >= 0:
        if _BEFORE_ANSWER.search(text, max(0, place - 24), place):
            return True
        place = text.find("answer", place + 1)
    return False


def _reversed_statements(text: str) -> Iterator[Statement]:
    """Yield the values that are named before the word: `45 is the answer`, `45 as our answer`."""
    if not has_reversed(text):
        return
    for match in [*REVERSED.finditer(text)][-MAX_STATEMENTS:]:
        start, end = match.span("value")
        before = text[max(0, start - 80) : start]
        if not (is_supposed(before) or _UNFIT.search(before)):
            yield Statement(start, end, "phrase")


def _last_letter(text: str, with_choices: bool) -> Iterator[Statement]:
    """Yield a last line that is a letter, or begins with one (and no line before it does)."""
    line_start = text.rfind("\n") + 1
    start, end = trim(text, line_start, len(text))
    line = text[start:end]
    if "box" in line or len(line) >= (200 if with_choices else 5):
        return
    before = text[max(0, line_start - MAX_SENTENCE) : line_start].rstrip()
    labelled = with_choices and _LETTERED.match(line)
    listed = labelled and _LETTERED.match(before[before.rfind("\n") + 1 :])
    if (labelled and not listed) or (len(line) < 30 and parse_letter(line)):
        yield Statement(start, end, "letter")


def _labelled_lines(text: str) -> Iterator[Statement]:
    for match in _LABEL.finditer(text):
        line_end = text.find("\n", match.end())
        span = trim(text, match.end(), line_end if line_end >= 0 else len(text))
        yield Statement(*span, "phrase")


def find_statements(text: str, boxes: Iterable[Span], with_choices: bool) -> list[Statement]:
    """Return everything that may state an answer, in the order of its end.

    Boxes are in the order of their places. Earlier statements of a kind than its last
    `MAX_STATEMENTS` may be left out.
    """
    lowered = lower(text)
    filled = [span for span in boxes if span[0] < span[1]]
    statements = [Statement(*span, "box") for span in filled[-MAX_STATEMENTS:]]
    if "####" in text:
        statements += _hash_statements(text)
    if "```output" in text:
        statements += _output_statements(text)
    english = OPTIONS if with_choices else ENGLISH
    statements += _phrase_statements(text, lowered, english)
    if "answer" in lowered:
        statements += _reversed_statements(text)
    for language in () if statements and text.isascii() else spoken(lowered):
        statements += _phrase_statements(text, lowered, language)
    if "A:" in text or "A :" in text:
        statements += _labelled_lines(text)
    if with_choices:
        statements += [Statement(*span, "letter") for span in chosen_letters(text)]
    statements += _last_letter(text, with_choices)
    return _in_order(statements)


def find_conclusions(text: str) -> list[Statement]:
    """Return what may be the answer of a text that states none: `the result is 5`, `So x = 4.`

    Only the end of the text counts; a result before it may be one on the way.
    """
    part_start = max(text.rfind("\n\n") + 1, len(text) - MAX_SENTENCE)
    part = text[part_start:]
    spans = [end for _, end in find_phrases(part, lower(part), RESULTS)][-MAX_STATEMENTS:]
    spans += [match.end() for match in _CONCLUSION.finditer(part)]
    statements = [Statement(*sentence_span(text, part_start + end), "phrase") for end in spans]
    return _in_order(each for each in statements if not text[each.end :].strip(" .$\\])*。"))


def _in_order(statements: Iterable[Statement]) -> list[Statement]:
    nonempty = (each for each in statements if each.start < each.end)
    return sorted(nonempty, key=lambda statement: statement.end)
