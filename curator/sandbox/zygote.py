"""The jailed process that forks once per program and supervises the fork.

In: on one socket, programs, each as a REQUEST and its UTF-8 text. Out: on the same socket, first
one line of JSON that describes the jail, then per program a REPLY and its output. Ends when the
socket closes. The zygote never runs a program in its own process, keeps nothing of one program for
the next, and receives nothing but the text: no answer, no path of the caller, no key.
"""

import atexit
import ctypes
import gc
import json
import mmap
import os
import random
import resource
import signal
import socket
import struct
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from math import ceil
from os import closerange
from typing import Never

from curator.sandbox import memory, preload
from curator.sandbox.jail import enter, seccomp, syscalls
from curator.sandbox.jail.namespaces import OUTPUT, PRIVATE, renew_private_folder
from curator.sandbox.mechanisms import SECCOMP, Mechanism, find_missing
from curator.sandbox.protocol import HEADER, REPLY, REPORT_BYTES, REQUEST
from curator.sandbox.run_program import run
from curator.sandbox.settings import PROGRAM_BYTES, Settings
from curator.sandbox.supervise import Supervisor

# Not os.fork(): the functions that modules register to run after it cost more than the fork, and
# reseed `random` from the system's entropy. Safe because a zygote has one thread.
_libc = ctypes.PyDLL(None)
_fork, _open = _libc.fork, _libc.open
_Limits = ctypes.c_ulong * 2

_FILE_BYTES, _OPEN_FILES = 16 << 20, 64
_MAX_OPEN = 256
_RESERVE = 16 << 20
_STDOUT, _STDERR, _CONTROL = 1, 2, 3
_NULL, _OUTPUT = b"/dev/null", OUTPUT.encode()
_PRIVATE_MEMORY = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
_WAIT_STATUS_BYTES = 4
_REST = struct.Struct("<II")
"""What follows the wait status in HEADER."""
_ZEROS = memoryview(bytes(1 << 16))
_REPORT_MEMORY = max(mmap.PAGESIZE, REPORT_BYTES)
"""Whole pages: a program can write to the rest of a page, too."""
_UNTOUCHED = (0, 0)
"""Times of the private folder before each program; another time shows that it made files."""
_WARMUP_RUNS = 10


@dataclass(slots=True)
class _State:
    """What is prepared before the first program, so that each program has little left to do."""

    settings: Settings
    confinement: list[syscalls.Call]
    """The calls by which a fork gives up what only its zygote may do."""
    filter: seccomp.Filter | None
    report: mmap.mmap
    """Memory shared with the program, in which it reports its error. Only one program at a time
    lives, and it is empty whenever one starts."""
    supervisor: Supervisor
    keeper: int
    request: mmap.mmap
    reply: mmap.mmap
    """What is sent to the caller: REPLY and output."""


def main(control_fd: int, settings_json: str) -> Never:
    """Enter the jail, warm up, report, and serve until the socket closes."""
    control = socket.socket(fileno=_move_low(control_fd))
    _reset_signals()
    settings = Settings(**json.loads(settings_json))
    try:
        mechanisms, state = _prepare(settings)
    except Exception as error:  # whatever it is, the parent states it
        control.sendall(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode() + b"\n")
        os._exit(1)
    control.sendall(json.dumps({"mechanisms": [asdict(m) for m in mechanisms]}).encode() + b"\n")
    with suppress(BaseException):
        _serve(control, state)
    os._exit(0)


def _reset_signals() -> None:
    """Undo what the caller blocks or ignores, so that signals mean the same to every program.

    A shell ignores SIGINT for commands in the background, `nohup` ignores SIGHUP.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:  # Python ignores them
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # The C library keeps these two for itself and hides them, also where the caller ignores them.
    libc, change = ctypes.CDLL(None), syscalls.get_number("rt_sigaction")
    for hidden in (32, 33):
        libc.syscall(change, hidden, bytes(64), None, 8)


def _move_low(control_fd: int) -> int:
    """Move the socket next to the standard descriptors and allow no descriptor past _MAX_OPEN.

    A program can then close everything by closing all descriptors up to there, however many the
    caller had.
    """
    os.dup2(control_fd, _CONTROL)
    os.closerange(_CONTROL + 1, max(control_fd + 1, _MAX_OPEN))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MAX_OPEN, _MAX_OPEN))
    return _CONTROL


def _prepare(settings: Settings) -> tuple[list[Mechanism], _State]:
    mechanisms, inside = enter.enter(settings)
    if settings.require_minimum:
        if missing := find_missing(mechanisms):
            raise OSError(f"this system lacks {missing}")
        private = PRIVATE if settings.namespaces else ""
        if leaks := enter.find_leaks([*settings.visible, *settings.package_paths], private):
            raise OSError(f"the jail leaks: it {', '.join(leaks)}")
    if settings.namespaces:
        renew_private_folder(inside.keeper)
    _reset_environment(settings)
    (preload.load_heavy if settings.heavy else preload.load_light)()
    uses_seccomp = any(m.used for m in mechanisms if m.name == SECCOMP)
    strict = seccomp.Filter(seccomp.build_program_filter()) if uses_seccomp else None
    seconds = ceil(settings.cpu_s)
    confinement: list[syscalls.Call] = [
        enter.DIE_WITH_PARENT,
        (_libc.setrlimit, (resource.RLIMIT_CPU, _Limits(seconds, seconds + 1))),
        (_libc.setrlimit, (resource.RLIMIT_NPROC, _Limits(0, 0))),
    ]
    if strict is not None:
        confinement.append(strict.installation)
    reply = mmap.mmap(-1, REPLY.size + (settings.output_kb << 10) + 1, _PRIVATE_MEMORY)
    address = ctypes.addressof(ctypes.c_char.from_buffer(reply))
    state = _State(
        settings, confinement, strict, mmap.mmap(-1, _REPORT_MEMORY),
        Supervisor(_CONTROL, settings, address, address + HEADER.size), inside.keeper,
        mmap.mmap(-1, REQUEST.size + PROGRAM_BYTES, _PRIVATE_MEMORY), reply,
    )  # fmt: skip
    _wipe(state.request, len(state.request))
    _wipe(reply, len(reply))
    # Code that has run a few times is optimised in memory that the forks share.
    for _ in range(_WARMUP_RUNS):
        run(preload.TYPICAL, 0, state.report)
    for name in [n for n in sys.modules if n.startswith("curator") or n == "__main__"]:
        del sys.modules[name]
    random.seed(0)
    atexit._clear()
    for _ in range(_WARMUP_RUNS):
        _run(state, memoryview(preload.TYPICAL), 0)
    gc.collect()
    gc.freeze()
    memory.join_pages(inside.maps)
    memory.start_pools()
    space = _address_space(inside.statm) + (settings.memory_mb << 20)
    os.close(inside.statm)
    os.close(inside.maps)
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
    home = PRIVATE if settings.namespaces else "/"
    os.environ.clear()
    os.environ.update(
        HOME=home, TMPDIR=home, PATH="", LANG="C.UTF-8", LC_ALL="C.UTF-8", TZ="UTC",
        OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1",
    )  # fmt: skip
    time.tzset()
    os.umask(0o077)
    sys.path[:] = [p for p in sys.path if os.path.isdir(p)]
    sys.meta_path.append(preload.Packages(settings.packages))
    sys.argv = ["program.py"]
    sys.orig_argv = ["python"]


def _serve(control: socket.socket, state: _State) -> None:
    """Serve one program after the other; return when the caller is gone."""
    request = state.request
    with memoryview(state.reply) as reply:
        while received := control.recv_into(request):
            if received < REQUEST.size:
                received = _receive(control, request, received, REQUEST.size)
            length, preamble = REQUEST.unpack_from(request)
            end = REQUEST.size + length
            if received < end and _receive(control, request, received, end) < end:
                return
            with memoryview(request) as text:
                size = _run(state, text[REQUEST.size : end], preamble)
            _wipe(request, end)
            control.sendall(reply[:size])
            _wipe(state.reply, size)
            # A program can read the variables of its parent.
            received = length = preamble = end = size = 0


def _run(state: _State, text: memoryview, preamble: int) -> int:
    """Fork for one program and wait for it; return the number of bytes of the reply.

    Makes no object of anything that comes from the program: the next one could find it in memory.
    """
    namespaces = state.settings.namespaces
    if namespaces:
        os.utime(".", ns=_UNTOUCHED)
    _open_streams(namespaces)
    child = _fork()
    if child < 0:
        raise OSError("cannot fork")
    if child == 0:
        _become_program(state, bytes(text), preamble)
    timed_out = state.supervisor.wait(child)
    os.lseek(_STDOUT, 0, os.SEEK_SET)
    with memoryview(state.reply) as reply:
        printed = os.readv(_STDOUT, [reply[REPLY.size :]])
        _REST.pack_into(reply, _WAIT_STATUS_BYTES, timed_out, printed)
        with memoryview(state.report) as report:
            reply[REPLY.size - REPORT_BYTES : REPLY.size] = report[:REPORT_BYTES]
            report[:] = _ZEROS[:_REPORT_MEMORY]
    if namespaces and os.stat(".").st_mtime_ns:
        renew_private_folder(state.keeper)
    return REPLY.size + printed


def _open_streams(namespaces: bool) -> None:
    """Open the standard streams of the next program as those of this process.

    They are new for each, since an open file keeps flags that all its holders share.
    """
    closerange(0, _CONTROL)
    opened = _open(_NULL, os.O_RDWR | os.O_CLOEXEC)
    out = _open(_OUTPUT, os.O_RDWR | os.O_TRUNC) if namespaces else os.memfd_create("output", 0)
    if opened != 0 or out != _STDOUT or _open(_NULL, os.O_RDWR) != _STDERR:
        raise OSError("cannot open the standard streams")


def _wipe(memory: mmap.mmap, size: int) -> None:
    """Fill with zeros; what exceeds a usual size also goes back to the kernel."""
    with memoryview(memory) as view:
        small = min(size, len(_ZEROS), len(view))
        view[:small] = _ZEROS[:small]
    if size > len(_ZEROS):
        memory.madvise(mmap.MADV_DONTNEED, len(_ZEROS))


def _receive(control: socket.socket, request: mmap.mmap, received: int, end: int) -> int:
    """Fill the request up to `end`; return how much was received before the socket closed."""
    with memoryview(request) as view:
        while received < end and (size := control.recv_into(view[received:end])):
            received += size
    return received


def _become_program(state: _State, text: bytes, preamble: int) -> Never:
    """In the fork: drop the zygote's descriptors, apply the limits, run the program, exit.

    Does little, since a fork copies every page of memory in which it uses an object. What can be
    done before the fork is done there.
    """
    code = 1
    try:
        closerange(_CONTROL, _OPEN_FILES)
        if state.filter is not None:
            state.filter.set_pid()
        for call, arguments in state.confinement:
            if call(*arguments) != 0:
                raise OSError("cannot confine the program")
        code = run(text, preamble, state.report)
    finally:
        os._exit(code)
