"""Supervise one forked program from its zygote: wait for its end, or end it, and classify the end.

In: the process, the file that it prints to and the memory in which it reports. Out: a status, an
error line and how the result was completed. What the kernel reports takes precedence over what the
program reports.
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

_INIT_PID = 1
"""Process id of a zygote with its own namespace: all other processes in it are its own."""


class Supervisor:
    """Supervises the programs of one zygote, one at a time."""

    def __init__(self, control: int, report: mmap.mmap, settings: Settings) -> None:
        self.control, self.report, self.settings = control, report, settings
        self.max_output = settings.output_kb << 10
        self.is_init = os.getpid() == _INIT_PID
        self.poll = select.poll()
        self.poll.register(control, 0)

    def wait(self, child: int, started: float) -> None:
        """Return when the program and all that it started are gone.

        Ends the zygote itself if the caller is gone.
        """
        pidfd = os.pidfd_open(child)
        self.poll.register(pidfd, select.POLLIN)
        remaining = started + self.settings.wall_s - time.monotonic()
        events = self.poll.poll(1000 * max(remaining, 0))
        self.timed_out = not events
        if self.timed_out or events[0][0] == self.control:
            os.kill(child, signal.SIGKILL)
            if events:
                os._exit(0)
        _, self.status, self.usage = os.wait4(child, 0)
        self._reap()
        self.poll.unregister(pidfd)
        os.close(pidfd)

    def _reap(self) -> None:
        """End and reap what the program left, provided that no other process can be hit."""
        if self.is_init:
            try:
                os.kill(-1, signal.SIGKILL)
            except ProcessLookupError:
                return
        with suppress(ChildProcessError):
            while os.waitpid(-1, 0 if self.is_init else os.WNOHANG)[0]:
                pass

    def classify(self, printed: int) -> tuple[Status, bytes, str]:
        """Return status, error line and how the result was completed.

        `printed` is the number of bytes that the program printed.
        """
        record = b""
        if self.report[0]:
            record = self.report[: run_program.REPORT_BYTES].rstrip(b"\0")
            self.report[:] = bytes(len(self.report))
        kind, _, text = record.partition(b"\n")
        if printed > self.max_output:
            return "output", f"printed more than {self.settings.output_kb} KB".encode(), ""
        status, line = self._classify_exit(kind.decode("ascii", "replace"), text)
        step = text.decode("ascii", "replace") if status == "ok" and record else ""
        return status, line, step if step in implicit_result.STEPS else ""

    def _classify_exit(self, kind: str, text: bytes) -> tuple[Status, bytes]:
        settings, usage = self.settings, self.usage
        code = os.waitstatus_to_exitcode(self.status)
        # One message for both limits, so that a program's outcome does not depend on the load of
        # the machine.
        spent = usage.ru_utime + usage.ru_stime >= ceil(settings.cpu_s) - 0.1
        if code == -signal.SIGXCPU or (code == -signal.SIGKILL and (spent or self.timed_out)):
            limits = f"{settings.wall_s:g} s of wall time or {settings.cpu_s:g} s of CPU time"
            return "timeout", f"no end within {limits}".encode()
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
