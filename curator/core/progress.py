"""How long work tells where it is: to a listener, which the command line draws."""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")


class Listener(Protocol):
    """Hears of work in progress."""

    def progress(self, what: str, done: int, total: int | None) -> None:
        """`done` of `total` items of `what`; the total is None where it is not known."""

    def note(self, text: str) -> None:
        """One line that a person should read now: another build is waited for, say."""


class Silent:
    """Hears and says nothing."""

    def progress(self, what: str, done: int, total: int | None) -> None:
        """Says nothing."""

    def note(self, text: str) -> None:
        """Says nothing."""


def counted(
    items: Iterable[T], listener: Listener, what: str, total: int | None = None, every: int = 500
) -> Iterator[T]:
    """The same items, told to the listener every so often and at the end."""
    done = 0
    for item in items:
        yield item
        done += 1
        if done % every == 0:
            listener.progress(what, done, total)
    listener.progress(what, done, total if total is not None else done)
