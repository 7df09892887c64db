"""Parses one round of a teacher that runs programs: text, and a program to run or none.

In: a reply. Out: the text up to the end of its first program. What follows the program is dropped:
a teacher that goes on has invented the output.
"""

from dataclasses import dataclass

from curator.core.turns import find_turns
from curator.writers.parse_reply import LONGEST_REPLY, LONGEST_WITH_THOUGHTS, strip_thoughts
from datastore.text import is_storable


@dataclass(frozen=True, slots=True)
class Round:
    """What a teacher wrote before it waits for an output, or before its end."""

    text: str
    """Without thoughts; it ends with the program. Empty if the reply cannot be used."""
    program: str = ""
    """Empty in the last round."""
    reason: str = ""
    """Why the reply cannot be used, as one of a fixed set of texts."""


def read_round(reply: str) -> Round:
    """Return the text of a reply and its first program."""
    if len(reply) > LONGEST_WITH_THOUGHTS:
        return Round("", reason="too long")
    if not is_storable(reply):
        return Round("", reason="not valid Unicode text")
    text = strip_thoughts(reply.replace("\r\n", "\n"))
    if text is None:
        return Round("", reason="unfinished thought")
    if len(text) > LONGEST_REPLY:
        return Round("", reason="too long")
    first = next((turn for turn in find_turns(text) if turn.kind != "text"), None)
    if first is None:
        return Round(text.strip(), reason="" if text.strip() else "empty reply")
    if first.kind == "output":
        return Round("", reason="output without a program")
    if not first.text.strip():
        return Round("", reason="empty program")
    before = text[: first.start].strip()
    block = text[first.start : first.end].strip()
    if not first.is_closed:  # a stop sequence ended the reply
        fence = block[: len(block) - len(block.lstrip(block[0]))]
        if fence[0] not in "`~":
            return Round("", reason="unfinished program")
        block = f"{block}\n{fence}"
    return Round("\n".join(filter(None, (before, block))), first.text)
