"""The rows of a version, for `curator.load`, exports and releases.

In: a store and a version. Out: Arrow batches of its rows in stable order: by subset, then id. Some
shards at a time are joined in DuckDB, and a larger subset is sorted through temporary files: memory
does not grow with the number of rows.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, get_args, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curator.core.arrow import make_array
from curator.core.errors import UsageError, unknown_name
from curator.versions.content import content_of, objects_of
from curator.versions.queries import (
    VERDICT_WORD,
    digests,
    evidence_levels,
    failed_answers,
    labelled_steps,
    ordered_verdicts,
    stopping_verdicts,
    verdicts,
    version_verdicts,
)
from datastore.engine import Engine, literal, scan
from datastore.errors import wrap_os_errors
from datastore.files import scratch
from datastore.objects import Objects
from datastore.store import Store
from datastore.versions import Manifest

GROUP_BYTES = 128 << 20
"""Bytes of text from which no further shard is joined at the same time."""
BUCKET_BYTES = 64 << 20
"""Expected bytes of the rows that are sorted in memory at a time."""
MOST_BUCKETS = 400
"""Maximum number of temporary files that are open at a time, for each value of `before_id`."""

_TEXT = pa.string()
ROWS = pa.schema(
    [("id", _TEXT)]
    + [(name, _TEXT) for name in ("subset", "release_as", "kind", "question")]
    + [("choices", pa.list_(_TEXT))]
    + [(name, _TEXT) for name in ("gold", "instruction", "text", "source", "writer")]
    + [("copy", pa.int32())]
    + [(name, _TEXT) for name in ("licence", "place", "field", "level", "evidence_level")]
)
"""The columns of `load`, for a version without rows: DuckDB then gives no batch."""
VERDICTS = pa.schema(
    [("row_id", _TEXT), ("check_name", _TEXT), ("check_version", pa.int32())]
    + [(name, _TEXT) for name in ("outcome", "reason", "evidence")]
)
"""The columns of the verdicts of `load`."""
What = Literal["rows", "verdicts"]
Form = Literal["arrow", "polars", "dataset"]


@dataclass(frozen=True, slots=True)
class RowsSql:
    """SELECTs of some rows of one subset, in no order."""

    rows: str
    """The columns of the release formats, and `split` and others that only a release has."""
    verdicts: str
    """(row_id, check, version, outcome, reason, evidence, screen, place): all verdicts of checks on
    these rows, and those of screens on all rows."""
    attempts: str
    """The columns of `rows`, `is_right` and `reason`: these rows, and the attempts at a problem of
    the version that failed a check of their program or answer, which `reason` states."""
    labelled: str
    """The columns of `attempts`, `labelled_steps` and `is_screened`: these rows, and the solutions
    with labelled steps that a check stopped, for which `is_right` is false. `is_screened`: their
    problem has a row of the version, so that screens have seen it."""


Select = Callable[[RowsSql], str]
"""Returns the SELECT to read. It must keep `id` and return one row for each of `rows`, or none."""


def read_rows(
    engine: Engine,
    store: Store,
    manifest: Manifest,
    select: Select = lambda sql: sql.rows,
    before_id: str = "",
) -> Iterator[pa.RecordBatch]:
    """Yield a version's rows by subset and id; by subset, `before_id` and id if it is a column."""
    content, objects = content_of(manifest), objects_of(manifest)
    built = [name for name in content.order if name in objects.rationales]
    for subset in built:
        groups = list(_groups(store, manifest, subset))
        _create_tables(engine, store, manifest, subset, len(groups))
        queries = [select(_rows_sql(store, manifest, subset, group.shards)) for group in groups]
        if len(groups) == 1:
            order = f"{before_id}, id" if before_id else "id"
            yield from engine.batches(f"SELECT * FROM ({queries[0]}) ORDER BY {order}")
        else:
            size = sum(group.bytes for group in groups)
            batches = (batch for query in queries for batch in engine.batches(query))
            with scratch(engine.folder) as folder:
                yield from _sort(batches, before_id, size, folder)


Shards = tuple[Sequence[str], Sequence[str], Sequence[str]]
"""Objects of problems, of rationales, and of verdicts that belong together."""


@dataclass(frozen=True, slots=True)
class _Group:
    shards: Shards
    bytes: int


def _groups(store: Store, manifest: Manifest, subset: str) -> Iterator[_Group]:
    """Yield the shards of a subset, as many together as DuckDB can join in memory."""
    objects = objects_of(manifest)
    problems, rationales = objects.problems[subset], objects.rationales[subset]
    all_shards: Shards = (problems, rationales, objects.verdicts[subset])
    if len(set(map(len, all_shards))) > 1:  # an older release wrote all rows into one object
        yield _Group(all_shards, sum(store.objects.text_bytes(d) for d in all_shards[1]))
        return
    first = size = 0
    for number, shard in enumerate(zip(*all_shards, strict=True), 1):
        size += sum(map(store.objects.text_bytes, shard))
        if size >= GROUP_BYTES or number == len(problems):
            one, two, three = (shards[first:number] for shards in all_shards)
            yield _Group((one, two, three), size)
            first, size = number, 0


def _create_tables(
    engine: Engine, store: Store, manifest: Manifest, subset: str, groups: int
) -> None:
    """Create tables `chosen` (id), the subset's rows, and `repeated`: problems in several shards.

    Records of one problem may differ in `place`, `licence`, `field` and `level`; the row has those
    of the first place.
    """
    objects, path = objects_of(manifest), store.objects.path
    rows, problems = scan([path(objects.rows)]), scan(map(path, objects.problems[subset]))
    engine.sql(
        f"CREATE OR REPLACE TABLE chosen AS SELECT id FROM {rows} WHERE subset = {literal(subset)}"
    )
    several = f"SELECT id FROM {problems} GROUP BY id HAVING count(DISTINCT file_index) > 1"
    if groups == 1:
        several = "SELECT ''::BLOB AS id WHERE false"
    engine.sql(
        f"""
        CREATE OR REPLACE TABLE repeated AS SELECT id, min(place) AS place,
            arg_min(licence, place) AS licence, arg_min(field, place) AS field,
            arg_min(level, place) AS level
        FROM {problems} SEMI JOIN ({several}) USING (id) GROUP BY id
        """
    )


def _rows_sql(store: Store, manifest: Manifest, subset: str, shards: Shards) -> RowsSql:
    content, objects = content_of(manifest), objects_of(manifest)
    paths = [list(map(store.objects.path, each)) for each in shards]
    problems, written = map(scan, paths[:2])
    firsts = ", ".join(
        f"coalesce(f.{name}, p.{name}) AS {name}" for name in ("licence", "place", "field", "level")
    )

    def select(columns: str, where: str) -> str:
        return (
            f"SELECT w.id, {literal(subset)} AS subset, "
            f"{literal(content.release_as(subset))} AS release_as, w.kind, p.question, p.choices, "
            f"p.gold, w.instruction, w.text, p.source, w.writer, w.copy, {firsts}, {columns} "
            f"FROM {written} w {where} "
            f"JOIN (SELECT * FROM {problems} QUALIFY row_number() OVER "
            "(PARTITION BY id ORDER BY place) = 1) p ON p.id = w.problem_id "
            "LEFT JOIN repeated f ON f.id = w.problem_id "
        )

    levels = f"LEFT JOIN ({evidence_levels(verdicts(paths[2]))}) e ON e.row_id = w.id"
    level = "coalesce(e.evidence_level, 'form') AS evidence_level"
    chosen = "SEMI JOIN chosen c ON c.id = w.id"
    rows = f"{select(level, chosen)} {levels}"
    right = f"{select(f'{level}, true AS is_right, {_NO_REASON}', chosen)} {levels}"
    failed = f"JOIN ({failed_answers(verdicts(paths[2]))}) v ON v.row_id = w.id"
    solved = _solved_problems(store, manifest)
    wrong = f"{select(_OF_WRONG, failed)} WHERE w.problem_id IN ({solved})"
    checks, undecided = content.recipe.subsets[subset].checks, content.recipe.undecided
    checked = ordered_verdicts([(subset, paths[2], checks)], ())
    stopped = f"JOIN ({stopping_verdicts(checked, undecided)}) v ON v.row_id = w.id"
    seen = f"w.problem_id IN ({solved}) AS is_screened"
    rejected = select(f"{_OF_WRONG}, {seen}", stopped)
    steps = f"SELECT id, labelled_steps FROM ({labelled_steps(written)})"
    screened = map(store.objects.path, objects.screens.values())
    return RowsSql(
        rows,
        ordered_verdicts([(subset, paths[2], checks)], screened),
        f"{right} UNION ALL {wrong}",
        f"SELECT *, true AS is_screened FROM ({right}) LEFT JOIN ({steps}) USING (id) "
        "UNION ALL BY NAME "
        f"SELECT * FROM ({rejected}) JOIN ({steps}) USING (id)",
    )


_NO_REASON = "'' AS reason"
_OF_WRONG = "'' AS evidence_level, false AS is_right, v.reason"


def _solved_problems(store: Store, manifest: Manifest) -> str:
    """SELECT of (problem_id): the problems of the rows of a version, of all subsets."""
    objects = objects_of(manifest)
    written = [digest for shards in objects.rationales.values() for digest in shards]
    return (
        f"SELECT DISTINCT r.problem_id FROM {scan(map(store.objects.path, written))} r "
        f"SEMI JOIN {scan([store.objects.path(objects.rows)])} c ON c.id = r.id"
    )


def _sort(
    batches: Iterable[pa.RecordBatch], before_id: str, size: int, folder: Path
) -> Iterator[pa.RecordBatch]:
    """Yield rows sorted by id, through one temporary file per range of ids.

    Ids are hashes, so the ranges have about the same size.
    """
    ranges = min(MOST_BUCKETS, size // BUCKET_BYTES + 1)
    files: dict[tuple[str, int], Path] = {}
    with ExitStack() as open_files, wrap_os_errors("sort rows", folder):
        writers: dict[tuple[str, int], pa.ipc.RecordBatchFileWriter] = {}
        for batch in batches:
            for key, rows in _split(batch, before_id, ranges):
                if key not in writers:
                    files[key] = folder / f"{len(files)}.arrow"
                    options = pa.ipc.IpcWriteOptions(compression="lz4")
                    writers[key] = open_files.enter_context(
                        pa.ipc.new_file(files[key], rows.schema, options=options)
                    )
                writers[key].write_batch(rows)
    for key in sorted(files):
        with wrap_os_errors("sort rows", folder), pa.OSFile(str(files[key])) as file:
            table = pa.ipc.open_file(file).read_all()
        yield from table.sort_by("id").to_batches()
        files[key].unlink()


def _split(
    batch: pa.RecordBatch, before_id: str, ranges: int
) -> Iterator[tuple[tuple[str, int], pa.RecordBatch]]:
    """Yield the rows of each range of ids, with the value of `before_id` and the range's number."""
    starts = pc.binary_slice(batch.column("id").cast(pa.binary()), 0, 2).cast(pa.binary(2))
    prefixes = np.frombuffer(b"".join(starts.to_pylist()), ">u2").astype(np.int64)
    numbers = prefixes * ranges >> 16
    firsts = np.array(batch.column(before_id).to_pylist() if before_id else [""] * len(batch))
    for first in np.unique(firsts):
        for number in np.unique(numbers[firsts == first]):
            chosen = np.flatnonzero((firsts == first) & (numbers == number))
            yield (str(first), int(number)), batch.take(make_array(chosen.tolist(), pa.int64()))


@overload
def load(
    version: str, store: str | Path = ".curator", what: What = "rows", form: Literal["arrow"] = ...
) -> pa.Table: ...


@overload
def load(
    version: str, store: str | Path = ".curator", what: What = "rows", *, form: Form
) -> Any: ...


def load(
    version: str, store: str | Path = ".curator", what: What = "rows", form: Form = "arrow"
) -> Any:
    """Return the rows or the verdicts of a version as a table, in stable order.

    `what` is `rows`, or `verdicts`: all verdicts of the checks and screens of the version, also on
    rows that it rejected, with their evidence as a JSON text. The `row_id` of a verdict is the `id`
    of a row, 32 hex digits. `form` is `arrow` (`pyarrow.Table`), `polars` (`polars.DataFrame`) or
    `dataset` (`datasets.Dataset`). The table is held in memory as a whole; export to Parquet and
    stream the file if it does not fit. Raises UsageError for another `what` or `form`.
    """
    for name, value, known in (("table", what, get_args(What)), ("form", form, get_args(Form))):
        if value not in known:
            raise UsageError(unknown_name(name, str(value), known))
    with Store(Path(store), readonly=True) as opened, opened.engine() as engine:
        manifest = opened.versions.get(version)
        with opened.guard_query(digests(manifest)):
            if what == "rows":
                batches = [_with_hex_ids(each) for each in read_rows(engine, opened, manifest)]
            else:
                query = f"{_VERDICTS_QUERY} FROM ({version_verdicts(opened, manifest)}) v {_ORDER}"
                batches = list(engine.batches(query))
    empty = ROWS if what == "rows" else VERDICTS
    return _to_form(pa.Table.from_batches(batches, None if batches else empty), form)


_VERDICTS_QUERY = (
    'SELECT lower(hex(row_id)) AS row_id, "check" AS check_name, version AS check_version, '
    f"{VERDICT_WORD}, reason, evidence"
)
_ORDER = "ORDER BY v.row_id, screen, place, check_name"


def _with_hex_ids(batch: pa.RecordBatch) -> pa.RecordBatch:
    ids = pa.array([each.hex() for each in batch.column("id").to_pylist()], _TEXT)
    return batch.set_column(batch.schema.get_field_index("id"), "id", ids)


def _to_form(table: pa.Table, form: Form) -> Any:
    if form == "arrow":
        return table
    if form == "dataset":
        from datasets import Dataset

        return Dataset(table)
    try:
        import polars
    except ImportError:
        raise UsageError("form='polars' needs the package polars. Install it.") from None
    return polars.from_arrow(table)


def rows_digest(objects: Objects, rows: str) -> str:
    """Return the sha256 of two digests: over all ids of the object `rows`, and over all subsets."""
    ids, subsets = sha256(), sha256()
    for batch in objects.read(rows):
        ids.update(b"".join(batch.column("id").to_pylist()))
        subsets.update("".join(f"{each}\n" for each in batch.column("subset").to_pylist()).encode())
    return sha256(ids.digest() + subsets.digest()).hexdigest()
