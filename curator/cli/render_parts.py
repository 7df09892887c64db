"""Print texts and rationales to the terminal: a thought folded, programs and steps as blocks.

In: a text, or the parts of a rationale (`curator.core.parts`). Out: lines. Heads of parts begin at
the margin and all outside text is indented, so that no text can forge a head.
"""

import textwrap
from collections.abc import Iterator, Sequence

from curator.core.escape import for_terminal
from curator.core.parts import Part
from curator.core.words import counted

WIDTH = 78
MAX_LINES = 12
"""Maximum number of lines printed per text, apart from the number of those left out."""
LAST_LINES = 4
"""How many of them are the last ones of the text."""
MAX_PARTS = 24
"""Maximum number of parts printed per rationale, apart from the number of those left out."""
LAST_PARTS = 8
"""How many of them are the last ones of the rationale."""


def wrap(text: str) -> list[str]:
    """Return a text as indented lines that fit the terminal and cannot drive it."""
    return [
        f"  {line.rstrip()}".rstrip()
        for raw in text.split("\n")
        for line in textwrap.wrap(for_terminal(raw.expandtabs(4)), WIDTH) or [""]
    ]


def text_lines(text: str, see: str = "--whole prints them") -> list[str]:
    """Return the lines of a text, with its middle left out if it is long.

    `see` states how to see the rest; if it is empty, nothing is left out.
    """
    lines = wrap(text)
    hidden = len(lines) - MAX_LINES
    if see and hidden > 1:  # the end of a text states its answer
        lines[MAX_LINES - LAST_LINES : -LAST_LINES] = [f"  … {hidden} more lines; {see}"]
    return lines


def rationale_lines(parts: Sequence[Part], see: str = "--whole prints them") -> list[str]:
    """Return the lines of a rationale; `see` as in `text_lines`."""
    if len(parts) == 1 and parts[0].kind in ("text", "program"):
        return text_lines(parts[0].text, see)
    hidden = len(parts) - MAX_PARTS
    if not see or hidden <= 1:
        return [line for part in parts for line in _part_lines(part, see)]
    first, last = parts[: MAX_PARTS - LAST_PARTS], parts[-LAST_PARTS:]
    lines = [line for part in first for line in _part_lines(part, see)]
    lines.append(f"── {hidden} more parts; {see}")
    return lines + [line for part in last for line in _part_lines(part, see)]


def _part_lines(part: Part, see: str) -> Iterator[str]:
    if part.kind != "thought":
        yield f"── {_head(part)}"
        yield from text_lines(part.text, see)
        return
    programs = sum(each.kind == "program" for each in part.parts)
    size = [counted(len(part.text), "character")]
    size += [counted(programs, "program")] if programs else []
    size += [part.note] if part.note else []
    head = f"── thought: {', '.join(size)}"
    if see:
        yield f"{head}; {see}"
        return
    yield head
    if part.parts:
        for each in part.parts:
            yield from _part_lines(each, see)
    else:
        yield from text_lines(part.text, see)
    yield "── end of the thought"


def _head(part: Part) -> str:
    number = f" {part.number}" if part.number else ""
    alternative = "" if part.chosen else ", alternative"
    replayed = ", replayed" if part.kind == "program" and part.note else ""
    return f"{part.kind}{number}{alternative}{replayed}{f': {part.note}' if part.note else ''}"
