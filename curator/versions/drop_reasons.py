"""Why rows are not in a version: the first rule on the way into it that stopped each, as SQL.

In: manifests, and a SELECT of rows. Out: SELECT texts over the objects of the manifests.
"""

from collections.abc import Callable, Iterable

from curator.versions.content import content_of, objects_of
from curator.versions.queries import scan_objects, version_rationales, version_verdicts
from datastore.engine import literal
from datastore.store import Store
from datastore.versions import Manifest


def drop_reasons(store: Store, holder: Manifest, manifest: Manifest, absent: str) -> str:
    """SELECT of (id, subset, problem_id, rule, rewritten) of rows of `holder`: the first rule on
    the way into `manifest` that stopped each. `rewritten` says that it has the problem, but not
    this rationale.
    """
    out = "('failed')" if content_of(manifest).keeps_undecided else "('failed', 'undecided')"
    problems = " UNION ALL ".join(
        f"SELECT id AS problem_id, {literal(subset)} AS subset FROM {scan_objects(store, objects)}"
        for subset, objects in objects_of(manifest).problems.items()
    )
    names = list(objects_of(holder).rationales)
    return f"""
        WITH absent AS MATERIALIZED ({absent}),
        stopped AS (
            SELECT absent.id, first("check" || ': ' || reason
                ORDER BY screen, outcome = 'undecided', place) AS stop
            FROM absent JOIN ({version_verdicts(store, manifest)}) v ON v.row_id = absent.id
            WHERE outcome IN {out} GROUP BY absent.id
        ),
        written AS (
            SELECT DISTINCT id, subset, true AS here FROM ({version_rationales(store, manifest)})
            SEMI JOIN absent USING (id, subset)
        ),
        known AS (
            SELECT DISTINCT problem_id, subset, true AS asked FROM ({problems})
            SEMI JOIN absent USING (problem_id, subset)
        )
        SELECT id, subset, problem_id,
            CASE WHEN gone IS NOT NULL THEN gone WHEN stop IS NOT NULL THEN stop
                WHEN here THEN 'mixture: not drawn' WHEN asked THEN unwritten
                ELSE 'source: no such problem' END AS rule,
            gone IS NULL AND stop IS NULL AND here IS NULL AND asked IS NOT NULL AS rewritten
        FROM (
            SELECT *, {_case(names, lambda name: _gone(manifest, name))} AS gone,
                {_case(names, lambda name: _unwritten(holder, manifest, name))} AS unwritten
            FROM absent
        ) LEFT JOIN stopped USING (id) LEFT JOIN written USING (id, subset)
            LEFT JOIN known USING (problem_id, subset)
    """


def _case(subsets: Iterable[str], rule: Callable[[str], str]) -> str:
    """SQL: the rule of each subset; NULL where it is empty."""
    rules = {subset: rule(subset) for subset in subsets}
    arms = [f"WHEN {literal(name)} THEN {literal(text)}" for name, text in rules.items() if text]
    return f"CASE subset {' '.join(arms)} END" if arms else "NULL::VARCHAR"


def _gone(manifest: Manifest, subset: str) -> str:
    """Why a version has nothing of a subset; empty if it has."""
    content = content_of(manifest)
    if subset not in content.subsets:
        return "recipe: no such subset"
    if subset not in objects_of(manifest).rationales:
        return f"waits for {', '.join(content.subsets[subset].waits_for)}"
    return ""


def _unwritten(holder: Manifest, manifest: Manifest, subset: str) -> str:
    """What made a version write something else for a problem than its holder did."""
    if _gone(manifest, subset):
        return ""
    contents = [content_of(each) for each in (holder, manifest)]
    read = [each.sources[each.source_name(subset)].revision for each in contents]
    wrote = [each.recipe.subsets[subset].writers for each in contents]
    if read[0] == read[1]:
        return "writer: not written"
    return "source: other solution" if wrote[0] == wrote[1] else "writer or source: not written"
