"""The result of running one program.

In: nothing. Out: Execution, and Status with every way in which a program can end.
"""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "error", "timeout", "memory", "output", "killed", "refused"]

STATUSES: tuple[Status, ...] = (
    "ok",
    "error",
    "timeout",
    "memory",
    "output",
    "killed",
    "refused",
)


@dataclass(frozen=True, slots=True)
class Execution:
    """How one program ended and what it printed."""

    status: Status
    """`ok`: it ran to its end or exited with code 0. `error`: an exception or another exit code.
    `timeout`: it used up its CPU or wall time. `memory`: it exceeded its memory limit. `output`: it
    exceeded its output limit. `killed`: a signal ended it (a crash in C code, a kill by itself), or
    its worker died. `refused`: it was not run, because it is too long or not text, or it ended
    because the jail denied an operation."""
    value: str = ""
    """The last line of the output that is not blank, stripped; empty without one. It is set
    for every status, so check the status first."""
    stdout: str = ""
    """The whole output, a maximum of `output_kb`; bytes that are not UTF-8 are replaced."""
    error: str = ""
    """One line, empty if the status is `ok`: `ZeroDivisionError: division by zero (line 3)`. It
    comes from the program's own process: show it to people, but do not base decisions on it."""
    seconds: float = 0.0
    """Wall time from sending the program to its result. It differs from run to run: keep it out of
    digests."""
    completed: str = ""
    """What was done to complete the program, separated by commas: `fence` (taken out of a fenced
    block), `preamble` (the imports of its prompt added), and what was printed because it printed
    nothing: `ans`, `answer`, `solution()`, `solver()` or `solve()`."""


def find_last_line(stdout: str) -> str:
    """Return the last line that is not blank, stripped."""
    for line in reversed(stdout.split("\n")):
        if line.strip():
            return line.strip()
    return ""
