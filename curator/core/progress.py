"""Progress of long work: sent to a listener, which the command line implements."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

T = TypeVar("T")


class Listener(Protocol):
    """Receives progress and notes."""

    def progress(self, what: str, done: int, total: int | None) -> None:
        """Receive that `done` of `total` items are done; `total` is None if it is not known."""

    def note(self, text: str) -> None:
        """Receive one line for the user, such as that another build is waited for."""


@dataclass(frozen=True, slots=True)
class TeacherProgress:
    """How far a teacher is with the problems of one subset."""

    what: str
    """Such as `generating gsm8k_pot`."""
    done: int
    total: int | None
    """Number of problems; None if it is not known."""
    calls: int
    """Calls made since the work began."""
    seconds: float
    """Seconds since then."""
    in_flight: int
    refused: int
    """Attempts that met a rate limit."""
    failed: int
    """Calls without a reply."""
    tokens: int
    money: float

    @property
    def seconds_left(self) -> float | None:
        """Expected seconds until all problems are done; None before the first one."""
        if not self.total or not self.done or self.done > self.total:
            return None
        return self.seconds * (self.total - self.done) / self.done

    def __str__(self) -> str:
        """Return one line of at most 80 columns if `what` and the numbers are of usual size."""
        rate = self.calls / self.seconds if self.seconds > 0 else 0.0
        of = f"/{short_number(self.total)}" if self.total else ""
        parts = [
            f"{short_number(self.done)}{of}",
            f"{rate:.1f}/s",
            f"{short_number(self.in_flight)} in flight",
        ]
        parts += [f"{short_number(self.refused)} refused"] if self.refused else []
        parts += [f"{short_number(self.failed)} failed"] if self.failed else []
        parts.append(f"{short_number(self.tokens)} tokens")
        parts += [f"{self.money:.2f}"] if self.money else []
        parts += [f"{short_time(left)} left"] if (left := self.seconds_left) is not None else []
        return f"{self.what}: {', '.join(parts)}"


def short_number(value: int) -> str:
    """Return a count in at most five characters: `9,999`, `12k`, `3.4M`."""
    if value < 10_000:
        return f"{value:,}"
    for scale, suffix in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if value >= scale:
            scaled = value / scale
            return f"{scaled:.1f}{suffix}" if scaled < 10 else f"{scaled:.0f}{suffix}"
    return str(value)


def short_time(seconds: float) -> str:
    """Return a duration such as `45s`, `12m` or `3h20`."""
    if seconds < 100:
        return f"{seconds:.0f}s"
    minutes = round(seconds / 60)
    return f"{minutes}m" if minutes < 100 else f"{minutes // 60}h{minutes % 60:02}"


@runtime_checkable
class TeacherListener(Protocol):
    """A listener that also receives how far a teacher is."""

    def teacher(self, state: TeacherProgress) -> None:
        """Receive the state of a teacher, about twice a second while it works."""


class SilentListener:
    """Ignores everything."""

    def progress(self, what: str, done: int, total: int | None) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""


def track_progress(
    items: Iterable[T], listener: Listener, what: str, total: int | None = None, every: int = 500
) -> Iterator[T]:
    """Yield the items; report their number after every `every` items and at the end."""
    done = 0
    for item in items:
        yield item
        done += 1
        if done % every == 0:
            listener.progress(what, done, total)
    listener.progress(what, done, total if total is not None else done)
