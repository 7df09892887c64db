"""Build and install seccomp filters: lists of allowed system calls; everything else is refused.

In: the lists of `curator.sandbox.jail.syscalls`. Out: a filter for a zygote or for a program,
installed on the calling process and its forks. A filter cannot be removed.
"""

import ctypes
import errno
import struct
from os import getpid, strerror

from curator.sandbox.jail import syscalls

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_X32_BIT = 0x40000000
_OWN_PID = 0xFFFF_FFF1
"""Placeholder for the pid in a prepared filter until a process installs it."""

_SET_PDEATHSIG, _SET_SECCOMP, _MODE_FILTER = 1, 22, 2
_ARGUMENTS_AT = 16

_prctl = ctypes.CDLL(None, use_errno=True).prctl
_prctl.argtypes = (ctypes.c_int, *4 * (ctypes.c_ulong,))


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)


def _allow_values(
    number: int, argument: int, values: tuple[int, ...], refusal: int = errno.EPERM
) -> bytes:
    """Allow a call only if the low 32 bits of one argument are among the values."""
    body = _op(_LOAD, _ARGUMENTS_AT + 8 * argument)
    for value in values:
        body += _op(_EQUAL, value, 0, 1) + _op(_RETURN, _ALLOW)
    body += _op(_RETURN, _ERRNO | refusal)
    return _op(_EQUAL, number, 0, len(body) // 8) + body


def _refuse_if(
    number: int, argument: int, test: int, value: int, refusal: int = errno.EPERM
) -> bytes:
    """Refuse a call if the test of the low 32 bits of one argument holds; allow it otherwise."""
    body = _op(_LOAD, _ARGUMENTS_AT + 8 * argument)
    body += _op(test, value, 0, 1) + _op(_RETURN, _ERRNO | refusal) + _op(_RETURN, _ALLOW)
    return _op(_EQUAL, number, 0, len(body) // 8) + body


def _allow_with_bit(number: int, argument: int, bit: int) -> bytes:
    """Allow a call only if the bit is set in one argument."""
    body = _op(_LOAD, _ARGUMENTS_AT + 8 * argument)
    body += _op(_ANY_BIT, bit, 0, 1) + _op(_RETURN, _ALLOW) + _op(_RETURN, _ERRNO | errno.EPERM)
    return _op(_EQUAL, number, 0, len(body) // 8) + body


def _load_number() -> bytes:
    """Check the architecture, which selects the table of numbers, and load the call's number."""
    code = _op(_LOAD, 4)
    code += _op(_EQUAL, syscalls.ARCHITECTURES[syscalls.MACHINE], 1, 0) + _op(_RETURN, _KILL)
    code += _op(_LOAD, 0)
    if syscalls.MACHINE == "x86_64":
        code += _op(_AT_LEAST, _X32_BIT, 0, 1) + _op(_RETURN, _KILL)
    return code


def build_zygote_filter() -> bytes:
    """Allow the listed calls and refuse the rest, for a zygote and its forks.

    A zygote may fork without new namespaces, signal its children, use its open socket, and install
    further filters. Raises KeyError on an architecture whose numbers are unknown.
    """
    number = syscalls.get_number
    rules = {
        "fcntl": lambda n: _allow_values(n, 1, syscalls.FCNTL_COMMANDS),
        "ioctl": lambda n: _allow_values(n, 1, syscalls.IOCTL_REQUESTS),
        "prlimit64": lambda n: _allow_values(n, 0, (0,)),
        "prctl": lambda n: _allow_values(n, 0, (_SET_PDEATHSIG, _SET_SECCOMP)),
        "clone": lambda n: _refuse_if(n, 0, _ANY_BIT, syscalls.NAMESPACE_FLAGS),
        "open": lambda n: _refuse_if(n, 1, _ANY_BIT, syscalls.UNNAMED_FILE, errno.EOPNOTSUPP),
        "openat": lambda n: _refuse_if(n, 2, _ANY_BIT, syscalls.UNNAMED_FILE, errno.EOPNOTSUPP),
        "futex": lambda n: _allow_with_bit(n, 1, syscalls.PRIVATE_FUTEX),
        # glibc accepts ENOSYS where it gives the number of its own thread instead of 0.
        "sched_getaffinity": lambda n: _allow_values(n, 0, (0,), errno.ENOSYS),
        "getpriority": lambda n: _allow_values(n, 1, (0,)),
    }
    for name in ("getpgid", "getsid", "sched_getparam", "sched_getscheduler"):
        rules[name] = lambda n: _allow_values(n, 0, (0,))
    for name in ("clock_gettime", "clock_getres", "clock_nanosleep"):
        rules[name] = lambda n: _refuse_if(n, 0, _AT_LEAST, syscalls.CLOCKS)
    code = _load_number()
    # Libraries fall back on clone(), whose flags can be checked, and on stat(), which does not
    # return when a file was created, only if the newer calls do not exist.
    for name in ("clone3", "statx"):
        code += _op(_EQUAL, number(name), 0, 1) + _op(_RETURN, _ERRNO | errno.ENOSYS)
    for name in (*syscalls.PROGRAM, *syscalls.ZYGOTE):
        rule = rules.get(name)
        if rule is not None:
            code += rule(number(name))
        else:
            code += _op(_EQUAL, number(name), 0, 1) + _op(_RETURN, _ALLOW)
    return code + _op(_RETURN, _ERRNO | errno.EPERM)


def build_program_filter() -> bytes:
    """Deny a program the calls that only its zygote may make, and signals to other processes.

    It is added to the zygote's filter, which stays in effect: the stricter of the two answers
    counts. It is short because every fork installs it, and a long one costs 0.3 ms.
    """
    signals = [syscalls.get_number(name) for name in ("kill", "tgkill", "tkill")]
    refused = [syscalls.get_number(name) for name in syscalls.ZYGOTE]
    code = _load_number()
    # Every jump leads past the comparisons that follow it: to the refusal, or past that, too.
    left = len(signals) + len(refused)
    for number in signals:
        left -= 1
        code += _op(_EQUAL, number, left + 2)
    for number in refused:
        left -= 1
        code += _op(_EQUAL, number, left + 1)
    code += _op(_RETURN, _ALLOW) + _op(_RETURN, _ERRNO | errno.EPERM)
    code += _op(_LOAD, _ARGUMENTS_AT) + _op(_EQUAL, _OWN_PID, 0, 1)
    return code + _op(_RETURN, _ALLOW) + _op(_RETURN, _ERRNO | errno.EPERM)


class Filter:
    """A filter prepared for the kernel, so that a fork has little left to do."""

    def __init__(self, code: bytes) -> None:
        self._code = bytearray(code)
        self._words = memoryview(self._code).cast("I")
        self._pids = [at for at, word in enumerate(self._words) if word == _OWN_PID]
        buffer = (ctypes.c_char * len(code)).from_buffer(self._code)
        self._program = _Program(len(code) // 8, ctypes.addressof(buffer))
        self._address = ctypes.addressof(self._program)
        self.installation = syscalls.prepare_prctl(_SET_SECCOMP, _MODE_FILTER, self._address)
        """Installs the filter on the calling process, after `set_pid`."""

    def set_pid(self) -> None:
        """Allow what is allowed for the own process for the calling one."""
        pid = getpid()
        for at in self._pids:
            self._words[at] = pid

    def install(self) -> None:
        """Install the filter on this process; raises OSError if the kernel refuses it.

        Requires no_new_privs or CAP_SYS_ADMIN.
        """
        self.set_pid()
        if _prctl(_SET_SECCOMP, _MODE_FILTER, self._address, 0, 0) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"seccomp: {strerror(number)}")
