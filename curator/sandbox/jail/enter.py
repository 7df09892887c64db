"""Jail one zygote: combine namespaces, another user, Landlock and seccomp.

In: the settings of the zygote. Out: the calling process is jailed for good
and knows which mechanisms are in effect. Nothing here runs code of a program.
"""

import contextlib
import ctypes
import os
import resource
import signal
import socket
import struct

from curator.sandbox.jail import landlock, namespaces, seccomp, syscalls
from curator.sandbox.mechanisms import LANDLOCK, LIMITS, NAMESPACES, SECCOMP, USER, Mechanism
from curator.sandbox.settings import Settings

_SET_PDEATHSIG, _SET_DUMPABLE, _SUBREAPER, _NO_NEW_PRIVS, _AMBIENT = 1, 4, 36, 38, 47

_libc = ctypes.CDLL(None, use_errno=True)

DIE_WITH_PARENT = syscalls.prepare_prctl(_SET_PDEATHSIG, signal.SIGKILL)
"""Lets the kernel kill the calling process when the thread that forked it ends."""


def enter(settings: Settings) -> tuple[list[Mechanism], namespaces.Inside]:
    """Jail this process; with namespaces it returns in another process, see `namespaces.enter`.

    With `settings.namespaces` all namespaces are required: raises OSError otherwise. The other
    mechanisms are tried, and the list states which are in effect. Without namespaces there is no
    keeper. Call it once, with one thread and before the process knows anything of a program.
    """
    own_namespaces = settings.namespaces
    mechanisms = [Mechanism(NAMESPACES, own_namespaces, own_namespaces, settings.without)]
    if own_namespaces:
        inside = namespaces.enter(settings)
    else:
        inside = namespaces.Inside(*namespaces.open_own_memory(), -1)
    os.chdir("/")
    readable = [*settings.visible, *settings.package_paths]
    mechanisms.append(_drop_privileges(readable))
    if own_namespaces:
        # Only if the parent is the keeper: the signal comes when the thread that created this
        # process ends, and the caller may have many threads.
        call, arguments = DIE_WITH_PARENT
        call(*arguments)
    for option, value in ((_SET_DUMPABLE, 0), (_SUBREAPER, 1), (_NO_NEW_PRIVS, 1)):
        if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), f"prctl {option}")
    mechanisms.append(_apply_landlock(settings))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    mechanisms.append(Mechanism(LIMITS, True, True))
    mechanisms.append(_apply_seccomp())
    return mechanisms, inside


def _drop_privileges(visible: list[str]) -> Mechanism:
    """Turn root into a user who owns nothing, and drop the capabilities of any user."""
    note, root, used = "not root: keeps the user id, loses capabilities", os.geteuid() == 0, False
    if root:
        try:
            os.setgroups([])
            os.setresgid(namespaces.NOBODY, namespaces.NOBODY, namespaces.NOBODY)
            os.setresuid(namespaces.NOBODY, namespaces.NOBODY, 0)
            used = all(os.access(p, os.R_OK, effective_ids=True) for p in _filter_existing(visible))
            if used:
                os.setresuid(namespaces.NOBODY, namespaces.NOBODY, namespaces.NOBODY)
                note = f"user {namespaces.NOBODY}"
            else:
                os.setresuid(0, 0, 0)
                note = "root without capabilities: other users cannot read this Python"
        except OSError as error:
            note = f"root without capabilities: {error.strerror}"
    _libc.prctl(_AMBIENT, 4, 0, 0, 0)
    header, nothing = struct.pack("<Ii", 0x20080522, 0), bytes(24)
    if _libc.capset(header, nothing) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    return Mechanism(USER, root, used, note)


def _filter_existing(paths: list[str]) -> list[str]:
    """Return the paths that exist, checked as root, who can see all of them."""
    saved = os.geteuid()
    os.seteuid(0)
    try:
        return [p for p in paths if os.path.exists(p)]
    finally:
        os.seteuid(saved)


def _apply_landlock(settings: Settings) -> Mechanism:
    abi = landlock.read_version()
    if abi < 1:
        return Mechanism(LANDLOCK, False, False, "not in this kernel, or forbidden here")
    writable = ["/dev/null"]
    if settings.namespaces:
        writable += [os.path.dirname(namespaces.PRIVATE), namespaces.OUTPUT]
    try:
        readable = [*settings.visible, *settings.package_paths]
        landlock.restrict(readable, settings.hidden, writable)
    except OSError as error:
        return Mechanism(LANDLOCK, True, False, str(error))
    if not settings.namespaces and abi < landlock.TRUNCATE_VERSION:
        return Mechanism(LANDLOCK, True, False, f"version {abi} is not enough on its own")
    return Mechanism(LANDLOCK, True, True, f"version {abi}")


def _apply_seccomp() -> Mechanism:
    try:
        seccomp.Filter(seccomp.build_zygote_filter()).install()
    except (OSError, KeyError) as error:
        return Mechanism(SECCOMP, False, False, str(error))
    return Mechanism(SECCOMP, True, True)


def find_leaks(visible: list[str], private: str) -> list[str]:
    """Try what the jail should prevent, and return what succeeds."""
    leaks = []
    for path in ("/etc/passwd", "/etc/shadow", "/proc/self/environ", "/proc/1/environ"):
        with contextlib.suppress(OSError), open(path, "rb"):
            leaks.append(f"reads {path}")
    for path in ("/root", "/home", "/proc", "/sys"):
        if not any(shown_path.startswith(path) for shown_path in visible):
            with contextlib.suppress(OSError):
                leaks += [f"lists {path}"] if os.listdir(path) else []
    folders = {*visible, "/", "/tmp", "/var/tmp", "/dev/shm", "/home", os.path.dirname(private)}
    for path in sorted(each for each in folders if os.path.realpath(each) != private):
        name = f"{path}/.curator-{os.getpid()}"
        with contextlib.suppress(OSError):
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            os.unlink(name)
            leaks.append(f"writes {path}")
    for family in (socket.AF_INET, socket.AF_UNIX):
        with contextlib.suppress(OSError), socket.socket(family):
            leaks.append(f"opens {family.name} sockets")
    return leaks
