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


def unknown_name(what: str, name: str, known: Iterable[str]) -> str:
    """Return the message for a name that does not exist, with the nearest one that does."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"No {what} named '{name}'.{hint} Known: {', '.join(names)}"
