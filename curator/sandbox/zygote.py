"""The jailed process that forks once for every program, and watches over it.

In: on one socket, programs, each as a REQUEST and its UTF-8 text. Out: on the same socket, first
one line of JSON that tells how the jail came out, then for each program a HEADER, its output, its
error line and how its result was completed. Ends when the socket does. It never runs a program that
it is sent, keeps nothing of one for the next, and knows nothing but the text: no answer, no path of
the caller's, no key.
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
from curator.sandbox.supervise import Watch

REQUEST = struct.Struct("<IB")
"""Bytes of the text, and which of `completion.PREAMBLES` goes before it."""
HEADER = struct.Struct("<BIHBd")
"""Place of the status in STATUSES, bytes of output, of the error line and of how the result was
completed, seconds."""

# Not os.fork(): what modules have registered to run after it costs more than the fork does, and
# makes `random` start anew from the system's entropy. Safe because a zygote has one thread.
_fork = ctypes.PyDLL(None).fork

_FILE_BYTES, _OPEN_FILES = 16 << 20, 64
_MOST_OPEN = 256
_RESERVE = 16 << 20
_CONTROL = 3
_REHEARSALS = 10


@dataclass(slots=True)
class _Ready:
    """What is there before the first program, so that each has little left to do."""

    settings: Settings
    filter: seccomp.Filter | None
    report: mmap.mmap
    """What a program has to say; shared with it."""
    watch: Watch
    answer: bytearray
    """What goes to the caller: HEADER, output, error line and how the result was completed."""
    cpu: tuple[int, int]
    files: int
    """Files that the private folder can still hold when it is empty."""


def main(control_fd: int, settings_json: str) -> Never:
    """Jails itself, warms up, reports, and serves until the socket ends."""
    control = socket.socket(fileno=_low(control_fd))
    settings = Settings(**json.loads(settings_json))
    try:
        held, ready = _prepare(settings)
    except Exception as error:
        control.sendall(json.dumps({"failed": f"{type(error).__name__}: {error}"}).encode() + b"\n")
        os._exit(1)
    # Until here the caller could read what a failing start has to say.
    os.dup2(1, 2)
    control.sendall(json.dumps({"held": [asdict(h) for h in held]}).encode() + b"\n")
    with suppress(BaseException):
        _serve(control, ready)
    os._exit(0)


def _low(control_fd: int) -> int:
    """Moves the socket next to the standard descriptors and allows no number past _MOST_OPEN.

    So that closing all up to there in a program closes all there is, however many descriptors the
    caller had.
    """
    os.dup2(control_fd, _CONTROL)
    os.closerange(_CONTROL + 1, max(control_fd + 1, _MOST_OPEN))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MOST_OPEN, _MOST_OPEN))
    return _CONTROL


def _prepare(settings: Settings) -> tuple[list[enter.Mechanism], _Ready]:
    held, statm = enter.enter(settings.visible, settings.private, settings.namespaces)
    if settings.must_hold:
        if missing := enter.enough(held):
            raise OSError(f"this kernel lacks {missing}")
        if found := enter.leaks(settings.visible, settings.private if settings.namespaces else ""):
            raise OSError(f"the jail leaks: it {', '.join(found)}")
    _clean(settings)
    (preload.heavy if settings.heavy else preload.light)()
    strict = seccomp.Filter(seccomp.for_program()) if _has(held, enter.SECCOMP) else None
    seconds = ceil(settings.cpu_s)
    report = mmap.mmap(-1, mmap.PAGESIZE)
    ready = _Ready(
        settings, strict, report, Watch(_CONTROL, report, settings),
        bytearray(HEADER.size + (settings.output_kb << 10) + run_program.REPORT_BYTES + 100),
        (seconds, seconds + 1), os.statvfs(".").f_ffree,
    )  # fmt: skip
    # What is run a few times is settled in memory that forks then share.
    for _ in range(_REHEARSALS):
        run_program.run(preload.TYPICAL, 0, report)
    for name in [n for n in sys.modules if n.startswith("curator") or n == "__main__"]:
        del sys.modules[name]
    random.seed(0)
    atexit._clear()
    for _ in range(_REHEARSALS):
        _run(ready, preload.TYPICAL, 0)
    gc.collect()
    gc.freeze()
    space = _own_size(statm) + (settings.memory_mb << 20)
    os.close(statm)
    # Of a program's limits those that its zygote can live with.
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_AS, (space, space + _RESERVE))
    return held, ready


def _has(held: list[enter.Mechanism], name: str) -> bool:
    return any(h.used for h in held if h.name == name)


def _own_size(statm: int) -> int:
    """Address space of this process in bytes, now."""
    return int(os.pread(statm, 200, 0).split()[0]) * resource.getpagesize()


def _clean(settings: Settings) -> None:
    """Environment, arguments, folder and import path as every program finds them."""
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


def _serve(control: socket.socket, ready: _Ready) -> None:
    """One program after the other; returns when the caller has gone."""
    request = bytearray(1 << 16)
    while have := control.recv_into(request):
        if have < REQUEST.size:
            have = _receive(control, request, have, REQUEST.size)
        length, preamble = REQUEST.unpack_from(request)
        end = REQUEST.size + length
        if end > len(request):
            request.extend(bytes(end - len(request)))
        if have < end and _receive(control, request, have, end) < end:
            return
        with memoryview(request) as text:
            size = _run(ready, text[REQUEST.size : end], preamble)
        request[:end] = bytes(end)
        with memoryview(ready.answer) as answer:
            control.sendall(answer[:size])
        ready.answer[:size] = bytes(size)


def _run(ready: _Ready, text: bytes | memoryview, preamble: int) -> int:
    """Forks for one program and waits; bytes of the answer."""
    answer, watch = ready.answer, ready.watch
    out = os.memfd_create("output")
    started = time.monotonic()
    child = _fork()
    if child < 0:
        raise OSError("cannot fork")
    if child == 0:
        _become_program(out, ready, bytes(text), preamble)
    watch.wait(child, started)
    os.lseek(out, 0, os.SEEK_SET)
    with memoryview(answer) as view:
        printed = os.readv(out, [view[HEADER.size : HEADER.size + watch.most + 1]])
    status, error, how = watch.judge(printed)
    seconds = time.monotonic() - started
    os.close(out)
    if ready.settings.namespaces and os.statvfs(".").f_ffree != ready.files:
        empty(ready.settings.private)
    printed = min(printed, watch.most)
    HEADER.pack_into(answer, 0, STATUSES.index(status), printed, len(error), len(how), seconds)
    end = HEADER.size + printed
    size = end + len(error) + len(how)
    answer[end:size] = error + how.encode()
    return size


def _receive(control: socket.socket, request: bytearray, have: int, end: int) -> int:
    """Fills the request up to an end; returns how far it got before the socket ended."""
    with memoryview(request) as view:
        while have < end and (got := control.recv_into(view[have:end])):
            have += got
    return have


def _become_program(out: int, ready: _Ready, text: bytes, preamble: int) -> Never:
    """The forked side: gives up what it has, takes on its limits, runs the program, ends."""
    code = 1
    try:
        os.dup2(out, 1)
        os.closerange(_CONTROL, _OPEN_FILES)
        enter.die_with_parent()
        resource.setrlimit(resource.RLIMIT_CPU, ready.cpu)
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        if ready.filter is not None:
            ready.filter.install()
        code = run_program.run(text, preamble, ready.report)
    finally:
        os._exit(code)


def empty(folder: str) -> None:
    """Removes all there is in a folder, also what its maker had shut against reading.

    Goes down and up by changing folder, since programs make chains that are longer than a path may
    be and deeper than descriptors reach. Ends in the folder, as programs expect.
    """
    os.chdir(folder)
    for name in os.listdir("."):
        try:
            os.unlink(name)
        except (IsADirectoryError, PermissionError):
            os.chmod(name, 0o700)
            empty(name)
            os.chdir("..")
            os.rmdir(name)


def unpack(header: bytes) -> tuple[Any, ...]:
    """Status, bytes of output, of the error line and of the completion, and seconds, for the other
    end."""
    place, *rest = HEADER.unpack(header)
    return STATUSES[place], *rest
