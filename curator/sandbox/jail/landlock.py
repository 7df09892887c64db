"""Landlock: restrict the calling process to named files.

In: paths to read, folders to hide among them and paths to write. Out: the process and its forks
are restricted for good, and so are TCP, abstract sockets and signals to processes outside, as far
as the kernel supports it (5.13: files, 6.2: truncation, 6.7: TCP, 6.12: sockets and signals). It
does not hide names: `stat` still shows whether a path exists.
"""

import ctypes
import os
import struct
from collections.abc import Iterable, Iterator

from curator.sandbox.jail import syscalls

TRUNCATE_VERSION = 3
"""First version that restricts truncation; without it a process can empty its own files."""

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE = 1, 2, 4, 8, 1 << 14
_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_NO_NODES = ~(1 << 6 | 1 << 9 | 1 << 10 | 1 << 11 | _EXECUTE)
_FILE_RIGHTS = _WRITE_FILE | _READ_FILE | _TRUNCATE
_BOTH_TCP, _BOTH_SCOPES = 3, 3

_libc = ctypes.CDLL(None, use_errno=True)


def read_version() -> int:
    """Return Landlock's version on this kernel; 0 without Landlock."""
    try:
        version = _libc.syscall(syscalls.get_number("landlock_create_ruleset"), None, 0, 1)
    except KeyError:
        return 0
    return max(int(version), 0)


def _check(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"landlock {what}: {os.strerror(code)}")
    return result


def restrict(readable: Iterable[str], hidden: Iterable[str], writable: Iterable[str]) -> None:
    """Restrict the process to these paths; skip missing ones.

    The content of `hidden` folders stays unreadable, unless `readable` contains a path inside of
    them; their names do not. Requires no_new_privs. Raises OSError if the kernel refuses.
    """
    abi = read_version()
    files = max(rights for since, rights in _RIGHTS.items() if since <= max(abi, 1))
    handled = struct.pack(
        "<QQQ", files, _BOTH_TCP if abi >= 4 else 0, _BOTH_SCOPES if abi >= 6 else 0
    )
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    create = syscalls.get_number("landlock_create_ruleset")
    ruleset = _check(_libc.syscall(create, handled, size, 0), "create")
    try:
        for path, rights in _split_folders(readable, tuple(hidden)):
            _allow(ruleset, path, rights & files)
        for path in writable:
            _allow(ruleset, path, files & _NO_NODES)
        _check(_libc.syscall(syscalls.get_number("landlock_restrict_self"), ruleset, 0), "restrict")
    finally:
        os.close(ruleset)


def _split_folders(readable: Iterable[str], hidden: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """Yield paths and their rights: a rule holds for everything below, so split such folders."""
    for path in readable:
        if not any(each.startswith(f"{path}/") for each in hidden):
            yield path, _READ_FILE | _READ_DIR
            continue
        yield path, _READ_DIR
        entries = (f"{path}/{name}" for name in os.listdir(path))
        yield from _split_folders([entry for entry in entries if entry not in hidden], hidden)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        target = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not os.path.isdir(path):
            rights &= _FILE_RIGHTS
        rule = struct.pack("<Qi", rights, target)
        _check(_libc.syscall(syscalls.get_number("landlock_add_rule"), ruleset, 1, rule, 0), path)
    finally:
        os.close(target)
