"""Stages `copies` and `number`: identical rationales in different shards of a subset.

In: the shards of a subset: rationales, whose copies are numbered within each shard, and their
verdicts. Out: the same shards, in which the copies are numbered over all of them, and the number of
problems. Few shards change, and of those only ids and copy numbers.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa

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
    context: BuildContext, subsets: Mapping[str, tuple[Sequence[str], Sequence[Pair]]]
) -> dict[str, tuple[list[Pair], int]]:
    """Return the shards of each subset with all copies numbered, and its number of problems.

    `subsets` has the objects of problems and the shards of each subset. The shards of all subsets
    are numbered together, so that no process waits for the last shard of each subset.
    """
    rows = context.store.objects.rows
    # One after the other, since each of these queries may take all of an engine's memory.
    found = [
        find_copies(context, name, problems, [rationales for rationales, _ in shards])
        for name, (problems, shards) in subsets.items()
    ]
    done = {
        name: (list(shards), outputs.counts["problems"])
        for (name, (_, shards)), outputs in zip(subsets.items(), found, strict=True)
    }
    changed = [
        (name, outputs.objects["copies"], number)
        for name, outputs in zip(subsets, found, strict=True)
        for number in _find_changed(context, outputs)
    ]
    numbering = []
    for name, copies, number in changed:
        rationales, verdicts = done[name][0][number]
        arguments = (name, rationales, verdicts, copies, number)
        numbering.append(Shard(partial(rows, rationales), arguments))
    numbered = run_shards(context, number_shard, numbering, "numbering copies")
    for (name, _, number), outputs in zip(changed, numbered, strict=True):
        done[name][0][number] = (outputs.objects["rationales"], outputs.objects["verdicts"])
    return done


def _find_changed(context: BuildContext, found: Outputs) -> list[int]:
    """Return the numbers of the shards in which a rationale gets another number."""
    if not found.counts["copies"]:
        return []
    rows = context.store.objects.read(found.objects["copies"], ["shard"])
    return sorted({one for batch in rows for one in batch.column("shard").unique().to_pylist()})


def find_copies(
    context: BuildContext, name: str, problems: Sequence[str], rationales: Sequence[str]
) -> Outputs:
    """Write object `copies` of a subset. Counts: copies, problems."""
    objects = context.store.objects

    def make() -> tuple[dict[str, str], dict[str, int]]:
        with context.store.guard_query([*problems, *rationales]), context.store.engine() as engine:
            # Not count(DISTINCT id), which keeps all ids in memory.
            ids = f"SELECT DISTINCT id FROM {scan(map(objects.path, problems))}"
            count = engine.sql(f"SELECT count(*) FROM ({ids})").fetchall()[0][0]
            written = [objects.path(digest) for digest in rationales]
            batches = engine.batches(_select_copies(engine, written)) if len(written) > 1 else ()
            digest = objects.write((batch.cast(_COPIES) for batch in batches), _COPIES)
        return {"copies": digest}, {"copies": objects.rows(digest), "problems": count}

    return context.once(Stage("copies", CODE), {}, [*problems, *rationales], make, name)


def _select_copies(engine: Engine, written: Sequence[Path]) -> str:
    """Return a SELECT of the rows of object `copies`, for objects of rationales by shard.

    Only ids are grouped; other columns are read of the rationales that two shards have in common.
    """
    engine.sql("CREATE TABLE shards (filename VARCHAR, shard INTEGER)")
    numbered = ", ".join(f"({literal(path)}, {number})" for number, path in enumerate(written))
    engine.sql(f"INSERT INTO shards VALUES {numbered}")
    source = scan(dict.fromkeys(written), filename=True)
    same = ", ".join(("filename", "problem_id", "writer", "kind", "instruction", "text"))
    return f"""
        WITH repeated AS MATERIALIZED (
            SELECT id FROM {source} WHERE copy = 0 GROUP BY id HAVING count(*) > 1
            UNION
            SELECT id FROM {source} WHERE copy = 0 AND filename IN (
                SELECT filename FROM shards GROUP BY filename HAVING count(*) > 1)
        ),
        first AS MATERIALIZED (
            SELECT id, {same} FROM {source} SEMI JOIN repeated USING (id) WHERE copy = 0
        ),
        more AS (
            SELECT id, filename, count(*) AS copies
            FROM (SELECT {same} FROM {source} WHERE copy > 0) JOIN first USING ({same})
            GROUP BY id, filename
        ),
        counted AS (
            SELECT shard, id, 1 + coalesce(copies, 0) AS copies
            FROM (SELECT id, filename FROM first) JOIN shards USING (filename)
            LEFT JOIN more USING (id, filename)
        )
        SELECT shard, id, earlier::INTEGER AS earlier
        FROM (
            SELECT shard, id, sum(copies) OVER (
                PARTITION BY id ORDER BY shard ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS earlier
            FROM counted
        ) WHERE earlier > 0 ORDER BY shard, id
    """


def number_shard(
    context: BuildContext, name: str, rationales: str, verdicts: str, copies: str, shard: int
) -> Outputs:
    """Write objects `rationales` and `verdicts` of a shard with new copy numbers and ids."""

    def make() -> tuple[dict[str, str], dict[str, int]]:
        objects = context.store.objects
        earlier = {
            row["id"]: row["earlier"]
            for batch in objects.read_equal(copies, "shard", shard)
            for row in batch.to_pylist()
        }
        new_ids: dict[bytes, bytes] = {}
        written = [_number(batch, earlier, new_ids) for batch in objects.read(rationales)]
        checked = [_rename(batch, new_ids) for batch in objects.read(verdicts)]
        return {
            "rationales": objects.write(written, written[0].schema),
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
