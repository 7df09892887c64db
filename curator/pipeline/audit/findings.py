"""The lines of an audit: the findings of each check over all rows, with the first examples.

In: an engine over the objects of a checked dataset. Out: one Line per check or screen. Unlike in a
build, each of them covers every row, also rows that another one rejects.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from curator.checks.answer import WRONG_STEP
from curator.core.arrow import ID
from curator.screens import normalize
from datastore.engine import Engine, literal

EXAMPLES = 3
"""Maximum number of examples per reason."""
_TEXTS = ("file", "place", "kind", "gold", "licence", "head")
ROWS = pa.schema(
    [("id", ID), ("same", ID), ("nth", pa.int64()), *((name, pa.string()) for name in _TEXTS)]
)
"""`nth` is the number of the record in its file."""


@dataclass(frozen=True, slots=True)
class Example:
    """One row or record with a finding."""

    place: str
    reason: str
    what: str
    """The evidence, in one line."""
    row: str = ""
    """Id of the row, in hex; empty for a record that is not a row."""


@dataclass(frozen=True, slots=True)
class Line:
    """The findings of one check or screen."""

    check: str
    rows: int
    """Rows that were checked; for `malformed`, records, and for `golds`, questions with a gold."""
    failed: int = 0
    undecided: int = 0
    reported: int = 0
    """Rows that are reported but not rejected."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    examples: Sequence[Example] = ()
    note: str = ""

    @property
    def passed(self) -> int:
        """Rows without a finding."""
        return self.rows - self.failed - self.undecided - self.reported


def open_rows(engine: Engine, shards: Iterable[tuple[str, str]]) -> None:
    """Create view `audited` (id, number, place, kind, gold, licence, same, head) of all rows.

    `shards` are pairs of SELECTs of rationales and of the problems that they were written for.
    `number` sorts by the position in the files, `same` is the hash of the normalised question,
    `head` the first 200 characters of the question. The rows lie in a temporary file: a table, a
    join or a window over all of them would take memory for each row.
    """
    batches = (batch.cast(ROWS) for each in shards for batch in engine.batches(_join(*each)))
    engine.create_view("located", batches, ROWS)
    engine.sql("""
        CREATE VIEW audited AS
        SELECT * EXCLUDE (file, nth), {'file': file, 'nth': nth, 'id': id} AS number FROM located
    """)


def _join(rationales: str, problems: str) -> str:
    """SELECT in the layout `ROWS` of the rationales of one shard."""
    at = "coalesce(try_cast(regexp_extract(place, ':([0-9]+)$', 1) AS BIGINT), 0)"
    file = "regexp_replace(place, ':[0-9]+$', '')"
    same = f"unhex(md5({normalize.key(normalize.stem(normalize.fold('question')))}))"
    # The writer numbers equal rationales, so each of them can be joined with its own record. The
    # hashes are made before the windows, which would hold the texts in memory otherwise.
    return f"""
        WITH record AS (
            SELECT id AS problem_id, place, gold, licence, {at} AS nth, {file} AS file,
                {same} AS same, left(question, 200) AS head, hash(solution || program) AS hashed
            FROM ({problems})
        ),
        upstream AS (
            SELECT *, row_number() OVER (PARTITION BY problem_id, hashed ORDER BY file, nth) AS copy
            FROM record
        ),
        rationale AS (SELECT id, problem_id, kind, copy, hash(text) AS hashed FROM ({rationales})),
        written AS (
            SELECT * REPLACE (
                row_number() OVER (PARTITION BY problem_id, hashed ORDER BY copy) AS copy
            ) FROM rationale
        )
        SELECT id, same, nth, file, place, kind, gold, licence, head
        FROM written JOIN upstream USING (problem_id, hashed, copy)
    """


def read_line(engine: Engine, check: str, verdicts: str, note: str = "", ignore: str = "") -> Line:
    """Return the findings of a check or screen in the SELECT `verdicts`.

    Rows that passed with a reason are reported. Verdicts with the reason `ignore` do not count.
    """
    where = f'"check" = {literal(check)} AND reason <> {literal(ignore or "-")}'
    counts = engine.sql(
        f"SELECT outcome, reason, count(*) FROM ({verdicts}) WHERE {where} GROUP BY ALL "
        "ORDER BY 3 DESC, 2"
    ).fetchall()
    findings = _first_findings(engine, verdicts, where)
    originals = [json.loads(evidence).get("kept") for _, _, evidence, *_ in findings]
    places = places_of(engine, filter(None, originals))
    examples = [
        Example(place, reason, _summary(reason, json.loads(evidence), head, places), row.hex())
        for place, reason, evidence, head, row, _ in findings
    ]

    def total(outcome: str) -> int:
        return sum(n for each, reason, n in counts if each == outcome and reason)

    return Line(
        check,
        sum(n for _, _, n in counts),
        total("failed"),
        total("undecided"),
        total("passed"),
        {reason: n for _, reason, n in counts if reason},
        examples,
        note,
    )


def _first_findings(engine: Engine, verdicts: str, where: str) -> list[tuple[Any, ...]]:
    """Return place, reason, evidence, head, id and outcome of the first rows of each reason."""
    where += " AND (outcome <> 'passed' OR reason <> '')"
    # Evidence is read of these rows alone: that of all rows would take memory for each row.
    first = f"""
        SELECT DISTINCT unnest(min(number, {EXAMPLES:d})).id
        FROM ({verdicts}) v JOIN audited ON audited.id = v.row_id
        WHERE {where} GROUP BY outcome, reason
    """
    ids = [row.hex() for (row,) in engine.sql(first).fetchall()]
    if not ids:
        return []
    query = f"""
        SELECT place, reason, evidence, head, id, outcome FROM (
            SELECT *, row_number() OVER (PARTITION BY outcome, reason ORDER BY number) AS nth
            FROM ({verdicts}) v JOIN audited ON audited.id = v.row_id
            WHERE {where} AND {_is_one_of("row_id", ids)} AND {_is_one_of("audited.id", ids)}
        ) WHERE nth <= {EXAMPLES:d}
        ORDER BY array_position(['failed', 'undecided', 'passed'], outcome), nth, number
    """
    return engine.sql(query).fetchall()


def _is_one_of(column: str, rows: Iterable[str]) -> str:
    """SQL of whether a column of ids has one of these, in hex."""
    return f"{column} IN ({', '.join(f'unhex({literal(row)})' for row in rows)})"


def places_of(engine: Engine, rows: Iterable[str]) -> dict[str, str]:
    """Return the places of rows in the files, by row id in hex."""
    listed = list(rows)
    if not listed:
        return {}
    query = f"SELECT lower(hex(id)), place FROM audited WHERE {_is_one_of('id', listed)}"
    return dict(engine.sql(query).fetchall())


def _summary(reason: str, evidence: Mapping[str, str], head: str, places: Mapping[str, str]) -> str:
    """Return the evidence of a verdict in a few words; `head` if it has none."""
    if "kept" in evidence:
        return f"repeats {places.get(evidence['kept'], evidence['kept'])}"
    if "item" in evidence:
        return f"{evidence['set']} {evidence['item']}, shares {evidence['shared']}"
    if reason == WRONG_STEP:
        return evidence["fault"]
    if "answer" in evidence:
        return f"answer {evidence['answer'][:60]}, gold {evidence['gold'][:60]}"
    return evidence.get("error") or evidence.get("seen") or evidence.get("gold") or head
