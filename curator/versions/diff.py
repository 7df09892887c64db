"""Differences between two versions: rows that only one has, and verdicts that changed.

In: two manifests, the older one first. Out: one record per row or verdict that differs, with the
rule responsible, and one per key of the recipe.
"""

import json
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from sys import intern
from typing import Any

from curator.core.errors import UsageError, unknown_name
from curator.versions.content import Content, content_of, objects_of
from curator.versions.drop_reasons import create_drop_reasons
from curator.versions.queries import digests, scan_objects, version_rationales
from datastore.engine import literal
from datastore.store import Store
from datastore.versions import Manifest


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


def verdict_changes(store: Store, a: Manifest, b: Manifest) -> list[VerdictChange]:
    """Return every verdict of a check that changed from `a` to `b`, by subset, check and id.

    Rationales count whether their row is in both versions, in one or in neither. What screens
    changed is in `row_changes`: their verdicts depend on all rows together.
    """
    before, after = objects_of(a).verdicts, objects_of(b).verdicts
    subsets = [name for name in before if name in after and before[name] != after[name]]
    if not subsets:
        return []
    query = f"""
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
        SELECT subset, lower(hex(id)), name, coalesce(olds.verdict, ''), coalesce(olds.rule, ''),
            coalesce(news.verdict, ''), coalesce(news.rule, '')
        FROM olds FULL JOIN news USING (id, subset, name)
        WHERE (olds.verdict, olds.rule) IS DISTINCT FROM (news.verdict, news.rule)
        ORDER BY subset, name, id
    """
    with store.guard_query([*digests(a), *digests(b)]), store.engine() as engine:
        return [VerdictChange(*row) for row in engine.sql(query).fetchall()]


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
class KeyChange:
    """A key of the recipe whose values differ."""

    key: str
    """Path of the key: `screens.contamination.masked`."""
    was: str
    """Value in the older version as JSON; empty if it does not state the key."""
    now: str
    """Value in the newer version."""


def recipe_changes(a: Manifest, b: Manifest) -> list[KeyChange]:
    """Return the keys of the resolved recipes that differ, apart from `name` and `about`.

    Two paths of a file with the same content do not differ: a path depends on the recipe's folder.
    A subset that only one recipe has is one key, and so is each file of attempts, whose value is
    its model and the beginning of its sha256.
    """
    recipes = [content_of(each).recipe.plain() for each in (a, b)]
    alone = recipes[0]["subsets"].keys() ^ recipes[1]["subsets"].keys()
    whole = {f"subsets.{name}" for name in alone}
    old, new = (dict(_flat(each, "", whole)) for each in recipes)
    ignored = {"name", "about", "attempts", *_same_files(content_of(a), content_of(b))}
    changes = [
        KeyChange(key, old.get(key, ""), new.get(key, ""))
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key) and key not in ignored
    ]
    return [*changes, *_attempts_changes(content_of(a), content_of(b))]


def _attempts_changes(a: Content, b: Content) -> Iterator[KeyChange]:
    """Yield a key per file of attempts that only one version read, or whose content differs."""
    old, new = (
        {
            file: json.dumps(f"{each.model} {each.sha256[:12]}")
            for file, each in one.attempts.items()
        }
        for one in (a, b)
    )
    same = {"", *(set(old.values()) & set(new.values()))}
    for file in dict.fromkeys([*old, *new]):
        was, now = old.get(file, ""), new.get(file, "")
        if was != now and not {was, now} <= same:
            yield KeyChange(f"attempts.{file}", was, now)


def _same_files(a: Content, b: Content) -> Iterator[str]:
    """Yield the keys with the path of a file whose content both versions read."""
    for name in a.subsets.keys() & b.subsets.keys():
        old, new = (content.sources.get(name) for content in (a, b))
        if old and new and old.revision and old.revision == new.revision:
            yield from (f"subsets.{name}.source.{key}" for key in ("file", "seeds"))


def _flat(value: Any, path: str, whole: Container[str]) -> Iterator[tuple[str, str]]:
    """Yield the path and the JSON text of every value that is not an object with keys, and of the
    objects at the paths of `whole`."""
    if isinstance(value, dict) and value and path not in whole:
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else key, whole)
    elif value != {}:
        yield path, json.dumps(value, ensure_ascii=False)


def check_subset(a: Manifest, b: Manifest, subset: str) -> None:
    """Raise UsageError unless one of the versions has a subset of this name."""
    known = {*content_of(a).subsets, *content_of(b).subsets}
    if subset not in known:
        raise UsageError(unknown_name("subset", subset, known))


def read_questions(store: Store, a: Manifest, b: Manifest, rows: Sequence[str]) -> dict[str, str]:
    """Return the instructions of rows of two versions, by their id in hex."""
    if not rows:
        return {}
    listed = ", ".join(f"unhex({literal(row)})" for row in rows)
    found: dict[str, str] = {}
    with store.guard_query([*digests(a), *digests(b)]), store.engine() as engine:
        for manifest in (a, b):
            query = (
                f"SELECT DISTINCT lower(hex(id)), instruction "
                f"FROM ({version_rationales(store, manifest)}) WHERE id IN ({listed})"
            )
            found |= dict(engine.sql(query).fetchall())
    return found


def row_changes(store: Store, a: Manifest, b: Manifest) -> list[RowChange]:
    """Return every row that only one of two versions has, by subset, kind of change and id.

    The rule responsible is the one that stopped the row on its way into the other version.
    """
    with store.guard_query([*digests(a), *digests(b)]), store.engine() as engine:
        create_drop_reasons(engine, "removed", store, (a, b), _only_in(store, a, b))
        create_drop_reasons(engine, "added", store, (b, a), _only_in(store, b, a))
        return [
            RowChange(intern(what), intern(subset), id_, was, intern(rule))
            for batch in engine.batches(_ROW_CHANGES)
            for what, subset, id_, was, rule in zip(
                *(column.to_pylist() for column in batch.columns), strict=True
            )
        ]


_ROW_CHANGES = """
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


def _only_in(store: Store, a: Manifest, b: Manifest) -> str:
    """SELECT of (id, subset, problem_id) of the rows of `a` that `b` lacks."""
    rows, others = (scan_objects(store, [objects_of(each).rows]) for each in (a, b))
    return (
        f"SELECT r.id, r.subset, w.problem_id FROM (SELECT id, subset FROM {rows} EXCEPT "
        f"SELECT id, subset FROM {others}) r JOIN ({version_rationales(store, a)}) w "
        "ON w.id = r.id AND w.subset = r.subset"
    )
