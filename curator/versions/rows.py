"""The rows of a version, for `curator.load`, exports and releases.

In: a store and a version. Out: SQL or Arrow of its rows in stable order: by subset, then id.
"""

from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curator.versions.content import content_of, objects_of
from curator.versions.queries import digests, evidence_levels, verdicts
from datastore.engine import literal, scan
from datastore.objects import Objects
from datastore.store import Store
from datastore.versions import Manifest


def rows_sql(store: Store, manifest: Manifest) -> str:
    """SELECT of a version's rows in order, with at least the columns of the release formats."""
    content, objects = content_of(manifest), objects_of(manifest)
    rows = scan([store.objects.path(objects.rows)])
    selects = []
    built = [name for name in content.order if name in objects.rationales]
    for place, subset in enumerate(built):
        written = scan(map(store.objects.path, objects.rationales[subset]))
        levels = evidence_levels(verdicts(map(store.objects.path, objects.verdicts[subset])))
        problems = scan(store.objects.path(digest) for digest in objects.problems[subset])
        selects.append(
            f"SELECT r.id, r.subset, {literal(content.release_as(subset))} AS release_as, w.kind, "
            "p.question, p.choices, p.gold, w.instruction, w.text, p.licence, p.source, p.place, "
            "w.writer, w.copy, p.field, p.level, "
            f"coalesce(e.evidence_level, 'form') AS evidence_level, {place} AS subset_place "
            f"FROM {rows} r JOIN {written} w ON w.id = r.id "
            f"JOIN (SELECT * FROM {problems} QUALIFY row_number() OVER "
            "(PARTITION BY id ORDER BY place) = 1) p ON p.id = w.problem_id "
            f"LEFT JOIN ({levels}) e ON e.row_id = r.id "
            f"WHERE r.subset = {literal(subset)}"
        )
    return f"SELECT * FROM ({' UNION ALL '.join(selects)}) ORDER BY subset_place, id"


def load(version: str, store: str | Path = ".curator") -> pa.Table:
    """Return the rows of a version as an Arrow table, in stable order.

    The table converts by `polars.from_arrow(load(...))` or `datasets.Dataset(load(...))`. It is
    held in memory as a whole; export to Parquet and stream the file if it does not fit.
    """
    with Store(Path(store), readonly=True) as opened, opened.engine() as engine:
        manifest = opened.versions.get(version)
        with opened.guard_query(digests(manifest)):
            return pa.Table.from_batches(engine.batches(rows_sql(opened, manifest)))


def rows_digest(objects: Objects, rows: str) -> str:
    """Return the sha256 of two digests: over all ids of the object `rows`, and over all subsets."""
    ids, subsets = sha256(), sha256()
    for batch in objects.read(rows):
        ids.update(_bytes(batch.column("id").cast(pa.binary())))
        lines = pc.binary_join_element_wise(batch.column("subset"), "", "\n")
        subsets.update(_bytes(lines.cast(pa.binary())))
    return sha256(ids.digest() + subsets.digest()).hexdigest()


def _bytes(values: pa.Array) -> bytes:
    """Return all values of an array, one after the other."""
    return b"".join(values.to_pylist())
