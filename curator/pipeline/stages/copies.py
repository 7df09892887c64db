"""Stages `copies` and `number`: identical rationales in different shards of a subset.

In: the shards of a subset: rationales, whose copies are numbered within each shard, and their
verdicts. Out: the same shards, in which the copies are numbered over all of them, and the number of
problems. Few shards change, and of those only ids and copy numbers.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curator.core import arrow
from curator.core.model import rationale_id
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.shards import Shard, run_shards
from datastore.engine import Engine, literal, scan
from datastore.memo import Outputs

_COPIES = pa.schema([("shard", pa.int32()), ("id", arrow.ID), ("earlier", pa.int32())])
"""`earlier`: the number of rationales in earlier shards that are identical to this one."""

CODE = (__name__,)

Pair = tuple[str, str]
"""An object of rationales and that of their verdicts."""


def number_all(
    context: BuildContext, name: str, problems: Sequence[str], shards: Sequence[Pair]
) -> tuple[list[Pair], int]:
    """Return the shards with all copies numbered, and the number of different problems."""
    found = _find_copies(context, name, problems, [rationales for rationales, _ in shards])
    if not found.counts["copies"]:
        return list(shards), found.counts["problems"]
    rows_of = context.store.objects.rows
    rows = context.store.objects.read(found.objects["copies"])
    changed = sorted({number for batch in rows for number in batch.column("shard").to_pylist()})
    done = run_shards(
        context,
        number_shard,
        [
            Shard(
                partial(rows_of, shards[each][0]),
                (name, *shards[each], found.objects["copies"], each),
            )
            for each in changed
        ],
        f"numbering copies in {name}",
    )
    numbered = list(shards)
    for number, outputs in zip(changed, done, strict=True):
        numbered[number] = (outputs.objects["rationales"], outputs.objects["verdicts"])
    return numbered, found.counts["problems"]


def _find_copies(
    context: BuildContext, name: str, problems: Sequence[str], rationales: Sequence[str]
) -> Outputs:
    """Write object `copies`. Counts: copies, problems."""
    objects = context.store.objects

    def make() -> tuple[dict[str, str], dict[str, int]]:
        with context.store.guard_query([*problems, *rationales]), context.store.engine() as engine:
            count = engine.sql(
                f"SELECT count(DISTINCT id) FROM {scan(map(objects.path, problems))}"
            ).fetchall()[0][0]
            shared = [] if len(rationales) == 1 else _shared(context, engine, rationales)
        columns = [[row[name] for row in shared] for name in _COPIES.names]
        digest = objects.write([arrow.make_batch(columns, _COPIES)], _COPIES)
        return {"copies": digest}, {"copies": len(shared), "problems": count}

    return context.once(Stage("copies", CODE), {}, [*problems, *rationales], make, name)


def _shared(
    context: BuildContext, engine: Engine, rationales: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the rows of object `copies`, for all rationales of which two shards have one."""
    objects = context.store.objects
    numbers: dict[str, list[int]] = {}
    for number, digest in enumerate(rationales):
        numbers.setdefault(str(objects.path(digest)), []).append(number)
    repeated = [literal(path) for path, shards in numbers.items() if len(shards) > 1]
    twice = f"OR any_value(filename) IN ({', '.join(repeated)})" if repeated else ""
    written = scan(map(Path, numbers), filename=True)
    query = f"""
        SELECT id, list(filename) FROM {written} WHERE copy = 0
        GROUP BY id HAVING count(*) > 1 {twice}
    """
    first = {
        id_: sorted(number for path in paths for number in numbers[path])
        for id_, paths in engine.sql(query).fetchall()
    }
    if not first:
        return []
    more = _copies_within(engine, written)
    rows = []
    for id_, shards in sorted(first.items()):
        earlier = 0
        for shard in shards:
            if earlier:
                rows.append({"shard": shard, "id": id_, "earlier": earlier})
            earlier += 1 + more.get((str(objects.locate(rationales[shard])), id_), 0)
    return rows


def _copies_within(engine: Engine, written: str) -> dict[tuple[str, bytes], int]:
    """Return the number of further copies by object and id of the first one."""
    more: dict[tuple[str, bytes], int] = {}
    query = f"""
        SELECT filename, problem_id, writer, kind, instruction, text FROM {written} WHERE copy > 0
    """
    for batch in engine.batches(query):
        for row in batch.to_pylist():
            key = row.pop("filename"), rationale_id(**row, copy=0)
            more[key] = more.get(key, 0) + 1
    return more


def number_shard(
    context: BuildContext, name: str, rationales: str, verdicts: str, copies: str, shard: int
) -> Outputs:
    """Write objects `rationales` and `verdicts` of a shard with new copy numbers and ids."""

    def make() -> tuple[dict[str, str], dict[str, int]]:
        objects = context.store.objects
        earlier = {
            row["id"]: row["earlier"]
            for batch in objects.read(copies)
            for row in batch.filter(pc.equal(batch.column("shard"), shard)).to_pylist()
        }
        new_ids: dict[bytes, bytes] = {}
        written = [_number(batch, earlier, new_ids) for batch in objects.read(rationales)]
        checked = [_rename(batch, new_ids) for batch in objects.read(verdicts)]
        return {
            "rationales": objects.write(written, arrow.RATIONALES),
            "verdicts": objects.write(checked, arrow.VERDICTS),
        }, {"changed": len(new_ids)}

    inputs = [rationales, verdicts, copies]
    return context.once(Stage("number", CODE), {"shard": shard}, inputs, make, name)


def _number(
    batch: pa.RecordBatch, earlier: dict[bytes, int], new_ids: dict[bytes, bytes]
) -> pa.RecordBatch:
    ids, copies = batch.column("id").to_pylist(), batch.column("copy").to_pylist()
    columns = ["problem_id", "writer", "kind", "instruction", "text"]
    for place, (id_, copy) in enumerate(zip(ids, copies, strict=True)):
        if not copy and id_ not in earlier:
            continue
        row = {column: batch.column(column)[place].as_py() for column in columns}
        before = earlier.get(id_ if not copy else rationale_id(**row, copy=0), 0)
        if before:
            copies[place] = copy + before
            ids[place] = new_ids[id_] = rationale_id(**row, copy=copy + before)
    changed = {"id": arrow.make_array(ids, arrow.ID), "copy": arrow.make_array(copies, pa.int32())}
    arrays = [changed.get(column, batch.column(column)) for column in batch.schema.names]
    return pa.RecordBatch.from_arrays(arrays, schema=batch.schema)


def _rename(batch: pa.RecordBatch, new_ids: dict[bytes, bytes]) -> pa.RecordBatch:
    ids = [new_ids.get(each, each) for each in batch.column("row_id").to_pylist()]
    return batch.set_column(
        batch.schema.get_field_index("row_id"), "row_id", arrow.make_array(ids, arrow.ID)
    )
