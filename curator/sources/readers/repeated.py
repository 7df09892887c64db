"""Finds names that occur twice: keys of a JSON object, columns of a table.

In: JSON, or the names of columns. Out: values in which an object with a repeated key is marked, and
the names that repeat. Parsers keep the last value of a name and lose the first one silently.
"""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

REPEATED = "a key occurs twice"
SAME_NAME = "two columns have the same name"


class Repeated(dict[str, Any]):
    """An object in which a key occurs twice; it has the last value."""


def _mark(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    return value if len(value) == len(pairs) else Repeated(value)


DECODER = json.JSONDecoder(object_pairs_hook=_mark)
"""Made once, unlike that of `json.loads`."""


def parse_value(text: str) -> Any:
    """Return the value of a JSON text, with its repeated keys marked. Raises as `json.loads`."""
    return DECODER.decode(text)


def repeats_a_key(value: dict[str, Any]) -> bool:
    """Return whether an object, one in it, or one in a list in it repeats a key."""
    if type(value) is Repeated:
        return True
    for inner in value.values():
        if type(inner) is Repeated:
            return True
        if type(inner) is list and any(type(each) is Repeated for each in inner):
            return True
    return False


def repeated_names(names: Iterable[str]) -> str:
    """Return the names that two columns of a table share; columns without a name may repeat."""
    twice = [name for name, count in Counter(names).items() if name and count > 1]
    return ", ".join(twice)[:1000]
