"""Why rows are not in a version: the first rule that stopped each of them.

In: manifests and a SELECT of rows. Out: a table in an engine.
"""

from collections.abc import Callable, Iterable

from curator.versions.content import content_of, objects_of
from curator.versions.queries import (
    scan_objects,
    stopping_verdicts,
    version_rationales,
    version_verdicts,
)
from datastore.engine import Engine, literal
from datastore.store import Store
from datastore.versions import Manifest


def create_drop_reasons(
    engine: Engine, table: str, store: Store, versions: tuple[Manifest, Manifest], absent: str
) -> None:
    """Create `table` (id, subset, problem_id, rule, rewritten): what stopped rows of a version.

    `versions` are the one that has the rows and the one that lacks them, and `absent` is a SELECT
    of (id, subset, problem_id) of these rows. `rule` is the first check, screen, mixture, writer,
    recipe or source that stopped a row. `rewritten` is true where the second version has the
    problem but not this rationale. A question with another gold answer is another problem: such
    rows are `rewritten`, and their `problem_id` is the same in both directions.
    """
    holder, manifest = versions
    verdicts = (
        f"SELECT v.* FROM ({version_verdicts(store, manifest)}) v "
        "SEMI JOIN absent ON absent.id = v.row_id"
    )
    stopped = stopping_verdicts(verdicts, content_of(manifest).recipe.undecided)
    steps = {
        "absent": absent,
        "stopped": f"SELECT row_id AS id, \"check\" || ': ' || reason AS stop FROM ({stopped})",
        "written": f"SELECT DISTINCT id, subset, true AS has_row FROM "
        f"({version_rationales(store, manifest)}) SEMI JOIN absent USING (id, subset)",
        "known": "SELECT DISTINCT problem_id, subset, true AS has_problem FROM "
        f"({_problems(store, manifest)}) SEMI JOIN absent USING (problem_id, subset)",
        "corrected": _corrected(store, holder, manifest),
        table: _rules(holder, manifest),
    }
    # Step by step: the joins of one query share the memory of the engine, which did not suffice.
    for name, query in steps.items():
        engine.sql(f"CREATE OR REPLACE TABLE {name} AS {query}")
    engine.drop(*(name for name in steps if name != table))


def _problems(store: Store, manifest: Manifest) -> str:
    """SELECT of (problem_id, subset, question) of the problems of a version."""
    return " UNION ALL ".join(
        f"SELECT id AS problem_id, {literal(subset)} AS subset, question "
        f"FROM {scan_objects(store, objects)}"
        for subset, objects in objects_of(manifest).problems.items()
    )


def _corrected(store: Store, holder: Manifest, manifest: Manifest) -> str:
    """SELECT of (problem_id, subset, other_id): problems of rows that are absent, and one of the
    second version with the same question."""
    return f"""
        WITH questions AS (
            SELECT DISTINCT problem_id, subset, md5_number(question) AS hashed
            FROM ({_problems(store, holder)}) SEMI JOIN absent USING (problem_id, subset)
                ANTI JOIN known USING (problem_id, subset)
        )
        SELECT questions.problem_id, questions.subset, min(others.problem_id) AS other_id
        FROM questions JOIN ({_problems(store, manifest)}) others
            ON others.subset = questions.subset AND md5_number(others.question) = questions.hashed
        GROUP BY ALL
    """


def _rules(holder: Manifest, manifest: Manifest) -> str:
    names = list(objects_of(holder).rationales)
    return f"""
        SELECT id, subset, least(problem_id, other_id) AS problem_id,
            CASE WHEN gone IS NOT NULL THEN gone WHEN stop IS NOT NULL THEN stop
                WHEN has_row THEN 'mixture: not drawn' WHEN has_problem THEN unwritten
                WHEN other_id IS NOT NULL THEN {literal(_other_gold(holder, manifest))}
                ELSE 'source: no such problem' END AS rule,
            gone IS NULL AND stop IS NULL AND has_row IS NULL
                AND (has_problem IS NOT NULL OR other_id IS NOT NULL) AS rewritten
        FROM (
            SELECT *, {_case(names, lambda name: _missing_subset(manifest, name))} AS gone,
                {_case(names, lambda name: _missing_rationale(holder, manifest, name))} AS unwritten
            FROM absent
        ) LEFT JOIN stopped USING (id) LEFT JOIN written USING (id, subset)
            LEFT JOIN known USING (problem_id, subset)
            LEFT JOIN corrected USING (problem_id, subset)
    """


def _other_gold(holder: Manifest, manifest: Manifest) -> str:
    """Return why the same question has another gold answer, or other choices."""
    with_errata = any(content_of(each).recipe.plain().get("errata") for each in (holder, manifest))
    return f"{'errata' if with_errata else 'source'}: other gold answer"


def _case(subsets: Iterable[str], rule: Callable[[str], str]) -> str:
    """Return the SQL for the rule of each subset; NULL where the rule is empty."""
    rules = {subset: rule(subset) for subset in subsets}
    arms = [f"WHEN {literal(name)} THEN {literal(text)}" for name, text in rules.items() if text]
    return f"CASE subset {' '.join(arms)} END" if arms else "NULL::VARCHAR"


def _missing_subset(manifest: Manifest, subset: str) -> str:
    """Return why a version has no rows of a subset; empty if it has some."""
    content = content_of(manifest)
    if subset not in content.subsets:
        return "recipe: no such subset"
    if subset not in objects_of(manifest).rationales:
        return f"waits for {', '.join(content.subsets[subset].waits_for)}"
    return ""


def _missing_rationale(holder: Manifest, manifest: Manifest, subset: str) -> str:
    """Return why a version has another rationale for a problem than `holder`."""
    if _missing_subset(manifest, subset):
        return ""
    contents = [content_of(each) for each in (holder, manifest)]
    revisions = [each.sources[each.source_name(subset)].revision for each in contents]
    writers = [each.recipe.subsets[subset].writers for each in contents]
    if revisions[0] == revisions[1]:
        return "writer: not written"
    return "source: other solution" if writers[0] == writers[1] else "writer or source: not written"
