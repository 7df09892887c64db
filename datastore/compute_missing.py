"""Run work once per key: return the records of a ledger, compute and store the missing ones."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from datastore.ledger import Ledger

T = TypeVar("T")
R = TypeVar("R")

COMMIT = 64
"""Default of records per sync of the ledger: the maximum number of results that a kill loses."""


def compute_missing(
    ledger: Ledger,
    keys: Sequence[bytes],
    items: Sequence[T],
    work: Callable[[Sequence[T]], Iterator[dict[str, Any]]],
    keep: Callable[[dict[str, Any]], bool] = lambda record: True,
    commit: int = COMMIT,
) -> list[dict[str, Any]]:
    """Return the ledger's record of each item; `work` makes the missing ones, each key once.

    Records are durable, `commit` at a time, before they are returned, except those that `keep`
    declines.
    """
    records = ledger.get_many(keys)
    missing = {key: item for key, item in zip(keys, items, strict=True) if key not in records}
    computed = zip(missing, work(list(missing.values())), strict=True) if missing else ()
    for chunk in chunks(computed, commit):
        ledger.put_many({key: record for key, record in chunk if keep(record)})
        records.update(chunk)
    return [records[key] for key in keys]


def chunks(items: Iterable[R], size: int) -> Iterator[list[R]]:
    """Yield lists of `size` items, in order; the last one may be shorter."""
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk
