"""Reads right and wrong attempts, as `curator export` writes them: preference, kto and scored.

In: a file of JSON Lines. Out: the right and wrong solutions of each question. The exports state
which attempts are right, so nothing is graded again. Files are not trusted: every line is checked,
and the first errors are reported with their line numbers.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from curator.core.errors import UsageError
from trainers.pairs import SolutionSet, merge_solutions
from trainers.release import (
    MAX_ERRORS,
    InvalidLine,
    InvalidRow,
    check_text,
    read_lines,
    read_text,
)


def has_attempts(path: Path) -> bool:
    """Return whether a file has attempts rather than samples: what its first line states."""
    try:
        for _, row in read_lines(path):
            return isinstance(row, Mapping) and "prompt" in row and "samples" not in row
    except OSError as error:
        raise UsageError(f"Cannot read the samples {path}: {error.strerror}") from None
    return False


def read_attempts(path: Path) -> list[SolutionSet]:
    """Return the right and wrong solutions of each question of a file.

    Raises UsageError that lists invalid lines, one per line.
    """
    errors: list[str] = []

    def parts() -> Iterator[SolutionSet]:
        for place, row in read_lines(path):
            try:
                yield _parse(row)
            except InvalidRow as error:
                errors.append(f"{place}: {error}")
                if len(errors) >= MAX_ERRORS:
                    errors.append("Reading stopped after these errors.")
                    return

    found = merge_solutions(parts())
    if errors:
        raise UsageError("\n".join(errors))
    return found


def _parse(row: Any) -> SolutionSet:
    if isinstance(row, InvalidLine):
        raise InvalidRow(row)
    if not isinstance(row, Mapping):
        raise InvalidRow(f"expected an object, saw {type(row).__name__}")
    question = _content(row, "prompt")
    if "chosen" in row:
        return SolutionSet(question, (_content(row, "chosen"),), (_content(row, "rejected"),))
    text = (_content(row, "completion"),)
    return SolutionSet(question, text, ()) if _is_right(row) else SolutionSet(question, (), text)


def _is_right(row: Mapping[str, Any]) -> bool:
    if isinstance(label := row.get("label"), bool):
        return label
    if (verdict := row.get("verdict")) in ("passed", "failed"):
        return bool(verdict == "passed")
    raise InvalidRow(
        "expected chosen and rejected, a label (true or false), or a verdict (passed or failed)"
    )


def _content(row: Mapping[str, Any], key: str) -> str:
    """Return a text, or that of the only message of a chat."""
    value = row.get(key)
    if not isinstance(value, list):
        return read_text(row, key)
    if len(value) != 1 or not isinstance(value[0], Mapping):
        raise InvalidRow(f"'{key}': expected a text or one message")
    return check_text(read_text(value[0], "content"), key)
