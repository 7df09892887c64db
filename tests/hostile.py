"""Generates texts that make a reader slow, and measures how its time grows with them.

Out: `worst_texts(pattern)`, texts made from a regular expression; `growth(read, text)`, None if the
time at most triples per doubling, else the times.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from re import _parser  # type: ignore[attr-defined]  # isort: skip

SIZE = 8_000
"""Number of characters of the longest text."""
FLOOR = 0.0003
"""Seconds below which a time is not measured, for the smallest text; 27 times this for the largest
one. A linear pattern reads 8,000 characters in less; the fastest quadratic ones, such as `x.*y`,
need three times as much."""
MAX_GROWTH = 3.0
"""Maximum factor of the time when a text doubles."""


@dataclass(frozen=True)
class Hostile:
    """A text of any size: a beginning, a part that is repeated, and an end."""

    pump: str
    prefix: str = ""
    suffix: str = ""

    def text(self, size: int) -> str:
        """Return the text with about `size` characters."""
        return self.prefix + self.pump * (size // len(self.pump)) + self.suffix


def growth(
    read: Callable[[str], object], hostile: Hostile, size: int = SIZE, floor: float = FLOOR
) -> str | None:
    """Return how the time grows if it more than triples per doubling on average; else None.

    The text doubles three times up to `size`. Before, smaller texts are read, so that a reader of
    cubic time fails early. Only the processor's time of this thread counts, and a time is taken
    again before it counts as a failure, so that a busy machine does not fail the test.
    """
    limit = MAX_GROWTH**3
    for longest in (size // 64, size // 8, size):
        text, eighth = hostile.text(longest), hostile.text(longest // 8)
        late = early = _seconds(read, text)
        for _ in range(3):
            if late <= limit * floor:
                break
            early = _seconds(read, eighth)
            if late <= limit * early:
                break
            if late > 1:
                return _describe(hostile, text, late, eighth, early)
            late = min(late, _seconds(read, text))
        else:
            return _describe(hostile, text, late, eighth, early)
    return None


def _describe(hostile: Hostile, text: str, late: float, eighth: str, early: float) -> str:
    return (
        f"{late * 1000:.0f} ms for {len(text):,} characters, "
        f"{early * 1000:.1f} ms for {len(eighth):,}: {hostile}"
    )


def _seconds(read: Callable[[str], object], text: str) -> float:
    start = time.thread_time()
    read(text)
    return time.thread_time() - start


# --- texts made from a pattern --------------------------------------------------------------------

_PLAIN = "a A0 .\n_-x,$\\{}()`~"
_ENDS = ("", "\0")
_LONG = 20
"""A repetition up to this often or more is tried with many repetitions."""
_RUNS = (
    *(" ", "\n", "~", "`", "{", "}", "$", "0", "a", "A", ",", ".", "(", ")", "[", "]", "*", "-"),
    *("\\", "\t", "#", "=", "_", '"', "'", "^", "%", "/", "|", ":", "<", ">", "é", "中"),
    *(
        "a ",
        "a\n",
        "0,",
        "0 ",
        ", ",
        "a.",
        ". ",
        "\\\\",
        "\n\n",
        " \n",
        "$a",
        "\\boxed{",
        "1.2",
        "0a",
    ),
    *(
        "(a",
        "{a",
        "[a",
        "()",
        "{}",
        "[]",
        "<<",
        ">>",
        "a=",
        "A: ",
        "-1",
        "a,",
        "1 2,",
        "```",
        "~~~`",
    ),
)


def worst_texts(pattern: re.Pattern[str]) -> set[Hostile]:
    """Return texts that make a pattern try much: each repetition, repeated, with what precedes it.

    The texts repeat what a repetition matches, characters of the pattern and common ones, after
    nothing or after what leads to the repetition, and end in nothing or in what matches nothing.
    """
    tree = _parser.parse(pattern.pattern, pattern.flags)
    alphabet = "".join(dict.fromkeys([*_literals(tree), *_PLAIN]))
    found: set[Hostile] = set()
    for lead, body in _repeats(tree, alphabet, ""):
        for pump in body | set(alphabet[:6]):
            found.update(Hostile(pump, lead, end) for end in _ENDS)
            found.update((Hostile(lead + pump, "", "\0"), Hostile(lead + pump * 9)))
            if lead:
                found.add(Hostile(lead, "", pump))
    whole = _sample(tree, alphabet, 0)
    for run in {*_RUNS, *alphabet[:30], *filter(None, (whole, whole[:-1], whole[:-1] + "\0"))}:
        found.add(Hostile(run, "", "\0"))
    return found


def _literals(tree: Any) -> Iterator[str]:
    """Yield the characters that a pattern names."""
    for op, value in tree:
        name = str(op)
        if name in ("LITERAL", "NOT_LITERAL"):
            yield chr(value)
        elif name == "RANGE":
            yield from map(chr, value)
        elif name == "IN":
            yield from _literals(value)
        else:
            for part in _parts(name, value):
                yield from _literals(part)


def _parts(name: str, value: Any) -> list[Any]:
    """Return the patterns inside one that is no single character."""
    match name:
        case "SUBPATTERN":
            return [value[3]]
        case "BRANCH":
            return list(value[1])
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            return [value[2]]
        case "ATOMIC_GROUP":
            return [value]
        case "ASSERT" | "ASSERT_NOT":
            return [value[1]]
        case "GROUPREF_EXISTS":
            return [part for part in value[1:] if part is not None]
    return []


def _repeats(tree: Any, alphabet: str, lead: str) -> Iterator[tuple[str, set[str]]]:
    """Yield what leads to each long repetition, and texts that it repeats."""
    for op, value in tree:
        name = str(op)
        if name.endswith("REPEAT") and value[1] >= _LONG:
            yield lead, set(filter(None, (_sample(value[2], alphabet, way) for way in range(3))))
        for part in _parts(name, value):
            yield from _repeats(part, alphabet, lead)
        lead += _sample([(op, value)], alphabet, 0)


def _sample(tree: Any, alphabet: str, way: int) -> str:
    """Return a short text that a pattern matches, as far as looking around permits it.

    `way` chooses among alternatives and characters.
    """
    text = ""
    for op, value in tree:
        name = str(op)
        if name == "LITERAL":
            text += chr(value)
        elif name == "ANY":
            text += "a"
        elif name in ("IN", "NOT_LITERAL"):
            items = value if name == "IN" else [(_parser.NEGATE, None), (_parser.LITERAL, value)]
            fitting = [char for char in alphabet if _contains(items, char)]
            text += fitting[way % len(fitting)] if fitting else ""
        elif name == "BRANCH":
            text += _sample(value[1][way % len(value[1])], alphabet, way)
        elif name.endswith("REPEAT"):
            text += _sample(value[2], alphabet, way) * max(1 if way else 0, min(value[0], 50))
        elif name == "GROUPREF":
            text += ""
        elif name not in ("ASSERT", "ASSERT_NOT", "AT"):
            for part in _parts(name, value)[:1]:
                text += _sample(part, alphabet, way)
    return text


_CATEGORIES: dict[str, Callable[[str], bool]] = {
    "DIGIT": str.isdigit,
    "SPACE": str.isspace,
    "WORD": lambda char: char.isalnum() or char == "_",
}


def _contains(items: Iterable[Any], char: str) -> bool:
    wanted = True
    for op, value in items:
        name = str(op)
        if name == "NEGATE":
            wanted = False
        elif (name == "LITERAL" and chr(value) == char) or (
            name == "RANGE" and value[0] <= ord(char) <= value[1]
        ):
            return wanted
        elif name == "CATEGORY":
            kind = str(value).rpartition("_")[2]
            if _CATEGORIES[kind](char) != ("NOT" in str(value)):
                return wanted
    return not wanted
