"""The values of a YAML text, with the line of each, in one pass and in linear time.

In: a text, which is not trusted. Out: texts, numbers, booleans, null, lists and mappings; the place
of every key and list item. PyYAML yields the events, but composes and constructs nothing: for that,
it needs hours for deeply nested lists and for numbers of base 60 (`1:1:1…`), and its dates, sets
and bytes have no place in a recipe. So tags, aliases, and deeper nesting are errors, `1:30` and
`2024-01-01` are texts, and numbers are decimal.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from curator.core.errors import RecipeError, join_errors, to_one_line
from curator.recipe.keys import Loc
from datastore.text import is_storable

ALIASES = "aliases (`*name`) are not allowed"
MAX_DEPTH = 20
"""Maximum number of lists and mappings inside each other; a recipe needs 6."""
MAX_VALUES = 10_000
"""Maximum number of keys, values and list items."""

_CONSTANTS: dict[str, bool | None] = {
    spelling: value
    for word, value in (
        ("null", None), ("~", None), ("", None),
        ("true", True), ("yes", True), ("on", True),
        ("false", False), ("no", False), ("off", False),
    )
    for spelling in (word, word.capitalize(), word.upper())
}  # fmt: skip
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9_]{0,39})")
_NUMBER = re.compile(
    r"[-+]?(?:[0-9][0-9_]{0,39}\.[0-9_]{0,40}|\.[0-9][0-9_]{0,39})(?:[eE][-+][0-9]{1,4})?"
)
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


def read_values(text: str, file: str) -> tuple[dict[str, Any], dict[Loc, str]]:
    """Return the mapping in a text and the `file:line` of its parts.

    Raises RecipeError, with one line per error, if the text is not such a mapping.
    """
    reader = _Reader(text, file)
    try:
        values = reader.read_document()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise RecipeError(
            f"{file}:{line}: character U+{error.character:04X} is not allowed in YAML"
        ) from None
    except yaml.YAMLError as error:
        line = _line(getattr(error, "problem_mark", None))
        why = getattr(error, "problem", None) or "not valid YAML"
        if getattr(error, "context", None) == "while scanning an alias":
            why = f"{ALIASES}. Quote a value that starts with an asterisk: '*.jsonl'."
        raise RecipeError(f"{file}:{line}: {to_one_line(why)}") from None
    except (ValueError, OverflowError) as error:  # an escape or a directive with an invalid number
        why = f"not valid YAML ({to_one_line(str(error))})"
        raise RecipeError(f"{file}:{reader.line}: {why}") from None
    if reader.errors:
        raise RecipeError(join_errors(reader.errors))
    if not isinstance(values, dict):
        seen = "nothing" if values is None else type(values).__name__
        raise RecipeError(f"{file}:1: expected keys and values, saw {seen}")
    return values, reader.places


class _Reader:
    def __init__(self, text: str, file: str) -> None:
        self.places: dict[Loc, str] = {}
        self.errors: list[str] = []
        self.line = 1
        """Line at which the last event ended."""
        self._events: Iterator[yaml.Event] = yaml.parse(text, yaml.SafeLoader)
        self._file, self._count = file, 0

    def read_document(self) -> Any:
        """Return the value of the only document; None if the text has none."""
        value = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._error(event, "expected one document, saw another one")
                value = self._read(self._next(), (), 0)
        return value

    def _next(self) -> yaml.Event:
        event = next(self._events)
        self.line = _line(event.end_mark)
        return event

    def _read(self, event: yaml.Event, loc: Loc, depth: int) -> Any:
        """Return the value that starts with an event, and record the places in it."""
        self._check_event(event, depth)
        if isinstance(event, yaml.ScalarEvent):
            if not is_storable(event.value):
                place = self.places.get(loc, self._place(event))
                self.errors.append(f"{place}: text may not contain NUL or lone surrogates")
            return _resolve(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._read_list(loc, depth)
        return self._read_mapping(loc, depth)

    def _read_list(self, loc: Loc, depth: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            here = (*loc, len(items))
            self.places[here] = self._place(event)
            items.append(self._read(event, here, depth + 1))
        return items

    def _read_mapping(self, loc: Loc, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._read_key(event, loc, depth)
            here = (*loc, key)
            if here in self.places:
                self.errors.append(
                    f"{self._place(event)}: duplicate key '{to_one_line(key, 60)}', first at "
                    f"{self.places[here]}"
                )
            self.places[here] = self._place(event)
            values[key] = self._read(self._next(), here, depth + 1)
        return values

    def _read_key(self, event: yaml.Event, loc: Loc, depth: int) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise self._error(event, "expected a plain text key, saw a list or mapping")
        key = self._read(event, (*loc, event.value), depth + 1)
        if not isinstance(key, str):
            seen = to_one_line(repr(event.value), 60)
            self.errors.append(f"{self._place(event)}: expected a plain text key, saw {seen}")
        return str(event.value)

    def _check_event(self, event: yaml.Event, depth: int) -> None:
        self._count += 1
        if isinstance(event, yaml.AliasEvent):
            raise self._error(event, f"{ALIASES}. Repeat the value instead.")
        if getattr(event, "tag", None) is not None:
            raise self._error(event, "tags (`!name`) are not allowed. Remove the tag.")
        if depth > MAX_DEPTH:
            raise self._error(event, f"nested too deeply; at most {MAX_DEPTH} levels are allowed")
        if self._count > MAX_VALUES:
            raise self._error(event, f"expected at most {MAX_VALUES:,} keys and values, saw more")

    def _error(self, event: yaml.Event, problem: str) -> RecipeError:
        return RecipeError(f"{self._place(event)}: {problem}")

    def _place(self, event: yaml.Event) -> str:
        return f"{self._file}:{_line(event.start_mark)}"


def _line(mark: Any) -> int:
    return mark.line + 1 if mark else 1


def _resolve(event: yaml.ScalarEvent) -> str | int | float | bool | None:
    """Return the value of a text; only one without quotes can be a number, a boolean or null."""
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text.replace("_", ""))
    if _NUMBER.fullmatch(text):
        return float(text.replace("_", ""))
    if _NOT_FINITE.fullmatch(text):
        return float(text.replace(".", ""))
    return text
