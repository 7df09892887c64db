"""Reads questions and responses from cells that hold a text, several texts, or a chat.

In: a cell. Out: the question and the reply of a chat, the texts of a response, the kind of a text.
A chat is a list of {"role": "user", "content": "…"} or {"from": "human", "value": "…"}; a content
may be a list of parts, {"type": "text", "text": "…"}. A turn of the assistant may have a thought in
`reasoning_content`. A chat with several turns of a user is not read; one with tool calls is read as
one text (`curator.sources.tool_turns`).
"""

import re
from typing import Any

from curator.core.model import Kind
from curator.core.thoughts import join_thought
from curator.core.turns import has_outputs
from curator.sources.fields import Unreadable
from curator.sources.tool_turns import REASONING, Turn, join_tool_turns, uses_tools
from datastore.text import is_storable

_USER_ROLES = frozenset({"user", "human"})
_ASSISTANT_ROLES = frozenset({"assistant", "gpt", "model", "chatgpt", "bot"})

_CODE_START = re.compile(
    r"\s*(?:```(?:python|py)\b|#|import |from \w[\w.]* import |def \w+\(|class \w|print\("
    r'|"""|@|[A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)*\s*[-+*/]?=(?!=))'
)
_CODE_LINE = re.compile(
    r"^[^\S\n]*+(?:print\s*\(|(?:ans|answer|result)\s*=(?!=)|def \w+\(|import \w)"
    r"|```(?:python|py)\b",
    re.MULTILINE,
)


def kind_of(text: str) -> Kind:
    """Return TIR for a text with programs and their outputs, PoT for a program, CoT for the rest.

    A program starts with code (an import, definition, assignment, comment or fence) and has a line
    that prints, defines, imports or assigns `ans`. Prose with code inside is CoT.
    """
    if has_outputs(text):
        return "TIR"
    return "PoT" if _CODE_START.match(text) and _CODE_LINE.search(text) else "CoT"


def is_chat(value: object) -> bool:
    """Return whether a cell is a chat."""
    return (
        isinstance(value, list) and bool(value) and all(_role_and_text(each)[0] for each in value)
    )


def _role_and_text(value: object) -> tuple[str, Any]:
    if not isinstance(value, dict):
        return "", None
    role = value.get("role") or value.get("from")
    content = value.get("content", value.get("value"))
    return (role.lower() if isinstance(role, str) else ""), _join_parts(content)


def _join_parts(content: object) -> object:
    """Return the text of a content that is a list of parts of text; any other content unchanged."""
    if not isinstance(content, list) or not content:
        return content
    texts = [_part_text(part) for part in content]
    return "".join(texts) if all(isinstance(text, str) for text in texts) else content


def _part_text(part: object) -> Any:
    """Return the text of a part; None for an image or a part of another type."""
    if not isinstance(part, dict):
        return part
    if part.get("type", "text") not in ("text", "input_text", "output_text"):
        return None
    return part.get("text", part.get("content"))


def user_turn(value: object, column: str) -> object:
    """Return the user's only turn of a chat; any other cell unchanged."""
    if not is_chat(value):
        return value
    assert isinstance(value, list)
    turns = [text for role, text in map(_role_and_text, value) if role in _USER_ROLES]
    if len(turns) != 1:
        fault = "is a chat of several turns: keep one question and its reply"
        raise Unreadable(f"{column} {fault if turns else 'has no turn of a user'}")
    if isinstance(turns[0], list):
        raise Unreadable(f"{column} has parts that are not text")
    return turns[0]


def last_reply(value: object, column: str) -> object:
    """Return the assistant's last turn of a chat, with its thought; any other cell unchanged.

    Of a chat with tool calls, all turns behind the user's.
    """
    if not is_chat(value):
        return value
    assert isinstance(value, list)
    behind = _turns_behind_question(value)
    if uses_tools(behind):
        return join_tool_turns(behind, column)
    turns = [turn for turn in value if _role_and_text(turn)[0] in _ASSISTANT_ROLES]
    if not turns:
        raise Unreadable(f"{column} has no turn of an assistant")
    _, reply = _role_and_text(turns[-1])
    thought = next((turns[-1][name] for name in REASONING if turns[-1].get(name)), "")
    both = isinstance(thought, str) and isinstance(reply, str)
    return join_thought(thought, reply) if both else reply


def _turns_behind_question(chat: list[Any]) -> list[Turn]:
    """Return the turns of a solver: those behind the last one of a user, without a system's."""
    turns = [(turn, *_role_and_text(turn)) for turn in chat]
    users = [place for place, (_, role, _) in enumerate(turns) if role in _USER_ROLES]
    first = users[-1] + 1 if users else 0
    return [each for each in turns[first:] if each[1] != "system"]


def response_texts(value: object, column: str) -> list[str]:
    """Return the texts of a response, unchanged: one text, or a list of samples."""
    reply: Any = last_reply(value, column)
    texts: list[Any] = reply if isinstance(reply, list) else [reply]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise Unreadable(f"{column} is not text" if texts else f"{column} is empty")
    if not all(text.strip() for text in texts):
        raise Unreadable(f"{column} is empty")
    if not all(map(is_storable, texts)):
        raise Unreadable(f"{column} is not valid Unicode text")
    return texts
