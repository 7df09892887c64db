"""Keys of endpoints, taken out of whatever a server sends back or an error says.

In: texts and parsed JSON. Out: the same without the key in use and without what looks like one.
"""

import re
from typing import Any

HIDDEN = "[key]"
SHORTEST = 8
"""Shorter keys, such as the `EMPTY` of local servers, are ordinary words and hide nothing."""

_LIKE_A_KEY = re.compile(
    r"(?P<before>\bBearer\s+|\bAuthorization\b[\"']?\s*[:=]\s*[\"']?(?:Bearer\s+|Basic\s+)?"
    r"|\bapi[-_ ]?key\b[\"']?\s*(?:[:=]|provided:)\s*[\"']?)[^\s\"',;<>\\]{4,}"
    r"|\bsk-[\w*.-]{8,}",
    re.IGNORECASE,
)


def without_key(value: Any, key: str) -> Any:
    """Parsed JSON without `key`, in its texts and names; nothing else is changed."""
    if len(key) < SHORTEST:
        return value
    match value:
        case str():
            return value.replace(key, HIDDEN) if key in value else value
        case list():
            return [without_key(item, key) for item in value]
        case dict():
            return {without_key(n, key): without_key(item, key) for n, item in value.items()}
    return value


def without_keys(value: Any, key: str) -> Any:
    """Parsed JSON without `key` and whatever looks like a key: for errors, never for answers."""
    match without_key(value, key):
        case str() as text:
            return _LIKE_A_KEY.sub(lambda found: (found["before"] or "") + HIDDEN, text)
        case list() as items:
            return [without_keys(item, key) for item in items]
        case dict() as items:
            return {name: without_keys(item, key) for name, item in items.items()}
        case other:
            return other


def one_line(text: str, longest: int = 200) -> str:
    """Text for an error: printable, on one line, cut."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * longest]).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
