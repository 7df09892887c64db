"""Arrow schemas of the domain model; conversion of dataclasses to record batches and back."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import fields

import pyarrow as pa

from curator.core.model import Problem, QuarantinedRecord, Rationale, Verdict
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
QUARANTINE = pa.schema([("place", pa.string()), ("reason", pa.string()), ("raw", pa.string())])

BATCH_CHARACTERS = 64 << 20

Record = Problem | Rationale | Verdict | QuarantinedRecord


def _values(record: Record) -> tuple[object, ...]:
    match record:
        case Problem():
            return (
                record.id,
                record.source,
                record.question,
                record.gold,
                list(record.choices),
                record.solution,
                record.solution_as_written,
                record.gold_in,
                record.program,
                record.notation,
                record.part,
                record.field,
                record.level,
                record.licence,
                record.place,
            )
        case Rationale():
            return (
                record.id,
                record.problem_id,
                record.writer,
                record.kind,
                record.instruction,
                record.text,
                record.copy,
                record.as_written,
                record.gold_in_text,
            )
        case Verdict():
            evidence = json.dumps(dict(record.evidence), ensure_ascii=False, sort_keys=True)
            return (
                record.row_id,
                record.check,
                record.version,
                record.outcome,
                record.reason,
                evidence,
            )
        case QuarantinedRecord():
            return tuple(map(make_storable, (record.place, record.reason, record.raw)))


def to_batches(
    records: Iterable[Record], schema: pa.Schema, size: int = 10_000
) -> Iterator[pa.RecordBatch]:
    """Yield records of one type as batches in `schema`.

    A batch has a maximum of `size` rows, and no more after `BATCH_CHARACTERS`.
    """
    for chunk in _chunks(map(_values, records), size):
        columns = zip(*chunk, strict=True)
        arrays = [
            pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _chunks(rows: Iterable[tuple[object, ...]], size: int) -> Iterator[list[tuple[object, ...]]]:
    chunk: list[tuple[object, ...]] = []
    characters = 0
    for row in rows:
        chunk.append(row)
        for value in row:
            if isinstance(value, str):
                characters += len(value)
            elif isinstance(value, list):
                characters += sum(map(len, value))
        if len(chunk) == size or characters > BATCH_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def to_problems(batch: pa.RecordBatch) -> Iterator[Problem]:
    """Yield the problems of a batch in the schema `PROBLEMS`."""
    names = [field.name for field in fields(Problem) if field.init]
    columns = [batch.column(name).to_pylist() for name in names]
    choices = names.index("choices")
    columns[choices] = [tuple(each) for each in columns[choices]]
    yield from map(Problem, *columns)


VERSION_ROWS = pa.schema([("id", ID), ("subset", pa.string())])
"""Rows of a version: sorted ids, each with the subset that it was drawn from."""
