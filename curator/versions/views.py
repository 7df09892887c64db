"""SQL views of a store: problems, quarantine, rationales, verdicts, clusters, rows, versions.

In: the manifests of a store. Out: views in an engine, or a small DuckDB file with the same views,
which is safe to delete. Ids are hex texts in the views. A problem, rationale or verdict that
several versions share is listed once.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb

from curator.core.errors import UsageError
from curator.versions import queries
from curator.versions.content import Objects, content_of, objects_of
from curator.versions.queries import digests, readable, skipped_versions
from datastore.engine import NotReadOnlyError, check_is_select, literal, scan
from datastore.errors import StoreError, wrap_os_errors
from datastore.files import publish, scratch
from datastore.store import Store
from datastore.versions import Manifest

FILE = "views.duckdb"
Locate = Callable[[str], Path]
"""The path of an object by its digest."""
_NO_QUARANTINE = "SELECT '' AS subset, '' AS place, '' AS reason, '' AS raw WHERE false"


def write_views(store: Store) -> Path:
    """Write the views of all versions to a DuckDB file in the store and return its path.

    The file has no rows, only queries over the objects by their absolute paths. A program that
    reads it without Curator reads unchecked objects: run `curator verify` first. Without versions
    the file is removed.
    """
    path = store.root / FILE
    if not readable(store):
        with wrap_os_errors("remove the views", path):
            path.unlink(missing_ok=True)
        return path
    with wrap_os_errors("write the views", path), scratch(store.root / "tmp") as folder:
        temporary = folder / FILE
        try:
            with duckdb.connect(str(temporary)) as connection:
                connection.begin()  # one sync instead of one per view
                for statement in view_statements(store, readable(store), store.objects.locate):
                    connection.execute(statement)
                connection.commit()
        except duckdb.Error as error:
            why = " ".join(str(error).split())
            raise StoreError(f"Cannot write the views ({path}): {why}.") from error
        publish(temporary, path)
    return path


def update_views(store: Store, done: str, note: Callable[[str], None]) -> None:
    """Write the views after a change of the versions that `done` states: `small@1 was created`.

    `note` receives one line per version that the views lack, and one if they cannot be written.
    """
    for line in skipped_versions(store):
        note(line)
    try:
        write_views(store)
    except StoreError as error:
        note(f"{done}, but not the file of its views: {error}")


def view_statements(store: Store, manifests: Sequence[Manifest], path: Locate) -> list[str]:
    """Return the CREATE VIEW statements over the objects of at least one version."""
    objects = [objects_of(manifest) for manifest in manifests]
    problems = {d for each in objects for listed in each.problems.values() for d in listed}
    rationales = {
        (subset, tuple(digests)) for o in objects for subset, digests in o.rationales.items()
    }
    verdicts = {
        digest
        for each in objects
        for digest in (*chain.from_iterable(each.verdicts.values()), *each.screens.values())
    }
    written = " UNION ALL BY NAME ".join(
        f"SELECT *, {literal(subset)} AS subset FROM {_scan(digests, path)}"
        for subset, digests in sorted(rationales)
    )
    rows = [
        f"SELECT {literal(manifest.ref)} AS version, lower(hex(id)) AS id, subset, "
        "coalesce(evidence_level, 'form') AS evidence_level "
        f"FROM {_scan([each.rows], path)} LEFT JOIN ({_levels(each, path)}) ON row_id = id"
        for manifest, each in zip(manifests, objects, strict=True)
    ]
    return [
        "CREATE VIEW problems AS SELECT * REPLACE (lower(hex(id)) AS id) "
        f"FROM {_scan(problems, path)} "
        "QUALIFY row_number() OVER (PARTITION BY id ORDER BY place) = 1",
        "CREATE VIEW rationales AS SELECT * REPLACE (lower(hex(id)) AS id, "
        f"lower(hex(problem_id)) AS problem_id) FROM ({written}) "
        "QUALIFY row_number() OVER (PARTITION BY id, subset) = 1",
        # `check` is a keyword of SQL and would need quotes as a column name.
        "CREATE VIEW verdicts AS SELECT DISTINCT lower(hex(row_id)) AS row_id, "
        '"check" AS check_name, '
        f"version, outcome, reason, evidence::JSON AS evidence FROM {_scan(verdicts, path)}",
        # Every screen that keeps one of several rows names it: duplicates, near-duplicates, …
        "CREATE VIEW clusters AS SELECT evidence ->> '$.kept' AS kept, row_id, check_name, "
        "coalesce((evidence ->> '$.index')::DOUBLE, 1) AS index "
        "FROM verdicts WHERE outcome = 'failed' AND (evidence ->> '$.kept') IS NOT NULL",
        f"CREATE VIEW quarantine AS {quarantine_sql(store, manifests, path)}",
        f"CREATE VIEW rows AS {' UNION ALL '.join(rows)}",
        f"CREATE VIEW versions AS {_versions_sql(manifests)}",
    ]


def quarantine_sql(store: Store, manifests: Sequence[Manifest], path: Locate) -> str:
    """SELECT of (subset, place, reason, raw): what could not be parsed.

    That is records of sources, and replies of teachers without a rationale. Objects that were
    removed from the store are skipped.
    """
    objects = [objects_of(manifest) for manifest in manifests]
    items = {item for o in objects for item in (*o.quarantine.items(), *o.replies.items())}
    selects = [
        f"SELECT {literal(subset)} AS subset, * FROM {_scan([digest], path)}"
        for subset, digest in sorted(items)
        if store.objects.has(digest)
    ]
    return " UNION ALL ".join(selects) or _NO_QUARANTINE


def _levels(objects: Objects, path: Locate) -> str:
    return queries.evidence_levels(
        queries.verdicts(map(path, chain.from_iterable(objects.verdicts.values())))
    )


def _scan(digests: Iterable[str], path: Locate) -> str:
    return scan(path(digest) for digest in sorted(digests))


def _versions_sql(manifests: Sequence[Manifest]) -> str:
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
        columns = ", ".join(f"{literal(value)} AS {key}" for key, value in texts.items())
        return f"SELECT {columns}, {manifest.number} AS number, {content.rows.count} AS rows"

    return " UNION ALL ".join(select(manifest) for manifest in manifests)


def run_query(store: Store, query: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the column names and rows of a query over the views of all readable versions.

    The query is one SELECT, and DuckDB opens no file but the objects of the views. Raises
    UsageError for another statement, and with DuckDB's own message if the query fails.
    """
    manifests = readable(store)
    if not manifests:
        raise UsageError(f"{store.root} has no valid version. Create one with 'curator build'.")
    try:
        check_is_select(query)
        return _run_locked(store, manifests, query)
    except NotReadOnlyError as error:
        raise UsageError(
            f"The query is not read-only: {error}. Write SELECT (or WITH, DESCRIBE, EXPLAIN); "
            "PIVOT needs ON … IN (values)."
        ) from None
    except duckdb.Error as error:
        message = str(error).partition("Stack Trace:")[0]
        raise UsageError(" ".join(message.split())) from None


def _run_locked(
    store: Store, manifests: Sequence[Manifest], query: str
) -> tuple[list[str], list[tuple[Any, ...]]]:
    objects = [digest for manifest in manifests for digest in digests(manifest)]
    used: dict[Path, None] = {}

    def use(digest: str) -> Path:
        path = store.objects.path(digest)
        used[path] = None
        return path

    with store.engine() as engine, store.guard_query(objects):
        for statement in view_statements(store, manifests, use):
            engine.sql(statement)
        engine.lock(used)
        relation = engine.sql(query)
        return list(relation.columns), relation.fetchall()
