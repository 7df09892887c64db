"""Read objects of the store: problems as dataclasses, other objects by column."""

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any

from curator.core import arrow
from curator.core.model import Problem
from curator.pipeline.context import BuildContext


def read_problems(context: BuildContext, digests: Sequence[str]) -> Iterator[Problem]:
    """Yield the problems of objects, in upstream's order."""
    for digest in digests:
        for batch in context.store.objects.read(digest):
            yield from arrow.to_problems(batch)


def columns(
    context: BuildContext, digests: Sequence[str], names: list[str]
) -> Iterator[tuple[Any, ...]]:
    """Yield the named columns row by row, one object after the other.

    A column that an object of an older release lacks is None.
    """
    for digest in digests:
        for batch in context.store.objects.read(digest, names):
            known = set(batch.schema.names)
            values = (
                batch.column(name).to_pylist() if name in known else repeat(None, len(batch))
                for name in names
            )
            yield from zip(*values, strict=True)
