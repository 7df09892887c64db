"""Statistics of an audit: near duplicates, lengths, languages and licences of the rows.

In: an engine with the tables of `findings.open_rows`. Out: one Line each. These findings are
reported and reject no row: a long solution may be right, and two near questions may both be useful.
"""

from collections.abc import Iterable
from math import exp
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curator.checks import CHECKS
from curator.checks.attempt import OUTCOME_SQL
from curator.core.arrow import ID
from curator.core.words import counted
from curator.pipeline.audit.dataset import NOT_STATED
from curator.pipeline.audit.findings import EXAMPLES, Example, Line, places_of
from curator.screens.near_duplicates import REASON
from curator.teacher.token_count import counter
from datastore.engine import Engine, literal

FOREIGN = 0.3
"""A row is in another script if more than this share of its letters is neither Latin nor Greek."""
FENCES = 3.0
"""A text is an outlier if the logarithm of its number of tokens lies more than this many
interquartile ranges outside the quartiles (Tukey's outer fences). The range is at least log 1.5."""
SEVERAL = 4
"""Smallest number of responses to a question from which its solve rate counts."""
BATCH = 64
"""Number of rows that are measured together: a text may have a million characters."""
SIZES = pa.schema(
    [("id", ID), ("kind", pa.string()), ("tokens", pa.int64()), ("share", pa.float64())]
)
"""`tokens` are those of the text. `share`: letters of the row in `FOREIGN` scripts."""


def near_duplicates(engine: Engine, verdicts: str) -> Line:
    """Return the rows whose question is near, but not equal, to another one.

    `verdicts` is a SELECT of the verdicts of the screen `near_duplicates`.
    """
    near = f"SELECT row_id, evidence FROM ({verdicts}) WHERE reason = {literal(REASON)}"
    (rows,) = _one_row(engine, "SELECT count(*) FROM audited")
    (questions,) = _one_row(engine, "SELECT count(*) FROM (SELECT DISTINCT same FROM audited)")
    near_rows, near_questions = _one_row(
        engine,
        f"""SELECT coalesce(sum(rows), 0)::BIGINT, count(*) FROM (
            SELECT same, count(*) AS rows FROM audited
            WHERE id IN (SELECT row_id FROM ({near})) GROUP BY same
        )""",
    )
    query = f"""
        SELECT place, evidence::JSON ->> '$.kept' AS kept, head, id,
            (evidence::JSON ->> '$.index')::DOUBLE AS index
        FROM ({near}) JOIN audited ON id = row_id
        ORDER BY index = 1, index DESC, number LIMIT {EXAMPLES:d}
    """
    examples = engine.sql(query).fetchall()
    places = places_of(engine, (kept for _, kept, *_ in examples))
    return Line(
        "near duplicates",
        rows,
        reported=near_rows,
        reasons={REASON: near_rows} if near_rows else {},
        examples=[
            Example(place, REASON, f"{index:.0%} of {places[kept]}: {head}", row.hex())
            for place, kept, head, row, index in examples
        ],
        note=f"{questions:,} different questions, {near_questions:,} of them near another one",
    )


def _one_row(engine: Engine, query: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] = engine.sql(query).fetchall()[0]
    return row


def measure_texts(engine: Engine, texts: Iterable[pa.RecordBatch]) -> None:
    """Create view `sizes` of the rows of `audited`, in the layout `SIZES`.

    `texts` are small batches of id, kind, instruction and text. The engine does not read them: a
    query over many long texts would not fit in its memory.
    """
    engine.create_view("measured", map(_measure, texts), SIZES)
    engine.sql("CREATE VIEW sizes AS SELECT * FROM measured SEMI JOIN audited USING (id)")


def _measure(batch: pa.RecordBatch) -> pa.RecordBatch:
    count = counter()
    tokens = [count(text) if text else 0 for text in batch.column("text").to_pylist()]
    columns = [batch.column("id"), batch.column("kind"), pa.array(tokens), _foreign_shares(batch)]
    return pa.RecordBatch.from_arrays(columns, SIZES.names).cast(SIZES)


def _foreign_shares(batch: pa.RecordBatch) -> pa.Array:
    """Return per row which share of its letters is neither Latin nor Greek."""
    whole = pc.binary_join_element_wise(batch.column("instruction"), batch.column("text"), " ")
    # Most texts are pure ASCII; comparing two lengths skips them cheaply.
    others = pc.greater(pc.binary_length(whole), pc.utf8_length(whole))
    some = whole.filter(others)
    foreign, letters = (
        pc.cast(pc.utf8_length(pc.replace_substring_regex(some, left, "")), pa.float64())
        for left in (r"[^\pL]|\p{Latin}|\p{Greek}", r"[^\pL]")
    )
    shares = pc.if_else(pc.equal(letters, 0.0), 0.0, pc.divide(foreign, letters))
    return pc.replace_with_mask(pa.array([0.0] * batch.num_rows), others, shares)


def lengths(engine: Engine) -> Line:
    """Return the rows whose text is far shorter or longer than others of its kind, in tokens."""
    engine.sql("CREATE VIEW texts AS SELECT id, kind, tokens FROM sizes WHERE tokens > 0")
    engine.sql(f"""
        CREATE TABLE fences AS
        SELECT kind, q[1] - fence AS low, q[2] AS middle, q[3] + fence AS high, longest
        FROM (SELECT *, {FENCES} * greatest(q[3] - q[1], ln(1.5)) AS fence FROM (
            SELECT kind, quantile_cont(ln(greatest(tokens, 1)), [0.25, 0.5, 0.75]) AS q,
                max(tokens) AS longest
            FROM texts GROUP BY kind
        ))
    """)
    kinds = engine.sql("SELECT kind, middle, longest FROM fences ORDER BY kind").fetchall()
    notes = [f"{kind} median {exp(middle):,.0f} tokens, longest {n:,}" for kind, middle, n in kinds]
    outliers = """
        SELECT texts.*, CASE WHEN ln(greatest(tokens, 1)) < low THEN 'very short'
            WHEN ln(greatest(tokens, 1)) > high THEN 'very long' ELSE '' END AS reason
        FROM texts JOIN fences USING (kind)
    """
    query = f"SELECT reason, count(*) FROM ({outliers}) GROUP BY reason ORDER BY reason DESC"
    counts: dict[str, int] = dict(engine.sql(query).fetchall())
    rows = sum(counts.values())
    counts.pop("", None)
    examples = engine.sql(f"""
        SELECT place, reason, tokens, id FROM (SELECT * FROM ({outliers}) WHERE reason <> '')
        JOIN audited USING (id, kind)
        QUALIFY row_number() OVER (PARTITION BY kind, reason ORDER BY number) <= {EXAMPLES:d}
        ORDER BY kind, reason DESC, number
    """).fetchall()
    engine.drop("fences")
    return Line(
        "length",
        rows,
        reported=sum(counts.values()),
        reasons=counts,
        examples=[
            Example(place, reason, f"{tokens:,} tokens", row.hex())
            for place, reason, tokens, row in examples
        ],
        note=", ".join(notes) or "no row has a solution",
    )


def languages(engine: Engine) -> Line:
    """Return the rows with many letters that are neither Latin nor Greek."""
    scripts = f"(FROM sizes WHERE share > {FOREIGN}) JOIN audited USING (id)"
    (total,) = _one_row(engine, "SELECT count(*) FROM audited")
    (rows,) = _one_row(engine, f"SELECT count(*) FROM {scripts}")
    query = f"""
        SELECT place, share, head, id FROM {scripts}
        ORDER BY number LIMIT {EXAMPLES:d}
    """
    examples = [
        Example(place, "other script", f"{share:.0%} of its letters: {head}", row.hex())
        for place, share, head, row in engine.sql(query).fetchall()
    ]
    reasons = {"other script": rows} if rows else {}
    return Line("language", total, reported=rows, reasons=reasons, examples=examples)


def solve_rates(engine: Engine, verdicts: str) -> list[Line]:
    """Return how often responses solve their question; nothing if no question has `SEVERAL`.

    `verdicts` is a SELECT of the verdicts of the checks. A response is an attempt.
    """
    names = ", ".join(
        literal(name) for name, each in CHECKS.items() if each.proves in ("execution", "answer")
    )
    rows, questions, never, always, decided = _one_row(
        engine,
        f"""
        WITH attempt AS (
            SELECT row_id AS id, {OUTCOME_SQL} AS outcome FROM ({verdicts})
            WHERE "check" IN ({names}) GROUP BY row_id
        ),
        question AS (
            SELECT count(*) AS rows, count(*) FILTER (outcome = 'passed') AS successes,
                count(*) FILTER (outcome = 'failed') AS failures
            FROM attempt JOIN audited USING (id) GROUP BY same HAVING count(*) >= {SEVERAL:d}
        )
        SELECT coalesce(sum(rows), 0)::BIGINT, count(*),
            count(*) FILTER (successes = 0 AND failures > 0),
            count(*) FILTER (successes > 0 AND failures = 0),
            count(*) FILTER (successes + failures > 0)
        FROM question
        """,
    )
    if not decided:
        return []
    note = (
        f"{counted(questions, 'question')} with {SEVERAL} responses or more: "
        f"{never:,} never solved, {decided - never - always:,} sometimes, {always:,} always"
    )
    undecided = f", {questions - decided:,} undecided" if questions > decided else ""
    return [Line("solve rate", rows, note=note + undecided)]


def licences(engine: Engine, stated: str, origin: str) -> Line:
    """Return the rows by licence. MathInstruct's parts have licences of their own.

    `stated` is the licence of the dataset, `origin` who states it.
    """
    query = "SELECT licence, count(*) FROM audited GROUP BY licence ORDER BY 2 DESC, 1"
    counts: dict[str, int] = dict(engine.sql(query).fetchall())
    noncommercial = {name: n for name, n in counts.items() if "-NC" in name.upper()}
    summary = ", ".join(f"{name} {n:,}" for name, n in counts.items() if name != NOT_STATED)
    if set(counts) - {stated}:
        origin = "by MathInstruct's parts"
    return Line(
        "licence",
        sum(counts.values()),
        undecided=counts.get(NOT_STATED, 0),
        reported=sum(noncommercial.values()),
        reasons={name: n for name, n in counts.items() if name == NOT_STATED}
        | {f"not for commercial use: {name}": n for name, n in noncommercial.items()},
        note=f"{summary} ({origin})" if summary and origin else summary,
    )
