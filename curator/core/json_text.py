"""Parses JSON from outside: strict, and bounded in depth and in the number of values.

In: text or bytes that nobody has checked. Out: plain values, or a ValueError with a short reason. A
size limit alone is not enough: 15 MB of `[],[],…` keep the parser busy for seconds, and values that
are nested deeper than Python's stack are parsed here and then fail wherever they are written. Of
duplicate keys the last one counts.
"""

import json
import math
from typing import Any, NoReturn

MAX_DEPTH = 100
"""Maximum number of lists and objects inside each other."""
MAX_VALUES = 500_000
"""Maximum number of values. Commas and brackets are counted, those in texts as well."""


def parse_json(data: str | bytes, max_values: int = MAX_VALUES) -> Any:
    """Return the value of a JSON text in UTF-8, or in UTF-16 or UTF-32 as `json.loads` reads them.

    Raises ValueError with a short reason if the text is not JSON (NaN and numbers that are infinite
    as floats are not), too deep or too long.
    """
    try:
        encoding = "" if isinstance(data, str) else json.detect_encoding(data)
        text = data if isinstance(data, str) else data.decode(encoding, "surrogatepass")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8: invalid byte at offset {error.start}") from None
    opened = text.count("[") + text.count("{")
    if opened + text.count(",") > max_values:
        raise ValueError(f"expected at most {max_values:,} values")
    try:
        value = _decoder.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if opened > MAX_DEPTH and _is_deep(value):
        raise ValueError("nested too deeply")
    return value


def _is_deep(value: object) -> bool:
    """Return whether lists and objects are inside each other more than MAX_DEPTH times."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for each in level
            if isinstance(each, list | dict)
            for child in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return any(isinstance(each, list | dict) for each in level)


def _read_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not valid JSON")


_decoder = json.JSONDecoder(parse_float=_read_float, parse_constant=_reject_constant)
"""Made once, unlike that of `json.loads`."""
