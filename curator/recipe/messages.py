"""One line per error that pydantic reports: place, key, what was expected, what was seen.

In: an error of `pydantic.ValidationError.errors()`, the document and its model. Out: text.
"""

import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Any

from pydantic import BaseModel, ValidationError

from curator.core.errors import MAX_NAME, to_one_line, unknown_name
from curator.core.redaction import redact_all_keys
from curator.recipe import keys
from curator.recipe.keys import Loc
from curator.recipe.yaml_document import Document

_EXPECTED = {
    "model_type": "keys and values",
    "dict_type": "keys and values",
    "string_type": "a text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "an integer",
    "int_parsing": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "float_parsing": "a number",
    "tuple_type": "a list",
    "list_type": "a list",
}
"""What a key holds, by pydantic's type of error."""


def error_lines(
    document: Document, error: ValidationError, model: type[BaseModel], at: Loc = ()
) -> list[str]:
    """Return a line for each error; the model is that of the section at the location `at`."""
    errors: list[dict[str, Any]] = [dict(item) for item in error.errors(include_url=False)]
    locs = [keys.loc_of(model, item["loc"]) for item in errors]
    lines = []
    for number, (item, loc) in enumerate(zip(errors, locs, strict=True)):
        # pydantic reports errors per member of a union; people need the most exact ones.
        if keys.expected_at(model, loc):
            inner = any(each[: len(loc)] == loc and each != loc for each in locs)
            if inner or loc in locs[:number]:
                continue
        lines.append(_line(document, item, model, at, loc))
    return lines


def _line(
    document: Document, error: Mapping[str, Any], model: type[BaseModel], at: Loc, loc: Loc
) -> str:
    place = document.place((*at, *loc))
    # pydantic marks a name that is not valid by a part `[key]` behind it.
    key = to_one_line(".".join(str(part) for part in (*at, *loc) if part != "[key]"))
    saw = _shorten(redact_all_keys(error.get("input")))
    if expected := keys.expected_at(model, loc):
        return f"{place}: {key}: {expected}, saw {saw}{_suggest(error)}"
    match error["type"]:
        case "extra_forbidden":
            return f"{place}: {unknown_name('key', str(loc[-1]), keys.keys_at(model, loc[:-1]))}"
        case "missing":
            return f"{place}: '{key}' is missing"
        case "value_error":
            return f"{place}: {key}: {error['ctx']['error']}"
        case "literal_error":
            return (
                f"{place}: {key}: expected {error['ctx']['expected']}, saw {saw}{_suggest(error)}"
            )
        case "string_pattern_mismatch":
            pattern = error["ctx"]["pattern"]
            return f"{place}: {key}: expected a text of the form {pattern}, saw {saw}"
        case type_ if type_ in _EXPECTED:
            return f"{place}: {key}: expected {_EXPECTED[type_]}, saw {saw}"
        case _:
            message = error["msg"]
            return f"{place}: {key}: {message[:1].lower() + message[1:]}, saw {saw}"


def _suggest(error: Mapping[str, Any]) -> str:
    """Return a question with the nearest of the texts that a key may hold, if one is near."""
    seen = error.get("input")
    if error["type"] != "literal_error" or not isinstance(seen, str) or len(seen) > MAX_NAME:
        return ""
    near = get_close_matches(seen, re.findall(r"'([^']*)'", error["ctx"]["expected"]), n=1)
    return f". Did you mean '{near[0]}'?" if near else ""


def _shorten(value: object) -> str:
    """Return the beginning of a value as JSON; of a list or mapping, only its first texts."""
    if isinstance(value, str):
        value = value[:60]
    elif isinstance(value, list | dict):
        encoded = json.JSONEncoder(default=str).iterencode(value)
        return "".join(islice(encoded, 30))[:60]
    return json.dumps(value, default=str)[:60]
