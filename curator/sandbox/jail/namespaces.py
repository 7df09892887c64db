"""Namespaces: a separate process tree, network, host name and file view for a zygote.

In: the paths that stay visible. Out: `enter` returns in a new process, number 1 of its own process
namespace. It sees those paths read-only, the empty private folder, the file for output, and nothing
else. The calling process stays outside as its keeper: it replaces the private folder on request,
waits for the new process, or ends it.
"""

import ctypes
import os
import signal
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import Never

from curator.sandbox.jail import syscalls
from curator.sandbox.settings import Settings

NOBODY = 65534
"""User and group id of programs if the caller is root, and in a user namespace."""

PRIVATE = "/private/tmp"
"""The private folder. Its parent holds nothing else: a rule of Landlock for a folder does not hold
for what is mounted on it later, but a rule for its parent does."""

OUTPUT = "/dev/stdout"
"""The file that programs print to. It is always the same one, emptied before each program, since
the number of a new file would count the programs."""

HOST = "sandbox"

TMP_BYTES, TMP_FILES = 16 << 20, 256
"""Limits of the private folder."""

_FIRST_PID = 300
"""Where the kernel continues when it has used up the process ids of a namespace."""
_UID_BYTES = 4
_OWN_PID_LIMIT = (6, 14)
"""First Linux version in which each process namespace has its own `pid_max`."""

_NEW_USER = 0x10000000
_NEW_REST = 0x00020000 | 0x20000000 | 0x40000000 | 0x08000000 | 0x04000000
_NOSUID, _NODEV, _NOATIME, _BIND, _REC, _PRIVATE = 2, 4, 1024, 4096, 16384, 1 << 18
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


@dataclass(frozen=True, slots=True)
class Inside:
    """What `enter` opens for the new process."""

    statm: int
    """Descriptor of its /proc/self/statm, which is no longer visible."""
    maps: int
    """The same of its /proc/self/maps."""
    keeper: int
    """Descriptor of the socket on which the keeper renews the private folder."""


def enter(settings: Settings) -> Inside:
    """Return in the new process, in its new root; the calling process never returns.

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
    keeper_end, own_end = socket.socketpair()
    child = os.fork()
    if child:
        _keep(child, keeper_end.fileno())
    keeper_end.close()
    statm, maps = open_own_memory()
    socket.sethostname(HOST)
    _limit_pids()
    _libc.setdomainname(b"", ctypes.c_size_t(0))
    _build_root(settings)
    return Inside(statm, maps, own_end.detach())


def open_own_memory() -> tuple[int, int]:
    """Open the two files that describe the memory of the calling process."""
    flags = os.O_RDONLY | os.O_CLOEXEC
    return os.open("/proc/self/statm", flags), os.open("/proc/self/maps", flags)


def renew_private_folder(keeper: int) -> None:
    """Mount an empty private folder, without a trace of files in an earlier one.

    Ends in the folder. Raises OSError if the keeper is gone.
    """
    os.chdir("/")
    os.write(keeper, os.geteuid().to_bytes(_UID_BYTES))
    if not os.read(keeper, 1):
        raise OSError("the keeper is gone")
    os.chdir(PRIVATE)


def _write_file(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _limit_pids() -> None:
    """Let every program have the same process id, where the kernel can do that.

    Before Linux 6.14 the limit would change the whole machine; programs then count upwards.
    """
    version = tuple(int(part) for part in os.uname().release.split(".")[:2] if part.isdigit())
    if version >= _OWN_PID_LIMIT:
        with suppress(OSError):
            _write_file("/proc/sys/kernel/pid_max", str(_FIRST_PID + 1))
            _write_file("/proc/sys/kernel/ns_last_pid", str(_FIRST_PID))


def _keep(child: int, requests: int) -> Never:
    """Serve the process inside until it ends; on SIGTERM end it, and with it all it started."""

    def end(signum: int, frame: FrameType | None) -> None:
        os.kill(child, signal.SIGKILL)

    signal.signal(signal.SIGTERM, end)
    # An open socket of the caller here would hide from its other end that the zygote is gone.
    os.closerange(0, requests)
    os.closerange(requests + 1, 256)
    with suppress(OSError):
        while owner := os.read(requests, _UID_BYTES):
            if _libc.umount2(PRIVATE.encode(), 0) != 0:
                _libc.umount2(PRIVATE.encode(), _DETACH)
            limits = f"mode=700,uid={int.from_bytes(owner)},size={TMP_BYTES},nr_inodes={TMP_FILES}"
            _mount("tmpfs", PRIVATE, "tmpfs", _NOSUID | _NODEV | _NOATIME, limits)
            os.write(requests, b"1")
    # Without a keeper that answers, the process inside ends.
    os.close(requests)
    _, status = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _build_root(settings: Settings) -> None:
    _mount("none", "/", None, _REC | _PRIVATE)
    # Any folder can carry the new root: its content is visible again once the root has moved.
    base = next(p for p in ("/tmp", "/mnt", "/var", "/usr") if os.path.isdir(p))
    # Folders can be passed, but not listed: their names would tell where Python is installed.
    _mount("tmpfs", base, "tmpfs", _NOSUID | _NODEV, "mode=111,size=1m")
    os.umask(0o666)
    old = base + "/.old"
    os.mkdir(old)
    pivot = syscalls.get_number("pivot_root")
    _check(_libc.syscall(pivot, base.encode(), old.encode()), "pivot_root")
    os.chdir("/")
    for path in settings.visible:
        _bind(path)
    for path in settings.hidden:
        _mount("tmpfs", path, "tmpfs", _NOSUID | _NODEV, "mode=111,size=1m")
    for path in settings.package_paths:
        _bind(path)
    for path, target in settings.links:
        if not os.path.lexists(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.symlink(target, path)
    os.makedirs(PRIVATE)
    if not os.path.exists("/tmp"):
        os.symlink(PRIVATE, "/tmp")
    _make_output()
    _check(_libc.umount2(b"/.old", _DETACH), "umount")
    os.rmdir("/.old")
    for path in ("/", *settings.hidden):
        _set_attributes(path, _ATTR_RDONLY | _ATTR_NOSUID, 0)


def _make_output() -> None:
    """Make the file for output: the only one of its file system that has a name here."""
    os.mkdir("/.output")
    # Anybody may write: nobody else is in this namespace, and the zygote may be any user.
    limits = f"mode=700,size={TMP_BYTES + (1 << 16)},nr_inodes=2"
    _mount("tmpfs", "/.output", "tmpfs", _NOSUID | _NODEV | _NOATIME, limits)
    for path in ("/.output/file", OUTPUT):
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        os.chmod(path, 0o666)
    _mount("/.output/file", OUTPUT, None, _BIND)
    _check(_libc.umount2(b"/.output", _DETACH), "umount")
    os.rmdir("/.output")


def _bind(path: str) -> None:
    """Bind one path of the old root into the new one, read-only, under the same name.

    The path must contain no symbolic links.
    """
    outside = f"/.old{path}"
    if not os.path.exists(outside):
        return
    if os.path.isdir(outside):
        os.makedirs(path, exist_ok=True)
    elif not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
    _mount(outside, path, None, _BIND | _REC)
    device = path.startswith("/dev/")
    _set_attributes(path, _ATTR_NOSUID if device else _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV)
