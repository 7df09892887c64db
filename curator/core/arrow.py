"""Arrow schemas of the domain model; conversion of dataclasses to record batches and back."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import fields
from itertools import chain, islice, repeat
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa

from curator.core.model import LabelledStep, Problem, QuarantinedRecord, Rationale, Verdict
from datastore.text import make_storable

ID = pa.binary(16)

PROBLEMS = pa.schema(
    [
        ("id", ID),
        ("source", pa.string()),
        ("question", pa.string()),
        ("gold", pa.string()),
        ("choices", pa.list_(pa.string())),
        ("solution", pa.string()),
        ("solution_as_written", pa.string()),
        ("gold_in", pa.string()),
        ("program", pa.string()),
        ("notation", pa.string()),
        ("part", pa.string()),
        ("field", pa.string()),
        ("level", pa.string()),
        ("licence", pa.string()),
        ("place", pa.string()),
    ]
)
RATIONALES = pa.schema(
    [
        ("id", ID),
        ("problem_id", ID),
        ("writer", pa.string()),
        ("kind", pa.string()),
        ("instruction", pa.string()),
        ("text", pa.string()),
        ("copy", pa.int32()),
        ("as_written", pa.string()),
        ("gold_in_text", pa.bool_()),
    ]
)
VERDICTS = pa.schema(
    [
        ("row_id", ID),
        ("check", pa.string()),
        ("version", pa.int32()),
        ("outcome", pa.string()),
        ("reason", pa.string()),
        ("evidence", pa.string()),  # canonical JSON object of strings
    ]
)
LABELLED_STEPS = pa.field(
    "labelled_steps",
    pa.list_(
        pa.struct(
            [
                ("number", pa.int32()),
                ("text", pa.string()),
                ("label", pa.string()),
                ("chosen", pa.bool_()),
            ]
        )
    ),
)
"""A further column of problems and rationales, in objects that have labelled steps."""
QUARANTINE = pa.schema([("place", pa.string()), ("reason", pa.string()), ("raw", pa.string())])
RULED = pa.schema([(name, pa.string()) for name in ("place", "key", "ruling", "answer")])
"""The rulings of errata that were applied to problems, by the places of the problems."""

BATCH_CHARACTERS = 64 << 20
"""Number of characters after which a batch ends, counted after each `GROUP` of records."""
GROUP = 64

Record = Problem | Rationale | Verdict | QuarantinedRecord


_EVIDENCE = json.JSONEncoder(ensure_ascii=False, sort_keys=True)


def _problems(problems: Sequence[Problem]) -> list[Sequence[object]]:
    return list(zip(*map(_PROBLEM_VALUES, problems), strict=True))


def _rationales(rationales: Sequence[Rationale]) -> list[Sequence[object]]:
    return list(zip(*map(_RATIONALE_VALUES, rationales), strict=True))


def _verdicts(verdicts: Sequence[Verdict]) -> list[Sequence[object]]:
    *plain, evidence = zip(*verdicts, strict=True)
    encode = _EVIDENCE.encode
    return [*plain, [encode(each) if each else "{}" for each in evidence]]


def _quarantined(records: Sequence[QuarantinedRecord]) -> list[Sequence[object]]:
    return [
        [make_storable(record.place) for record in records],
        [make_storable(record.reason) for record in records],
        [make_storable(record.raw) for record in records],
    ]


_PROBLEM_VALUES = attrgetter(*PROBLEMS.names)
_RATIONALE_VALUES = attrgetter(*RATIONALES.names)
_LABELLED_STEPS = attrgetter(LABELLED_STEPS.name)
_COLUMNS: Mapping[type, Callable[[Any], list[Sequence[object]]]] = {
    Problem: _problems,
    Rationale: _rationales,
    Verdict: _verdicts,
    QuarantinedRecord: _quarantined,
}
"""The values of records of each type, column by column."""


def schema_of(records: Iterable[Problem | Rationale], schema: pa.Schema) -> pa.Schema:
    """Return `schema`, with the column of labelled steps if a record has any."""
    labelled = any(record.labelled_steps for record in records)
    return schema.append(LABELLED_STEPS) if labelled else schema


def to_batches(
    records: Iterable[Record], schema: pa.Schema, size: int = 10_000
) -> Iterator[pa.RecordBatch]:
    """Yield records of one type as batches in `schema`.

    A batch has a maximum of `size` rows, and few more after `BATCH_CHARACTERS`.
    """
    columns: list[list[object]] = [[] for _ in schema]
    characters = 0
    remaining = iter(records)
    while some := list(islice(remaining, min(GROUP, size - len(columns[0])))):
        written = _COLUMNS[type(some[0])](some)
        if LABELLED_STEPS.name in schema.names:
            written.append(list(map(_LABELLED_STEPS, some)))
        for column, values in zip(columns, written, strict=True):
            column += values
            characters += _count_characters(values)
        if len(columns[0]) == size or characters > BATCH_CHARACTERS:
            yield make_batch(columns, schema)
            columns, characters = [[] for _ in schema], 0
    if columns[0]:
        yield make_batch(columns, schema)


def make_batch(columns: Sequence[Sequence[object]], schema: pa.Schema) -> pa.RecordBatch:
    """Return columns of values, none of them None, as a batch in `schema`."""
    arrays = [make_array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def make_array(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    """Return values of one of the types of this module as an array; none of them is None.

    pa.array would import pandas: 40 MB and a quarter of a second per process.
    """
    if pa.types.is_string(type_):
        text = "".join(values)
        data = text.encode()
        # Offsets count bytes, not characters.
        items = values if len(data) == len(text) else [each.encode() for each in values]
        buffers = [None, _ends(items, np.int64), pa.py_buffer(data)]
        # The cast reports more than 2 GB, which the type cannot hold.
        return pa.Array.from_buffers(pa.large_string(), len(values), buffers).cast(type_)
    if pa.types.is_list(type_):
        children = [make_array(list(chain.from_iterable(values)), type_.value_type)]
        buffers = [None, _ends(values, np.int32)]
        return pa.Array.from_buffers(type_, len(values), buffers, children=children)
    if pa.types.is_struct(type_):
        columns = list(zip(*values, strict=True)) or [()] * type_.num_fields
        children = [make_array(each, type_.field(at).type) for at, each in enumerate(columns)]
        return pa.Array.from_buffers(type_, len(values), [None], children=children)
    if pa.types.is_fixed_size_binary(type_):
        data = b"".join(values)
    elif pa.types.is_boolean(type_):
        data = np.packbits(np.array(values, bool), bitorder="little").tobytes()
    else:
        data = np.array(values, type_.to_pandas_dtype()).tobytes()
    return pa.Array.from_buffers(type_, len(values), [None, pa.py_buffer(data)])


def _ends(items: Sequence[Sized], dtype: type[np.integer[Any]]) -> pa.Buffer:
    """Return the offsets of an array of these items."""
    ends = np.zeros(len(items) + 1, dtype)
    np.cumsum(np.fromiter(map(len, items), dtype, len(items)), out=ends[1:])
    return pa.py_buffer(ends)


def _count_characters(values: Sequence[Any]) -> int:
    """Return the characters of a column of texts, of lists of texts or of labelled steps."""
    if isinstance(values[0], str):
        return sum(map(len, values))
    if isinstance(values[0], tuple):
        parts = chain.from_iterable(values)
        return sum(len(each if isinstance(each, str) else each.text) for each in parts)
    return 0


def to_problems(batch: pa.RecordBatch) -> Iterator[Problem]:
    """Yield the problems of a batch in the schema `PROBLEMS`, with labelled steps or without."""
    steps = LABELLED_STEPS.name
    names = [field.name for field in fields(Problem) if field.init and field.name != steps]
    columns: list[Iterable[Any]] = [batch.column(name).to_pylist() for name in names]
    choices = names.index("choices")
    columns[choices] = [tuple(each) for each in columns[choices]]
    labelled: Iterable[Any] = repeat(())
    if steps in batch.schema.names:
        labelled = map(to_labelled_steps, batch.column(steps).to_pylist())
    # The id comes last, as `stored_id`.
    yield from map(Problem, *columns, labelled, batch.column("id").to_pylist())


def to_labelled_steps(steps: Sequence[Mapping[str, Any]] | None) -> tuple[LabelledStep, ...]:
    """Return the value of a cell of the column of labelled steps."""
    return tuple(LabelledStep(**step) for step in steps or ())


VERSION_ROWS = pa.schema([("id", ID), ("subset", pa.string())])
"""Rows of a version: sorted ids, each with the subset that it was drawn from."""
