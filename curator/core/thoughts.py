"""Thoughts of models: the reasoning that some models write before their answer.

In: a text. Out: where its thought and its answer are, or what is wrong with the marks between them.
A text is stored as its author wrote it, with its marks; these functions split it where it is read,
counted, exported or masked. All of them take linear time.

`<think>…</think>` (DeepSeek, Qwen), `<|begin_of_thought|>…<|end_of_thought|>
<|begin_of_solution|>…<|end_of_solution|>` (Sky-T1, OpenThoughts), `◁think▷…◁/think▷` (Kimi),
`[THINK]…[/THINK]` (Mistral), `<|channel|>analysis…<|channel|>final` (gpt-oss). The opening mark may
be missing, since the templates of some models write it at the end of the prompt. A recipe may name
further pairs of marks; where its texts are read, they become `<think>…</think>`, so that nothing
else has to know them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from curator.core.model import Kind
from curator.core.turns import hide_blocks

NAMES = ("think", "thinking", "thoughts?", "reasoning", "scratchpad", "reflection")
"""Tags that enclose a thought, as parts of a pattern."""
MARK = re.compile(
    rf"[<◁](?P<closed>/)?(?:{'|'.join(NAMES)})[>▷]"
    r"|<\|(?:begin|(?P<ended>end))_of_(?:thought|thinking|reasoning)\|>"
    r"|\[(?P<last>/)?THINK\]"
    r"|<\|channel\|>(?:analysis|(?P<final>final))",
    re.I,
)
_SIDE = re.compile("/|begin_|end_|analysis|final")
"""What a mark that opens a thought and the mark that closes it do not share."""
_HINTS = ("think", "thought", "reasoning", "scratchpad", "reflection", "channel|>")
"""Words without which a text has no mark: a cheap check before the pattern."""
_AROUND = (
    "<|message|>",
    "<|begin_of_solution|>",
    "<|end_of_solution|>",
    "<|end|>",
    "<|return|>",
    "<|im_end|>",
    "<|start|>assistant",
)
"""Marks of a format at the ends of a thought or an answer, which belong to neither."""
OPENING, CLOSING = "<think>\n", "\n</think>\n\n"
"""The marks that Curator writes."""

Pair = tuple[str, str]
"""The text that opens a thought, and the text that closes it."""

Fault = Literal["", "unclosed thought", "doubled thought", "empty thought", "no answer"]


@dataclass(frozen=True, slots=True)
class Mark:
    """A tag that opens or closes a thought; `start` and `end` are offsets in the text."""

    start: int
    end: int
    closes: bool


@dataclass(frozen=True, slots=True)
class Trace:
    """Where the thought and the answer of a text are, as offsets without marks and white space."""

    thought: tuple[int, int]
    answer: tuple[int, int]
    fault: Fault = ""
    """`unclosed thought`: nothing closes it, so all of the rest is the thought. `doubled thought`:
    a mark is repeated, or text precedes the thought. `empty thought`, `no answer`: nothing between
    the marks, nothing behind them."""
    place: int = 0
    """Offset of the fault."""


def find_marks(text: str) -> Iterator[Mark]:
    """Yield the marks of thoughts in a text.

    Within a thought, a mark that closes thoughts of another name is a part of it.
    """
    if "<" not in text and "[" not in text and "◁" not in text:
        return
    lowered = text.lower()
    if not any(hint in lowered for hint in _HINTS):
        return
    opened: set[str] = set()
    for match in MARK.finditer(text):
        closes, name = any(match.groups()), _SIDE.sub("", match[0].lower())
        if not closes:
            opened.add(name)
        elif opened and name not in opened:
            continue
        else:
            opened.clear()
        yield Mark(match.start(), match.end(), closes)


def rewrite_marks(text: str, pairs: Sequence[Pair]) -> str:
    """Return a text with `<think>` and `</think>` for the marks of further pairs.

    Marks are found as they are written, with case; of those that begin at the same place, the
    longest one.
    """
    written = {opening: OPENING.strip() for opening, _ in pairs}
    written |= {closing: CLOSING.strip() for _, closing in pairs}
    ahead = {mark: text.find(mark) for mark in written}
    parts: list[str] = []
    at = 0
    while ahead := {mark: place for mark, place in ahead.items() if place >= 0}:
        first = min(ahead, key=lambda mark: (ahead[mark], -len(mark)))
        parts += [text[at : ahead[first]], written[first]]
        at = ahead[first] + len(first)
        ahead = {
            mark: place if place >= at else text.find(mark, at) for mark, place in ahead.items()
        }
    return "".join([*parts, text[at:]])


def read_trace(text: str) -> Trace | None:
    """Return where thought and answer are; None if a text has no mark of a thought."""
    marks = list(find_marks(text))
    if not marks:
        return None
    opening = [mark for mark in marks if not mark.closes]
    closing = [mark for mark in marks if mark.closes]
    first, last = marks[0], marks[-1]
    thought = _trim(text, 0 if first.closes else first.end, len(text))
    nothing = (len(text), len(text))
    if not last.closes:
        return Trace(thought, nothing, "unclosed thought", last.start)
    thought = _trim(text, 0 if first.closes else first.end, last.start)
    answer = _trim(text, last.end, len(text))
    if len(opening) > 1 or len(closing) > 1:
        return Trace(thought, answer, "doubled thought", marks[1].start)
    if opening and text[: first.start].strip():
        return Trace(thought, answer, "doubled thought", first.start)
    if thought[0] == thought[1]:
        return Trace(thought, answer, "empty thought", first.start)
    if answer[0] == answer[1]:
        return Trace(thought, answer, "no answer", last.end)
    return Trace(thought, answer)


def read_rationale(kind: Kind, text: str) -> Trace | None:
    """Return where thought and answer of a rationale are; None without the mark of a thought.

    A program has no thought. Marks that a program of a TIR contains or prints do not count.
    """
    if kind == "PoT":
        return None
    return read_trace(hide_blocks(text) if kind == "TIR" else text)


def split_thought(text: str, kind: Kind = "CoT") -> tuple[str, str]:
    """Return thought and answer without their marks.

    A text without exactly one closed thought before its answer is all answer: ("", text).
    """
    trace = read_rationale(kind, text)
    if trace is None or trace.fault:
        return "", text
    return text[slice(*trace.thought)], text[slice(*trace.answer)]


def join_thought(thought: str, answer: str) -> str:
    """Return a text with its thought in Curator's marks; without a thought, the answer alone."""
    return f"{OPENING}{thought.strip()}{CLOSING}{answer.lstrip()}" if thought.strip() else answer


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Return a span without white space and marks of the format at its ends."""
    while True:
        while start < end and text[start].isspace():
            start += 1
        while end > start and text[end - 1].isspace():
            end -= 1
        head = next((m for m in _AROUND if text.startswith(m, start, end)), "")
        tail = "" if head else next((m for m in _AROUND if text.endswith(m, start, end)), "")
        if not head and not tail:
            return start, end
        start, end = start + len(head), end - len(tail)
