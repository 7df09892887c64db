"""What this machine offers to jail programs, found by jailing a process and looking.

In: nothing. Out: a table of mechanisms for people and for `enough`.
"""

from dataclasses import dataclass

from curator.sandbox.jail import enter
from curator.sandbox.zygote_client import Limits, Zygote

PROTECTS = {
    enter.NAMESPACES: "home, keys, store, other processes, the network; leftovers of a program",
    enter.USER: "files and processes of whoever runs this",
    enter.LANDLOCK: "reading and writing any file that Python does not need, TCP",
    enter.SECCOMP: "sockets, new processes and threads, signals to others, rare kernel calls",
    enter.LIMITS: "endless loops, memory, output, file size, open files, core dumps",
}


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One row of the table."""

    name: str
    available: bool
    """The kernel, and who we are, offer it."""
    used: bool
    """A jailed process has it in effect."""
    protects: str
    """What it keeps programs from."""
    note: str
    """How far it reaches, or why it is not used."""


def probe() -> list[Mechanism]:
    """Jails one process and tells what holds. Raises SandboxError only where none can be started.

    The minimum, below which Sandbox refuses: seccomp, and for files either namespaces or Landlock
    version 3 (Linux 6.2). The other mechanisms are further walls behind these.
    """
    zygote = Zygote(Limits(5.0, 5.0, 256, 64), heavy=False, unsafe_local=True)
    zygote.end()
    return [Mechanism(h.name, h.available, h.used, PROTECTS[h.name], h.note) for h in zygote.held]


def enough(table: list[Mechanism]) -> str:
    """Empty if the table reaches the minimum, else what is missing, in a few words."""
    return enter.enough([enter.Mechanism(m.name, m.available, m.used) for m in table])
