"""Read stored objects back: problems as records, other objects as columns."""

from collections.abc import Iterator, Sequence
from typing import Any

from curator.core import arrow
from curator.core.model import Problem
from curator.pipeline.context import BuildContext


def each_problem(context: BuildContext, digests: Sequence[str]) -> Iterator[Problem]:
    """The records of problem objects, in upstream's order."""
    for digest in digests:
        for batch in context.store.objects.read(digest):
            yield from arrow.to_problems(batch)


def columns(
    context: BuildContext, digests: Sequence[str], names: list[str]
) -> Iterator[tuple[Any, ...]]:
    """Rows of some columns of objects, one object after the other."""
    for digest in digests:
        for batch in context.store.objects.read(digest, names):
            yield from zip(*(batch.column(name).to_pylist() for name in names), strict=True)
