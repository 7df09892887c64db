"""Find the part of a text in which its answer is stated.

In: a text. Out: `answer_start(text)`, the end of the model's thoughts; `split_turns(text)`, the
parts between which another question begins; `tagged_span(text)`, the content of `<answer>`. A base
model that continues with another question has answered the first one before it.
"""

import re
from collections.abc import Iterable

from curator.core.thoughts import find_marks


def lower(text: str) -> str:
    """Return a text in lower case, character by character, so that places stay the same."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(char if len(char.lower()) > 1 else char.lower() for char in text)


def mentions(lowered: str, hints: Iterable[str]) -> bool:
    """Return whether a lower-case text has one of the words: a cheap check before a pattern."""
    for hint in hints:  # noqa: SIM110 (twice as fast as `any`)
        if hint in lowered:
            return True
    return False


def answer_start(text: str) -> int | None:
    """Return where the text after the last thought begins; None if a thought is unfinished."""
    start: int | None = 0
    for mark in find_marks(text):
        start = mark.end if mark.closes else None
    return start


_SPEAKER = r"(?:question|problem|exercise|instruction|human|user|input|example|q|问题|題目|题目)"
_TURN = re.compile(
    r"<\|(?:user|im_start|im_end|endoftext|end_of_text|eot_id|end|return|start_header_id|system)\|>"
    r"|</?s>|<eos>|\[/?INST\]|<(?:start|end)_of_turn>"
    rf"|^[ \t]{{0,8}}(?:\#{{1,6}}[ \t]?)?[*_]{{0,3}}{_SPEAKER}"
    r"(?:[ \t]?(?P<number>[0-9]{1,3}))?[*_]{0,3}[ \t]?(?:[:：]|(?<=[0-9])\.\s)|^q\.\s"
    rf"|^[ \t]{{0,8}}\#{{1,6}}[ \t]?{_SPEAKER}(?:[ \t]?[0-9]{{1,3}})?[ \t]{{0,8}}$"
    r"|^below is an instruction\b"
    r"|(?<!\n)\n{3,9}(?=[A-Z][^\n]{5,400}\?[ \t]{0,8}$)",
    re.I | re.M,
)
_TURN_HINTS = (
    "question", "problem", "input", "exercise", "instruction", "human", "user", "\nq", "<|", "<s>",
    "example", "\n\n\n", "</s>", "<eos>", "inst]", "_of_turn>", "题", "題",
)  # fmt: skip


def split_turns(text: str) -> list[tuple[int, int]]:
    """Return the spans of a text between marks of another question or of another speaker.

    Questions that are numbered from 1 are parts of one text and no marks.
    """
    if not mentions(text.lower(), _TURN_HINTS):
        return [(0, len(text))]
    cuts, parts = [0], False
    for mark in _TURN.finditer(text):
        parts = parts or mark["number"] == "1"
        if not (parts and mark["number"]):
            cuts.append(mark.start())
    return list(zip(cuts, [*cuts[1:], len(text)], strict=True))


_TAG = re.compile(r"<(?P<closed>/)?(?:final_)?answer>", re.I)


def tagged_span(text: str) -> tuple[int, int] | None:
    """Return the span of the last `<answer>…</answer>` that has content; the end may be missing."""
    span, start = None, -1
    if "nswer>" not in text.lower():
        return None
    for tag in _TAG.finditer(text):
        if not tag["closed"]:
            start = tag.end()
        elif start >= 0:
            span, start = (start, tag.start()) if text[start : tag.start()].strip() else span, -1
    return (start, len(text)) if start >= 0 and text[start:].strip() else span
