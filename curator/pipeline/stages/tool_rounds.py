"""The conversation of the writer `tir`: a teacher writes programs, the sandbox runs them.

In: the first messages, and the functions that get a call and run programs. Out: the text of the
whole conversation. Every round runs all programs again in a fresh session, so that a conversation
can be resumed at any round: its calls and executions are cached.
"""

from collections.abc import Awaitable, Callable, Sequence

from curator.core.turns import write_turn
from curator.teacher import Call
from curator.writers.prompt_templates import Messages
from curator.writers.tool_rounds import read_round

TOO_MANY = "too many rounds"

GetCall = Callable[[Messages], Awaitable[Call]]
"""Return the call for a conversation."""
RunSession = Callable[[Sequence[str]], Awaitable[str]]
"""Return what the last one of several programs prints."""


async def take_rounds(
    messages: Messages, rounds: int, get_call: GetCall, run: RunSession
) -> tuple[Call, str, str]:
    """Return the last call, the text, and "" or the reason why the conversation has no text.

    A maximum of `rounds` programs are run.
    """
    parts: list[str] = []
    programs: list[str] = []
    while True:
        call = await get_call(messages)
        if call.status == "failed":
            return call, "", f"call failed: {call.reason}"
        if call.flaw:
            return call, "", call.flaw
        found = read_round(call.text)
        if not found.text:
            return call, "", found.reason
        parts.append(found.text)
        if not found.program:
            return call, "\n".join(parts), ""
        programs.append(found.program)
        if len(programs) > rounds:
            return call, "", TOO_MANY
        parts.append(write_turn("output", await run(programs)))
        messages = (*messages, ("assistant", found.text), ("user", parts[-1]))
