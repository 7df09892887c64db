"""Verdicts that differ between two versions on the rationales that both have.

In: a store and names of two versions. Out: one line a verdict whose outcome, reason or rule is
another, whether its row is in both versions, in one or in none.
"""

from dataclasses import dataclass
from sys import intern

from curator.versions.content import objects_of
from curator.versions.drop_reasons import drop_reasons
from curator.versions.queries import (
    digests,
    scan_objects,
    version_rationales,
)
from datastore.engine import literal
from datastore.store import Store
from datastore.versions import Manifest


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """A verdict that changed."""

    subset: str
    id: str
    """The row."""
    check: str
    was: str
    """Outcome and reason in the older version: `failed, wrong answer`; empty if it had none."""
    by: str
    """The grading rule that decided there; empty where none did."""
    now: str
    """Outcome and reason in the newer version."""
    rule: str
    """The grading rule that decided in the newer version."""


def judgements(store: Store, older: str, newer: str) -> list[VerdictChange]:
    """Every verdict of a check that changed, by subset, check, then id.

    Screens see all rows together: what they changed is told by `lineage.difference`.
    """
    return verdict_changes(store, store.versions.get(older), store.versions.get(newer))


def verdict_changes(store: Store, a: Manifest, b: Manifest) -> list[VerdictChange]:
    """The same of two manifests, the older one first."""
    before, after = objects_of(a).verdicts, objects_of(b).verdicts
    subsets = [name for name in before if name in after and before[name] != after[name]]
    if not subsets:
        return []
    query = f"""
        WITH shared AS (
            SELECT id, subset FROM ({version_rationales(store, a)})
            SEMI JOIN ({version_rationales(store, b)}) USING (id, subset)
        ),
        olds AS (SELECT * FROM ({_judged(store, a, subsets)}) SEMI JOIN shared USING (id, subset)),
        news AS (SELECT * FROM ({_judged(store, b, subsets)}) SEMI JOIN shared USING (id, subset))
        SELECT subset, lower(hex(id)), judge, coalesce(olds.said, ''), coalesce(olds.rule, ''),
            coalesce(news.said, ''), coalesce(news.rule, '')
        FROM olds FULL JOIN news USING (id, subset, judge)
        WHERE (olds.said, olds.rule) IS DISTINCT FROM (news.said, news.rule)
        ORDER BY subset, judge, id
    """
    with store.reading([*digests(a), *digests(b)]), store.engine() as engine:
        return [VerdictChange(*row) for row in engine.sql(query).fetchall()]


def _judged(store: Store, manifest: Manifest, subsets: list[str]) -> str:
    """SELECT of (id, subset, judge, said, rule): what each check said of each row, and by what."""
    return " UNION ALL ".join(
        f"""
        SELECT row_id AS id, {literal(subset)} AS subset, "check" AS judge,
            outcome || CASE WHEN reason = '' THEN '' ELSE ', ' || reason END AS said,
            coalesce(evidence::JSON ->> '$.rule', '') AS rule
        FROM {scan_objects(store, [objects_of(manifest).verdicts[subset]])}
        """
        for subset in subsets
    )


@dataclass(frozen=True, slots=True)
class Change:
    """One row that differs between two versions."""

    what: str
    """`added`, `removed`, or `changed`: the same problem and subset with another rationale."""
    subset: str
    id: str
    """Row in the newer version, or the older one's if it was removed."""
    was: str
    """Row in the older version that a changed row replaces; else empty."""
    rule: str
    """What is responsible: the check, screen, mixture, writer, recipe or source."""


def difference(store: Store, older: str, newer: str) -> list[Change]:
    """Every row that is in one of two versions only, with the rule responsible: what stopped it on
    its way into the version that lacks it. By subset, kind of change, then id.
    """
    return changes(store, store.versions.get(older), store.versions.get(newer))


def changes(store: Store, a: Manifest, b: Manifest) -> list[Change]:
    """The same of two manifests, the older one first."""
    with store.reading([*digests(a), *digests(b)]), store.engine() as engine:
        engine.sql(f"CREATE TABLE removed AS {drop_reasons(store, a, b, _only(store, a, b))}")
        engine.sql(f"CREATE TABLE added AS {drop_reasons(store, b, a, _only(store, b, a))}")
        return [
            Change(intern(what), intern(subset), id_, was, intern(rule))
            for batch in engine.batches(_CHANGES)
            for what, subset, id_, was, rule in zip(
                *(column.to_pylist() for column in batch.columns), strict=True
            )
        ]


_CHANGES = """
    WITH olds AS (
        SELECT *, row_number() OVER (
            PARTITION BY subset, problem_id ORDER BY NOT rewritten, id) AS n FROM removed
    ),
    news AS (
        SELECT *, row_number() OVER (PARTITION BY subset, problem_id ORDER BY id) AS n
        FROM added WHERE rewritten
    ),
    changed AS MATERIALIZED (
        SELECT subset, news.id, olds.id AS was, olds.rule
        FROM news JOIN olds USING (subset, problem_id, n)
    )
    SELECT what, subset, lower(hex(id)) AS id, coalesce(lower(hex(was)), '') AS was, rule FROM (
        SELECT 'changed' AS what, subset, id, was, rule FROM changed
        UNION ALL SELECT 'added', subset, id, NULL, rule
            FROM added ANTI JOIN changed USING (id, subset)
        UNION ALL SELECT 'removed', subset, id, NULL, rule
            FROM removed ANTI JOIN (SELECT was AS id, subset FROM changed) USING (id, subset)
    ) ORDER BY subset, what, id
"""


def _only(store: Store, a: Manifest, b: Manifest) -> str:
    """SELECT of (id, subset, problem_id) of the rows of `a` that `b` lacks."""
    ours, theirs = (scan_objects(store, [objects_of(manifest).rows]) for manifest in (a, b))
    return (
        f"SELECT r.id, r.subset, w.problem_id FROM (SELECT id, subset FROM {ours} EXCEPT "
        f"SELECT id, subset FROM {theirs}) r JOIN ({version_rationales(store, a)}) w "
        "ON w.id = r.id AND w.subset = r.subset"
    )
