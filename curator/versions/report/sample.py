"""Rows for the page's browser: a fixed sample over subsets and outcomes, with their verdicts.

In: what to pick from. Out: plain values for JSON. Every subset and rule gives the
same number of rows, or all it has, so that rare rejections are there; ids are hashes, so that the
smallest ones are a fair sample, and the same one each time.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from datastore.engine import Engine

MOST = 3_000
"""Rows on a page."""
MOST_ASIDE = 300
"""Records on a page that could not be read."""
LONGEST = 6_000
"""Characters of a text that are shown."""
LONGEST_EVIDENCE = 600
"""Characters of one piece of evidence."""


def fair(sizes: Iterable[int], most: int) -> int:
    """How many each group may give at most, so that all together give `most` or fewer."""
    rest, share = most, 0
    ordered = sorted(sizes)
    for place, size in enumerate(ordered):
        share = rest // (len(ordered) - place)
        if size > share:
            return max(1, share)
        rest -= size
    return max(1, ordered[-1] if ordered else share)


def pick(engine: Engine, candidates: str) -> int:
    """Table `picked` from a SELECT of (schema, id, subset, outcome, rule, was, told): where a row's
    rationale is (`now` or `was`), what became of it and by which rule, the row that it replaces,
    and lines about verdicts that changed. Returns how many candidates there are.
    """
    groups = f"SELECT count(*) FROM ({candidates}) GROUP BY subset, outcome, rule"
    sizes = [int(size) for (size,) in engine.sql(groups).fetchall()]
    engine.sql(
        f"CREATE TABLE picked AS SELECT * FROM ({candidates}) QUALIFY row_number() OVER "
        f"(PARTITION BY subset, outcome, rule ORDER BY id) <= {fair(sizes, MOST)}"
    )
    return sum(sizes)


def shown(engine: Engine, order: Sequence[str]) -> list[dict[str, Any]]:
    """The picked rows, by subset, outcome, rule, id; keys are short, since a page has thousands."""
    rows = [row for schema in _schemas(engine) for row in _rows(engine, schema)]
    place = {name: number for number, name in enumerate(order)}
    return sorted(
        rows, key=lambda row: (place.get(row["s"], len(place)), row["o"], row["r"], row["id"])
    )


def _schemas(engine: Engine) -> list[str]:
    query = "SELECT DISTINCT schema FROM picked ORDER BY 1"
    return [str(name) for (name,) in engine.sql(query).fetchall()]


def _rows(engine: Engine, schema: str) -> list[dict[str, Any]]:
    older = (
        f"SELECT id, subset, left(text, {LONGEST}) AS before FROM was.rationale "
        "SEMI JOIN (SELECT was AS id, subset FROM picked WHERE was IS NOT NULL) USING (id, subset)"
        if _has(engine, "was")
        else "SELECT NULL::BLOB AS id, '' AS subset, '' AS before WHERE false"
    )
    query = f"""
        WITH asked AS (SELECT * FROM picked WHERE schema = '{schema}'),
        written AS (SELECT * FROM {schema}.rationale SEMI JOIN asked USING (id, subset)),
        judgements AS (
            SELECT row_id, list({{'check': "check", 'version': version, 'outcome': outcome,
                'reason': reason, 'evidence': evidence}} ORDER BY screen, place) AS verdicts
            FROM {schema}.verdict SEMI JOIN asked ON asked.id = row_id GROUP BY row_id
        ),
        older AS ({older})
        SELECT a.subset, a.outcome, a.rule, lower(hex(a.id)), a.told, w.kind, w.writer,
            left(w.instruction, {LONGEST}), length(w.instruction), left(w.text, {LONGEST}),
            length(w.text), left(q.gold, {LONGEST_EVIDENCE}),
            list_transform(q.choices, lambda each: left(each, {LONGEST_EVIDENCE})),
            q.field, q.level, q.licence,
            q.source, q.place, v.verdicts, older.before
        FROM asked a JOIN written w USING (id, subset)
            LEFT JOIN (SELECT * FROM {schema}.problem
                SEMI JOIN written ON written.problem_id = problem.id) q ON q.id = w.problem_id
            LEFT JOIN judgements v ON v.row_id = a.id
            LEFT JOIN older ON older.id = a.was AND older.subset = a.subset
    """
    keys = (
        *("s", "o", "r", "id", "told", "k", "w", "q", "ql", "t", "tl", "gold", "c"),
        *("field", "level", "licence", "source", "place", "v", "before"),
    )
    found = []
    for values in engine.sql(query).fetchall():
        row = dict(zip(keys, values, strict=True))
        row["v"] = [_verdict(each) for each in row["v"] or ()]
        if row["ql"] <= LONGEST:
            del row["ql"]
        if row["tl"] <= LONGEST:
            del row["tl"]
        always = ("s", "o", "r", "id", "q", "t", "v")
        found.append({key: value for key, value in row.items() if value or key in always})
    return found


def _has(engine: Engine, schema: str) -> bool:
    query = "SELECT count(*) FROM duckdb_views() WHERE schema_name = $name AND NOT internal"
    return bool(engine.sql(query, {"name": schema}).fetchall()[0][0])


def _verdict(verdict: dict[str, Any]) -> list[Any]:
    """[check and version, outcome, reason, evidence]"""
    evidence = json.loads(verdict["evidence"] or "{}")
    cut = {key: str(value)[:LONGEST_EVIDENCE] for key, value in evidence.items()}
    return [f"{verdict['check']} v{verdict['version']}", verdict["outcome"], verdict["reason"], cut]


def set_aside(engine: Engine) -> tuple[list[dict[str, Any]], int]:
    """Records and replies that could not be read, at most `MOST_ASIDE`; how many there are."""
    groups = "SELECT count(*) FROM now.aside GROUP BY subset, reason"
    sizes = [size for (size,) in engine.sql(groups).fetchall()]
    query = f"""
        SELECT subset, reason, place, left(raw, {LONGEST}) FROM now.aside
        QUALIFY row_number() OVER (PARTITION BY subset, reason ORDER BY place)
            <= {fair(sizes, MOST_ASIDE)}
        ORDER BY subset, reason, place
    """
    nothing: dict[str, Any] = {"o": "unread", "id": "", "t": "", "v": []}
    rows = [
        {**nothing, "s": subset, "r": reason, "q": raw, "place": place}
        for subset, reason, place, raw in engine.sql(query).fetchall()
    ]
    return rows, sum(sizes)
