"""Write the report page of a version, or of the differences between two, as one HTML file.

In: a store and one or two manifests. Out: a file. The objects of the manifests become tables of an
engine, in the schemas `current` and `previous`; the pages read nothing else of a store.
"""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from curator.core.solve_rates import select_rates
from curator.teacher.token_count import counter
from curator.versions.changes import create_changes
from curator.versions.content import Content, content_of, objects_of
from curator.versions.disagreements import cached_disagreements
from curator.versions.golds.doubts import find_doubted_golds
from curator.versions.queries import (
    digests,
    scan_objects,
    solve_counts,
    stopping_verdicts,
    version_rationales,
    version_verdicts,
    with_steps,
)
from curator.versions.report import VersionInfo, render_comparison, render_report
from curator.versions.views import quarantine_sql
from datastore.engine import Engine, literal
from datastore.new_file import new_file
from datastore.store import Store
from datastore.versions import Manifest


def write_report(
    store: Store, manifest: Manifest, target: Path, before: Manifest | None = None
) -> None:
    """Write the page of a version, or the comparison of `before` with it, to `target`.

    An existing file is replaced. The manifest need not be saved: its number is 0 then. The page of
    a large version holds a sample of its rows, and says so.
    """
    objects = [*digests(manifest), *(digests(before) if before else ())]
    with store.guard_query(objects), store.engine() as engine:
        create_tables(engine, store, manifest, "current")
        if before is None:
            described = _describe_with_store(engine, store, manifest)
            page = render_report(engine, described, counter())
        else:
            create_tables(engine, store, before, "previous")
            create_changes(engine, store, before, manifest)
            page = render_comparison(engine, _describe(before), _describe(manifest))
    with new_file(target, overwrite=True) as out:
        out.write(page.encode("utf-8", "replace"))


def create_tables(engine: Engine, store: Store, manifest: Manifest, schema: str) -> None:
    """Create the tables of a version in a schema: rationale, problem, verdict, quarantine,
    solve_rate and row_status.

    `row_status` has the status of each rationale (`curator.versions.report.figures.STATUSES`) and
    the check or screen that dropped it, with the reason.
    """
    objects = objects_of(manifest)
    quarantine = quarantine_sql(store, [manifest], store.objects.path)
    problems = scan_objects(
        store, sorted({each for listed in objects.problems.values() for each in listed})
    )
    screens = ", ".join(literal(name) for name in objects.screens)
    verdicts = version_verdicts(store, manifest)
    stopped = stopping_verdicts(verdicts, content_of(manifest).recipe.undecided)
    for statement in (
        f"CREATE SCHEMA {schema}",
        f"CREATE VIEW {schema}.rationale AS "
        f"{with_steps(f'({version_rationales(store, manifest)})')}",
        f"CREATE VIEW {schema}.problem AS SELECT * FROM {problems} "
        "QUALIFY row_number() OVER (PARTITION BY id ORDER BY place) = 1",
        f"CREATE VIEW {schema}.verdict AS {verdicts}",
        f"CREATE VIEW {schema}.quarantine AS {quarantine}",
        f"CREATE VIEW {schema}.solve_rate AS {select_rates(solve_counts(store, manifest))}",
        f"""
        CREATE TABLE {schema}.row_status AS
        WITH stopped AS (SELECT row_id AS id, "check", outcome, reason FROM ({stopped})),
        kept AS (
            SELECT id, subset, true AS is_kept FROM {scan_objects(store, [objects.rows])}
        )
        SELECT w.id, w.subset, w.problem_id,
            CASE WHEN is_kept THEN 'kept' WHEN outcome IS NULL THEN 'not_drawn'
                WHEN list_contains([{screens}]::VARCHAR[], "check") THEN 'screened'
                WHEN outcome = 'failed' THEN 'rejected' ELSE 'undecided' END AS status,
            CASE WHEN is_kept THEN '' WHEN outcome IS NULL THEN 'mixture: not drawn'
                ELSE "check" || ': ' || reason END AS rule
        FROM {schema}.rationale w LEFT JOIN kept USING (id, subset) LEFT JOIN stopped USING (id)
        """,
    ):
        engine.sql(statement)


def _describe(manifest: Manifest) -> VersionInfo:
    """Return what the manifest alone states."""
    return VersionInfo(
        name=manifest.ref if manifest.number else manifest.name,
        digest=manifest.digest,
        parent=manifest.parent or "",
        message=manifest.message,
        content=content_of(manifest),
        questions={},
        golds=None,
        second_opinion=None,
        costs=(),
        damaged_calls=0,
    )


def _describe_with_store(engine: Engine, store: Store, manifest: Manifest) -> VersionInfo:
    """Add the evaluation questions, golds in doubt, second opinions and calls of the store."""
    questions = {
        name: sum(store.objects.rows(digest) for digest in listed if store.objects.has(digest))
        for name, listed in objects_of(manifest).evals.items()
    }
    queue = cached_disagreements(store, manifest)
    return replace(
        _describe(manifest),
        questions=questions,
        golds=find_doubted_golds(engine, store, manifest),
        second_opinion=asdict(queue) if queue.pairs else None,
        costs=_sum_costs(store, content_of(manifest)),
        damaged_calls=len(store.ledger("calls").damage()),
    )


def _sum_costs(store: Store, content: Content) -> list[dict[str, Any]]:
    """Return the calls of all builds of the version's recipe, by model."""
    if not any(counts.taught for counts in content.subsets.values()):
        return []
    costs: dict[str, dict[str, Any]] = {}
    for _, record in store.ledger("calls").records():
        if record["recipe"] != content.recipe.name:
            continue
        request, call = record["request"], record["call"]
        model = f"{request['model']} ({request['family']})"
        line = costs.setdefault(
            model, {"model": model, "calls": 0, "failed": 0, "prompt": 0, "reply": 0, "money": 0.0}
        )
        line["calls"] += 1
        line["failed"] += call["status"] != "answered"
        line["prompt"] += call["prompt_tokens"]
        line["reply"] += call["completion_tokens"]
        line["money"] += record["money"]
    return sorted(costs.values(), key=lambda line: (-line["calls"], line["model"]))
