"""Progress of long work: sent to a listener, which the command line implements."""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")


class Listener(Protocol):
    """Receives progress and notes."""

    def progress(self, what: str, done: int, total: int | None) -> None:
        """Receive that `done` of `total` items are done; `total` is None if it is not known."""

    def note(self, text: str) -> None:
        """Receive one line for the user, such as that another build is waited for."""


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
