"""Rows for the row browser of a page: a fixed sample over subsets, statuses and reasons.

In: a SELECT of candidates. Out: plain values for JSON, with verdicts. Every subset and reason gets
the same number of rows, or all it has, so rare rejections are always on the page. Ids are hashes,
so the rows with the smallest ids are a fair sample, and the same one each time.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from curator.checks.replayed import read_results
from curator.core.arrow import to_labelled_steps
from curator.core.model import verdict_word
from curator.versions.report.texts import MAX_TEXT, PageText, choose_whole, share_evenly
from datastore.engine import Engine

MAX_ROWS = 3_000
"""Maximum number of rows on a page."""
MAX_QUARANTINED = 300
"""Maximum number of quarantined records on a page."""
BATCH = 64
"""Number of rationales in memory at a time: a text may have a million characters."""
MAX_EVIDENCE = 600
"""Maximum number of characters of one piece of evidence."""


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
    w writer, q instruction, t rationale (`PageText.plain`), v verdicts, c choices; ql is the length
    of an instruction that is cut, tl that of a long rationale, and whole states that it is whole.
    """
    schemas = engine.sql("SELECT DISTINCT schema FROM page_row ORDER BY 1").fetchall()
    rows = [row for (schema,) in schemas for row in _read_rows(engine, schema)]
    place = {name: number for number, name in enumerate(order)}
    rows.sort(key=lambda row: (place.get(row["s"], len(place)), row["st"], row["r"], row["id"]))
    sizes = [("\0".join((row["s"], row["st"], row["r"])), row["tl"]) for row in rows]
    for row, whole in zip(rows, choose_whole(sizes), strict=True):
        if whole:
            row["whole"] = 1
        if row["tl"] <= MAX_TEXT:
            del row["tl"]
    _add_texts(engine, [schema for (schema,) in schemas], rows)
    return rows


def _add_texts(engine: Engine, schemas: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    """Add the rationales of the rows, and those that they replace."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["s"], row["id"]), []).append(row)
    for schema in schemas:
        for key, text in _read_texts(engine, f"{schema}.rationale", "id", schema):
            for row in found[key]:
                shown = PageText(text.kind, text.text, text.steps, row.pop("results", ()))
                row["t"] = shown.plain(whole="whole" in row)
    if _has_schema(engine, "previous"):
        for key, text in _read_texts(engine, "previous.rationale", "replaces"):
            for row in found[key]:
                row["before"] = text.plain(whole=False)


def _read_texts(
    engine: Engine, rationales: str, column: str, schema: str = ""
) -> Iterator[tuple[tuple[str, str], PageText]]:
    """Yield the rationale that a column of `page_row` names, with subset and id of the row."""
    query = f"""
        SELECT p.subset, lower(hex(p.id)), w.kind, w.text, w.labelled_steps
        FROM {rationales} w JOIN page_row p ON p.{column} = w.id AND p.subset = w.subset
        {f"WHERE p.schema = '{schema}'" if schema else ""}
    """
    for batch in engine.batches(query, size=BATCH):
        for subset, row_id, kind, text, steps in zip(
            *(each.to_pylist() for each in batch.columns), strict=True
        ):
            yield (subset, row_id), PageText(kind, text, to_labelled_steps(steps))


def _read_rows(engine: Engine, schema: str) -> list[dict[str, Any]]:
    """Return the rows of a schema without their rationales; tl is the length of each."""
    query = f"""
        WITH chosen AS (SELECT * FROM page_row WHERE schema = '{schema}'),
        rationales AS (SELECT * FROM {schema}.rationale SEMI JOIN chosen USING (id, subset)),
        verdict_lists AS (
            SELECT row_id, list({{'check': "check", 'version': version, 'outcome': outcome,
                'reason': reason, 'evidence': evidence}} ORDER BY screen, place) AS verdicts
            FROM {schema}.verdict SEMI JOIN chosen ON chosen.id = row_id GROUP BY row_id
        )
        SELECT a.subset, a.status, a.rule, lower(hex(a.id)), a.changes, w.kind, w.writer,
            left(w.instruction, {MAX_TEXT}), length(w.instruction),
            greatest(length(w.text), coalesce(list_sum(list_transform(
                w.labelled_steps, lambda each: length(each.text))), 0))::BIGINT,
            left(q.gold, {MAX_EVIDENCE}),
            list_transform(q.choices, lambda each: left(each, {MAX_EVIDENCE})),
            q.field, q.level, q.licence, q.source, q.place, v.verdicts
        FROM chosen a JOIN rationales w USING (id, subset)
            LEFT JOIN (SELECT * FROM {schema}.problem
                SEMI JOIN rationales ON rationales.problem_id = problem.id) q
                ON q.id = w.problem_id
            LEFT JOIN verdict_lists v ON v.row_id = a.id
    """
    keys = (
        *("s", "st", "r", "id", "changes", "k", "w", "q", "ql", "tl", "gold", "c"),
        *("field", "level", "licence", "source", "place", "v"),
    )
    always = ("s", "st", "r", "id", "q", "tl", "v")
    rows = []
    for values in engine.sql(query).fetchall():
        row = dict(zip(keys, values, strict=True))
        verdicts = row["v"] or ()
        row["v"] = [_plain_verdict(each) for each in verdicts]
        row["results"] = _results(verdicts)
        if row["ql"] <= MAX_TEXT:
            del row["ql"]
        rows.append({key: value for key, value in row.items() if value or key in always})
    return rows


def _results(verdicts: Sequence[dict[str, Any]]) -> list[str]:
    """Return the results of the replay of a row's programs; empty without one."""
    replays = (json.loads(each["evidence"]) for each in verdicts if each["check"] == "replayed")
    return next(map(read_results, replays), [])


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
