"""Read objects of the store: problems as dataclasses, other objects by column. Write them."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any

import pyarrow as pa

from curator.core import arrow
from curator.core.model import Problem, Rationale
from curator.pipeline.context import BuildContext


def read_problems(context: BuildContext, digests: Sequence[str]) -> Iterator[Problem]:
    """Yield the problems of objects, in upstream's order.

    Those of the object that was written last are still in memory.
    """
    for digest in digests:
        if digest in context.last_written:
            yield from context.last_written[digest]
            continue
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


def write_problems(context: BuildContext, problems: Iterable[Problem]) -> str:
    """Write one shard of problems as an object; keep them for what reads the object next."""
    listed = list(problems)
    digest = write_records(context, listed, arrow.PROBLEMS)
    context.last_written.clear()
    context.last_written[digest] = listed
    return digest


def write_records(
    context: BuildContext, records: Iterable[Problem | Rationale], schema: pa.Schema
) -> str:
    """Write one shard of records of one type as an object, and return its digest.

    It has the column of labelled steps only if a record has any: other objects stay the same.
    """
    listed = list(records)
    schema = arrow.schema_of(listed, schema)
    return context.store.objects.write(arrow.to_batches(listed, schema), schema)
