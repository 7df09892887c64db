"""The page that compares two versions: counts, rows that differ and why, verdicts that changed.

In: the tables of `curator.versions.report.write` in the schemas `previous` and `current`, with
`row_change` and `verdict_change`. Out: HTML.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curator.versions.content import Content
from curator.versions.report.figures import STATUSES, SubsetFigures, read_subsets
from curator.versions.report.page import VersionInfo, render_page
from curator.versions.report.sample import read_sample, sample_rows
from datastore.engine import Engine

CHANGES = ("added", "removed", "changed")
MAX_VERDICT_CHANGES = 40
"""Maximum number of lines of changed verdicts."""


@dataclass(frozen=True, slots=True)
class SubsetComparison:
    """One subset in both versions."""

    subset: str
    before: SubsetFigures | None
    after: SubsetFigures | None
    changes: Mapping[str, int]
    """Rows by `CHANGES`."""
    verdict_changes: int
    """Rows with a verdict that changed."""

    def pair(self, key: str) -> tuple[int, int]:
        """Return a count of both versions: `problems`, `rationales`, or one of the statuses."""
        return _count(self.before, key), _count(self.after, key)


def _count(figures: SubsetFigures | None, key: str) -> int:
    if figures is None:
        return 0
    return figures.by_status[key] if key in STATUSES else int(getattr(figures, key))


def render_comparison(engine: Engine, before: VersionInfo, after: VersionInfo) -> str:
    """Return the page that compares `before` with `after`."""
    subsets = _compare_subsets(engine, before.content, after.content)
    total = sample_rows(engine, _CANDIDATES)
    return render_page(
        "comparison.html",
        rows=read_sample(engine, [each.subset for each in subsets]),
        before=before,
        after=after,
        subsets=[
            each
            for each in subsets
            if any(sum(each.pair(key)) for key in ("problems", "rationales", "kept"))
        ],
        totals={change: sum(each.changes[change] for each in subsets) for change in CHANGES},
        recipe=_diff_contents(before.content, after.content),
        rules=_count_changes_by_rule(engine),
        verdicts=engine.sql(_VERDICT_CHANGES).fetchall(),
        verdict_rows=sum(each.verdict_changes for each in subsets),
        max_verdicts=MAX_VERDICT_CHANGES,
        total=total,
    )


def _compare_subsets(engine: Engine, before: Content, after: Content) -> list[SubsetComparison]:
    older = {each.subset: each for each in read_subsets(engine, before, "previous")}
    newer = {each.subset: each for each in read_subsets(engine, after)}
    query = "SELECT subset, change, count(*) FROM row_change GROUP BY ALL"
    changes = {(subset, change): n for subset, change, n in engine.sql(query).fetchall()}
    query = "SELECT subset, count(DISTINCT id) FROM verdict_change GROUP BY ALL"
    verdict_changes = dict(engine.sql(query).fetchall())
    return [
        SubsetComparison(
            name,
            older.get(name),
            newer.get(name),
            {change: changes.get((name, change), 0) for change in CHANGES},
            verdict_changes.get(name, 0),
        )
        for name in dict.fromkeys([*newer, *older])
    ]


_CANDIDATES = """
    WITH verdict_lines AS (
        SELECT subset, id, list("check" || ': '
            || CASE before WHEN '' THEN 'no verdict' ELSE before END
            || CASE rule_before WHEN '' THEN '' ELSE ' (' || rule_before || ')' END || ' → '
            || CASE after WHEN '' THEN 'no verdict' ELSE after END
            || CASE rule_after WHEN '' THEN '' ELSE ' (' || rule_after || ')' END
            ORDER BY "check") AS lines
        FROM verdict_change GROUP BY ALL
    )
    SELECT CASE change WHEN 'removed' THEN 'previous' ELSE 'current' END AS schema, c.id, c.subset,
        change AS status, rule, replaces, coalesce(lines, []) AS changes
    FROM row_change c LEFT JOIN verdict_lines USING (id, subset)
    UNION ALL
    SELECT 'current', id, subset, 'verdict', lines[1], NULL::BLOB, lines
    FROM verdict_lines ANTI JOIN row_change USING (id, subset)
"""

_VERDICT_CHANGES = """
    SELECT "check", before, rule_before, after, rule_after, count(*) AS n
    FROM verdict_change GROUP BY ALL
    ORDER BY n DESC, "check", before, after, rule_before, rule_after
"""


def _count_changes_by_rule(
    engine: Engine,
) -> list[tuple[str, str, int, list[dict[str, Any]]]]:
    """Return (change, rule, rows, subsets with their rows), the largest count first."""
    query = """
        SELECT change, rule, sum(n)::BIGINT AS all_rows,
            list({'s': subset, 'n': n} ORDER BY n DESC, subset)
        FROM (SELECT change, rule, subset, count(*) AS n FROM row_change GROUP BY ALL)
        GROUP BY change, rule ORDER BY all_rows DESC, change, rule
    """
    return [(change, rule, rows, each) for change, rule, rows, each in engine.sql(query).fetchall()]


def _diff_contents(before: Content, after: Content) -> Sequence[tuple[str, str, str]]:
    """Return (key, before, after) for every key that differs, except the counts of subsets."""
    older, newer = _flatten(before), _flatten(after)
    keys = [key for key in {**older, **newer} if older.get(key) != newer.get(key)]
    return [(key, older.get(key, "–"), newer.get(key, "–")) for key in sorted(keys)]


def _flatten(content: Content) -> dict[str, str]:
    """Return recipe, code and sources as `key.key` → text."""
    flat: dict[str, str] = {}

    def walk(value: Any, path: str) -> None:
        if isinstance(value, Mapping) and value:
            for key, each in value.items():
                walk(each, f"{path}.{key}")
        else:
            flat[path] = str(value)[:200]

    values = content.plain()
    for part in ("recipe", "code", "sources", "evals", "teacher"):
        walk(values.get(part), part)
    return flat
