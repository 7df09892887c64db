"""The caller's end of one zygote: starts it, hands it programs, takes what comes back, ends it.

In: limits. Out: an Execution for every program, whatever becomes of the zygote. One thread at a
time may use a Zygote.
"""

import ctypes
import json
import os
import select
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from curator.core.errors import SandboxError
from curator.sandbox import preload
from curator.sandbox.execution import Execution, last_line
from curator.sandbox.jail.enter import Mechanism
from curator.sandbox.settings import Settings
from curator.sandbox.zygote import HEADER, REQUEST, unpack

_GRACE_S = 5.0
_START_S = 60.0
_PACKAGE = str(Path(__file__).resolve().parents[1])

_BOOT = """
import sys, types
for name, folder in (("curator", sys.argv[1]), ("curator.sandbox", sys.argv[1] + "/sandbox")):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]
from curator.sandbox.zygote import main
main(int(sys.argv[2]), sys.argv[3])
"""
"""Loads the zygote alone, without what the two packages import when the caller imports them."""

_NO_RANDOM_ADDRESSES = 0x40000
_libc = ctypes.CDLL(None)

_mode_lock = threading.Lock()
_namespaces: bool | None = None
"""Whether this machine grants namespaces; found by the first zygote of this process."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use."""

    wall_s: float
    cpu_s: float
    memory_mb: int
    output_kb: int


class ZygoteDied(Exception):
    """The zygote is dead or does not answer."""


def visible() -> tuple[list[str], list[str]]:
    """Paths that a zygote needs to see, and those of them that it imports packages from."""
    imports = []
    for name in (*preload.HEAVY, *preload.SLOW):
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            folder = str(Path(spec.origin).parents[1])
            if not _holds_what_is_private(folder):
                imports.append(folder)
    paths = [
        *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/dev/null"),
        *("/usr/share/zoneinfo", sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")),
        *(f"{sys.base_prefix}/lib", *imports),
    ]
    kept: list[str] = []
    for path in sorted({os.path.abspath(p) for p in paths if os.path.exists(p)}):
        if not any(path.startswith(f"{k}/") for k in kept if not os.path.islink(k)):
            kept.append(path)
    return kept, sorted(set(imports))


def _spawn(control: int, settings: str) -> subprocess.Popen[bytes]:
    """A new interpreter: not a fork of the caller, which may be large and have threads.

    Its environment is empty but for what fixes hashing and keeps BLAS to one thread. Addresses are
    not randomised, where that may be chosen, since the order of a set can hang on them.
    """
    before = _libc.personality(0xFFFFFFFF)
    _libc.personality(before | _NO_RANDOM_ADDRESSES)
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
                # Else every fork finds its way to the C library's functions anew.
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
        # It is a property of this thread alone.
        _libc.personality(before)


def _holds_what_is_private(folder: str) -> bool:
    """Whether home or the working folder lies in it, as where packages were unpacked beside work.

    Programs then go without these packages rather than see what else is there.
    """
    private = (os.path.realpath(os.path.expanduser("~")), os.getcwd())
    folder = os.path.realpath(folder)
    return any(os.path.commonpath((folder, path)) == folder for path in private)


class Zygote:
    """One jailed process that runs programs one after the other."""

    def __init__(self, limits: Limits, heavy: bool, unsafe_local: bool) -> None:
        """Starts it and waits until it is ready; SandboxError if it cannot be jailed."""
        self._wait_s = limits.wall_s + _GRACE_S
        self.runs = 0
        self.held: list[Mechanism] = []
        if _namespaces is None:
            with _mode_lock:
                self._start_in_the_best_way(limits, heavy, unsafe_local)
        else:
            self._start_in_the_best_way(limits, heavy, unsafe_local)

    def _start_in_the_best_way(self, limits: Limits, heavy: bool, unsafe_local: bool) -> None:
        global _namespaces
        refusals: list[str] = []
        for namespaces in (True, False) if _namespaces is None else (_namespaces,):
            self._start(limits, heavy, unsafe_local, namespaces)
            answer = self._hear()
            if "held" in answer:
                _namespaces = namespaces
                self.held = [Mechanism(**h) for h in answer["held"]]
                return
            self.end()
            refusals.append(answer["failed"])
        raise SandboxError(
            f"Programs cannot be jailed on this machine ({'; '.join(refusals)}). Needed: Linux "
            "with seccomp and either namespaces or Landlock 3. To run them unguarded all the same, "
            "on a machine that holds nothing of worth, give unsafe_local=True."
        )

    def _start(self, limits: Limits, heavy: bool, unsafe_local: bool, namespaces: bool) -> None:
        shown, imports = visible()
        under_tmp = any(path.startswith("/tmp/") for path in shown)
        settings = Settings(
            visible=shown,
            imports=imports,
            private="/var/tmp" if under_tmp else "/tmp",
            namespaces=namespaces,
            must_hold=not unsafe_local,
            heavy=heavy,
            wall_s=limits.wall_s,
            cpu_s=limits.cpu_s,
            memory_mb=limits.memory_mb,
            output_kb=limits.output_kb,
        )
        ours, theirs = socket.socketpair()
        self._process = _spawn(theirs.fileno(), json.dumps(asdict(settings)))
        theirs.close()
        self._socket = ours
        self._poll = select.poll()
        self._poll.register(ours, select.POLLIN)

    def _hear(self) -> dict[str, Any]:
        """The first line the zygote says: how its jail came out."""
        line = b""
        try:
            while not line.endswith(b"\n"):
                self._socket.settimeout(_START_S)
                line += self._receive(1, time.monotonic() + _START_S)
            answer: dict[str, Any] = json.loads(line)
            return answer
        except ZygoteDied:
            self._process.kill()
            assert self._process.stderr is not None
            said = self._process.stderr.read().decode("utf-8", "replace").strip().split("\n")[-1]
            return {"failed": f"the process ended before it was ready: {said}"}

    def alive(self) -> bool:
        """Whether it waits for a program, as far as its socket tells."""
        return not self._poll.poll(0)

    def run(self, text: bytes, preamble: int = 0) -> Execution:
        """Runs one program; Gone if the zygote dies or stays silent past the wall time."""
        self.runs += 1
        try:
            self._socket.settimeout(self._wait_s)
            self._socket.sendall(REQUEST.pack(len(text), preamble) + text)
        except OSError as error:
            raise ZygoteDied from error
        until = time.monotonic() + self._wait_s
        data = self._receive(HEADER.size, until)
        status, out, said, how, seconds = unpack(data[: HEADER.size])
        end = HEADER.size + out
        data += self._receive(end + said + how - len(data), until)
        stdout = data[HEADER.size : end].decode("utf-8", "replace")
        error_line = data[end : end + said].decode("utf-8", "replace")
        completed = data[end + said :].decode("ascii")
        return Execution(status, last_line(stdout), stdout, error_line, seconds, completed)

    def _receive(self, least: int, until: float) -> bytes:
        """What comes, at least so many bytes; one answer is never followed by another unasked."""
        data = b""
        while len(data) < least:
            try:
                if data:
                    self._socket.settimeout(max(until - time.monotonic(), 0.001))
                part = self._socket.recv(1 << 17)
            except OSError as error:
                raise ZygoteDied from error
            if not part:
                raise ZygoteDied
            data += part
        return data

    def end(self) -> None:
        """Ends it and all it started, and waits until they are gone. May be called twice, and by
        another thread than the one that runs programs."""
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
