"""The mechanisms of the jail, and the minimum of them without which no program runs.

In: nothing. Out: their names, and Mechanism. Loads nothing that only Linux has.
"""

from collections.abc import Iterable
from dataclasses import dataclass

NAMESPACES, USER, LANDLOCK, SECCOMP, LIMITS = (
    "namespaces",
    "own user",
    "landlock",
    "seccomp",
    "limits",
)


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One mechanism as a jailed process found it."""

    name: str
    available: bool
    """Whether the kernel and the current user allow it."""
    used: bool
    """Whether it is in effect."""
    note: str = ""
    """Why it is not used, or its extent."""


def find_missing(mechanisms: Iterable[Mechanism]) -> str:
    """Return what the minimum lacks, in a few words; empty if the jail reaches it.

    The minimum: seccomp (no sockets, no processes, no signals to others) and a restricted file
    view, by namespaces or by Landlock version 3 (Linux 6.2).
    """
    used = {m.name for m in mechanisms if m.used}
    if SECCOMP not in used:
        return "seccomp"
    if not used & {NAMESPACES, LANDLOCK}:
        return "namespaces or Landlock 3 (Linux 6.2)"
    return ""
