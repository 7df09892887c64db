"""Reads a chat with tool calls as one text of turns (`curator.core.turns`).

In: the turns of a chat, `{"role": "assistant", "content": …, "tool_calls": [{"function": {"name":
"python", "arguments": "{\\"code\\": …}"}}]}` and `{"role": "tool", "content": …}`, or MathCoder's
roles `text`, `code` and `execution`. Out: text, programs and outputs in their order, each output
behind the program that it belongs to. A call without a program is not read.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from curator.core.thoughts import join_thought
from curator.core.tool_calls import find_program
from curator.core.turns import TurnKind, join_turns
from curator.sources.fields import Unreadable

OUTPUT_ROLES = frozenset({"tool", "function", "ipython", "execution"})
CODE_ROLES = frozenset({"code"})
_ROLES = OUTPUT_ROLES | CODE_ROLES | {"text"}
REASONING = ("reasoning_content", "reasoning", "thinking")
"""Fields of an assistant's turn with its thought."""

Turn = tuple[Mapping[str, Any], str, Any]
"""A turn as it is, its role in lower case, and its content as text."""


def uses_tools(turns: Sequence[Turn]) -> bool:
    """Return whether a chat has tool calls, or the roles of texts, programs and outputs."""
    return any(role in _ROLES or turn.get("tool_calls") for turn, role, _ in turns)


def join_tool_turns(turns: Sequence[Turn], column: str) -> str:
    """Return the turns behind the question as one text; raises Unreadable."""
    return join_turns(_read(turns, column))


def _read(turns: Sequence[Turn], column: str) -> Iterator[tuple[TurnKind, str]]:
    waiting: list[str] = []  # programs whose outputs have not come yet
    for turn, role, content in turns:
        text = "" if content is None else content
        if not isinstance(text, str):
            raise Unreadable(f"{column} has parts that are not text")
        if role in OUTPUT_ROLES:
            if waiting:
                yield "program", waiting.pop(0)
            yield "output", text
            continue
        yield from (("program", program) for program in waiting)
        waiting = [text] if role in CODE_ROLES else [*_programs(turn, column)]
        if role not in CODE_ROLES:
            thought = next((turn[name] for name in REASONING if turn.get(name)), "")
            yield "text", join_thought(thought, text) if isinstance(thought, str) else text
    yield from (("program", program) for program in waiting)


def _programs(turn: Mapping[str, Any], column: str) -> Iterator[str]:
    """Yield the programs that a turn calls a tool with."""
    calls = turn.get("tool_calls") or ()
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function", call) if isinstance(call, dict) else None
        arguments = function.get("arguments") if isinstance(function, dict) else None
        program = find_program(arguments)
        if not program:
            raise Unreadable(f"{column} calls a tool without a program")
        yield program
