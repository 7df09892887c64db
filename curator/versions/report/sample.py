"""Rows for the row browser of a page: a fixed sample over subsets, statuses and reasons.

In: a SELECT of candidates. Out: plain values for JSON, with verdicts. Every subset and reason gets
the same number of rows, or all it has, so rare rejections are always on the page. Ids are hashes,
so the rows with the smallest ids are a fair sample, and the same one each time.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from curator.core.model import verdict_word
from datastore.engine import Engine

MAX_ROWS = 3_000
"""Maximum number of rows on a page."""
MAX_QUARANTINED = 300
"""Maximum number of quarantined records on a page."""
MAX_TEXT = 6_000
"""Maximum number of characters of a text on a page."""
MAX_EVIDENCE = 600
"""Maximum number of characters of one piece of evidence."""


def share_evenly(sizes: Iterable[int], total: int) -> int:
    """Return how many rows each group may give so that all groups together give at most `total`."""
    rest, share = total, 0
    ordered = sorted(sizes)
    for place, size in enumerate(ordered):
        share = rest // (len(ordered) - place)
        if size > share:
            return max(1, share)
        rest -= size
    return max(1, ordered[-1] if ordered else share)


def sample_rows(engine: Engine, candidates: str) -> int:
    """Create the table `page_row` from a SELECT of candidates and return the number of candidates.

    The SELECT gives (schema, id, subset, status, rule, replaces, changes): the schema of the row's
    rationale, the row, its status and the reason for it, the row of the other version that it
    replaces, and one line per verdict that changed.
    """
    groups = f"SELECT count(*) FROM ({candidates}) GROUP BY subset, status, rule"
    sizes = [int(size) for (size,) in engine.sql(groups).fetchall()]
    engine.sql(
        f"CREATE TABLE page_row AS SELECT * FROM ({candidates}) QUALIFY row_number() OVER "
        f"(PARTITION BY subset, status, rule ORDER BY id) <= {share_evenly(sizes, MAX_ROWS)}"
    )
    return sum(sizes)


def read_sample(engine: Engine, order: Sequence[str]) -> list[dict[str, Any]]:
    """Return the sampled rows by subset, status, reason and id.

    Keys are short because a page has thousands of rows: s subset, st status, r reason, k kind,
    w writer, q instruction, t text, v verdicts, c choices; ql and tl are the lengths of cut texts.
    """
    schemas = engine.sql("SELECT DISTINCT schema FROM page_row ORDER BY 1").fetchall()
    rows = [row for (schema,) in schemas for row in _read_rows(engine, schema)]
    place = {name: number for number, name in enumerate(order)}
    return sorted(
        rows, key=lambda row: (place.get(row["s"], len(place)), row["st"], row["r"], row["id"])
    )


def _read_rows(engine: Engine, schema: str) -> list[dict[str, Any]]:
    replaced = (
        f"SELECT id, subset, left(text, {MAX_TEXT}) AS before FROM previous.rationale "
        "SEMI JOIN (SELECT replaces AS id, subset FROM page_row WHERE replaces IS NOT NULL) "
        "USING (id, subset)"
        if _has_schema(engine, "previous")
        else "SELECT NULL::BLOB AS id, '' AS subset, '' AS before WHERE false"
    )
    query = f"""
        WITH chosen AS (SELECT * FROM page_row WHERE schema = '{schema}'),
        rationales AS (SELECT * FROM {schema}.rationale SEMI JOIN chosen USING (id, subset)),
        verdict_lists AS (
            SELECT row_id, list({{'check': "check", 'version': version, 'outcome': outcome,
                'reason': reason, 'evidence': evidence}} ORDER BY screen, place) AS verdicts
            FROM {schema}.verdict SEMI JOIN chosen ON chosen.id = row_id GROUP BY row_id
        ),
        replaced AS ({replaced})
        SELECT a.subset, a.status, a.rule, lower(hex(a.id)), a.changes, w.kind, w.writer,
            left(w.instruction, {MAX_TEXT}), length(w.instruction), left(w.text, {MAX_TEXT}),
            length(w.text), left(q.gold, {MAX_EVIDENCE}),
            list_transform(q.choices, lambda each: left(each, {MAX_EVIDENCE})),
            q.field, q.level, q.licence,
            q.source, q.place, v.verdicts, replaced.before
        FROM chosen a JOIN rationales w USING (id, subset)
            LEFT JOIN (SELECT * FROM {schema}.problem
                SEMI JOIN rationales ON rationales.problem_id = problem.id) q
                ON q.id = w.problem_id
            LEFT JOIN verdict_lists v ON v.row_id = a.id
            LEFT JOIN replaced ON replaced.id = a.replaces AND replaced.subset = a.subset
    """
    keys = (
        *("s", "st", "r", "id", "changes", "k", "w", "q", "ql", "t", "tl", "gold", "c"),
        *("field", "level", "licence", "source", "place", "v", "before"),
    )
    always = ("s", "st", "r", "id", "q", "t", "v")
    rows = []
    for values in engine.sql(query).fetchall():
        row = dict(zip(keys, values, strict=True))
        row["v"] = [_plain_verdict(each) for each in row["v"] or ()]
        if row["ql"] <= MAX_TEXT:
            del row["ql"]
        if row["tl"] <= MAX_TEXT:
            del row["tl"]
        rows.append({key: value for key, value in row.items() if value or key in always})
    return rows


def _has_schema(engine: Engine, name: str) -> bool:
    query = "SELECT count(*) FROM duckdb_views() WHERE schema_name = $name AND NOT internal"
    return bool(engine.sql(query, {"name": name}).fetchall()[0][0])


def _plain_verdict(verdict: dict[str, Any]) -> list[Any]:
    """Return [check and version, outcome, reason, evidence]."""
    evidence = json.loads(verdict["evidence"] or "{}")
    cut = {key: str(value)[:MAX_EVIDENCE] for key, value in evidence.items()}
    outcome = verdict_word(verdict["outcome"], verdict["reason"])
    return [f"{verdict['check']} v{verdict['version']}", outcome, verdict["reason"], cut]


def sample_quarantine(engine: Engine) -> tuple[list[dict[str, Any]], int]:
    """Return quarantined records and replies, `MAX_QUARANTINED` at most, and their total number."""
    groups = "SELECT count(*) FROM current.quarantine GROUP BY subset, reason"
    sizes = [size for (size,) in engine.sql(groups).fetchall()]
    query = f"""
        SELECT subset, reason, place, left(raw, {MAX_TEXT}) FROM current.quarantine
        QUALIFY row_number() OVER (PARTITION BY subset, reason ORDER BY place)
            <= {share_evenly(sizes, MAX_QUARANTINED)}
        ORDER BY subset, reason, place
    """
    empty: dict[str, Any] = {"st": "quarantined", "id": "", "t": "", "v": []}
    rows = [
        {**empty, "s": subset, "r": reason, "q": raw, "place": place}
        for subset, reason, place, raw in engine.sql(query).fetchall()
    ]
    return rows, sum(sizes)
