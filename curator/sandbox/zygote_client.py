"""The caller's end of one zygote: starts it, sends programs, receives results, ends it.

In: limits. Out: an Execution for every program, or ZygoteDied. Only one thread at a time may use a
Zygote.
"""

import ctypes
import json
import select
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from curator.core.errors import SandboxError
from curator.sandbox.classify import Limits, classify
from curator.sandbox.execution import Execution, find_last_line
from curator.sandbox.mechanisms import Mechanism
from curator.sandbox.protocol import REPLY, REQUEST, unpack_reply
from curator.sandbox.settings import Settings
from curator.sandbox.visible import find_visible

_GRACE_S = 5.0
_START_TIMEOUT_S = 60.0
_PACKAGE = str(Path(__file__).resolve().parents[1])

_BOOT = """
import sys, types
for name, folder in (("curator", sys.argv[1]), ("curator.sandbox", sys.argv[1] + "/sandbox")):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]
from curator.sandbox.zygote import main
main(int(sys.argv[2]), sys.argv[3])
"""
"""Imports the zygote without the other imports of the two packages."""

_NO_RANDOM_ADDRESSES = 0x40000

_mode_lock = threading.Lock()
_without_namespaces: str | None = None
"""Why this machine cannot use namespaces, empty if it can; set by the first zygote of this process,
and never stored: another process, or another machine, finds out for itself."""


class ZygoteDied(Exception):
    """The zygote is dead or does not answer."""


def _spawn(control: int, settings: str) -> subprocess.Popen[bytes]:
    """Start a new interpreter rather than fork the caller, which may be large and have threads.

    The environment contains only what fixes hashing and keeps BLAS to one thread. Address space
    randomisation is switched off where possible, since the order of a set can depend on addresses.
    """
    libc = ctypes.CDLL(None)
    before = libc.personality(0xFFFFFFFF)
    libc.personality(before | _NO_RANDOM_ADDRESSES)
    try:
        return subprocess.Popen(
            [sys.executable, "-s", "-S", "-P", "-B", "-c", _BOOT, _PACKAGE, str(control), settings],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[control],
            start_new_session=True,
            cwd="/",
            env={
                # Without it every fork resolves the C library's functions again.
                "LD_BIND_NOW": "1",
                "PYTHONHASHSEED": "0",
                "PYTHONUTF8": "1",
                "LC_ALL": "C.UTF-8",
                "OPENBLAS_NUM_THREADS": "1",
                "OMP_NUM_THREADS": "1",
                "MKL_NUM_THREADS": "1",
            },
        )
    finally:
        # The personality belongs to this thread only.
        libc.personality(before)


class Zygote:
    """One jailed process that runs programs one after the other."""

    def __init__(self, limits: Limits, heavy: bool, unsafe_local: bool) -> None:
        """Start it and wait until it is ready; raises SandboxError if it cannot be jailed."""
        if sys.platform != "linux":
            raise SandboxError(
                f"Programs run only on Linux, since nothing can sandbox them on {sys.platform}. "
                "Use a Linux machine, a container or a virtual machine."
            )
        self._limits = limits
        self._wait_s = limits.wall_s + _GRACE_S
        self.runs = -1
        self.mechanisms: list[Mechanism] = []
        if _without_namespaces is None:
            with _mode_lock:
                self._start_with_best_jail(heavy, unsafe_local)
        else:
            self._start_with_best_jail(heavy, unsafe_local)

    def _start_with_best_jail(self, heavy: bool, unsafe_local: bool) -> None:
        global _without_namespaces
        errors: list[str] = []
        for without in ("", None) if _without_namespaces is None else (_without_namespaces,):
            without = errors[-1] if without is None else without
            self._start(heavy, unsafe_local, without)
            report = self._read_report()
            if "mechanisms" in report and not self._runs_empty_program():
                report = {"error": "the process ended at its first program"}
            if "mechanisms" in report:
                _without_namespaces = without
                self.mechanisms = [Mechanism(**fields) for fields in report["mechanisms"]]
                return
            self.end()
            errors.append(report["error"])
        raise SandboxError(
            f"Programs cannot be sandboxed on this system ({'; '.join(errors)}). Required: Linux "
            "with seccomp and either namespaces or Landlock 3. To run programs without protection, "
            "on a machine without valuable data, use --unsafe-local (in Python: unsafe_local=True)."
        )

    def _start(self, heavy: bool, unsafe_local: bool, without: str) -> None:
        settings = Settings(
            **asdict(find_visible()),
            namespaces=not without,
            without=without,
            require_minimum=not unsafe_local,
            heavy=heavy,
            **asdict(self._limits),
        )
        own_end, zygote_end = socket.socketpair()
        self._process = _spawn(zygote_end.fileno(), json.dumps(asdict(settings)))
        zygote_end.close()
        self._socket = own_end
        self._poll = select.poll()
        self._poll.register(own_end, select.POLLIN)

    def _read_report(self) -> dict[str, Any]:
        """Return the first line that the zygote sends: its jail, or why it could not start."""
        line = b""
        try:
            while not line.endswith(b"\n"):
                self._socket.settimeout(_START_TIMEOUT_S)
                line += self._receive(1, time.monotonic() + _START_TIMEOUT_S)
            report: dict[str, Any] = json.loads(line)
            return report
        except ZygoteDied:
            self._process.kill()
            assert self._process.stderr is not None
            stderr = self._process.stderr.read().decode("utf-8", "replace")
            reason = stderr.strip().split("\n")[-1]
            return {"error": f"the process ended before it was ready: {reason}"}

    def _runs_empty_program(self) -> bool:
        """Run an empty program, since the first one finds its memory a little different."""
        with suppress(ZygoteDied):
            return self.run(b"").status == "ok"
        return False

    def is_idle(self) -> bool:
        """Return whether it waits for a program: its socket is open and has nothing to read."""
        return not self._poll.poll(0)

    def run(self, text: bytes, preamble: int = 0) -> Execution:
        """Run one program; raises ZygoteDied if the zygote dies or exceeds the wall time."""
        self.runs += 1
        started = time.monotonic()
        try:
            self._socket.settimeout(self._wait_s)
            self._socket.sendall(REQUEST.pack(len(text), preamble) + text)
        except OSError as error:
            raise ZygoteDied from error
        deadline = started + self._wait_s
        data = self._receive(REPLY.size, deadline)
        ending = unpack_reply(data)
        data += self._receive(REPLY.size + ending.printed - len(data), deadline)
        seconds = time.monotonic() - started
        status, line, completed = classify(ending, self._limits)
        output = data[REPLY.size : REPLY.size + (self._limits.output_kb << 10)]
        stdout = output.decode("utf-8", "replace")
        return Execution(status, find_last_line(stdout), stdout, line, seconds, completed)

    def _receive(self, size: int, deadline: float) -> bytes:
        """Receive `size` bytes or more; the zygote sends one reply per request."""
        data = b""
        while len(data) < size:
            try:
                if data:
                    self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
                part = self._socket.recv(1 << 17)
            except OSError as error:
                raise ZygoteDied from error
            if not part:
                raise ZygoteDied
            data += part
        return data

    def end(self) -> None:
        """End it and all that it started, and wait until they are gone.

        Can be called twice, and by another thread than the one that runs programs.
        """
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self._process.terminate()
            try:
                self._process.wait(2.0)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._socket.close()
        if self._process.stderr is not None:
            self._process.stderr.close()
