"""The only module that writes to the terminal. No outside text can drive it.

Commands print lines with `print_line`. `protect_streams` also filters what everything else writes
to stdout and stderr: libraries, warnings, logging, tracebacks. Not covered: native code and other
programs that write to the file descriptors themselves.
"""

import os
import sys
from collections.abc import Iterable
from io import TextIOWrapper
from typing import Any, TextIO

from curator.core.escape import for_terminal, for_terminal_lines
from curator.core.redaction import redact_secrets


def print_line(text: str = "", *, error: bool = False) -> None:
    """Print text as one line to stdout, or to stderr with `error`."""
    print(for_terminal(text), file=sys.stderr if error else sys.stdout, flush=error)


def print_lines(text: str, end: str = "\n") -> None:
    """Print text of one or more lines to stdout, then `end`."""
    print(for_terminal_lines(text), end=end)


def print_head(text: str) -> None:
    """Print the head of a table to stdout, in bold if it is a terminal."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    if plain or not sys.stdout.isatty():
        print_line(text)
    else:
        print(f"\033[1m{for_terminal(text)}\033[0m", file=unfiltered(sys.stdout))


class _Filter:
    """A stream that escapes what is written to it, without secrets if it is for messages."""

    def __init__(self, stream: TextIO, for_messages: bool) -> None:
        self.stream, self._for_messages = stream, for_messages

    def write(self, text: str) -> int:
        """Write the text; return its length, as other streams do."""
        start, shown = "", text
        if self._for_messages:
            shown = redact_secrets(text)
            if shown.startswith("\r"):  # a progress bar is drawn again
                start, shown = "\r", shown[1:]
        self.stream.write(start + for_terminal_lines(shown))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each text."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def protect_streams() -> None:
    """Filter stdout and stderr from now on."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or isinstance(stream, _Filter):
            continue
        if isinstance(stream, TextIOWrapper):  # print '?' for characters that a terminal lacks
            stream.reconfigure(errors="replace")
        setattr(sys, name, _Filter(stream, for_messages=name == "stderr"))


def unfiltered(stream: TextIO) -> TextIO:
    """Return a stream without its filter, for our own bold text and progress bars."""
    return stream.stream if isinstance(stream, _Filter) else stream
