"""Text that every file of a store can hold: no NUL, no lone surrogates.

JSON can express both; UTF-8 cannot hold the one, nor SQL the other. Outside text is checked where
it becomes a record: `is_storable` for one text, `check_storable` for JSON.
"""

import re
from typing import Any

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """Return whether the text has neither NUL nor lone surrogates."""
    if text.isascii():  # stored with the text, so that only NUL is searched for
        return "\0" not in text
    return text.isprintable() or not _UNSTORABLE.search(text)


def make_storable(text: str) -> str:
    """Return the text with U+FFFD in place of what cannot be stored."""
    return _UNSTORABLE.sub("\ufffd", text)


def check_storable(value: Any) -> None:
    """Raise ValueError, which quotes a text, if a key or a text of a JSON value is not storable."""
    values = [value]
    while values:
        match values.pop():
            case str() as text if not is_storable(text):
                raise ValueError(f"{text[:20]!a} has a NUL or a lone surrogate")
            case dict() as pairs:
                values += [*pairs.keys(), *pairs.values()]
            case list() | tuple() as items:
                values += items
