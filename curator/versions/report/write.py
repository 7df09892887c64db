"""Report pages: what a version is, or how two differ, as one HTML file for people.

In: a store and one manifest, or two. Out: a file. Their objects become tables of an engine, in the
schemas `now` and `was`, which is all that the pages of `curator.versions.report` see of a store.
"""

from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from curator.teacher.token_count import counter
from curator.versions.content import Content, content_of, objects_of
from curator.versions.diff import row_changes, verdict_changes
from curator.versions.disagreements import cached_disagreements
from curator.versions.queries import (
    digests,
    scan_objects,
    stopping_verdicts,
    version_rationales,
    version_verdicts,
)
from curator.versions.report import Reported, comparison_page, report_page
from curator.versions.views import quarantine_sql
from datastore.engine import Engine, literal
from datastore.new_file import new_file
from datastore.store import Store
from datastore.versions import Manifest


def write_report(
    store: Store, manifest: Manifest, target: Path, before: Manifest | None = None
) -> None:
    """Write the page of a version, or the comparison of `before` with it, to `target`.

    A file that is there is replaced. The manifest need not be saved: number 0 says so. Of large
    versions the page holds a sample of rows, and says which.
    """
    objects = [*digests(manifest), *(digests(before) if before else ())]
    with store.reading(objects), store.engine() as engine:
        tables(engine, store, manifest, "now")
        if before is None:
            page = report_page(engine, _reported(store, manifest), counter())
        else:
            tables(engine, store, before, "was")
            _differences(engine, store, before, manifest)
            page = comparison_page(engine, _told(before), _told(manifest))
    with new_file(target, overwrite=True) as out:
        out.write(page.encode("utf-8", "replace"))


def tables(engine: Engine, store: Store, manifest: Manifest, schema: str) -> None:
    """A version in a schema: rationale, problem, verdict, aside, and table `judged`, in which each
    rationale has its fate (`curator.versions.report.figures.FATES`) and the rule that kept it out.
    """
    objects = objects_of(manifest)
    problems = scan_objects(
        store, sorted({each for listed in objects.problems.values() for each in listed})
    )
    screens = ", ".join(literal(name) for name in objects.screens)
    verdicts = version_verdicts(store, manifest)
    stopped = stopping_verdicts(verdicts, content_of(manifest).keeps_undecided)
    for statement in (
        f"CREATE SCHEMA {schema}",
        f"CREATE VIEW {schema}.rationale AS {version_rationales(store, manifest)}",
        f"CREATE VIEW {schema}.problem AS SELECT * FROM {problems} "
        "QUALIFY row_number() OVER (PARTITION BY id ORDER BY place) = 1",
        f"CREATE VIEW {schema}.verdict AS {verdicts}",
        f"CREATE VIEW {schema}.aside AS {quarantine_sql(store, [manifest])}",
        f"""
        CREATE TABLE {schema}.judged AS
        WITH stopped AS (SELECT row_id AS id, "check", outcome, reason FROM ({stopped})),
        kept AS (
            SELECT id, subset, true AS here FROM {scan_objects(store, [objects.rows])}
        )
        SELECT w.id, w.subset, w.problem_id,
            CASE WHEN here THEN 'kept' WHEN outcome IS NULL THEN 'undrawn'
                WHEN list_contains([{screens}]::VARCHAR[], "check") THEN 'screened'
                ELSE outcome END AS fate,
            CASE WHEN here THEN '' WHEN outcome IS NULL THEN 'mixture: not drawn'
                ELSE "check" || ': ' || reason END AS rule
        FROM {schema}.rationale w LEFT JOIN kept USING (id, subset) LEFT JOIN stopped USING (id)
        """,
    ):
        engine.sql(statement)


def _told(manifest: Manifest) -> Reported:
    """What the manifest itself says."""
    return Reported(
        name=manifest.ref if manifest.number else manifest.name,
        digest=manifest.digest,
        parent=manifest.parent or "",
        message=manifest.message,
        content=content_of(manifest),
        questions={},
        opinions=None,
        costs=(),
    )


def _reported(store: Store, manifest: Manifest) -> Reported:
    """The same with what the store and its ledgers know besides."""
    questions = {
        name: sum(store.objects.rows(digest) for digest in listed if store.objects.has(digest))
        for name, listed in objects_of(manifest).evals.items()
    }
    queue = cached_disagreements(store, manifest)
    opinions = asdict(queue) if queue.pairs else None
    costs = _costs(store, content_of(manifest))
    return replace(_told(manifest), questions=questions, opinions=opinions, costs=costs)


def _costs(store: Store, content: Content) -> list[dict[str, Any]]:
    """The calls made for the recipe of a version by model: of all its builds, not of this alone."""
    if not any(counts.taught for counts in content.subsets.values()):
        return []
    found: dict[str, dict[str, Any]] = {}
    name = content.recipe.name
    for _, record in store.ledger("calls").records():
        if record["recipe"] != name:
            continue
        request, call = record["request"], record["call"]
        model = f"{request['model']} ({request['family']})"
        line = found.setdefault(
            model,
            {"model": model, "calls": 0, "failed": 0, "prompt": 0, "reply": 0, "money": 0.0,
             "estimated": 0},
        )  # fmt: skip
        line["calls"] += 1
        line["failed"] += call["status"] != "answered"
        line["prompt"] += call["prompt_tokens"]
        line["reply"] += call["completion_tokens"]
        line["money"] += record["money"]
        line["estimated"] += bool(record["estimated"])
    return sorted(found.values(), key=lambda line: (-line["calls"], line["model"]))


def _differences(engine: Engine, store: Store, before: Manifest, after: Manifest) -> None:
    """Tables `changed` and `judgement`."""
    rows = (
        (each.what, each.subset, bytes.fromhex(each.id), bytes.fromhex(each.was) or None, each.rule)
        for each in row_changes(store, before, after)
    )
    _table(engine, "changed", ("what", "subset", "id", "was", "rule"), rows)
    found = (
        (each.subset, bytes.fromhex(each.id), each.check, each.was, each.by, each.now, each.rule)
        for each in verdict_changes(store, before, after)
    )
    names = ("subset", "id", "check", "was", "was_by", "now", "now_by")
    _table(engine, "judgement", names, found)


def _table(
    engine: Engine, name: str, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]
) -> None:
    """A table of texts, with ids as bytes."""
    binary = {"id", *(("was",) if name == "changed" else ())}
    listed = list(zip(*rows, strict=True)) or [()] * len(columns)
    arrays = [
        pa.array(values, type=pa.binary() if column in binary else pa.string())
        for column, values in zip(columns, listed, strict=True)
    ]
    engine.connection.register("given", pa.table(arrays, names=list(columns)))
    engine.sql(f"CREATE TABLE {name} AS FROM given")
    engine.connection.unregister("given")
