"""Rows and verdicts that differ between two versions.

In: two manifests, the older one first. Out: two tables of an engine, and what they have: counts,
and one record per row that only one version has and per verdict that changed, with the rule
responsible. Records are read one after the other, so memory is that of the engine.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from curator.versions.content import objects_of
from curator.versions.drop_reasons import create_drop_reasons
from curator.versions.queries import digests, scan_objects, version_rationales
from datastore.engine import Engine, literal
from datastore.store import Store
from datastore.versions import Manifest


@dataclass(frozen=True, slots=True)
class RowChange:
    """One row that differs between two versions."""

    what: str
    """`added`, `removed`, or `changed`: the same problem and subset with another rationale."""
    subset: str
    id: str
    """Row in the newer version, or in the older one if it was removed."""
    was: str
    """Row in the older version that a changed row replaces; empty for other changes."""
    rule: str
    """The check, screen, mixture, writer, recipe or source that is responsible."""


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """A check's verdict on a rationale of both versions that is not the same in both."""

    subset: str
    id: str
    """Id of the row in hex."""
    check: str
    was: str
    """Outcome and reason in the older version, such as `failed, contradicts the gold`; empty
    without a verdict."""
    by: str
    """The grading rule that decided in the older version; empty if no rule did."""
    now: str
    """Outcome and reason in the newer version."""
    rule: str
    """The grading rule that decided in the newer version."""


class Changes:
    """What differs between two versions, while their tables are open."""

    def __init__(self, engine: Engine, store: Store, a: Manifest, b: Manifest, subset: str) -> None:
        """`subset` leaves out all other subsets; empty for none."""
        self._engine, self._store, self._versions = engine, store, (a, b)
        self._where = f"WHERE subset = {literal(subset)}" if subset else ""

    def count_rows(self) -> list[tuple[str, str, str, int]]:
        """Return (subset, what, rule, number of rows), sorted."""
        return self._count("row_change", "subset, change, rule")

    def count_verdicts(self) -> list[tuple[str, str, str, str, str, str, int]]:
        """Return (subset, check, was, by, now, rule, number of verdicts), sorted."""
        columns = 'subset, "check", before, rule_before, after, rule_after'
        return self._count("verdict_change", columns)

    def _count(self, table: str, columns: str) -> list[Any]:
        query = f"SELECT {columns}, count(*) FROM {table} {self._where} GROUP BY ALL"
        return sorted(self._engine.sql(query).fetchall())

    def rows(self, limit: int = 0) -> Iterator[tuple[RowChange, str]]:
        """Yield rows with their questions, by subset, kind of change and id; all if limit is 0."""
        self._engine.sql(
            f"CREATE OR REPLACE TABLE listed AS FROM row_change {self._where} "
            f"ORDER BY subset, change, id {_limit(limit)}"
        )
        older, newer = (version_rationales(self._store, each) for each in self._versions)
        query = f"""
            SELECT change, subset, lower(hex(id)), coalesce(lower(hex(replaces)), ''), rule,
                instruction
            FROM (
                SELECT listed.*, instruction FROM listed JOIN ({older}) USING (id, subset)
                WHERE change = 'removed'
                UNION ALL
                SELECT listed.*, instruction FROM listed JOIN ({newer}) USING (id, subset)
                WHERE change <> 'removed'
            ) ORDER BY subset, change, id
        """
        for *change, question in self._read(query):
            yield RowChange(*change), question

    def verdicts(self, limit: int = 0) -> Iterator[VerdictChange]:
        """Yield verdicts by subset, check and id; all if limit is 0."""
        query = f"""
            SELECT subset, lower(hex(id)), "check", before, rule_before, after, rule_after
            FROM verdict_change {self._where} ORDER BY subset, "check", id {_limit(limit)}
        """
        return (VerdictChange(*row) for row in self._read(query))

    def _read(self, query: str) -> Iterator[tuple[Any, ...]]:
        for batch in self._engine.batches(query):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _limit(limit: int) -> str:
    return f"LIMIT {limit:d}" if limit else ""


@contextmanager
def open_changes(store: Store, a: Manifest, b: Manifest, subset: str = "") -> Iterator[Changes]:
    """Find what differs from `a` to `b`; it can be read until the block ends."""
    with store.guard_query([*digests(a), *digests(b)]), store.engine() as engine:
        create_changes(engine, store, a, b)
        yield Changes(engine, store, a, b, subset)


def create_changes(engine: Engine, store: Store, a: Manifest, b: Manifest) -> None:
    """Create the tables `row_change` (change, subset, id, replaces, rule), of every row that only
    one of two versions has, and `verdict_change` (subset, id, check, before, rule_before, after,
    rule_after).

    The rule responsible for a row is the one that stopped it on its way into the other version.
    Verdicts count on rationales of both versions, whether their row is in both, in one or in
    neither. What screens changed is in `row_change`: their verdicts depend on all rows together.
    """
    create_drop_reasons(engine, "removed", store, (a, b), _only_in(store, a, b))
    create_drop_reasons(engine, "added", store, (b, a), _only_in(store, b, a))
    engine.sql(_ROW_CHANGES)
    engine.drop("removed", "added")
    engine.sql(f"CREATE TABLE verdict_change AS {_verdict_changes(store, a, b)}")


_ROW_CHANGES = """
    CREATE TABLE row_change AS
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
    SELECT change, subset, id, was AS replaces, rule FROM (
        SELECT 'changed' AS change, subset, id, was, rule FROM changed
        UNION ALL SELECT 'added', subset, id, NULL, rule
            FROM added ANTI JOIN changed USING (id, subset)
        UNION ALL SELECT 'removed', subset, id, NULL, rule
            FROM removed ANTI JOIN (SELECT was AS id, subset FROM changed) USING (id, subset)
    )
"""


def _verdict_changes(store: Store, a: Manifest, b: Manifest) -> str:
    before, after = objects_of(a).verdicts, objects_of(b).verdicts
    subsets = [name for name in before if name in after and before[name] != after[name]]
    if not subsets:
        columns = ("subset", '"check"', "before", "rule_before", "after", "rule_after")
        texts = ", ".join(f"'' AS {column}" for column in columns)
        return f"SELECT ''::BLOB AS id, {texts} WHERE false"
    return f"""
        WITH shared AS (
            SELECT id, subset FROM ({version_rationales(store, a)})
            SEMI JOIN ({version_rationales(store, b)}) USING (id, subset)
        ),
        olds AS (
            SELECT * FROM ({_verdict_texts(store, a, subsets)}) SEMI JOIN shared USING (id, subset)
        ),
        news AS (
            SELECT * FROM ({_verdict_texts(store, b, subsets)}) SEMI JOIN shared USING (id, subset)
        )
        SELECT subset, id, name AS "check", coalesce(olds.verdict, '') AS before,
            coalesce(olds.rule, '') AS rule_before, coalesce(news.verdict, '') AS after,
            coalesce(news.rule, '') AS rule_after
        FROM olds FULL JOIN news USING (id, subset, name)
        WHERE (olds.verdict, olds.rule) IS DISTINCT FROM (news.verdict, news.rule)
    """


def _verdict_texts(store: Store, manifest: Manifest, subsets: list[str]) -> str:
    """SELECT of (id, subset, name, verdict, rule): the verdict of each check on each row."""
    verdicts = objects_of(manifest).verdicts
    return " UNION ALL ".join(
        f"""
        SELECT row_id AS id, {literal(subset)} AS subset, "check" AS name,
            CASE WHEN outcome = 'passed' AND reason <> '' THEN 'reported' ELSE outcome END
                || CASE WHEN reason = '' THEN '' ELSE ', ' || reason END AS verdict,
            coalesce(evidence::JSON ->> '$.rule', '') AS rule
        FROM {scan_objects(store, verdicts[subset])}
        """
        for subset in subsets
    )


def _only_in(store: Store, a: Manifest, b: Manifest) -> str:
    """SELECT of (id, subset, problem_id) of the rows of `a` that `b` lacks."""
    rows, others = (scan_objects(store, [objects_of(each).rows]) for each in (a, b))
    return (
        f"SELECT r.id, r.subset, w.problem_id FROM (SELECT id, subset FROM {rows} EXCEPT "
        f"SELECT id, subset FROM {others}) r JOIN ({version_rationales(store, a)}) w "
        "ON w.id = r.id AND w.subset = r.subset"
    )
