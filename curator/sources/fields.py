"""Reading the values of one upstream row: typed access, or Unreadable with a countable reason.

In: a row (any JSON). Out: texts that Arrow can hold (no lone surrogates, no NUL), options, answers.
"""

import json
import math
import re
from collections.abc import Sequence
from typing import Any

from curator.core.model import LETTERS, Quarantined
from curator.sources.source import Row

RAW = 10_000
UNUSABLE = re.compile("[\x00\ud800-\udfff]")


class Unreadable(Exception):
    """A row is not a problem; the message is a few fixed words, since reasons are counted."""


def value(row: Row, key: str) -> Any:
    """The value of a column that must be there and not be null."""
    found = row.get(key)
    if found is None:
        raise Unreadable(f"no {key}" if key not in row else f"{key} is null")
    return found


def text(row: Row, key: str) -> str:
    """A text column that must be there and not be blank, stripped of outer white space."""
    found = value(row, key)
    if not isinstance(found, str):
        raise Unreadable(f"{key} is not text")
    if not found.isprintable() and UNUSABLE.search(found):
        raise Unreadable(f"{key} is not valid Unicode text")
    stripped = found.strip()
    if not stripped:
        raise Unreadable(f"{key} is empty")
    return stripped


def optional(row: Row, key: str) -> str:
    """A text column that may be absent, null or blank: then the empty text."""
    found = row.get(key)
    return "" if found is None or (isinstance(found, str) and not found.strip()) else text(row, key)


def answer(row: Row, key: str) -> str:
    """A gold answer given as text, number, truth value or flat list of those, in Python's words.

    `1.0` stays `1.0` and `[1, 2]` stays `[1, 2]`: the Hub's all-text copies of TheoremQA say the
    same, so both copies give the same problem. NaN and infinities are no answers.
    """
    found = value(row, key)
    if isinstance(found, str):
        return text(row, key)
    items = found if isinstance(found, list) else [found]
    if not items or not all(isinstance(item, str | bool | int | float) for item in items):
        raise Unreadable(f"{key} is not an answer")
    if not all(math.isfinite(item) for item in items if isinstance(item, float)):
        raise Unreadable(f"{key} is not a finite number")
    try:
        words = str(found)
    except ValueError:  # an integer beyond Python's limit of digits
        raise Unreadable(f"{key} has too many digits") from None
    if UNUSABLE.search(words):
        raise Unreadable(f"{key} is not valid Unicode text")
    return words


def number(words: str) -> str:
    """`51` for `51.0` and `51.00`, any other text as it is: copies of SVAMP differ in this."""
    return re.sub(r"^(-?\d+)\.0+$", r"\1", words)


def letter(mark: str, choices: Sequence[str]) -> str:
    """The option that upstream marks (`B`, `b`, `(b)`) as a letter that `choices` has."""
    found = mark.strip().strip("()").strip().upper()
    if len(found) != 1 or found not in LETTERS[: len(choices)]:
        raise Unreadable("marked option does not exist")
    return found


def texts(row: Row, key: str) -> list[str]:
    """A column that holds a list of at least two texts; single ones may be blank."""
    found = value(row, key)
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise Unreadable(f"{key} is not a list of texts")
    if not 2 <= len(found) <= len(LETTERS):
        raise Unreadable(f"{key} has {'too many' if found else 'no'} entries")
    if any(UNUSABLE.search(item) for item in found):
        raise Unreadable(f"{key} is not valid Unicode text")
    return found


def unlabelled(options: Sequence[str]) -> tuple[str, ...]:
    """Option texts without `A)`, `(A)`, `A.` or `A)A)`; a label out of order is unreadable."""
    plain = []
    for expected, option in zip(LETTERS, options, strict=False):
        label = re.match(r"\s*(?:\(\s*([A-Z])\s*\)|([A-Z])\s*[).])\s*", option)
        if label and (label[1] or label[2]) != expected:
            raise Unreadable("options are out of order")
        bare = option[label.end() if label else 0 :].strip()
        plain.append(bare.removeprefix(f"{expected})").strip() if label else bare)
    return tuple(plain)


def inline_choices(question: str) -> tuple[str, tuple[str, ...]]:
    """Parts `… Answer Choices: (A) x (B) y` into the question and the option texts.

    Without that marker, or if the labels do not run A, B, C, …, the question is left whole.
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
    options = [tail[start:end].strip() for (_, start), end in zip(starts, ends, strict=True)]
    return head.strip(), tuple(options)


def quarantined(place: str, reason: str, raw: object) -> Quarantined:
    """A record set aside, its raw form cut to 10,000 characters that Arrow can hold."""
    if isinstance(raw, bytes):
        words = raw[: 4 * RAW].decode("utf-8", "replace")
    elif isinstance(raw, str):
        words = raw
    else:
        try:
            words = json.dumps(raw, ensure_ascii=False, default=_short)
        except (ValueError, TypeError, RecursionError):
            words = "(cannot be shown)"
    place, reason, words = (UNUSABLE.sub("\ufffd", each) for each in (place, reason, words[:RAW]))
    return Quarantined(place, reason, words)


def _short(value: object) -> str:
    return f"{len(value)} bytes" if isinstance(value, bytes) else str(value)
