"""What travels between a zygote and its caller.

In: nothing. Out: the layout of a request (REQUEST and the text of a program) and of a reply
(REPLY, what the program printed), and Ending. The zygote forwards what programs leave without
reading it, so that nothing of one program stays in its memory for the next.
"""

import struct
from dataclasses import dataclass

REQUEST = struct.Struct("<IB")
"""Bytes of the text, and the index of its entry of `implicit_result.PREAMBLES`."""

REPORT_BYTES = 2048
"""Size of the memory in which a program reports."""

USAGE_BYTES = 144
"""Size of the kernel's `struct rusage`: 18 integers of 64 bits. The first five are the CPU time
of user and system, each in seconds and microseconds, and the maximum memory in KiB."""

HEADER = struct.Struct("<iII")
"""Wait status, whether the time was up, and bytes of the output."""

REPLY = struct.Struct(f"<iII{USAGE_BYTES}s{REPORT_BYTES}s")
"""The same, then what the program used, and its report."""

_USAGE = struct.Struct("<5q")


@dataclass(frozen=True, slots=True)
class Ending:
    """How a program ended, as the kernel states it, and what the program reports of it."""

    wait_status: int
    timed_out: bool
    """Its zygote ended it."""
    printed: int
    """Bytes of its output, a maximum of one more than its limit."""
    cpu_s: float
    memory_kb: int
    """The most memory that it held, with its interpreter."""
    report: bytes
    """A kind and a line, or nothing. The program can write anything there."""


def unpack_reply(data: bytes) -> Ending:
    """Return the ending that the beginning of a reply describes."""
    status, timed_out, printed, usage, report = REPLY.unpack_from(data)
    user_s, user_us, system_s, system_us, memory_kb = _USAGE.unpack_from(usage)
    cpu_s = user_s + system_s + (user_us + system_us) / 1e6
    return Ending(status, bool(timed_out), printed, cpu_s, memory_kb, report.rstrip(b"\0"))
