"""Messages of a chat, with the tool calls of a model: stored as texts, sent as JSON.

In: messages as a Request stores them, or as JSON from outside, none of which is trusted. Out: the
other form. A message is a role and a text; one with tool calls, or with the output of one, has a
third text, so that messages without tools, and the keys of their calls, are what they always were.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from curator.core.json_text import parse_json

Message = tuple[str, str] | tuple[str, str, str]
"""Role (`system`, `user`, `assistant`, `tool`) and text. Third: the tool calls of an assistant, as
`encode_calls` writes them, or the id of the call that a tool answers."""

MAX_CALLS = 128
"""Maximum number of tool calls that are read from a reply, more than any recipe runs."""
UNKNOWN = "unknown"
"""Stands for a name of a tool that no endpoint accepts in a request."""
_ID = re.compile(r"[!-~]{1,64}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class ToolCall(NamedTuple):
    """A tool call as a model wrote it."""

    id: str
    """The endpoint's id, or one made of its place if that is missing, repeated or not usable."""
    name: str
    arguments: str
    """A JSON object if the model made no mistake."""


def read_tool_calls(message: Mapping[Any, Any]) -> tuple[ToolCall, ...]:
    """Return the tool calls of a reply's message; what is not an object is left out."""
    found = message.get("tool_calls")
    calls: dict[str, ToolCall] = {}
    for each in found[:MAX_CALLS] if isinstance(found, list) else ():
        function = each.get("function") if isinstance(each, dict) else None
        if not isinstance(function, dict):
            continue
        id_, name, arguments = each.get("id"), function.get("name"), function.get("arguments")
        if not isinstance(id_, str) or not _ID.fullmatch(id_) or id_ in calls:
            id_ = f"call{len(calls):05}"  # nine letters and digits: the form that Mistral demands
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            name = UNKNOWN
        text = arguments if isinstance(arguments, str) else _encode(arguments)
        calls[id_] = ToolCall(id_, name, text)
    return tuple(calls.values())


def encode_calls(calls: Sequence[ToolCall]) -> str:
    """Return tool calls as the third text of a message.

    Arguments that are not a JSON object become `{}`: servers that parse the arguments of earlier
    turns would refuse the whole conversation.
    """
    return _encode(
        [each if is_object(each.arguments) else each._replace(arguments="{}") for each in calls]
    )


def write_calls(calls: Iterable[ToolCall]) -> list[dict[str, Any]]:
    """Return tool calls as the JSON of a message."""
    return [
        {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
        for id_, name, arguments in calls
    ]


def write_message(message: Message) -> dict[str, Any]:
    """Return a message as `POST /chat/completions` takes it.

    Lone surrogates, which JSON can express and UTF-8 cannot, become `?`.
    """
    role, text, *more = (each.encode("utf-8", "replace").decode() for each in message)
    if not more:
        return {"role": role, "content": text}
    if role == "tool":
        return {"role": role, "tool_call_id": more[0], "content": text}
    calls = write_calls(ToolCall(*each) for each in json.loads(more[0]))
    return {"role": role, "content": text or None, "tool_calls": calls}


def read_message(value: Any) -> Message:
    """Return a message of a list of texts, or of JSON; content other than text as JSON.

    Raises ValueError if it is not valid.
    """
    match value:
        case [str(role), str(text)]:
            return role, text
        case [str(role), str(text), str(third)]:
            return role, text, third
        case {"role": str(role), "content": str(text), "tool_call_id": str(id_)}:
            return role, text, id_
        case {"role": str(role), "tool_calls": [_, *_]}:
            text = value.get("content") or ""
            text = text if isinstance(text, str) else json.dumps(text, sort_keys=True)
            return role, text, encode_calls(read_tool_calls(value))
        case {"role": str(role), "content": str(text)}:
            return role, text
        case {"role": str(role), "content": content}:
            return role, json.dumps(content, sort_keys=True)
    raise ValueError(f"messages: expected [role, text], found {value!r:.60}")


def is_object(text: str) -> bool:
    """Return whether a text is a JSON object."""
    try:
        return isinstance(parse_json(text), dict)
    except ValueError:
        return False
