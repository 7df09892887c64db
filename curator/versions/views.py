"""The store as tables for SQL: problems, quarantine, rationales, verdicts, rows, versions.

In: the manifests of a store. Out: views in an engine, or a small DuckDB file of the same views that
can be opened elsewhere and deleted at will. Ids are hex texts here, and each problem, rationale and
verdict stands once however many versions share it.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb

from curator.core.errors import UsageError
from curator.versions.content import content_of, objects_of
from curator.versions.queries import digests, readable
from datastore.engine import literal, scan
from datastore.errors import StoreError, wrap_os_errors
from datastore.files import scratch
from datastore.store import Store
from datastore.versions import Manifest

FILE = "views.duckdb"
NOTHING_ASIDE = "SELECT '' AS subset, '' AS place, '' AS reason, '' AS raw WHERE false"


def write_views(store: Store) -> Path:
    """The views of all versions in one DuckDB file beside the store's data, replaced atomically.

    It holds no rows, only queries over the objects by their absolute paths.
    """
    path = store.root / FILE
    with wrap_os_errors("write the views", path), scratch(store.root / "tmp") as folder:
        fresh = folder / FILE
        try:
            with duckdb.connect(str(fresh)) as connection:
                for statement in statements(store, readable(store)):
                    connection.execute(statement)
        except duckdb.Error as error:
            why = " ".join(str(error).split())
            raise StoreError(f"Cannot write the views ({path}): {why}.") from error
        fresh.replace(path)
    return path


def statements(store: Store, kept: Sequence[Manifest]) -> list[str]:
    """CREATE VIEW statements over the objects of these versions, of which there is at least one."""
    objects = [objects_of(manifest) for manifest in kept]
    problems = {d for each in objects for listed in each.problems.values() for d in listed}
    rationales = {item for each in objects for item in each.rationales.items()}
    verdicts = {
        digest for each in objects for digest in (*each.verdicts.values(), *each.screens.values())
    }
    written = " UNION ALL ".join(
        f"SELECT *, {literal(subset)} AS subset FROM {_scan(store, [digest])}"
        for subset, digest in sorted(rationales)
    )
    rows = [
        f"SELECT {literal(manifest.ref)} AS version, lower(hex(id)) AS id, subset "
        f"FROM {_scan(store, [each.rows])}"
        for manifest, each in zip(kept, objects, strict=True)
    ]
    return [
        "CREATE VIEW problems AS SELECT * REPLACE (lower(hex(id)) AS id) "
        f"FROM {_scan(store, problems)} "
        "QUALIFY row_number() OVER (PARTITION BY id ORDER BY place) = 1",
        "CREATE VIEW rationales AS SELECT * REPLACE (lower(hex(id)) AS id, "
        f"lower(hex(problem_id)) AS problem_id) FROM ({written}) "
        "QUALIFY row_number() OVER (PARTITION BY id, subset) = 1",
        # `check` is a word of SQL's own: as a column it would have to be quoted every time.
        'CREATE VIEW verdicts AS SELECT DISTINCT lower(hex(row_id)) AS row_id, "check" AS judge, '
        f"version, outcome, reason, evidence::JSON AS evidence FROM {_scan(store, verdicts)}",
        f"CREATE VIEW quarantine AS {' UNION ALL '.join(set_aside(store, kept)) or NOTHING_ASIDE}",
        f"CREATE VIEW rows AS {' UNION ALL '.join(rows)}",
        f"CREATE VIEW versions AS {_versions(kept)}",
    ]


def set_aside(store: Store, kept: Sequence[Manifest]) -> list[str]:
    """SELECTs of (subset, place, reason, raw) of what versions could not read, if it is there."""
    return [
        f"SELECT {literal(subset)} AS subset, * FROM {_scan(store, [digest])}"
        for subset, digest in sorted({item for m in kept for item in _aside(m)})
        if store.objects.has(digest)
    ]


def _aside(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Subset and object of records that did not parse, and of replies that held no rationale."""
    objects = objects_of(manifest)
    yield from objects.quarantine.items()
    yield from objects.replies.items()


def _scan(store: Store, digests: Iterable[str]) -> str:
    return scan(store.objects.path(digest) for digest in sorted(digests))


def _versions(manifests: Sequence[Manifest]) -> str:
    def select(manifest: Manifest) -> str:
        content = content_of(manifest)
        texts: dict[str, Any] = {
            "version": manifest.ref,
            "name": manifest.name,
            "digest": manifest.digest,
            "parent": manifest.parent or "",
            "message": manifest.message,
            "recipe": json.dumps(content.recipe.plain(), ensure_ascii=False, sort_keys=True),
        }
        listed = ", ".join(f"{literal(value)} AS {key}" for key, value in texts.items())
        return f"SELECT {listed}, {manifest.number} AS number, {content.rows.count} AS rows"

    return " UNION ALL ".join(select(manifest) for manifest in manifests)


def answer(store: Store, query: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of a query over the views of all versions whose objects are there.

    Raises UsageError with DuckDB's own message if the query cannot be answered.
    """
    kept = readable(store)
    if not kept:
        raise UsageError(f"No version in {store.root}; make one with 'curator build'")
    objects = [digest for manifest in kept for digest in digests(manifest)]
    with store.engine() as engine:
        with store.reading(objects):
            for statement in statements(store, kept):
                engine.sql(statement)
        try:
            with store.reading(objects):
                relation = engine.sql(query)
                if relation is None:
                    return [], []
                return list(relation.columns), relation.fetchall()
        except duckdb.Error as error:
            raise UsageError(" ".join(str(error).split())) from None
