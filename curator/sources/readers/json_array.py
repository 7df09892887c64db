"""Streams the elements of a large JSON list, so that a 212 MB file needs a few megabytes.

In: a text stream positioned before the list's `[`. Out: the elements, and a Malformed for each
stretch that is not JSON; after one, reading resumes at the next `}, {`. Once so much has been read
twice that time would not stay linear, it resumes behind the place at which the stretch stopped
being JSON. Not ijson: it stops at the first malformed element, rejects NaN and lone surrogates,
and 20 KB of `[` cost it a gigabyte.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TextIO

from curator.sources.readers.repeated import DECODER

CHUNK = 1 << 18
LONGEST = 16 << 20
"""Maximum characters to read in search of an element's end; it bounds memory."""
KEPT = 1 << 14
"""Maximum parsed characters in the window: the decoder counts their lines for each malformed
element."""
READ_TWICE = LONGEST
"""Maximum characters per file that are read again because an element before them is malformed."""
SURELY_PARSED = 500
"""Brackets that the decoder has read at least when an element is nested too deeply for it."""

Brackets = tuple[re.Pattern[str], re.Pattern[str] | None]
WHOLE: Brackets = (re.compile(r"\["), re.compile(r"\]\s*\Z"))
"""Start and end of a list that is the whole file."""
INSTANCES: Brackets = (
    re.compile(r'"Instances"\s*:\s*\['),
    re.compile(r'\]\s*(?:,\s*"|\}\s*\Z)'),
)
"""Start and end of the list inside Lila's object."""
RECORDS: Brackets = (re.compile(""), None)
"""Records that follow each other without a list around them."""

_SPACE = re.compile(r"[\s,]*")
_NEXT = re.compile(r"\}[\s,]*+(?=\{)")
_OPENING = re.compile(r"[\[{]")


@dataclass(frozen=True, slots=True)
class Malformed:
    """A stretch of the list that is not JSON."""

    reason: str
    raw: str


class _Window:
    """The part of the stream in memory: `text[at:]` is not parsed yet."""

    def __init__(self, stream: TextIO, text: str) -> None:
        self.stream, self.text, self.at, self.exhausted = stream, text, 0, False
        self.read_twice = 0

    def drop_parsed(self) -> None:
        if self.at > KEPT:
            self.text, self.at = self.text[self.at :], 0

    def read_more(self) -> bool:
        """Drop the parsed text and read as much again as is left, so that time stays linear; an
        element of more than LONGEST characters is not read to its end, but to the next chunk."""
        rest = self.text[self.at :]
        chunk = self.stream.read(max(CHUNK, min(len(rest), LONGEST - len(rest))))
        self.exhausted = not chunk
        self.text, self.at = rest + chunk, 0
        return not self.exhausted


def read_elements(stream: TextIO, brackets: Brackets) -> Iterator[object | Malformed]:
    """Yield the elements of the list, which must start within the first megabyte."""
    start, end = brackets
    window = _Window(stream, stream.read(1 << 20))
    opening = start.search(window.text)
    if opening is None:
        yield Malformed("no list in the file", window.text[:1000])
        return
    window.at = opening.end()
    element: object = None
    while True:
        _skip_space(window)
        if window.at >= len(window.text):
            if end and not isinstance(element, Malformed):
                yield Malformed("the file ends inside the list", "")
            return
        if window.text[window.at] != "]":
            element = _read_element(window)
        elif end and _at_list_end(window, end):
            return
        else:
            # A bracket left over from a malformed element, or text after the list.
            element = _resync(window, "not JSON", window.at)
        yield element


def read_whole(text: str, closed: bool) -> Iterator[object]:
    """Yield the elements of a list in memory, whose opening bracket is left out.

    A list that is not `closed` ends with the text, behind the comma of its last element. Raises
    ValueError or RecursionError where `read_elements` yields Malformed.
    """
    at = 0
    while True:
        at = _SPACE.match(text, at).end()  # type: ignore[union-attr]  # it matches everywhere
        if at == len(text) and not closed:
            return
        if closed and text.startswith("]", at):
            break
        element, end = DECODER.raw_decode(text, at)
        if end - at > LONGEST:
            raise ValueError("longer than 16 MB")
        yield element
        at = end
    if text[at + 1 :].strip():
        raise ValueError("text after the list")


def _skip_space(window: _Window) -> None:
    while True:
        space = _SPACE.match(window.text, window.at)
        window.at = space.end() if space else window.at
        if window.at < len(window.text) or not window.read_more():
            return


def _at_list_end(window: _Window, end: re.Pattern[str]) -> bool:
    while len(window.text) - window.at < 1_000 and window.read_more():
        pass
    return end.match(window.text, window.at) is not None


def _read_element(window: _Window) -> object | Malformed:
    window.drop_parsed()
    while True:
        try:
            element, end = DECODER.raw_decode(window.text, window.at)
        except json.JSONDecodeError as error:
            # An unterminated string, or an error near the end of the window, may be a cut element.
            parsed = error.pos - window.at  # more text moves both places
            cut = error.msg.startswith("Unterminated") or error.pos > len(window.text) - 64
            if cut and len(window.text) - window.at < LONGEST and window.read_more():
                continue
            too_long = cut and not window.exhausted
            reason = "longer than 16 MB" if too_long else "not JSON"
            return _resync(window, reason, window.at + parsed)
        except RecursionError:
            brackets = islice(_OPENING.finditer(window.text, window.at), SURELY_PARSED)
            parsed = max((bracket.end() for bracket in brackets), default=window.at)
            return _resync(window, "nested too deeply", parsed)
        except ValueError:
            return _resync(window, "a number has too many digits", window.at)
        if end == len(window.text) and not window.exhausted and window.read_more():
            continue
        window.at = end
        return element  # type: ignore[no-any-return]


def _resync(window: _Window, reason: str, stopped: int) -> Malformed:
    """Skip to the next object of the list; return what was skipped, cut to 20,000 characters.

    `stopped` is the place up to which the malformed element was parsed.
    """
    raw = window.text[window.at : window.at + 20_000]
    while True:
        following = _NEXT.search(window.text, window.at)
        again = stopped - following.end() if following else 0
        if again > 0 and window.read_twice + again > READ_TWICE:
            window.at, stopped = stopped, 0
            continue
        if following:
            window.read_twice += max(0, again)
            window.at = following.end()
            return Malformed(reason, raw)
        if window.exhausted:
            text = window.text.rstrip()
            last = len(text) - 1
            # Beyond the place where this stretch began: records without a list have no such end.
            closed = text.endswith("]") and last > window.at
            window.at = last if closed else len(window.text)
            return Malformed(reason, raw)
        window.at, stopped = max(window.at, len(window.text) - 64), 0
        window.read_more()
