"""Namespaces: a separate process tree, network, message queues and file view for a zygote.

In: the paths that stay visible and a private folder. Out: `enter` returns in a new process, number
1 of its own process namespace. It sees those paths read-only, the empty private folder, and nothing
else. The calling process stays outside as its keeper: it waits for the new process, or ends it.
"""

import ctypes
import os
import signal
import struct
from collections.abc import Iterable
from types import FrameType
from typing import Never

from curator.sandbox.jail import syscalls

NOBODY = 65534
"""User and group id of programs if the caller is root, and in a user namespace."""

TMP_BYTES, TMP_FILES = 16 << 20, 256
"""Limits of the private folder."""

_NEW_USER = 0x10000000
_NEW_REST = 0x00020000 | 0x20000000 | 0x40000000 | 0x08000000 | 0x04000000
_NOSUID, _NODEV, _BIND, _REC, _PRIVATE = 2, 4, 4096, 16384, 1 << 18
_DETACH, _AT_RECURSIVE = 2, 0x8000
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV = 1, 2, 4

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    result = _libc.mount(
        source.encode(),
        target.encode(),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        data.encode() if data else None,
    )
    _check(result, f"mount {target}")


def _set_attributes(target: str, attributes: int, depth: int = _AT_RECURSIVE) -> None:
    """Set mount attributes, such as read-only, for everything mounted at or under a path."""
    fields = struct.pack("<QQQQ", attributes, 0, 0, 0)
    number = syscalls.get_number("mount_setattr")
    _check(_libc.syscall(number, -100, target.encode(), depth, fields, len(fields)), target)


def enter(visible: Iterable[str], private: str) -> int:
    """Return in the new process, in its new root; the calling process never returns.

    Returns a descriptor of the new process's /proc/self/statm, which is no longer visible there.

    Root uses its own rights if it has them; any other user (and root in a plain container) uses a
    user namespace. Raises OSError if the kernel refuses; the process should then exit, because it
    may be partly set up.
    """
    user, group = os.geteuid(), os.getegid()
    if user != 0 or _libc.unshare(_NEW_REST) != 0:
        _check(_libc.unshare(_NEW_USER | _NEW_REST), "unshare")
        _write_file("/proc/self/setgroups", "deny")
        _write_file("/proc/self/uid_map", f"{NOBODY} {user} 1")
        _write_file("/proc/self/gid_map", f"{NOBODY} {group} 1")
    child = os.fork()
    if child:
        _supervise(child)
    size = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    _build_root(visible, private)
    return size


def _write_file(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _supervise(child: int) -> Never:
    """Wait for the process inside; on SIGTERM end it first, and with it all that it started."""

    def end(signum: int, frame: FrameType | None) -> None:
        os.kill(child, signal.SIGKILL)

    signal.signal(signal.SIGTERM, end)
    # An open socket here would hide from its other end that the zygote is gone.
    os.closerange(0, 256)
    _, status = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _build_root(visible: Iterable[str], private: str) -> None:
    _mount("none", "/", None, _REC | _PRIVATE)
    # Any folder can carry the new root: its content is visible again once the root has moved.
    base = next(p for p in ("/tmp", "/mnt", "/var", "/usr") if os.path.isdir(p))
    _mount("tmpfs", base, "tmpfs", _NOSUID | _NODEV, "mode=755,size=1m")
    old = base + "/.old"
    os.mkdir(old)
    pivot = syscalls.get_number("pivot_root")
    _check(_libc.syscall(pivot, base.encode(), old.encode()), "pivot_root")
    os.chdir("/")
    for path in visible:
        _bind(path)
    os.makedirs(private, exist_ok=True)
    own = f"mode=700,uid={NOBODY},gid={NOBODY},size={TMP_BYTES},nr_inodes={TMP_FILES}"
    _check(_libc.umount2(b"/.old", _DETACH), "umount")
    os.rmdir("/.old")
    _set_attributes("/", _ATTR_RDONLY | _ATTR_NOSUID, 0)
    _mount("tmpfs", private, "tmpfs", _NOSUID | _NODEV, own)


def _bind(path: str) -> None:
    """Bind one path of the old root into the new one, read-only, under the same name."""
    outside = _resolve(path)
    if outside is None:
        return
    if os.path.isdir(outside):
        os.makedirs(path, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
    _mount(outside, path, None, _BIND | _REC)
    device = path.startswith("/dev/")
    _set_attributes(path, _ATTR_NOSUID if device else _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV)


def _resolve(path: str) -> str | None:
    """Return the path under /.old, with absolute links followed inside of it."""
    for _ in range(40):
        here, parts = "/.old", path.strip("/").split("/")
        for index, part in enumerate(parts):
            here = f"{here}/{part}"
            if os.path.islink(here):
                target = os.path.join(os.path.dirname(here)[5:] or "/", os.readlink(here))
                path = os.path.normpath("/".join([target, *parts[index + 1 :]]))
                break
        else:
            return here if os.path.exists(here) else None
    return None
