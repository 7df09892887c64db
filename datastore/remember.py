"""Run work once per key: return what a ledger holds, compute and keep the rest."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from datastore.ledger import Ledger

T = TypeVar("T")


R = TypeVar("R")


COMMIT = 64
"""Results lost at most when the process is killed: a ledger is synced after so many."""


def remember(
    ledger: Ledger,
    keys: Sequence[bytes],
    items: Sequence[T],
    work: Callable[[Sequence[T]], Iterator[dict[str, Any]]],
) -> list[dict[str, Any]]:
    """The ledger's record of each item; `work` makes those that it lacks, each content once.

    Records are durable, `COMMIT` at a time, before they are returned.
    """
    known = ledger.get_many(keys)
    missing = {key: item for key, item in zip(keys, items, strict=True) if key not in known}
    made = zip(missing, work(list(missing.values())), strict=True) if missing else ()
    for commit in chunks(made, COMMIT):
        ledger.put_many(dict(commit))
        known.update(commit)
    return [known[key] for key in keys]


def chunks(items: Iterable[R], size: int) -> Iterator[list[R]]:
    """Lists of at most `size` items, in order."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
