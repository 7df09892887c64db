"""Removes API keys from what servers send and from error messages.

In: texts and parsed JSON. Out: the same without the key in use and without anything that looks like
a key.
"""

import re
from typing import Any

PLACEHOLDER = "[key]"
MIN_KEY_LENGTH = 8
"""Shorter keys, such as the `EMPTY` of local servers, are ordinary words and are not removed."""

_LIKE_A_KEY = re.compile(
    r"(?P<before>\bBearer\s+|\bAuthorization\b[\"']?\s*[:=]\s*[\"']?(?:Bearer\s+|Basic\s+)?"
    r"|\bapi[-_ ]?key\b[\"']?\s*(?:[:=]|provided:)\s*[\"']?)[^\s\"',;<>\\]{4,}"
    r"|\bsk-[\w*.-]{8,}",
    re.IGNORECASE,
)


def redact_key(value: Any, key: str) -> Any:
    """Return parsed JSON without `key` in its strings and names; nothing else is changed."""
    if len(key) < MIN_KEY_LENGTH:
        return value
    match value:
        case str():
            return value.replace(key, PLACEHOLDER) if key in value else value
        case list():
            return [redact_key(item, key) for item in value]
        case dict():
            return {redact_key(n, key): redact_key(item, key) for n, item in value.items()}
    return value


def redact_all_keys(value: Any, key: str) -> Any:
    """Return parsed JSON without `key` and without anything that looks like a key.

    For errors only: a reply may contain such text.
    """
    match redact_key(value, key):
        case str() as text:
            return _LIKE_A_KEY.sub(lambda match: (match["before"] or "") + PLACEHOLDER, text)
        case list() as items:
            return [redact_all_keys(item, key) for item in items]
        case dict() as items:
            return {name: redact_all_keys(item, key) for name, item in items.items()}
        case other:
            return other


def to_one_line(text: str, max_length: int = 200) -> str:
    """Return text for an error message: printable, on one line, cut to `max_length` characters."""
    start = text[: 4 * max_length]
    line = " ".join("".join(c if c.isprintable() else " " for c in start).split())
    return line if len(line) <= max_length else line[: max_length - 1] + "…"
