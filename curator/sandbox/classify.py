"""Classify how a program ended.

In: an Ending and the limits. Out: a status, an error line and how the result was completed. What
the kernel states takes precedence over what the program reports. Runs in the caller's process.
"""

import os
import signal
from dataclasses import dataclass
from math import ceil

from curator.sandbox import implicit_result
from curator.sandbox.execution import Status
from curator.sandbox.protocol import Ending


@dataclass(frozen=True, slots=True)
class Limits:
    """The resource limits of one program."""

    wall_s: float
    cpu_s: float
    memory_mb: int
    output_kb: int


def classify(ending: Ending, limits: Limits) -> tuple[Status, str, str]:
    """Return status, error line and how the result was completed."""
    kind, _, text = ending.report.partition(b"\n")
    if ending.printed > limits.output_kb << 10:
        return "output", f"printed more than {limits.output_kb} KB", ""
    line = " ".join(text.decode("utf-8", "replace").split())
    status, error = _classify_exit(ending, limits, kind, line)
    step = text.decode("ascii", "replace") if status == "ok" else ""
    return status, error, step if step in implicit_result.STEPS else ""


def _classify_exit(ending: Ending, limits: Limits, kind: bytes, line: str) -> tuple[Status, str]:
    code = os.waitstatus_to_exitcode(ending.wait_status)
    if code < 0:
        return _classify_signal(ending, limits, -code)
    if code == 0:
        return "ok", ""
    if kind == b"memory":
        return "memory", line
    return ("refused" if kind == b"refused" else "error"), line or f"exit code {code}"


def _classify_signal(ending: Ending, limits: Limits, number: int) -> tuple[Status, str]:
    # The kernel sends SIGXCPU at the limit, which it measures roughly, and SIGKILL a second later.
    # One message for both limits, so that a program's outcome does not depend on the load of the
    # machine.
    limit = ceil(limits.cpu_s)
    if (
        (number == signal.SIGXCPU and ending.cpu_s >= limit / 2)
        or (number == signal.SIGKILL and ending.cpu_s >= limit - 0.1)
        or (number == signal.SIGKILL and ending.timed_out)
    ):
        times = f"{limits.wall_s:g} s of wall time or {limits.cpu_s:g} s of CPU time"
        return "timeout", f"no end within {times}"
    if number == signal.SIGSYS:
        return "refused", "called the kernel in a way that is not allowed"
    if number == signal.SIGKILL and ending.memory_kb >= limits.memory_mb << 9:
        return "memory", f"ended by the kernel for want of {limits.memory_mb} MB"
    return "killed", f"ended by {_name_signal(number)}"


def _name_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        # Real-time signals have no names, except for the first and the last.
        return f"signal {number}"
