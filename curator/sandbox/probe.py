"""What this machine offers to jail programs, determined by jailing a process.

In: nothing. Out: a table of mechanisms, for people and for `find_missing`. It is not stored: each
process that runs programs determines it for itself.
"""

import sys
from dataclasses import dataclass

from curator.sandbox import mechanisms
from curator.sandbox.classify import Limits
from curator.sandbox.zygote_client import Zygote

PROTECTS = {
    mechanisms.NAMESPACES: "access to home, keys, store, other processes, the network; leftover "
    "files; the host's name",
    mechanisms.USER: "access to files and processes of the user who runs Curator",
    mechanisms.LANDLOCK: "reading and writing any file that Python does not need; TCP",
    mechanisms.SECCOMP: "sockets, new processes and threads, signals to others, rare system calls",
    mechanisms.LIMITS: "endless loops; too much memory, output, file size, open files; core dumps",
}


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One row of the table."""

    name: str
    available: bool
    """Whether the kernel and the current user allow it."""
    used: bool
    """Whether it is in effect in a jailed process."""
    protects: str
    """What it blocks."""
    note: str
    """Its extent, or why it is not used."""


def probe() -> list[Mechanism]:
    """Jail one process and return the mechanisms in effect.

    Raises SandboxError only if no process can be started. Sandbox requires at least seccomp and,
    for files, either namespaces or Landlock version 3 (Linux 6.2). The other mechanisms are
    additional protection.
    """
    if sys.platform != "linux":
        return [Mechanism(n, False, False, PROTECTS[n], "only on Linux") for n in PROTECTS]
    zygote = Zygote(Limits(5.0, 5.0, 256, 64), heavy=False, unsafe_local=True)
    zygote.end()
    return [
        Mechanism(m.name, m.available, m.used, PROTECTS[m.name], m.note) for m in zygote.mechanisms
    ]


def find_missing(table: list[Mechanism]) -> str:
    """Return what the minimum lacks, in a few words; empty if the table reaches it."""
    return mechanisms.find_missing(mechanisms.Mechanism(m.name, m.available, m.used) for m in table)


def describe_policy(table: list[Mechanism]) -> str:
    """Return which programs run with this table, which must reach the minimum."""
    used = {m.name for m in table if m.used}
    if mechanisms.NAMESPACES in used:
        return "Programs run."
    return (
        "Programs run, except those that write files: without namespaces there is no private "
        "folder. Programs can also see the host's name, its process numbers and which paths exist."
    )
