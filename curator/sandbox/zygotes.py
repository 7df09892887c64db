"""The zygotes of one kind, light or heavy, shared by all threads of a sandbox.

In: a program. Out: its Execution. A zygote is started when a program needs it, and another one only
after programs have waited for the others as long as a start takes: for a few programs one is
enough, and many soon have one per worker.
"""

import time
from threading import Condition

from curator.core.errors import SandboxError
from curator.sandbox.classify import Limits
from curator.sandbox.execution import Execution
from curator.sandbox.mechanisms import Mechanism
from curator.sandbox.zygote_client import Zygote, ZygoteDied

_RUNS_PER_ZYGOTE = 5_000
"""Programs per zygote; then it is replaced, so that it cannot grow."""


class Zygotes:
    """Up to `maximum` zygotes, each of which runs one program at a time."""

    def __init__(self, limits: Limits, heavy: bool, unsafe_local: bool, maximum: int) -> None:
        self._arguments = limits, heavy, unsafe_local
        self._maximum = maximum
        self._changed = Condition()
        self._live: set[Zygote] = set()
        self._idle: list[Zygote] = []
        self._count = 0
        """Zygotes that live or start."""
        self._start_s = 0.0
        """Seconds that the last start took; 0 before the first one has ended."""
        self._waited_s = 0.0
        """Seconds that programs have waited since the last start."""
        self._closed = False

    def start(self) -> list[Mechanism]:
        """Start the first zygote and return its jail. Raises SandboxError if that fails."""
        zygote = self._take()
        self._give_back(zygote)
        return zygote.mechanisms

    def run(self, program: bytes, preamble: int = 0) -> Execution:
        """Run one program. Raises SandboxError if the sandbox itself fails."""
        try:
            return self._run(program, preamble)
        except ZygoteDied:
            self._check_sandbox()
            return Execution("killed", error="the process that ran it died")

    def close(self) -> None:
        """End all zygotes, also those that run a program."""
        with self._changed:
            self._closed = True
            zygotes = list(self._live)
            self._live.clear()
            self._idle.clear()
            self._changed.notify_all()
        for zygote in zygotes:
            zygote.end()

    def _run(self, program: bytes, preamble: int) -> Execution:
        zygote = self._take()
        try:
            execution = zygote.run(program, preamble)
        except BaseException:
            self._discard(zygote)
            raise
        self._give_back(zygote)
        return execution

    def _check_sandbox(self) -> None:
        """Raise SandboxError if the sandbox itself fails, and not only the program."""
        try:
            execution = self._run(b"print(1)", 0)
        except ZygoteDied:
            execution = Execution("killed")
        if execution.value != "1":
            raise SandboxError(
                "The sandbox cannot run even 'print(1)', so no program was graded. "
                "Run 'curator sandbox' to see what this system supports."
            )

    def _take(self) -> Zygote:
        """Return a live zygote that no other thread uses; start one if necessary."""
        while zygote := self._wait_for_idle():
            if zygote.runs < _RUNS_PER_ZYGOTE and zygote.is_idle():
                return zygote
            self._discard(zygote)
        began = time.monotonic()
        try:
            zygote = Zygote(*self._arguments)
        except BaseException:
            self._end_start()
            raise
        with self._changed:
            self._start_s = time.monotonic() - began
            self._changed.notify_all()
            if not self._closed:
                self._live.add(zygote)
                return zygote
        zygote.end()
        raise ZygoteDied

    def _wait_for_idle(self) -> Zygote | None:
        """Return an idle zygote, or None if the caller has to start one."""
        with self._changed:
            while True:
                if self._closed:
                    raise ZygoteDied
                if self._idle:
                    return self._idle.pop()
                if not self._count or (
                    0 < self._start_s <= self._waited_s and self._count < self._maximum
                ):
                    self._count += 1
                    self._waited_s = 0.0
                    return None
                self._wait()

    def _wait(self) -> None:
        """Wait for an idle zygote, until it is time to start another one."""
        may_start = self._start_s and self._count < self._maximum
        began = time.monotonic()
        self._changed.wait(max(0.0, self._start_s - self._waited_s) if may_start else None)
        if may_start:
            self._waited_s += time.monotonic() - began

    def _give_back(self, zygote: Zygote) -> None:
        with self._changed:
            if zygote in self._live:
                self._idle.append(zygote)
                self._changed.notify()

    def _discard(self, zygote: Zygote) -> None:
        with self._changed:
            self._live.discard(zygote)
        self._end_start()
        zygote.end()

    def _end_start(self) -> None:
        """Make room for another zygote."""
        with self._changed:
            self._count -= 1
            self._changed.notify()
