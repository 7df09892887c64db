"""Messages with tool calls, as chat templates and TRL read them.

In: a text of turns (`curator.core.turns`). Out: the messages of a solver: text and call of the tool
`python`, its output, and so on to the final text. The arguments of a call are an object, as chat
templates expect; the API of OpenAI wants the same as JSON.
"""

from typing import Any

from curator.core.turns import Turn, find_turns

TOOL = "python"
"""Name of the tool."""
TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": TOOL,
            "description": "Run Python code in a notebook and return what it prints.",
            "parameters": {
                "type": "object",
                "properties": {"code": {"type": "string", "description": "The code to run."}},
                "required": ["code"],
            },
        },
    }
]
"""The tool as its schema."""


def write_messages(text: str) -> list[dict[str, Any]]:
    """Return the messages of a text, the last one of the assistant.

    A program without an output, and an output without a program, stay in the text. A text without
    both, or one that ends with an output, is a single message.
    """
    turns = find_turns(text)
    if not turns or turns[-1].kind != "text":
        return [{"role": "assistant", "content": text}]
    messages: list[dict[str, Any]] = []
    waiting: list[str] = []
    number = place = 0
    while place < len(turns):
        turn, after = turns[place], turns[place + 1] if place + 1 < len(turns) else None
        if turn.kind == "program" and after and after.kind == "output":
            number += 1
            messages += _call(f"call_{number}", "\n".join(waiting), turn, after)
            waiting, place = [], place + 2
            continue
        waiting.append(turn.text if turn.kind == "text" else text[turn.start : turn.end].strip())
        place += 1
    return [*messages, {"role": "assistant", "content": "\n".join(waiting)}]


def _call(id_: str, content: str, program: Turn, output: Turn) -> list[dict[str, Any]]:
    function = {"name": TOOL, "arguments": {"code": program.text}}
    call = {"id": id_, "type": "function", "function": function}
    return [
        {"role": "assistant", "content": content, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": id_, "name": TOOL, "content": output.text},
    ]
