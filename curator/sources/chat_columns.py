"""Responses as published datasets hold them: a text or a program, alone or in the turns of a chat.

In: a cell. Out: question and reply of a chat, the texts of a response, and of each its kind.
A chat is a list of {"role": "user", "content": "…"} or {"from": "human", "value": "…"}.
"""

import re
from typing import Any

from curator.core.model import Kind
from curator.sources.fields import UNUSABLE, Unreadable

_ASKS = frozenset({"user", "human"})
_REPLIES = frozenset({"assistant", "gpt", "model", "chatgpt", "bot"})

_STARTS = re.compile(
    r"\s*(?:```(?:python|py)\b|#|import |from \w[\w.]* import |def \w+\(|class \w|print\("
    r'|"""|@|[A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)*\s*[-+*/]?=(?!=))'
)
_ENDS = re.compile(
    r"^\s*(?:print\s*\(|(?:ans|answer|result)\s*=(?!=)|def \w+\(|import \w)"
    r"|```(?:python|py)\b",
    re.MULTILINE,
)


def kind_of(text: str) -> Kind:
    """PoT for a Python program, CoT for anything else.

    A program begins as code does (an import, a definition, an assignment, a comment, a fence) and
    has a line that prints, defines, imports or assigns `ans`. Code inside prose is prose.
    """
    return "PoT" if _STARTS.match(text) and _ENDS.search(text) else "CoT"


def is_chat(value: object) -> bool:
    """Whether a cell holds the turns of a chat."""
    return isinstance(value, list) and bool(value) and all(_turn(each)[0] for each in value)


def _turn(value: object) -> tuple[str, Any]:
    if not isinstance(value, dict):
        return "", None
    role = value.get("role") or value.get("from")
    return (role.lower() if isinstance(role, str) else ""), value.get("content", value.get("value"))


def asked(value: object, column: str) -> object:
    """What the one user of a chat asks; any other cell as it is."""
    if not is_chat(value):
        return value
    assert isinstance(value, list)
    found = [text for role, text in map(_turn, value) if role in _ASKS]
    if len(found) != 1:
        raise Unreadable(f"{column} has {'more than one' if found else 'no'} turn of a user")
    return found[0]


def replied(value: object, column: str) -> object:
    """What a chat replies last; any other cell as it is."""
    if not is_chat(value):
        return value
    assert isinstance(value, list)
    found = [text for role, text in map(_turn, value) if role in _REPLIES]
    if not found:
        raise Unreadable(f"{column} has no turn of an assistant")
    return found[-1]


def responses(value: object, column: str) -> list[str]:
    """The texts of a response as they are: one, or several samples in a list."""
    found: Any = replied(value, column)
    texts: list[Any] = found if isinstance(found, list) else [found]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise Unreadable(f"{column} is not text" if texts else f"{column} is empty")
    if not all(text.strip() for text in texts):
        raise Unreadable(f"{column} is empty")
    if any(UNUSABLE.search(text) for text in texts if not text.isprintable()):
        raise Unreadable(f"{column} is not valid Unicode text")
    return texts
