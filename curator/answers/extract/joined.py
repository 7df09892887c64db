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

Span = tuple[int, int]

MAX_BOXES = 8
"""Maximum number of boxes that form one answer."""
_MAX_GAP = 120
"""Maximum number of characters between two boxes of one answer."""

_MARKUP = re.compile(r"\\(?:text|mbox|boxed|fbox|q?quad)\b|\\[\[\](),;! ]|[{}$~]")
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
    words = _SIGN.sub(r" \g<0> ", _MARKUP.sub(" ", gap)).split()
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


def join_boxes(text: str, spans: Sequence[Span]) -> tuple[str, Span]:
    """Join the last box with the boxes before it that belong to the same answer."""
    contents = [text[slice(*spans[-1])]]
    start, end = spans[-1]
    for box_start, box_end in reversed(spans[-MAX_BOXES:-1]):
        content, gap = text[box_start:box_end], text[box_end:start]
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


def join_parts(text: str) -> tuple[str, Span] | None:
    """Join the values of numbered parts on consecutive lines; None if the text has no such end."""
    spans: list[Span] = []
    line_end, expected = -1, ""
    for match in _NUMBERED.finditer(text):
        number = match["number"].lower()
        if match.start() != line_end + 1 or number != expected:
            spans = []
        if spans or number in "1a":
            spans.append(match.span("value"))
        line_end, expected = match.end(), chr(ord(number) + 1)
    if len(spans) < 2 or text[line_end:].strip():
        return None
    return ", ".join(text[slice(*span)].strip(" .*") for span in spans), (spans[0][0], line_end)
