r"""Join values that form one answer: `$x=\boxed{1}$ or $x=\boxed{4}$`.

In: a text and the spans of its boxes. Out: `join_boxes`, the joined content and its span;
`join_parts`, the same for `Part 1 answer: 5` and `Part 2 answer: 6` on lines of their own. Boxes
are joined by a comma, `and` or `or`, with a few plain words between them (`\boxed{137} student
tickets and \boxed{388} adult tickets`). Words that compute or correct (`then`, `so`, `gives`)
separate them.
"""

import re
from collections.abc import Sequence

from curator.answers.compare.rules import compare_by_rules
from curator.core.boxes import box_spans

Span = tuple[int, int]

MAX_BOXES = 8
"""Maximum number of boxes that form one answer."""
_MAX_GAP = 120
"""Maximum number of characters between two boxes of one answer."""

_MARKUP = re.compile(r"\\(?:text|mbox|boxed|fbox|q?quad)\b|\\[\[\](),;! ]|[{}$~]")
_PART = re.compile(r"\((?:[b-i]|i{1,3}|iv|vi?|[2-9])\)")
_SIGN = re.compile(r"[.,;=、，；]")
_JOINING = ", ; 、 ， ； and or And Or 和 或 und oder et ou y o"
_CONJUNCTIONS = frozenset(_JOINING.split())
_NAME = re.compile(r"[A-Za-z](?:_\w{1,2})?")
_COMPUTING = """then so thus hence therefore give gives giving yield yields get gets correct now but
corrected finally answer actually not wait instead equal equals mean because since if"""
_SEPARATE = frozenset(_COMPUTING.split())
_MAX_WORDS = 8
_SELECTS = re.compile(
    r"[^.\n]{0,60}\b(?:only|extraneous|reject\w*|discard\w*|invalid|must\sbe\s(?:positive|negative))\b"
)


def _is_conjunction(gap: str) -> bool:
    """Return whether the text between two boxes joins them."""
    if len(gap) > _MAX_GAP:
        return False
    gap, parts = _PART.subn(" ", gap, count=1)
    words = _SIGN.sub(r" \g<0> ", _MARKUP.sub(" ", gap)).split()
    if parts and not words:
        return True
    if words[-1:] == ["="] and _NAME.fullmatch(words[-2]) if len(words) > 1 else False:
        del words[-2:]
    others = [word for word in words if word not in _CONJUNCTIONS]
    if len(others) == len(words) or len(others) > _MAX_WORDS or _SEPARATE & set(others):
        return False
    return others in ([], ["."]) or all(map(str.isalpha, others))


def _are_distinct(content: str, other: str, gap: str) -> bool:
    r"""Return whether two boxes hold two values: not so in `\boxed{x+2}$, or $\boxed{2+x}`."""
    result = compare_by_rules(content, other)
    if result is None or result.outcome == "equal":
        return False
    return result.outcome == "different" or re.search(r"\bor\b", gap) is None


_MINUS = re.compile(
    r"(?:^|[$=(\[:,\n]|\b(?:is|be|are|equals|and|or)\b)[ \t]{0,4}[$(\\]{0,2}[-−]\\boxed\s?\{\Z"
)
"""A sign that is left out of the box: `$-\\boxed{7}$`."""


def signed_content(text: str, span: Span) -> str:
    r"""Return what a box holds, with the sign before the box: `-(7)` for `$-\boxed{7}$`."""
    content = text[slice(*span)]
    return f"-({content})" if _MINUS.search(text, max(0, span[0] - 40), span[0]) else content


def join_boxes(text: str, spans: Sequence[Span]) -> tuple[str, Span]:
    """Join the last box with the boxes before it that belong to the same answer."""
    contents = [signed_content(text, spans[-1])]
    start, end = spans[-1]
    for box_start, box_end in reversed(spans[-MAX_BOXES:-1]):
        content, gap = signed_content(text, (box_start, box_end)), text[box_end:start]
        if contents[0].startswith("-(") and gap.rfind("-") >= 0:
            gap = gap[: gap.rfind("-")]  # the sign of the box after it
        if not _is_conjunction(gap):
            break
        if not all(_are_distinct(content, other, gap) for other in contents):
            break
        contents.insert(0, content)
        start = box_start
    return ", ".join(contents), (start, end)


def selects_one(text: str, end: int) -> bool:
    """Return whether the words after joined boxes keep only some of them."""
    return _SELECTS.match(text, end) is not None


_NUMBERED = re.compile(
    r"^[ \t*#]{0,8}(?:answer\s(?:to|for|of)\s)?(?:question|part|problem)\s"
    r"\(?(?P<number>[1-9a-i])\)?[ \t*]{0,4}(?:answer)?[ \t*]{0,4}[:=][ \t*]{0,4}"
    r"(?P<value>[^\n]{1,200})$",
    re.I | re.M,
)


_LABELLED = re.compile(
    r"^[ \t*#-]{0,8}(?:part\s)?\(?(?P<number>[1-9a-i])[).:](?P<value>[^\n]{1,300})$", re.I | re.M
)
_SAID = re.compile(r"\banswer(?:\sis\b|\s?[=:])\s?([^\n]{1,80}?)[. *]{0,4}\Z", re.I)
_IN_WORDS = re.compile(
    r"answers?\s(?:to|for|of|in)\s(?:part|question|problem)\s\(?(?P<number>[1-9a-i])\)?\s?(?:is|:|=)\s?"
    r"(?P<value>[^\n]{1,80}?)(?:\.(?=\s|\Z)|,?\sand(?=\sthe\s)|\Z|\n)",
    re.I,
)


def _labelled_span(text: str, part: re.Match[str]) -> Span | None:
    r"""Return the span of the value in a line such as `(a) \boxed{5}` or `(b) The answer is 4.`"""
    start, end = part.span("value")
    boxes = box_spans(text[start:end])
    if len(boxes) == 1:
        lead, rest = part["value"][: boxes[0][0]], part["value"][boxes[0][1] :]
        alone = part["number"].isalpha() or len(lead) < 14  # a numbered line is often a step
        return (start + boxes[0][0], start + boxes[0][1]) if alone and len(rest) < 8 else None
    said = None if boxes else _SAID.search(text, start, end)
    return said.span(1) if said else None


def join_parts(text: str) -> tuple[str, Span] | None:
    r"""Join the values of numbered parts at the end of a text; None if it has no such end.

    The parts are lines (`Part 1 answer: 5`, `(a) \boxed{5}`) or sentences (`The answer to part (a)
    is 5.`) that follow each other.
    """
    for pattern in (_NUMBERED, _LABELLED, _IN_WORDS):
        joined = _join_matches(text, pattern)
        if joined:
            return joined
    return None


def _join_matches(text: str, pattern: re.Pattern[str]) -> tuple[str, Span] | None:
    spans: list[Span] = []
    last_end, expected = 0, ""
    for match in pattern.finditer(text):
        number = match["number"].lower()
        span = _labelled_span(text, match) if pattern is _LABELLED else match.span("value")
        gap = text[last_end : min(match.start(), last_end + 20)].strip().lower()
        if number != expected or gap not in ("", "the"):
            spans = []
        if span and (spans or number in "1a"):
            spans.append(span)
        last_end, expected = match.end(), chr(ord(number) + 1) if span else ""
    if len(spans) < 2 or text[last_end:].strip():
        return None
    return ", ".join(text[slice(*span)].strip(" .*") for span in spans), (spans[0][0], last_end)
