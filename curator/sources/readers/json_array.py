"""Streams the elements of a large JSON list, so that a 212 MB file needs a few megabytes.

In: a text stream positioned before the list's `[`. Out: the elements, and a Malformed for each
stretch that is not JSON; after one, reading resumes at the next `}, {`. Not ijson: it stops at the
first malformed element, rejects NaN and lone surrogates, and 20 KB of `[` cost it a gigabyte.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

CHUNK = 1 << 18
LONGEST = 16 << 20
"""Characters of one element; more is malformed. It bounds memory."""

Brackets = tuple[re.Pattern[str], re.Pattern[str]]
WHOLE: Brackets = (re.compile(r"\["), re.compile(r"\]\s*\Z"))
"""How the list begins and ends that is all of a file."""
INSTANCES: Brackets = (
    re.compile(r'"Instances"\s*:\s*\['),
    re.compile(r'\]\s*(?:,\s*"|\}\s*\Z)'),
)
"""How the list begins and ends that is a member of Lila's object."""

_SPACE = re.compile(r"[\s,]*")
_NEXT = re.compile(r"\}\s*,\s*(?=\{)")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Malformed:
    """A stretch of the list that is not JSON."""

    reason: str
    raw: str


class _Window:
    """The part of the file that is being looked at: `text[at:]` is still to be read."""

    def __init__(self, stream: TextIO, text: str) -> None:
        self.stream, self.text, self.at, self.ended = stream, text, 0, False

    def more(self) -> bool:
        """Reads on, twice as much as is held: elements of any length cost linear time."""
        held = self.text[self.at :]
        read = self.stream.read(max(CHUNK, len(held)))
        self.ended = not read
        self.text, self.at = held + read, 0
        return not self.ended


def elements(stream: TextIO, brackets: Brackets = WHOLE) -> Iterator[object | Malformed]:
    """The elements of the list, which opens within the first megabyte."""
    start, end = brackets
    window = _Window(stream, stream.read(1 << 20))
    opening = start.search(window.text)
    if opening is None:
        yield Malformed("no list in the file", window.text[:1000])
        return
    window.at = opening.end()
    found: object = None
    while True:
        _skip(window)
        if window.at >= len(window.text):
            if not isinstance(found, Malformed):
                yield Malformed("the file ends inside the list", "")
            return
        if window.text[window.at] != "]":
            found = _element(window)
        elif _closed(window, end):
            return
        else:
            # A bracket left over from a malformed element, or text after the list.
            found = _resync(window, "not JSON")
        yield found


def _skip(window: _Window) -> None:
    while True:
        space = _SPACE.match(window.text, window.at)
        window.at = space.end() if space else window.at
        if window.at < len(window.text) or not window.more():
            return


def _closed(window: _Window, end: re.Pattern[str]) -> bool:
    while len(window.text) - window.at < 1_000 and window.more():
        pass
    return end.match(window.text, window.at) is not None


def _element(window: _Window) -> object | Malformed:
    while True:
        try:
            found, end = _DECODER.raw_decode(window.text, window.at)
        except json.JSONDecodeError as error:
            # A text that does not end, or trouble next to the window's end, may be a cut element.
            cut = error.msg.startswith("Unterminated") or error.pos > len(window.text) - 64
            if cut and len(window.text) - window.at < LONGEST and window.more():
                continue
            return _resync(window, "not JSON" if not cut or window.ended else "longer than 16 MB")
        except RecursionError:
            return _resync(window, "nested too deeply")
        except ValueError:
            return _resync(window, "a number has too many digits")
        if end == len(window.text) and not window.ended and window.more():
            continue
        window.at = end
        return found  # type: ignore[no-any-return]


def _resync(window: _Window, reason: str) -> Malformed:
    raw = window.text[window.at : window.at + 20_000]
    while True:
        following = _NEXT.search(window.text, window.at)
        if following:
            window.at = following.end()
            return Malformed(reason, raw)
        if window.ended:
            text = window.text.rstrip()
            window.at = len(text) - 1 if text.endswith("]") else len(window.text)
            return Malformed(reason, raw)
        window.at = max(window.at, len(window.text) - 64)
        window.more()
