"""Turns of tool-integrated reasoning (TIR): text, programs and their recorded outputs.

In: a text. Out: its turns, in order. A text is stored as its author wrote it; this is the only
place that splits it, wherever it is replayed, checked, exported or masked. Linear in the text.

The forms, each of which may be mixed with the others:

    ```python … ```  ```output … ```             ToRA, NuminaMath-TIR, DeepSeekMath, Curator
    <|code|>…<|endofblock|>  <|execution|>…       MathCoder
    <llm-code>…</llm-code>  <llm-code-output>…    OpenMathInstruct-1
    <tool_call>…</tool_call>  ```output … ```     OpenMathReasoning
    <tool_call>{"name": …}</tool_call>  <tool_response>…   Hermes, Qwen
    <code>…</code>  <interpreter>…, <output>…     ReTool (its programs are fenced, too) and others

Chats with tool calls become the first form where they are read (`curator.sources.chat_columns`).
Not covered: programs in other languages than Python, which stay text.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from curator.core.tool_calls import read_written_call

TurnKind = Literal["text", "program", "output"]

MAX_BLOCKS = 1_000
"""Maximum number of programs and outputs of a text; what follows them is text."""
_PYTHON = frozenset({"python", "py", "python3", "ipython", "tool_code"})
_OUTPUT = frozenset({"output", "stdout", "tool_output", "execution"})
_TAGS: dict[str, tuple[TurnKind, str]] = {
    "<|code|>": ("program", "<|endofblock|>"),
    "<|execution|>": ("output", "<|endofblock|>"),
    "<llm-code>": ("program", "</llm-code>"),
    "<llm-code-output>": ("output", "</llm-code-output>"),
    "<tool_call>": ("program", "</tool_call>"),
    "<tool_response>": ("output", "</tool_response>"),
    "<code>": ("program", "</code>"),
    "<interpreter>": ("output", "</interpreter>"),
    "<output>": ("output", "</output>"),
}
_OUTPUT_WORDS = ("output", "stdout", "execution", "tool_response", "interpreter")
"""Words without which a text has no output: a cheap check before the search."""
_FENCE = (
    r"(?:^|(?<=</think>))[ \t]{0,3}(?P<fence>`{3,}+|~{3,}+)[ \t]{0,20}"
    r"(?P<language>\w{0,30})[ \t]{0,20}\r?$"
)
_OPENING = re.compile(rf"{_FENCE}|(?P<tag>{'|'.join(map(re.escape, _TAGS))})", re.M)
_FENCE_LINE = re.compile(_FENCE, re.M)
_ANY_FENCE = re.compile(
    r"(?P<fence>(?<!`)`{3,}+|(?<!~)~{3,}+)[ \t]{0,20}(?P<language>\w{1,30})[ \t]{0,20}\r?$", re.M
)
"""An opening fence behind other text, too."""
_AROUND_TEXT = re.compile(r"<\|(?:text|endofblock|endofmessage|assistant)\|>")
"""MathCoder's marks around texts, which belong to none."""
_TICKS = re.compile(r"`{3,}+")


@dataclass(frozen=True, slots=True)
class Turn:
    """A part of a text."""

    kind: TurnKind
    text: str
    """Without marks and blank lines around it."""
    start: int
    """Offset of its opening mark."""
    inner: int
    """Offset behind its opening mark."""
    end: int
    """Offset behind its closing mark."""
    is_closed: bool = True
    """False for a program or output whose closing mark is missing."""


def find_turns(text: str) -> list[Turn]:
    """Return the turns of a text, in order, without blank texts; one text if it has no program."""
    turns: list[Turn] = []
    place = at = blocks = 0  # end of the last block; where the search goes on
    while blocks < MAX_BLOCKS and (opening := _OPENING.search(text, at)):
        kind, inner = _classify(opening), opening.end()
        if opening["tag"] is None:
            inner = min(inner + 1, len(text))
            content_end, end, is_closed = _find_fence_end(text, opening, kind, inner)
        else:
            mark = _TAGS[opening["tag"]][1]
            found = text.find(mark, inner)
            is_closed = found >= 0
            content_end, end = (found, found + len(mark)) if is_closed else (len(text), len(text))
        at = end
        if kind == "text":
            continue
        _add_text(turns, text, place, opening.start())
        content = text[inner:content_end].replace("\r\n", "\n").strip("\n")
        if kind == "program" and opening["tag"]:
            content = _unwrap(content)
        turns.append(Turn(kind, content, opening.start(), inner, end, is_closed))
        place, blocks = end, blocks + 1
    _add_text(turns, text, place, len(text))
    return turns


def _unwrap(content: str) -> str:
    """Return a program between tags without the fence, or the call as JSON, that encloses it."""
    stripped = content.strip()
    opening, _, rest = stripped.partition("\n")
    mark = _FENCE_LINE.fullmatch(opening)
    if mark is None or not stripped.endswith(f"\n{mark['fence']}"):
        return read_written_call(stripped) or content
    if mark["language"] and _classify_language(mark["language"]) != "program":
        return content
    return rest.removesuffix(mark["fence"]).strip("\n")


def _classify(opening: re.Match[str]) -> TurnKind:
    if opening["tag"] is not None:
        return _TAGS[opening["tag"]][0]
    return _classify_language(opening["language"])


def _find_fence_end(
    text: str, opening: re.Match[str], kind: TurnKind, start: int
) -> tuple[int, int, bool]:
    """Return where the content of a fenced block ends, where the block ends, and if it is closed.

    An output closes a program whose own closing mark is missing.
    """
    fence = opening["fence"]
    for line in _FENCE_LINE.finditer(text, start):
        if line["fence"][0] == fence[0] and len(line["fence"]) >= len(fence):
            if not line["language"]:
                return line.start(), line.end(), True
            if kind == "program" and _classify_language(line["language"]) == "output":
                return line.start(), line.start(), False
    return len(text), len(text), False


def _classify_language(language: str) -> TurnKind:
    name = language.lower()
    return "program" if name in _PYTHON else "output" if name in _OUTPUT else "text"


def _add_text(turns: list[Turn], text: str, start: int, end: int) -> None:
    content = _AROUND_TEXT.sub("", text[start:end]).strip()
    if content:
        turns.append(Turn("text", content, start, start, end))


def is_mark(text: str) -> bool:
    """Return whether a text opens or closes a program or an output, and is nothing else."""
    return text in _TAGS or any(text == closing for _, closing in _TAGS.values())


def may_have_outputs(text: str) -> bool:
    """Return False for a text that has no output for sure."""
    if "<" not in text and "```" not in text and "~~~" not in text:
        return False
    lowered = text.lower()
    return any(word in lowered for word in _OUTPUT_WORDS)


def has_outputs(text: str) -> bool:
    """Return whether a text has a program and an output: whether it is tool-integrated."""
    if not may_have_outputs(text):
        return False
    kinds = {turn.kind for turn in find_turns(text)}
    return {"program", "output"} <= kinds


def find_outputs(text: str) -> list[tuple[int, int]]:
    """Return where outputs of tools are, each from its content to behind its closing mark.

    More than the outputs of `find_turns`, for what must not miss any: those that a stray fence
    before them hides, and all behind the last block that is read.
    """
    turns = [turn for turn in find_turns(text) if turn.kind != "text"]
    blocks = [(turn.start, turn.end) for turn in turns]
    found = [(turn.inner, turn.end) for turn in turns if turn.kind == "output"]
    limit = turns[-1].inner if len(turns) == MAX_BLOCKS else len(text)
    place = 0  # up to here, all is known
    for fence in _ANY_FENCE.finditer(text):
        if not place <= fence.start() < limit or _classify_language(fence["language"]) != "output":
            continue
        before = bisect_right(blocks, (fence.start(), len(text))) - 1
        if before >= 0 and fence.start() < blocks[before][1]:
            continue
        inner = min(fence.end() + 1, len(text))
        place = _find_fence_end(text, fence, "output", inner)[1]
        found.append((inner, place))
    if limit < len(text):
        found = [each for each in found if each[1] <= limit] + [(limit, len(text))]
    return sorted(found)


def hide_blocks(text: str) -> str:
    """Return a text of the same length in which programs and outputs are letters.

    For what reads marks of the texts between them. Blocks that are not closed stay.
    """
    parts, place = [], 0
    for turn in find_turns(text):
        if turn.kind != "text" and turn.is_closed:
            parts += [text[place : turn.start], "x" * (turn.end - turn.start)]
            place = turn.end
    return "".join([*parts, text[place:]])


def find_final_text(turns: list[Turn]) -> str:
    """Return the text behind the last program and output; empty without one."""
    return turns[-1].text if turns and turns[-1].kind == "text" else ""


def join_turns(turns: Iterable[tuple[TurnKind, str]]) -> str:
    """Return turns as one text, in the form that Curator writes: fenced, as ToRA's."""
    return "\n".join(filter(None, (write_turn(kind, text) for kind, text in turns)))


def write_turn(kind: TurnKind, text: str) -> str:
    """Return one turn as text; the fence is longer than any in the turn."""
    if kind == "text":
        return text.strip()
    longest = max(map(len, _TICKS.findall(text)), default=2)
    fence = "`" * max(3, longest + 1)
    name = "python" if kind == "program" else "output"
    content = text.strip("\n")
    return f"{fence}{name}\n{content}\n{fence}"
