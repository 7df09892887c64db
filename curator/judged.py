"""Verdicts that differ between two versions on the rationales that both have.

In: a store and names of two versions. Out: one line a verdict whose outcome, reason or rule is
another, whether its row is in both versions, in one or in none.
"""

from dataclasses import dataclass

from curator.absence import rationales, scan_objects
from curator.relations import digests
from datastore.engine import literal
from datastore.store import Store
from datastore.versions import Manifest


@dataclass(frozen=True, slots=True)
class Judgement:
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


def judgements(store: Store, older: str, newer: str) -> list[Judgement]:
    """Every verdict of a check that changed, by subset, check, then id.

    Screens see all rows together: what they changed is told by `lineage.difference`.
    """
    return judged_anew(store, store.versions.get(older), store.versions.get(newer))


def judged_anew(store: Store, a: Manifest, b: Manifest) -> list[Judgement]:
    """The same of two manifests, the older one first."""
    before, after = a.objects["verdicts"], b.objects["verdicts"]
    subsets = [name for name in before if name in after and before[name] != after[name]]
    if not subsets:
        return []
    query = f"""
        WITH shared AS (
            SELECT id, subset FROM ({rationales(store, a)})
            SEMI JOIN ({rationales(store, b)}) USING (id, subset)
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
        return [Judgement(*row) for row in engine.sql(query).fetchall()]


def _judged(store: Store, manifest: Manifest, subsets: list[str]) -> str:
    """SELECT of (id, subset, judge, said, rule): what each check said of each row, and by what."""
    return " UNION ALL ".join(
        f"""
        SELECT row_id AS id, {literal(subset)} AS subset, "check" AS judge,
            outcome || CASE WHEN reason = '' THEN '' ELSE ', ' || reason END AS said,
            coalesce(evidence::JSON ->> '$.rule', '') AS rule
        FROM {scan_objects(store, [manifest.objects["verdicts"][subset]])}
        """
        for subset in subsets
    )
