"""The jailed process that forks once per program and supervises the fork.

In: on one socket, programs, each as a REQUEST and its UTF-8 text. Out: on the same socket, first
one line of JSON that describes the jail, then per program a HEADER, its output, its error line and
how its result was completed. Ends when the socket closes. The zygote never runs a program in its
own process, keeps nothing of one program for the next, and receives nothing but the text: no
answer, no path of the caller, no key.
"""

import atexit
import ctypes
import gc
import json
import mmap
import os
import random
import resource
import socket
import struct
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any, Never

from curator.sandbox import preload, run_program
from curator.sandbox.execution import STATUSES
from curator.sandbox.jail import enter, seccomp
from curator.sandbox.settings import Settings
from curator.sandbox.supervise import Supervisor

REQUEST = struct.Struct("<IB")
"""Bytes of the text, and the index of its entry of `implicit_result.PREAMBLES`."""
HEADER = struct.Struct("<BIHBd")
"""Index of the status in STATUSES; bytes of the output, of the error line and of how the result was
completed; seconds."""

# Not os.fork(): the functions that modules register to run after it cost more than the fork, and
# reseed `random` from the system's entropy. Safe because a zygote has one thread.
_fork = ctypes.PyDLL(None).fork

_FILE_BYTES, _OPEN_FILES = 16 << 20, 64
_MAX_OPEN = 256
_RESERVE = 16 << 20
_CONTROL = 3
_WARMUP_RUNS = 10


@dataclass(slots=True)
class _State:
    """What is prepared before the first program, so that each program has little left to do."""

    settings: Settings
    filter: seccomp.Filter | None
    report: mmap.mmap
    """Memory shared with the program, in which it reports its error."""
    supervisor: Supervisor
    reply: bytearray
    """What is sent to the caller: HEADER, output, error line and how the result was completed."""
    cpu: tuple[int, int]
    files: int
    """Number of free files in the empty private folder."""


def main(control_fd: int, settings_json: str) -> Never:
    """Enter the jail, warm up, report, and serve until the socket closes."""
    control = socket.socket(fileno=_move_low(control_fd))
    settings = Settings(**json.loads(settings_json))
    try:
        mechanisms, state = _prepare(settings)
    except Exception as error:
        control.sendall(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode() + b"\n")
        os._exit(1)
    # From here on the caller no longer reads standard error.
    os.dup2(1, 2)
    control.sendall(json.dumps({"mechanisms": [asdict(m) for m in mechanisms]}).encode() + b"\n")
    with suppress(BaseException):
        _serve(control, state)
    os._exit(0)


def _move_low(control_fd: int) -> int:
    """Move the socket next to the standard descriptors and allow no descriptor past _MAX_OPEN.

    A program can then close everything by closing all descriptors up to there, however many the
    caller had.
    """
    os.dup2(control_fd, _CONTROL)
    os.closerange(_CONTROL + 1, max(control_fd + 1, _MAX_OPEN))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MAX_OPEN, _MAX_OPEN))
    return _CONTROL


def _prepare(settings: Settings) -> tuple[list[enter.Mechanism], _State]:
    mechanisms, statm = enter.enter(settings.visible, settings.private, settings.namespaces)
    if settings.require_minimum:
        if missing := enter.find_missing(mechanisms):
            raise OSError(f"this kernel lacks {missing}")
        private = settings.private if settings.namespaces else ""
        if leaks := enter.find_leaks(settings.visible, private):
            raise OSError(f"the jail leaks: it {', '.join(leaks)}")
    _reset_environment(settings)
    (preload.load_heavy if settings.heavy else preload.load_light)()
    uses_seccomp = any(m.used for m in mechanisms if m.name == enter.SECCOMP)
    strict = seccomp.Filter(seccomp.build_program_filter()) if uses_seccomp else None
    seconds = ceil(settings.cpu_s)
    report = mmap.mmap(-1, mmap.PAGESIZE)
    state = _State(
        settings, strict, report, Supervisor(_CONTROL, report, settings),
        bytearray(HEADER.size + (settings.output_kb << 10) + run_program.REPORT_BYTES + 100),
        (seconds, seconds + 1), os.statvfs(".").f_ffree,
    )  # fmt: skip
    # Code that has run a few times is optimised in memory that the forks share.
    for _ in range(_WARMUP_RUNS):
        run_program.run(preload.TYPICAL, 0, report)
    for name in [n for n in sys.modules if n.startswith("curator") or n == "__main__"]:
        del sys.modules[name]
    random.seed(0)
    atexit._clear()
    for _ in range(_WARMUP_RUNS):
        _run(state, preload.TYPICAL, 0)
    gc.collect()
    gc.freeze()
    space = _address_space(statm) + (settings.memory_mb << 20)
    os.close(statm)
    # Those limits of a program under which its zygote can work, too.
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_AS, (space, space + _RESERVE))
    return mechanisms, state


def _address_space(statm: int) -> int:
    """Return the current address space of this process, in bytes."""
    return int(os.pread(statm, 200, 0).split()[0]) * resource.getpagesize()


def _reset_environment(settings: Settings) -> None:
    """Set environment, arguments, folder and import path as every program should find them."""
    home = settings.private if settings.namespaces else "/"
    os.environ.clear()
    os.environ.update(
        HOME=home, TMPDIR=home, PATH="", LANG="C.UTF-8", LC_ALL="C.UTF-8", TZ="UTC",
        OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1",
    )  # fmt: skip
    time.tzset()
    os.umask(0o077)
    os.chdir(home)
    sys.path[:] = [p for p in sys.path if os.path.isdir(p)] + settings.imports
    sys.argv = ["program.py"]
    sys.orig_argv = ["python"]


def _serve(control: socket.socket, state: _State) -> None:
    """Serve one program after the other; return when the caller is gone."""
    request = bytearray(1 << 16)
    while received := control.recv_into(request):
        if received < REQUEST.size:
            received = _receive(control, request, received, REQUEST.size)
        length, preamble = REQUEST.unpack_from(request)
        end = REQUEST.size + length
        if end > len(request):
            request.extend(bytes(end - len(request)))
        if received < end and _receive(control, request, received, end) < end:
            return
        with memoryview(request) as text:
            size = _run(state, text[REQUEST.size : end], preamble)
        request[:end] = bytes(end)
        with memoryview(state.reply) as reply:
            control.sendall(reply[:size])
        state.reply[:size] = bytes(size)


def _run(state: _State, text: bytes | memoryview, preamble: int) -> int:
    """Fork for one program and wait for it; return the number of bytes of the reply."""
    reply, supervisor = state.reply, state.supervisor
    out = os.memfd_create("output")
    started = time.monotonic()
    child = _fork()
    if child < 0:
        raise OSError("cannot fork")
    if child == 0:
        _become_program(out, state, bytes(text), preamble)
    supervisor.wait(child, started)
    os.lseek(out, 0, os.SEEK_SET)
    with memoryview(reply) as view:
        printed = os.readv(out, [view[HEADER.size : HEADER.size + supervisor.max_output + 1]])
    status, error, completed = supervisor.classify(printed)
    seconds = time.monotonic() - started
    os.close(out)
    if state.settings.namespaces and os.statvfs(".").f_ffree != state.files:
        empty_folder(state.settings.private)
    printed = min(printed, supervisor.max_output)
    HEADER.pack_into(reply, 0, STATUSES.index(status), printed, len(error), len(completed), seconds)
    end = HEADER.size + printed
    size = end + len(error) + len(completed)
    reply[end:size] = error + completed.encode()
    return size


def _receive(control: socket.socket, request: bytearray, received: int, end: int) -> int:
    """Fill the request up to `end`; return how much was received before the socket closed."""
    with memoryview(request) as view:
        while received < end and (size := control.recv_into(view[received:end])):
            received += size
    return received


def _become_program(out: int, state: _State, text: bytes, preamble: int) -> Never:
    """In the fork: drop the zygote's descriptors, apply the limits, run the program, exit."""
    code = 1
    try:
        os.dup2(out, 1)
        os.closerange(_CONTROL, _OPEN_FILES)
        enter.die_with_parent()
        resource.setrlimit(resource.RLIMIT_CPU, state.cpu)
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        if state.filter is not None:
            state.filter.install()
        code = run_program.run(text, preamble, state.report)
    finally:
        os._exit(code)


def empty_folder(folder: str) -> None:
    """Remove everything in a folder, including what a program has made unreadable.

    Changes into each folder and back, since programs create chains that are longer than a path may
    be and deeper than descriptors reach. Ends in the folder, as programs expect.
    """
    os.chdir(folder)
    for name in os.listdir("."):
        try:
            os.unlink(name)
        except (IsADirectoryError, PermissionError):
            os.chmod(name, 0o700)
            empty_folder(name)
            os.chdir("..")
            os.rmdir(name)


def unpack_header(header: bytes) -> tuple[Any, ...]:
    """Return status, bytes of the output, of the error line and of the completion, and seconds.

    For the caller's end.
    """
    index, *rest = HEADER.unpack(header)
    return STATUSES[index], *rest
