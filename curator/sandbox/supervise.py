"""One forked program seen from its zygote: its end is awaited or brought about, and judged.

In: the process, the file it prints to and the memory it reports in. Out: a status, the output and
an error line. What the kernel says goes before what the program says.
"""

import mmap
import os
import select
import signal
import time
from contextlib import suppress
from math import ceil

from curator.sandbox import implicit_result, run_program
from curator.sandbox.execution import Status
from curator.sandbox.settings import Settings

_FIRST = 1
"""Process number of a zygote that has a namespace of its own: whatever else is there is its."""


class Watch:
    """Watches the programs of one zygote, one at a time."""

    def __init__(self, control: int, report: mmap.mmap, settings: Settings) -> None:
        self.control, self.report, self.settings = control, report, settings
        self.most = settings.output_kb << 10
        self.alone = os.getpid() == _FIRST
        self.poll = select.poll()
        self.poll.register(control, 0)

    def wait(self, child: int, started: float) -> None:
        """Returns when the program and all it started are gone, whatever it takes.

        Ends the zygote itself when the caller has gone.
        """
        ends = os.pidfd_open(child)
        self.poll.register(ends, select.POLLIN)
        left = started + self.settings.wall_s - time.monotonic()
        events = self.poll.poll(1000 * max(left, 0))
        self.late = not events
        if self.late or events[0][0] == self.control:
            os.kill(child, signal.SIGKILL)
            if events:
                os._exit(0)
        _, self.status, self.usage = os.wait4(child, 0)
        self._sweep()
        self.poll.unregister(ends)
        os.close(ends)

    def _sweep(self) -> None:
        """Ends and reaps what the program may have left; only if none but ours can be hit."""
        if self.alone:
            try:
                os.kill(-1, signal.SIGKILL)
            except ProcessLookupError:
                return
        with suppress(ChildProcessError):
            while os.waitpid(-1, 0 if self.alone else os.WNOHANG)[0]:
                pass

    def judge(self, printed: int) -> tuple[Status, bytes, str]:
        """The status, the error line, and how the result came, for a program that printed so many
        bytes; from what the kernel says before what the program says."""
        said = b""
        if self.report[0]:
            said = self.report[: run_program.REPORT_BYTES].rstrip(b"\0")
            self.report[:] = bytes(len(self.report))
        kind, _, text = said.partition(b"\n")
        if printed > self.most:
            return "output", f"printed more than {self.settings.output_kb} KB".encode(), ""
        status, line = self._ending(kind.decode("ascii", "replace"), text)
        how = text.decode("ascii", "replace") if status == "ok" and said else ""
        return status, line, how if how in implicit_result.STEPS else ""

    def _ending(self, kind: str, text: bytes) -> tuple[Status, bytes]:
        settings, usage = self.settings, self.usage
        code = os.waitstatus_to_exitcode(self.status)
        # The same words whichever limit came first, so that a program's outcome does not depend on
        # how busy the machine was.
        spent = usage.ru_utime + usage.ru_stime >= ceil(settings.cpu_s) - 0.1
        if code == -signal.SIGXCPU or (code == -signal.SIGKILL and (spent or self.late)):
            both = f"{settings.wall_s:g} s of wall time or {settings.cpu_s:g} s of CPU time"
            return "timeout", f"no end within {both}".encode()
        if code == -signal.SIGSYS:
            return "refused", b"called the kernel in a way that is not allowed"
        if code == -signal.SIGKILL and usage.ru_maxrss >= settings.memory_mb << 9:
            return "memory", f"ended by the kernel for want of {settings.memory_mb} MB".encode()
        if code < 0:
            return "killed", f"ended by {signal.Signals(-code).name}".encode()
        if code == 0:
            return "ok", b""
        if kind in ("memory", "refused"):
            return ("memory" if kind == "memory" else "refused"), _one_line(text)
        return "error", _one_line(text) or f"exit code {code}".encode()


def _one_line(text: bytes) -> bytes:
    return " ".join(text.decode("utf-8", "replace").split()).encode()
