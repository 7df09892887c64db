"""Reads the rows of preference trainings: exports in the formats preference, kto and trl-grpo.

In: a file of JSON Lines. Out: `Pair`s, `Labelled` attempts or `Task`s, and the digest of the file.
Files are not trusted: every line is checked, and the first errors are reported with their line
numbers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any, Generic, TypeVar

from curator.core.errors import UsageError
from trainers.release import (
    MAX_ERRORS,
    ROLES,
    Example,
    InvalidLine,
    InvalidRow,
    Message,
    check_text,
    read_lines,
    read_text,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pair:
    """A right and a wrong attempt at one prompt."""

    right: Example
    wrong: Example


@dataclass(frozen=True, slots=True)
class Labelled:
    """An attempt, right or wrong."""

    example: Example
    right: bool


@dataclass(frozen=True, slots=True)
class Task:
    """A prompt whose answer a reward compares with the gold."""

    prompt: tuple[Message, ...]
    gold: str
    choices: tuple[str, ...]
    place: str


@dataclass(frozen=True)
class Rows(Generic[T]):
    """The rows of a file, with its identity."""

    rows: list[T]
    digest: str
    """SHA-256 of the file."""

    def run_record(self) -> dict[str, Any]:
        """Return its entry in the record of a training."""
        return {"sha256": self.digest, "rows": len(self.rows)}


def read_preferences(path: Path, parse: Callable[[Mapping[str, Any], str], T]) -> Rows[T]:
    """Return the rows of a file, each as `parse` returns it for a row and its place.

    Raises UsageError that lists invalid lines, one per line, or says why it cannot be read.
    """
    rows, errors = [], []
    try:
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        for place, row in read_lines(path):
            try:
                if isinstance(row, InvalidLine):
                    raise InvalidRow(row)
                if not isinstance(row, Mapping):
                    raise InvalidRow(f"expected an object, saw {type(row).__name__}")
                rows.append(parse(row, place))
            except InvalidRow as error:
                errors.append(f"{place}: {error}")
            if len(errors) >= MAX_ERRORS:
                errors.append("Reading stopped after these errors.")
                break
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror or error}") from None
    if errors:
        raise UsageError("\n".join(errors))
    if not rows:
        raise UsageError(f"{path} has no rows to train on")
    return Rows(rows, digest)


def parse_pair(row: Mapping[str, Any], place: str) -> Pair:
    """Return a pair of the format preference; raises InvalidRow."""
    if "chosen" not in row or "rejected" not in row:
        raise InvalidRow("expected prompt, chosen and rejected, as in the format preference")
    prompt, subset = _prompt(row), _subset(row)
    sides = [Example(prompt, _answer(row, key), subset, place) for key in ("chosen", "rejected")]
    if sides[0].answer == sides[1].answer:
        raise InvalidRow("'chosen' and 'rejected' are the same text")
    return Pair(*sides)


def parse_labelled(row: Mapping[str, Any], place: str) -> Labelled:
    """Return an attempt of the format kto; raises InvalidRow."""
    if not isinstance(row.get("label"), bool) or "completion" not in row:
        raise InvalidRow("expected prompt, completion and label (true or false), as in format kto")
    return Labelled(
        Example(_prompt(row), _answer(row, "completion"), _subset(row), place), row["label"]
    )


def parse_task(row: Mapping[str, Any], place: str) -> Task:
    """Return a task of the format trl-grpo; raises InvalidRow."""
    if "solution" not in row:
        raise InvalidRow("expected prompt and solution, as in the format trl-grpo")
    choices = row.get("choices") or []
    if not isinstance(choices, list):
        raise InvalidRow("'choices': expected a list of texts")
    listed = tuple(check_text(each, "choices") for each in choices)
    return Task(_prompt(row), read_text(row, "solution"), listed, place)


def _prompt(row: Mapping[str, Any]) -> tuple[Message, ...]:
    value = row.get("prompt")
    if not isinstance(value, list):
        return (Message("user", read_text(row, "prompt")),)
    turns = []
    for each in value:
        if not isinstance(each, Mapping) or each.get("role") not in ROLES:
            raise InvalidRow(f"'prompt': expected role ({', '.join(ROLES)}) and content in each")
        turns.append(Message(each["role"], read_text(each, "content")))
    if not turns or turns[-1].role != "user":
        raise InvalidRow("'prompt': expected a user message at the end")
    return tuple(turns)


def _answer(row: Mapping[str, Any], key: str) -> str:
    """Return a text, or that of the only message of a chat."""
    value = row[key]
    if not isinstance(value, list):
        return read_text(row, key)
    if len(value) != 1 or not isinstance(value[0], Mapping):
        raise InvalidRow(f"'{key}': expected a text or one message")
    return read_text(value[0], "content")


def _subset(row: Mapping[str, Any]) -> str:
    return check_text(row.get("source") or "", "source")
