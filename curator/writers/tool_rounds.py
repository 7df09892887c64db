"""Parses one round of a teacher that runs programs: text, and the programs to run or none.

In: a reply, with fenced programs or with tool calls. Out: its text, its programs, and, when their
outputs are known, the messages of the next request. Of fenced programs only the first one counts:
a teacher that goes on behind it has invented the output.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from curator.core.json_text import parse_json
from curator.core.tool_messages import TOOL
from curator.core.turns import find_turns
from curator.writers.parse_reply import LONGEST_REPLY, LONGEST_WITH_THOUGHTS, strip_thoughts
from datastore.text import is_storable

LONGEST_QUOTE = 200
"""Maximum number of characters of wrong arguments that an error quotes."""


class Call(Protocol):
    """A tool call of a reply."""

    @property
    def name(self) -> str:
        """Name of the tool."""

    @property
    def arguments(self) -> str:
        """Arguments as the model wrote them."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run, or why a tool call has none."""

    text: str = ""
    error: str = ""
    """Output of a call without a program; the teacher sees it, the solution omits it."""


@dataclass(frozen=True, slots=True)
class Round:
    """What a teacher wrote before it waits for outputs, or before its end."""

    text: str
    """Without thoughts. Of a fenced reply it ends with the program."""
    programs: tuple[Program, ...] = ()
    """Empty in the last round."""
    reason: str = ""
    """Why the reply cannot be used, as one of a fixed set of texts."""


def read_round(reply: str) -> Round:
    """Return the text of a reply and its first fenced program."""
    text, reason = _read_text(reply)
    if reason:
        return Round("", reason=reason)
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
    return Round("\n".join(filter(None, (before, block))), (Program(first.text),))


def read_tool_round(reply: str, calls: Sequence[Call]) -> Round:
    """Return the text of a reply and the programs of its tool calls.

    Text with a program or an output of its own cannot be used: nothing ran it, and a reader could
    not tell it from those that the sandbox wrote.
    """
    text, reason = _read_text(reply)
    if reason:
        return Round("", reason=reason)
    kinds = {turn.kind for turn in find_turns(text)}
    if "output" in kinds:
        return Round("", reason="output without a program")
    if "program" in kinds:
        return Round("", reason="program outside a tool call")
    if not calls and not text.strip():
        return Round("", reason="empty reply")
    return Round(text.strip(), tuple(map(_read_call, calls)))


def _read_text(reply: str) -> tuple[str, str]:
    """Return a reply without thoughts and "", or "" and the reason why it cannot be used."""
    if len(reply) > LONGEST_WITH_THOUGHTS:
        return "", "too long"
    if not is_storable(reply):
        return "", "not valid Unicode text"
    text = strip_thoughts(reply.replace("\r\n", "\n"))
    if text is None:
        return "", "unfinished thought"
    return (text, "") if len(text) <= LONGEST_REPLY else ("", "too long")


def _read_call(call: Call) -> Program:
    if call.name != TOOL:
        return Program(error=f"Error: unknown tool. The only tool is {TOOL}.")
    wanted = 'expected a JSON object {"code": "…"}'
    try:
        found = parse_json(call.arguments)
    except ValueError as error:
        seen = call.arguments[:LONGEST_QUOTE].encode("utf-8", "replace").decode()
        return Program(error=f"Error: the arguments are not JSON ({error}); {wanted}, saw: {seen}")
    code = found.get("code") if isinstance(found, dict) else None
    if not isinstance(code, str):
        return Program(error=f"Error: the arguments have no text 'code'; {wanted}.")
    if len(code) > LONGEST_REPLY or not is_storable(code):
        return Program(error="Error: the code is too long, or is not valid Unicode text.")
    code = code.replace("\r\n", "\n").strip("\n")
    return Program(code) if code.strip() else Program(error="Error: the code is empty.")
