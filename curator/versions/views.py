"""SQL views of a store; `VIEWS` lists them.

In: the manifests of a store. Out: views in an engine, or a small DuckDB file with the same views,
which is safe to delete. Ids are hex texts in the views. All but `calls` and `budget` list what each
version holds, with the version in `version`.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from curator.core.errors import UsageError
from curator.core.solve_rates import NO_COUNTS, select_rates
from curator.versions import queries
from curator.versions.content import Objects, content_of, objects_of
from curator.versions.queries import (
    VERDICT_WORD,
    digests,
    labelled_steps,
    readable,
    skipped_versions,
)
from datastore.engine import Engine, NotReadOnlyError, check_is_select, literal, scan
from datastore.errors import StoreError, wrap_os_errors
from datastore.files import publish, scratch
from datastore.store import Store
from datastore.versions import Manifest

FILE = "views.duckdb"
VIEWS = {
    "versions": "Versions: `version` (as in `mine@2`), name, number, digest, rows, recipe (JSON).",
    "rows": "Rows of each `version`: id, subset, evidence_level.",
    "verdicts": "Verdicts of each `version`, also on rows that it rejected: row_id, check_name, "
    "check_version (of the check), outcome (see Verdicts), reason, evidence (JSON).",
    "clusters": "Rows of each `version` that were rejected because they resemble a row that was "
    "kept: kept, row_id, check_name, index (Jaccard index or cosine; 1 for duplicates).",
    "solve_rate": "How often models solve the problems of each `version`: problem_id, model, "
    "successes, failures, undecided, attempts, rate (successes among the decided), low, high (95% "
    "Wilson interval).",
    "rationales": "Texts and programs of each `version`, kept or rejected: id (`row_id` of "
    "verdicts), problem_id, subset, kind, writer, instruction, text, as_written.",
    "steps": "Labelled steps of the rationales of each `version`, kept or rejected: id (of the "
    "rationale), subset, number, text, label (right, neutral, wrong, or empty), chosen (false for "
    "an alternative).",
    "problems": "Problems of each `version`: id, source, question, gold, choices, licence, place "
    "(file and line).",
    "evals": "Questions of the evaluation sets that each `version` was screened against: eval_set, "
    "id, question, gold, choices, place.",
    "calls": "Calls to teachers, from the ledger that all recipes of the store share: key, recipe, "
    "model, family, sample, status, reason, final, prompt_tokens, completion_tokens, tokens, "
    "money, tries, seconds, time, text.",
    "budget": "What each recipe has spent on each model: recipe, model, calls, failed, tokens, "
    "money, first, last.",
    "quarantine": "Records that could not be read, replies without a rationale, and attempts "
    "that count for no problem, of each `version`: subset, place, reason, raw.",
}
"""Each view with its columns."""
VIEWS_EXAMPLE = (
    "SELECT row_id, e.question FROM verdicts JOIN evals e USING (version) WHERE "
    "version = 'quickstart@1' AND e.eval_set = (evidence->>'set') AND e.place = (evidence->>'item')"
)
"""A query over two of them: the evaluation questions that rows of a version share."""
Locate = Callable[[str], Path]
"""The path of an object by its digest."""
_NO_EVALS = (
    "SELECT '' AS version, '' AS eval_set, '' AS id, '' AS question, '' AS gold, "
    "[]::VARCHAR[] AS choices, '' AS place WHERE false"
)
_NO_QUARANTINE = (
    "SELECT '' AS version, '' AS subset, '' AS place, '' AS reason, '' AS raw WHERE false"
)


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
    rows = [
        f"SELECT {literal(manifest.ref)} AS version, lower(hex(id)) AS id, subset, "
        "coalesce(evidence_level, 'form') AS evidence_level "
        f"FROM {_scan([each.rows], path)} LEFT JOIN ({_levels(each, path)}) ON row_id = id"
        for manifest, each in zip(manifests, objects, strict=True)
    ]
    # `check` is a keyword of SQL and would need quotes as a column name.
    verdicts = [
        f"SELECT {literal(manifest.ref)} AS version, lower(hex(row_id)) AS row_id, "
        '"check" AS check_name, version AS check_version, '
        f"{VERDICT_WORD}, reason, "
        f"evidence::JSON AS evidence FROM {_scan(_verdict_digests(each), path)}"
        for manifest, each in zip(manifests, objects, strict=True)
    ]
    texts = _by_version(manifests, "rationales", "subset", path)
    return [
        "CREATE VIEW problems AS SELECT * EXCLUDE (subset) REPLACE (lower(hex(id)) AS id) "
        f"FROM {_without_steps(_by_version(manifests, 'problems', 'subset', path))} "
        "QUALIFY row_number() OVER (PARTITION BY version, id ORDER BY place) = 1",
        "CREATE VIEW rationales AS SELECT * REPLACE (lower(hex(id)) "
        "AS id, lower(hex(problem_id)) AS problem_id) "
        f"FROM {_without_steps(texts)} "
        "QUALIFY row_number() OVER (PARTITION BY version, id, subset) = 1",
        "CREATE VIEW steps AS SELECT version, lower(hex(id)) AS id, subset, step.number, "
        "step.text, step.label, step.chosen FROM (SELECT version, id, subset, "
        f"unnest(labelled_steps) AS step FROM ({labelled_steps(f'({texts})')})) "
        "ORDER BY ALL",
        f"CREATE VIEW verdicts AS {' UNION ALL '.join(verdicts)}",
        # Every screen that keeps one of several rows names it: duplicates, near-duplicates, …
        "CREATE VIEW clusters AS SELECT version, evidence ->> '$.kept' AS kept, row_id, "
        "check_name, coalesce(try_cast(evidence ->> '$.index' AS DOUBLE), 1) AS index "
        "FROM verdicts WHERE outcome = 'failed' AND (evidence ->> '$.kept') IS NOT NULL",
        f"CREATE VIEW solve_rate AS {_solve_rate_sql(manifests, path)}",
        f"CREATE VIEW evals AS {_evals_sql(store, manifests, path)}",
        f"CREATE VIEW quarantine AS {quarantine_sql(store, manifests, path)}",
        f"CREATE VIEW rows AS {' UNION ALL '.join(rows)}",
        f"CREATE VIEW versions AS {_versions_sql(manifests)}",
    ]


def _without_steps(select: str) -> str:
    """FROM item without the labelled steps, which are a view of their own."""
    some = f"SELECT * FROM ({select}) UNION ALL BY NAME SELECT NULL AS labelled_steps WHERE false"
    return f"(SELECT * EXCLUDE (labelled_steps) FROM ({some}))"


def quarantine_sql(store: Store, manifests: Sequence[Manifest], path: Locate) -> str:
    """SELECT of (version, subset, place, reason, raw): what could not be parsed.

    That is records of sources, replies of teachers without a rationale, and solutions in files of
    attempts, whose path is in `subset`. Objects that were
    removed from the store are skipped.
    """
    selects = [
        found
        for kind in ("quarantine", "replies", "unused")
        if (found := _by_version(manifests, kind, "subset", path, store.objects.has))
    ]
    return " UNION ALL BY NAME ".join(selects) or _NO_QUARANTINE


def _by_version(
    manifests: Sequence[Manifest],
    kind: str,
    label: str,
    path: Locate,
    has: Callable[[str], bool] = lambda digest: True,
) -> str:
    """SELECT of (version, label, …): the rows of one kind of object of each version.

    `label` is the name of the column with the subset or evaluation set. An object that several
    versions share is scanned once. Objects that the store does not have are skipped; the text is
    empty if it has none.
    """
    held: dict[Path, list[tuple[str, str]]] = {}
    for manifest in manifests:
        for name, listed in getattr(objects_of(manifest), kind).items():
            for digest in [listed] if isinstance(listed, str) else listed:
                if has(digest):
                    held.setdefault(path(digest), []).append((manifest.ref, name))
    if not held:
        return ""
    holders = ", ".join(
        f"({literal(file)}, {literal(ref)}, {literal(name)})"
        for file, places in sorted(held.items())
        for ref, name in dict.fromkeys(places)
    )
    return (
        f"SELECT version, {label}, object.* EXCLUDE (filename) "
        f"FROM {scan(sorted(held), filename=True)} AS object "
        f"JOIN (VALUES {holders}) AS held(file, version, {label}) ON filename = file"
    )


def _verdict_digests(objects: Objects) -> set[str]:
    return {*chain.from_iterable(objects.verdicts.values()), *objects.screens.values()}


def _evals_sql(store: Store, manifests: Sequence[Manifest], path: Locate) -> str:
    """SELECT of the questions of evaluation sets; objects that were removed are skipped."""
    found = _by_version(manifests, "evals", "eval_set", path, store.objects.has)
    if not found:
        return _NO_EVALS
    return (
        f"SELECT * REPLACE (lower(hex(id)) AS id) FROM ({found}) "
        "QUALIFY row_number() OVER (PARTITION BY version, eval_set, id, place) = 1"
    )


def _solve_rate_sql(manifests: Sequence[Manifest], path: Locate) -> str:
    selects = [f"SELECT '' AS version, * FROM {NO_COUNTS}"]
    selects += [
        f"SELECT {literal(manifest.ref)} AS version, * FROM {_scan([counts], path)}"
        for manifest in manifests
        if (counts := objects_of(manifest).solve_counts)
    ]
    rates = select_rates(f"({' UNION ALL '.join(selects)})")
    columns = "version, lower(hex(problem_id)) AS problem_id, model, successes, failures, undecided"
    return f"SELECT {columns}, attempts, rate, low, high FROM ({rates})"


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
    if not manifests and not _needs_calls(query):
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
        for statement in view_statements(store, manifests, use) if manifests else ():
            engine.sql(statement)
        if _needs_calls(query):
            used[_create_call_views(engine, store)] = None
        engine.lock(used)
        relation = engine.sql(query)
        return list(relation.columns), relation.fetchall()


def _needs_calls(query: str) -> bool:
    """Return whether a query may use the views of calls; reading them takes a while."""
    return bool(re.search(r"\b(?:calls|budget)\b", query, re.I))


_CALLS = pa.schema(
    [(name, pa.string()) for name in ("key", "recipe", "model", "family")]
    + [("sample", pa.int64())]
    + [(name, pa.string()) for name in ("status", "reason")]
    + [("final", pa.bool_())]
    + [(name, pa.int64()) for name in ("prompt_tokens", "completion_tokens", "tokens")]
    + [("money", pa.float64()), ("tries", pa.int64()), ("seconds", pa.float64())]
    + [("time", pa.timestamp("ms")), ("text", pa.string())]
)
_CALL_VIEWS = (
    "CREATE VIEW calls AS SELECT * FROM call_records",
    "CREATE VIEW budget AS SELECT recipe, model, count(*) AS calls, "
    "count(*) FILTER (status = 'failed') AS failed, sum(tokens)::BIGINT AS tokens, "
    "sum(money) AS money, min(time) AS first, max(time) AS last FROM calls GROUP BY ALL",
)
CALLS_AT_ONCE = 1_000
"""Maximum number of calls in memory at a time; a reply may have 100,000 characters."""


def _create_call_views(engine: Engine, store: Store) -> Path:
    """Create the views of calls over a temporary file with the ledger; return the file."""
    engine.create_view("call_records", _read_calls(store), _CALLS)
    for statement in _CALL_VIEWS:
        engine.sql(statement)
    return engine.folder / "call_records.parquet"


def _read_calls(store: Store) -> Iterator[pa.RecordBatch]:
    """Yield the ledger of calls in parts, so that a ledger of any size fits in memory."""
    records = store.ledger("calls").records() if "calls" in store.ledger_kinds() else iter(())
    while part := list(islice(records, CALLS_AT_ONCE)):
        rows = [_call_values(key, record) for key, record in part]
        columns = map(list, zip(*rows, strict=True))
        arrays = [
            pa.array(column, field.type) for column, field in zip(columns, _CALLS, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=_CALLS)


def _call_values(key: bytes, record: Mapping[str, Any]) -> list[Any]:
    """Return the values of one call in the order of `_CALLS`; None for what a record lacks."""
    flat = {**record["request"], **record["call"], **record, "key": key.hex()}
    flat["time"] = round(record["time"] * 1_000)
    flat["seconds"] = float(record["seconds"])
    return [flat.get(field.name) for field in _CALLS]
