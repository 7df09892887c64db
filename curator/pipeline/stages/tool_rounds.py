"""The conversation of the writer `tir`: a teacher writes programs, the sandbox runs them.

In: the first messages, and the functions that get a call and run programs. Out: the text of the
whole conversation. Every round runs all programs again in a fresh session, so that a conversation
can be resumed at any round: its calls and executions are cached.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from curator.core.turns import find_turns, write_turn
from curator.teacher import Call, Message
from curator.teacher.messages import encode_calls
from curator.writers.tool_rounds import Round, read_round, read_tool_round

TOO_MANY = "too many rounds"
UNCLEAR = "unclear program marks"

Conversation = tuple[Message, ...]
GetCall = Callable[[Conversation], Awaitable[Call]]
"""Return the call for a conversation."""
RunSession = Callable[[Sequence[str]], Awaitable[str]]
"""Return what the last one of several programs prints."""


@dataclass(frozen=True, slots=True)
class RoundLimits:
    """How a teacher runs programs."""

    programs: int
    """Maximum number of programs, tool calls without one included."""
    tools: bool = False
    """Whether it calls a tool, instead of writing programs in fenced blocks."""


async def take_rounds(
    messages: Conversation, limits: RoundLimits, get_call: GetCall, run: RunSession
) -> tuple[Call, str, str]:
    """Return the last call, the text, and "" or the reason why the conversation has no text."""
    parts: list[str] = []
    programs: list[str] = []
    wanted = 0
    while True:
        call = await get_call(messages)
        if call.status == "failed":
            return call, "", f"call failed: {call.reason}"
        if call.flaw:
            return call, "", call.flaw
        found = (
            read_tool_round(call.text, call.tool_calls) if limits.tools else read_round(call.text)
        )
        if found.reason:
            return call, "", found.reason
        parts.append(found.text)
        if not found.programs:
            text = "\n".join(filter(None, parts))
            written = [turn.text for turn in find_turns(text) if turn.kind == "program"]
            # What runs again later must be what ran: a mark in a text may hide or add a program.
            return (call, text, "") if written == programs else (call, "", UNCLEAR)
        wanted += len(found.programs)
        if wanted > limits.programs:
            return call, "", TOO_MANY
        outputs = []
        for program in found.programs:
            if program.error:
                outputs.append(program.error)
                continue
            programs.append(program.text)
            outputs.append(await run(programs))
            if limits.tools:
                parts.append(write_turn("program", program.text))
            parts.append(write_turn("output", outputs[-1]))
        messages = (*messages, *_answer(found, call, outputs, limits.tools))


def _answer(found: Round, call: Call, outputs: Sequence[str], tools: bool) -> Conversation:
    """Return the messages that follow a reply: its text, and the outputs of its programs."""
    if not tools:
        return ("assistant", found.text), ("user", write_turn("output", outputs[0]))
    ids = [each.id for each in call.tool_calls]
    results = (("tool", output, id_) for id_, output in zip(ids, outputs, strict=True))
    return ("assistant", found.text, encode_calls(call.tool_calls)), *results
