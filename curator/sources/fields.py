"""Reads typed values from an upstream row, or raises Unreadable with a reason that can be counted.

In: a row (any JSON). Out: texts that Arrow can store (no lone surrogates or NUL), choices, answers.
"""

import json
import math
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any

from curator.core.errors import to_one_line
from curator.core.model import LETTERS, QuarantinedRecord
from curator.sources.source import Row
from datastore.text import is_storable, make_storable

MAX_RAW = 10_000
"""Maximum characters to store of a quarantined record."""
MAX_TEXT = 1_000_000
"""Maximum characters of a record; it bounds the memory of all stages, which hold many records."""
TOO_LONG = f"longer than {MAX_TEXT:,} characters"


class Unreadable(Exception):
    """A row is not a problem. The message is a fixed text, so that reasons can be counted."""


def value(row: Row, key: str) -> Any:
    """Return the value of a required column; null counts as missing."""
    cell = row.get(key)
    if cell is None:
        raise Unreadable(f"no {key}" if key not in row else f"{key} is null")
    return cell


def text(row: Row, key: str) -> str:
    """Return the text of a required column, stripped; blank text counts as missing."""
    cell = value(row, key)
    if not isinstance(cell, str):
        raise Unreadable(f"{key} is not text")
    if len(cell) > MAX_TEXT:
        raise Unreadable(TOO_LONG)
    if not is_storable(cell):
        raise Unreadable(f"{key} is not valid Unicode text")
    stripped = cell.strip()
    if not stripped:
        raise Unreadable(f"{key} is empty")
    return stripped


def optional(row: Row, key: str) -> str:
    """Return the text of an optional column, or an empty string if it is absent, null or blank."""
    cell = row.get(key)
    return "" if cell is None or (isinstance(cell, str) and not cell.strip()) else text(row, key)


def answer(row: Row, key: str) -> str:
    """Return a gold answer as text; upstream may give text, a number, a boolean or a flat list.

    Other types than text are written as Python does: `1.0`, `True`, `[1, 2]`. The Hub's all-text
    copy of TheoremQA does the same, so both copies give the same problem. NaN and infinities are
    unreadable.
    """
    cell = value(row, key)
    if isinstance(cell, str):
        return text(row, key)
    items = cell if isinstance(cell, list) else [cell]
    if not items or not all(isinstance(item, str | bool | int | float) for item in items):
        raise Unreadable(f"{key} is not an answer")
    if not all(math.isfinite(item) for item in items if isinstance(item, float)):
        raise Unreadable(f"{key} is not a finite number")
    try:
        written = str(cell)
    except ValueError:  # an integer with more digits than Python converts
        raise Unreadable(f"{key} has too many digits") from None
    if not is_storable(written):
        raise Unreadable(f"{key} is not valid Unicode text")
    return written


def join_context(context: str, question: str) -> str:
    """Return a question after the text that it is about."""
    return f"{context if context[-1] in '.?!' else f'{context}.'} {question}"


def strip_zero_decimals(number: str) -> str:
    """Return `51` for `51.0` and `51.00`; any other text is unchanged."""
    return re.sub(r"^(-?\d+)\.0+$", r"\1", number)


def choice_letter(mark: str, choices: Sequence[str]) -> str:
    """Return the letter of the choice that upstream marks as `B`, `b` or `(b)`."""
    letter = mark.strip().strip("()").strip().upper()
    if len(letter) != 1 or letter not in LETTERS[: len(choices)]:
        raise Unreadable("marked option does not exist")
    return letter


def texts(row: Row, key: str) -> list[str]:
    """Return a required list of at least two texts; individual texts may be blank."""
    cell = value(row, key)
    if not isinstance(cell, list) or not all(isinstance(item, str) for item in cell):
        raise Unreadable(f"{key} is not a list of texts")
    if not 2 <= len(cell) <= len(LETTERS):
        raise Unreadable(f"{key} has {'too many' if cell else 'no'} entries")
    if sum(map(len, cell)) > MAX_TEXT:
        raise Unreadable(TOO_LONG)
    if not all(map(is_storable, cell)):
        raise Unreadable(f"{key} is not valid Unicode text")
    return cell


def strip_labels(choices: Sequence[str]) -> tuple[str, ...]:
    """Remove the labels `A)`, `(A)`, `A.` or `A)A)` of choices, which must be in order."""
    plain = []
    for expected, choice in zip(LETTERS, choices, strict=False):
        label = re.match(r"\s*(?:\(\s*([A-Z])\s*\)|([A-Z])\s*[).])\s*", choice)
        if label and (label[1] or label[2]) != expected:
            raise Unreadable("options are out of order")
        bare = choice[label.end() if label else 0 :].strip()
        plain.append(bare.removeprefix(f"{expected})").strip() if label else bare)
    return tuple(plain)


def split_choices(question: str) -> tuple[str, tuple[str, ...]]:
    """Split `… Answer Choices: (A) x (B) y` into the question and its choices.

    Without that marker, or if the labels do not run A, B, C, …, the question is not split.
    """
    head, marker, tail = question.partition("Answer Choices:")
    starts: list[tuple[int, int]] = []
    for mark in LETTERS if marker else "":
        place = tail.find(f"({mark})", starts[-1][1] if starts else 0)
        if place < 0:
            break
        starts.append((place, place + 3))
    if len(starts) < 2 or tail[: starts[0][0]].strip() or not head.strip():
        return question, ()
    ends = [start for start, _ in starts[1:]] + [len(tail)]
    choices = [tail[start:end].strip() for (_, start), end in zip(starts, ends, strict=True)]
    return head.strip(), tuple(choices)


def quarantine(place: str, reason: str, raw: object) -> QuarantinedRecord:
    """Return a quarantined record, its raw form cut to 10,000 characters that Arrow can store."""
    if isinstance(raw, bytes):
        excerpt = raw[: 4 * MAX_RAW].decode("utf-8", "replace")
    elif isinstance(raw, str):
        excerpt = raw
    else:
        try:
            excerpt = json.dumps(_cut(raw), ensure_ascii=False, default=_shorten)
        except (ValueError, TypeError, RecursionError):
            excerpt = "(cannot be shown)"
    texts = (place, reason, excerpt[:MAX_RAW])
    return QuarantinedRecord(*map(make_storable, texts))


def _cut(value: object) -> object:
    """Return a row with its texts cut, so that little is copied of a long one."""
    if isinstance(value, dict):
        return {key: _cut(each) for key, each in islice(value.items(), MAX_RAW)}
    if isinstance(value, list):
        return [_cut(each) for each in islice(value, MAX_RAW)]
    return value[:MAX_RAW] if isinstance(value, str) else value


def _shorten(value: object) -> str:
    return f"{len(value)} bytes" if isinstance(value, bytes) else str(value)


MAX_COLUMNS = 40
"""Columns that an error message lists."""


def missing_column(column: str, seen: Iterable[str]) -> str:
    """Return the message for a column that no record has, with the columns seen, nearest first."""
    names = list(dict.fromkeys(seen))
    near = get_close_matches(column, names, n=3, cutoff=0.6) if len(column) <= 100 else []
    ordered = [*near, *(name for name in names if name not in near)]
    more = f", … and {len(ordered) - MAX_COLUMNS:,} more" if ordered[MAX_COLUMNS:] else ""
    listed = to_one_line(", ".join(ordered[:MAX_COLUMNS]), 300)
    hint = f" Did you mean '{to_one_line(near[0], 100)}'?" if near else ""
    listed = listed or "none, because no record could be read"
    return f"No column named '{to_one_line(column, 100)}'.{hint} Columns: {listed}{more}"
