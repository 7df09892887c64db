"""The page of two versions: counts side by side, rows that differ and why, verdicts that changed.

In: the tables of `curator.versions.report.write` in the schemas `was` and `now`,
with `changed` and `judgement`.
Out: HTML.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curator.versions.content import Content
from curator.versions.report import figures
from curator.versions.report.page import Reported, render
from curator.versions.report.sample import MOST, pick, shown
from datastore.engine import Engine

CHANGES = ("added", "removed", "changed")
MOST_LINES = 40
"""Kinds of changed verdicts that are listed."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One subset in both versions."""

    subset: str
    before: figures.Way | None
    after: figures.Way | None
    changes: Mapping[str, int]
    """Rows by `CHANGES`."""
    judged: int
    """Rows with a verdict that changed."""

    def pair(self, what: str) -> tuple[int, int]:
        """A number of both: `problems`, `rationales`, or one of the fates."""
        older, newer = (self._one(way, what) for way in (self.before, self.after))
        return older, newer

    def _one(self, way: figures.Way | None, what: str) -> int:
        if way is None:
            return 0
        return way.fates[what] if what in figures.FATES else int(getattr(way, what))


def comparison_page(engine: Engine, before: Reported, after: Reported) -> str:
    """The page that compares `before` with `after`."""
    older = {way.subset: way for way in figures.ways(engine, before.content, "was")}
    newer = {way.subset: way for way in figures.ways(engine, after.content)}
    order = list(dict.fromkeys([*newer, *older]))
    changes = _counted(engine, "SELECT subset, what, count(*) FROM changed GROUP BY ALL")
    judged = _counted(
        engine, "SELECT subset, 'judged', count(DISTINCT id) FROM judgement GROUP BY ALL"
    )
    compared = [
        Compared(
            name,
            older.get(name),
            newer.get(name),
            {what: changes.get((name, what), 0) for what in CHANGES},
            judged.get((name, "judged"), 0),
        )
        for name in order
    ]
    total = pick(engine, _CANDIDATES)
    return render(
        "comparison.html",
        rows=shown(engine, order),
        before=before,
        after=after,
        compared=[each for each in compared if any(sum(each.pair(key)) for key in _SHOWN)],
        totals={what: sum(each.changes[what] for each in compared) for what in CHANGES},
        recipe=_recipe_changes(before.content, after.content),
        rules=_rules(engine),
        verdicts=engine.sql(_VERDICTS).fetchall(),
        verdict_rows=sum(each.judged for each in compared),
        most_lines=MOST_LINES,
        total=total,
        most=MOST,
    )


_SHOWN = ("problems", "rationales", "kept")

_CANDIDATES = """
    WITH told AS (
        SELECT subset, id, list("check" || ': ' || CASE was WHEN '' THEN 'no verdict' ELSE was END
            || CASE was_by WHEN '' THEN '' ELSE ' (' || was_by || ')' END || ' → '
            || CASE now WHEN '' THEN 'no verdict' ELSE now END
            || CASE now_by WHEN '' THEN '' ELSE ' (' || now_by || ')' END ORDER BY "check") AS told
        FROM judgement GROUP BY ALL
    )
    SELECT CASE what WHEN 'removed' THEN 'was' ELSE 'now' END AS schema, c.id, c.subset,
        what AS outcome, rule, was, coalesce(told, []) AS told
    FROM changed c LEFT JOIN told USING (id, subset)
    UNION ALL
    SELECT 'now', id, subset, 'judged', told[1], NULL::BLOB, told
    FROM told ANTI JOIN changed USING (id, subset)
"""

_VERDICTS = """
    SELECT "check", was, was_by, now, now_by, count(*) AS n FROM judgement GROUP BY ALL
    ORDER BY n DESC, "check", was, now, was_by, now_by
"""


def _counted(engine: Engine, query: str) -> dict[tuple[str, str], int]:
    return {(subset, what): count for subset, what, count in engine.sql(query).fetchall()}


def _rules(engine: Engine) -> list[tuple[str, str, int, list[dict[str, Any]]]]:
    """(what, rule, rows, subsets with their rows): most first."""
    query = """
        SELECT what, rule, sum(n)::BIGINT AS all_rows,
            list({'s': subset, 'n': n} ORDER BY n DESC, subset)
        FROM (SELECT what, rule, subset, count(*) AS n FROM changed GROUP BY ALL)
        GROUP BY what, rule ORDER BY all_rows DESC, what, rule
    """
    return [(what, rule, rows, each) for what, rule, rows, each in engine.sql(query).fetchall()]


def _recipe_changes(before: Content, after: Content) -> Sequence[tuple[str, str, str]]:
    """(key, before, after) of what the two contents say differently, subsets' counts apart."""
    older, newer = (_flat(content) for content in (before, after))
    keys = [key for key in {**older, **newer} if older.get(key) != newer.get(key)]
    return [(key, older.get(key, "–"), newer.get(key, "–")) for key in sorted(keys)]


def _flat(content: Content) -> dict[str, str]:
    """Recipe, code and sources as lines of `key.key` and a text."""
    found: dict[str, str] = {}

    def walk(value: Any, path: str) -> None:
        if isinstance(value, Mapping) and value:
            for key, each in value.items():
                walk(each, f"{path}.{key}")
        else:
            found[path] = str(value)[:200]

    values = content.plain()
    for part in ("recipe", "code", "sources", "evals", "teacher"):
        walk(values.get(part), part)
    return found
