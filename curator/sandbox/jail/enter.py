"""The jail of one zygote: puts together namespaces, another user, Landlock and seccomp.

In: what may be seen and whether to try namespaces. Out: the calling process is jailed for good and
told which mechanisms hold. Nothing here runs code of a program.
"""

import contextlib
import ctypes
import os
import resource
import signal
import socket
import struct
from dataclasses import dataclass

from curator.sandbox.jail import landlock, namespaces, seccomp

NAMESPACES, USER, LANDLOCK, SECCOMP, LIMITS = (
    "namespaces",
    "own user",
    "landlock",
    "seccomp",
    "limits",
)

_SET_PDEATHSIG, _SET_DUMPABLE, _SUBREAPER, _NO_NEW_PRIVS, _AMBIENT = 1, 4, 36, 38, 47

_libc = ctypes.CDLL(None, use_errno=True)
_prctl = ctypes.CDLL(None).prctl
_prctl.argtypes = (ctypes.c_int, *4 * (ctypes.c_ulong,))


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One mechanism as this process found it."""

    name: str
    available: bool
    """The kernel, and who we are, offer it."""
    used: bool
    note: str = ""
    """Why it is not used, or how far it reaches."""


def enter(visible: list[str], private: str, own_namespaces: bool) -> tuple[list[Mechanism], int]:
    """Jails this process; may return in another one, see `spaces.enter`.

    With `own_namespaces` all must be had: OSError else. The other mechanisms are tried, and the
    list says which hold. The number is a descriptor of the jailed process's /proc/self/statm. Call
    it once, with one thread and before anything of a program is known.
    """
    refused = "" if own_namespaces else "not granted here"
    held = [Mechanism(NAMESPACES, own_namespaces, own_namespaces, refused)]
    if own_namespaces:
        statm = namespaces.enter(visible, private)
    else:
        statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    os.chdir("/")
    held.append(_become_nobody(visible))
    if own_namespaces:
        # Only where the parent is the keeper: the signal comes when the thread that made this
        # process ends, and the caller may have many.
        die_with_parent()
    for option, value in ((_SET_DUMPABLE, 0), (_SUBREAPER, 1), (_NO_NEW_PRIVS, 1)):
        if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), f"prctl {option}")
    writable = ["/dev/null", private] if own_namespaces else ["/dev/null"]
    held.append(_landlock(visible, writable, alone=not own_namespaces))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    held.append(Mechanism(LIMITS, True, True))
    held.append(_seccomp())
    return held, statm


def die_with_parent() -> None:
    """This process is killed when the thread that forked it ends."""
    _prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _become_nobody(visible: list[str]) -> Mechanism:
    """Root becomes a user who owns nothing; everybody loses all capabilities."""
    note, root = "not root to begin with", os.geteuid() == 0
    used = not root
    if root:
        try:
            os.setgroups([])
            os.setresgid(namespaces.NOBODY, namespaces.NOBODY, namespaces.NOBODY)
            os.setresuid(namespaces.NOBODY, namespaces.NOBODY, 0)
            used = all(os.access(p, os.R_OK, effective_ids=True) for p in _present(visible))
            if used:
                os.setresuid(namespaces.NOBODY, namespaces.NOBODY, namespaces.NOBODY)
                note = f"user {namespaces.NOBODY}"
            else:
                os.setresuid(0, 0, 0)
                note = "root without rights: others may not read this Python"
        except OSError as error:
            note = f"root without rights: {error.strerror}"
    _libc.prctl(_AMBIENT, 4, 0, 0, 0)
    header, nothing = struct.pack("<Ii", 0x20080522, 0), bytes(24)
    if _libc.capset(header, nothing) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    return Mechanism(USER, True, used, note)


def _present(paths: list[str]) -> list[str]:
    """Those that exist, looked for as a caller who may see everything: kept for `access`."""
    saved = os.geteuid()
    os.seteuid(0)
    try:
        return [p for p in paths if os.path.exists(p)]
    finally:
        os.seteuid(saved)


def _landlock(visible: list[str], writable: list[str], alone: bool) -> Mechanism:
    abi = landlock.version()
    if abi < 1:
        return Mechanism(LANDLOCK, False, False, "not in this kernel")
    try:
        landlock.restrict(visible, writable)
    except OSError as error:
        return Mechanism(LANDLOCK, True, False, str(error))
    if alone and abi < landlock.TRUNCATES:
        return Mechanism(LANDLOCK, True, False, f"version {abi} is not enough on its own")
    return Mechanism(LANDLOCK, True, True, f"version {abi}")


def _seccomp() -> Mechanism:
    try:
        seccomp.Filter(seccomp.for_zygote()).install()
    except (OSError, KeyError) as error:
        return Mechanism(SECCOMP, False, False, str(error))
    return Mechanism(SECCOMP, True, True)


def enough(held: list[Mechanism]) -> str:
    """Empty if the jail reaches the minimum, else what is missing, in a few words.

    The minimum: seccomp (no sockets, no processes, no signals to others) and a file view, made
    either of namespaces or of Landlock version 3 (Linux 6.2).
    """
    used = {h.name for h in held if h.used}
    if SECCOMP not in used:
        return "seccomp"
    if not used & {NAMESPACES, LANDLOCK}:
        return "namespaces or Landlock 3 (Linux 6.2)"
    return ""


def leaks(visible: list[str], private: str) -> list[str]:
    """What this process can still do that the jail should stop; tried, not believed."""
    found = []
    for path in ("/etc/passwd", "/etc/shadow", "/proc/self/environ", "/proc/1/environ"):
        with contextlib.suppress(OSError), open(path, "rb"):
            found.append(f"reads {path}")
    for path in ("/root", "/home", "/proc", "/sys"):
        if not any(shown.startswith(path) for shown in visible):
            with contextlib.suppress(OSError):
                found += [f"lists {path}"] if os.listdir(path) else []
    for path in sorted({*visible, "/", "/tmp", "/var/tmp", "/dev/shm", "/home"} - {private}):
        name = f"{path}/.curator-{os.getpid()}"
        with contextlib.suppress(OSError):
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            os.unlink(name)
            found.append(f"writes {path}")
    for family in (socket.AF_INET, socket.AF_UNIX):
        with contextlib.suppress(OSError), socket.socket(family):
            found.append(f"opens {family.name} sockets")
    return found
