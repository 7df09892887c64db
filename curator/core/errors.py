"""The exceptions of the library. A row that fails a check is data and raises none of them.

Every message is one line: what was seen, what was expected, what to do.
"""

from collections.abc import Iterable
from difflib import get_close_matches

from curator.core.redaction import redact_secrets


class CuratorError(Exception):
    """Base class. The command line prints only the message and exits with `exit_code`.

    The message has no secrets, whatever it quotes: see `curator.core.redaction`.
    """

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(redact_secrets(message))


class UsageError(CuratorError):
    """A user's mistake: something named does not exist or is not possible."""

    exit_code = 2


class RecipeError(UsageError):
    """A recipe is invalid. The message has one line per error, each with its place."""


class SourceError(CuratorError):
    """A source cannot be read, or too many of its records do not parse."""


class SandboxError(CuratorError):
    """The sandbox cannot be set up safely on this system."""


class TeacherError(CuratorError):
    """A teacher's endpoint cannot be used, and neither a retry nor another call would help."""


class HubError(CuratorError):
    """The Hub refuses a request, cannot be reached, or has unexpected content."""


class BudgetReached(CuratorError):
    """The next call might exceed a budget. All calls made so far are cached."""


MALFORMED = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
    RecursionError,
)
"""Exceptions raised when a value read from outside is not what was expected."""


MAX_REPORTED = 50
"""Errors of one file that are reported; the rest are counted."""
MAX_NAME = 100
"""Characters of an unknown name that are printed. A longer name gets no suggestion."""
MAX_KNOWN = 200
"""Valid names that are printed and compared. With more of them there is no suggestion."""


def unknown_name(what: str, name: str, known: Iterable[str]) -> str:
    """Return the message for a name that does not exist, with the nearest one that does."""
    names = sorted(known)
    comparable = len(name) <= MAX_NAME and len(names) <= MAX_KNOWN
    plain = {each.lower(): each for each in names}
    near = get_close_matches(name.lower(), plain, n=1) if comparable else []
    hint = f" Did you mean '{plain[near[0]]}'?" if near else ""
    more = f", … and {len(names) - MAX_KNOWN:,} more" if len(names) > MAX_KNOWN else ""
    listed = ", ".join(names[:MAX_KNOWN])
    return f"No {what} named '{to_one_line(name, MAX_NAME)}'.{hint} Known: {listed}{more}"


def to_one_line(text: str, max_length: int = 200) -> str:
    """Return text for an error message: printable, on one line, cut to `max_length` characters."""
    start = text[: 4 * max_length]
    line = " ".join("".join(c if c.isprintable() else " " for c in start).split())
    return line if len(line) <= max_length else line[: max_length - 1] + "…"


def join_errors(errors: Iterable[str]) -> str:
    """Return errors as one message, one per line: the first fifty, then how many more there are."""
    lines = [to_one_line(error, 2_000) for error in errors]
    more = [f"… and {len(lines) - MAX_REPORTED:,} more errors"] if lines[MAX_REPORTED:] else []
    return "\n".join(lines[:MAX_REPORTED] + more)
