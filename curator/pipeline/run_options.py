"""How one run works: where it reads sources, how many processes it uses, what it may spend.

These options are not part of the recipe: the same recipe runs with others on another machine.
"""

from dataclasses import dataclass, field
from os import sched_getaffinity
from pathlib import Path

from curator.core.progress import Listener, SilentListener
from curator.teacher import Budget


@dataclass(frozen=True)
class RunOptions:
    """Options of one run."""

    mirror: str | Path | None = None
    """Folder with upstream files: `sources/NAME/FILE`, `evals/NAME/FILE`. Default: the recipe's
    mirror, or the Hub."""
    allow_missing: bool = False
    """Build without the sources that cannot be read, instead of raising SourceError. Their subsets
    wait, and the version says so."""
    workers: int | None = None
    """Number of processes that work on rows and run programs. Default: one per CPU core."""
    executor: str = "local"
    """Where shards run: `local`, in processes of this machine, or `ray`, in a Ray cluster."""
    address: str | None = None
    """Address of the Ray cluster. Default: RAY_ADDRESS, or the cluster of this machine, which is
    started if it does not run."""
    unsafe_local: bool = False
    """Run programs even where this system cannot sandbox them."""
    listener: Listener = field(default_factory=SilentListener)
    """Receives progress and notes."""
    budget: Budget = field(default_factory=Budget)
    """Maximum that this run may spend on its teacher, in addition to the recipe's own budget."""

    @property
    def mirror_folder(self) -> Path | None:
        """The mirror as a path."""
        return Path(self.mirror) if self.mirror else None

    def arguments(self) -> list[str]:
        """Return the options that decide what is read and run, as arguments of `curator`."""
        mirror = ["--mirror", str(self.mirror_folder.absolute())] if self.mirror_folder else []
        flags = {"--allow-missing": self.allow_missing, "--unsafe-local": self.unsafe_local}
        return [*mirror, *(flag for flag, given in flags.items() if given)]

    @property
    def worker_count(self) -> int:
        """The number of processes that work on rows and run programs."""
        # Not the cores of the machine: a batch job may have few of them.
        return self.workers or len(sched_getaffinity(0))


DEFAULTS = RunOptions()
