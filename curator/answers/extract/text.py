r"""Read the final answer that a worked solution states.

In: a text and the choices. Out: an `Answer` with its place in the text, or None. Only what is
*stated* as the answer counts, the last statement first: `#### 5`, `\boxed{5}`, `The answer is 5`,
`答案是 5`, `<answer>5</answer>`, a heading "Final Answer", `Answer: C`, `A: 5`, `D is the answer`,
`5 is the answer`, a fenced block of program output, a last line that is a letter. A thought or a
supposition (`you might think the answer is 5`) states nothing, and a text that continues with
another question has answered before it. The last number of a text that states no answer is not
extracted: in 2.8% of GSM8K's own solutions it is not the answer.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from curator.answers.extract.joined import join_parts
from curator.answers.extract.options import match_choice
from curator.answers.extract.read_statement import read_statement
from curator.answers.extract.regions import answer_start, mentions, split_turns, tagged_span
from curator.answers.extract.statements import (
    MAX_STATEMENTS,
    Statement,
    find_conclusions,
    find_statements,
    trim,
)
from curator.answers.parse.normalize import normalize
from curator.answers.parse.read import read, to_answer
from curator.core.boxes import box_spans
from curator.core.model import Answer

MAX_TEXT = 20_000
"""Maximum number of characters, counted from the end of the text or turn, that are read."""

_MAX_WHOLE = 200
_PART_HINTS = ("part ", "question ", "problem ", "a)", "1)", "a.", "1.")
_DENIED = re.compile(
    r"(?:\b(?:not|rather\sthan|instead\sof|cannot\sbe|never)|n['’]t(?:\sbe)?)\s[$(\\]{0,2}\\boxed\s?\{\Z",
    re.I,
)
_DENIED_AFTER = re.compile(
    r"\}[$)\\\].]{0,4}\s(?:is|was|would\sbe|seems)\s(?:(?:clearly|obviously|also)\s)?"
    r"(?:wrong|incorrect|not\s(?:right|correct|(?:the|my|our)\s(?:\w{1,12}\s)?answer))\b",
    re.I,
)
_DIGITS = ("٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "०१२३४५६७८९", "০১২৩৪৫৬৭৮৯")
_PLAIN = str.maketrans(
    {
        **{
            chr(code): chr(code - 0xFEE0)
            for code in range(0xFF01, 0xFF5F)
            if chr(code) not in "！？，；"
        },
        **{digit: str(value) for digits in _DIGITS for value, digit in enumerate(digits)},
        "\u3000": " ",
    }
)
"""Full-width characters and other scripts' digits as ASCII, one character for one."""
_OTHER = re.compile(f"[{''.join(map(chr, _PLAIN))}]")


def _whole_statement(text: str, choices: tuple[str, ...], tagged: bool) -> list[Statement]:
    """Return the whole text as a statement if it is one answer; in a tag, it may be words."""
    span = trim(text, 0, len(text))
    stripped = text[slice(*span)]
    if not stripped or len(stripped) > _MAX_WHOLE or "\n" in stripped:
        return []
    if tagged:
        return [Statement(*span, "phrase")]
    states = read(stripped).node is not None or (
        choices and match_choice(normalize(stripped), choices)
    )
    return [Statement(*span, "whole")] if states else []


def _is_certain(answer: Answer, text: str) -> bool:
    """Return whether an answer is more than a word of a sentence, which may be a remark."""
    if answer.kind != "text":
        return True
    assert answer.span is not None
    return text[answer.span[0]].isupper() or answer.text.lower() in ("yes", "no")


def _is_denied(text: str, box: tuple[int, int]) -> bool:
    r"""Return whether the words around a box deny it: `not \boxed{8}`, `\boxed{8} is wrong`."""
    before = _DENIED.search(text, max(0, box[0] - 30), box[0])
    return bool(before or _DENIED_AFTER.match(text, box[1]))


def _read_part(text: str, offset: int, choices: tuple[str, ...], tagged: bool) -> Answer | None:
    """Return the last answer that a part of a text states, the part beginning at `offset`."""
    parts = join_parts(text) if mentions(text.lower(), _PART_HINTS) else None
    if parts and not choices and read(parts[0]).node is not None:
        start, end = parts[1]
        joined = to_answer(parts[0], (start + offset, end + offset))
        return replace(joined, stated="phrase") if joined else None
    boxes = [span for span in box_spans(text) if not _is_denied(text, span)]
    fallback = None

    def read_last(statements: list[Statement]) -> Answer | None:
        nonlocal fallback
        for statement in reversed(statements[-MAX_STATEMENTS:]):
            answer = read_statement(text, statement, boxes, choices)
            if answer is None or answer.span is None:
                continue
            start, end = answer.span
            placed = replace(answer, span=(start + offset, end + offset), stated=statement.kind)
            if statement.kind != "phrase" or _is_certain(answer, text):
                return placed
            fallback = fallback or placed
        return None

    statements = find_statements(text, boxes, bool(choices))
    return (
        read_last(statements or _whole_statement(text, choices, tagged))
        or fallback
        or read_last(find_conclusions(text))
    )


def _read_turn(text: str, offset: int, choices: tuple[str, ...]) -> Answer | None:
    """Return the answer of one turn: what is tagged as the answer, or the last statement."""
    tagged = tagged_span(text)
    if tagged:
        start, end = tagged
        answer = _read_part(text[start:end].rstrip(), offset + start, choices, tagged=True)
        if answer is not None:
            return answer
    return _read_part(text, offset, choices, tagged=False)


def extract(text: str, choices: Sequence[str] = ()) -> Answer | None:
    """Return the final answer that a solution states; None if it states none.

    With `choices`, an answer that is one of them becomes its letter (kind `option`; several letters
    as `A, C`). The last statement counts. A box inside a statement is the answer of that statement,
    and different boxes joined by a comma, `and` or `or` are one answer of several values. A text
    that consists of one readable answer (`36 km/h`) states it. An unfinished thought states none.
    """
    start = answer_start(text)
    if start is None:
        return None
    other = not text.isascii() and _OTHER.search(text)  # much faster than to translate
    plain = text.translate(_PLAIN) if other else text
    for turn_start, turn_end in split_turns(plain[start:] if start else plain):
        end = start + turn_end
        begin = max(start + turn_start, end - MAX_TEXT)
        answer = _read_turn(plain[begin:end].rstrip(), begin, tuple(choices))
        if answer is not None:
            return answer
    return None
