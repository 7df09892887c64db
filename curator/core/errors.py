"""The exceptions of the library, by where the trouble lies; a failed row is data, not one of these.

Every message is one line: what was seen, what was expected, what to do.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class CuratorError(Exception):
    """Base of all: the command line prints the message alone and exits with `exit_code`."""

    exit_code = 1


class UsageError(CuratorError):
    """The user asked for something that is not there or not possible."""

    exit_code = 2


class RecipeError(UsageError):
    """A recipe is invalid; the message holds every fault, one a line, each with its place."""


class SourceError(CuratorError):
    """A source cannot be reached, or too much of it does not parse."""


class SandboxError(CuratorError):
    """The sandbox cannot be set up safely on this machine."""


class TeacherError(CuratorError):
    """A teacher's endpoint cannot be used: no retry and no other call would mend it."""


class HubError(CuratorError):
    """The Hub refuses, cannot be reached, or holds something else than was expected."""


class BudgetReached(CuratorError):
    """The next call might break a budget; all calls that were made are kept."""


MALFORMED = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
    RecursionError,
)
"""What reading a file from outside raises where a value is not what was expected."""


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """One line for a name that does not exist, with the nearest one that does."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"No {what} named '{name}'.{hint} Known: {', '.join(names)}"
