"""Statistics of an audit: near duplicates, lengths, languages and licences of the rows.

In: an engine with the tables of `findings.open_rows`. Out: one Line each. These findings are
reported and reject no row: a long solution may be right, and two near questions may both be useful.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import exp, log

import numpy as np

from curator.pipeline.audit.dataset import NOT_STATED
from curator.pipeline.audit.findings import EXAMPLES, Example, Line, places_of
from curator.screens.near_duplicates import find_near_duplicates
from curator.teacher.token_count import counter
from datastore.engine import Engine

FOREIGN = 0.3
"""A row is in another script if more than this share of its letters is neither Latin nor Greek."""
FENCES = 3.0
"""A text is an outlier if the logarithm of its number of tokens lies more than this many
interquartile ranges outside the quartiles (Tukey's outer fences). The range is at least log 1.5."""


def near_duplicates(engine: Engine) -> Line:
    """Return the rows whose question is near, but not equal, to an earlier one."""
    engine.sql("""
        CREATE TABLE questions AS
        SELECT row_number() OVER (ORDER BY number) - 1 AS item, * FROM (
            SELECT same, min(number) AS number, count(*) AS rows, arg_min(place, number) AS place,
                arg_min(id, number) AS id, arg_min(instruction, number) AS question
            FROM audited JOIN texts USING (id) GROUP BY same
        )
    """)
    pairs = find_near_duplicates(engine, "SELECT item, question FROM questions")
    items = {each.item for each in pairs}
    nearest = sorted(pairs, key=lambda each: (each.index == 1, -each.index))[:EXAMPLES]
    wanted = {n for each in nearest for n in (each.item, each.earlier)}
    details = {
        item: (place, question, row)
        for item, place, question, row in engine.sql(
            "SELECT item, place, left(question, 200), id FROM questions "
            f"WHERE item IN ({', '.join(map(str, wanted)) or '-1'})"
        ).fetchall()
    }
    rows, questions = engine.sql("SELECT sum(rows), count(*) FROM questions").fetchall()[0]
    values = {"near": list(items)}
    query = "SELECT coalesce(sum(rows), 0) FROM questions WHERE item IN (SELECT unnest($near))"
    near_rows = engine.sql(query, values).fetchall()[0][0]
    examples = [
        Example(
            details[each.item][0],
            "near duplicate",
            f"{each.index:.0%} of {details[each.earlier][0]}: {details[each.item][1]}",
            details[each.item][2].hex(),
        )
        for each in nearest
    ]
    reasons = {"near duplicate": near_rows} if near_rows else {}
    note = f"{questions:,} different questions, {len(items):,} of them near an earlier one"
    return Line(
        "near duplicates", rows, reported=near_rows, reasons=reasons, examples=examples, note=note
    )


def lengths(engine: Engine) -> Line:
    """Return the rows whose text is far shorter or longer than others of its kind, in tokens."""
    count = counter()
    ids: list[bytes] = []
    kinds: list[str] = []
    sizes: list[int] = []
    for batch in engine.batches(
        "SELECT id, kind, text FROM audited JOIN texts USING (id) WHERE text <> '' ORDER BY number"
    ):
        ids += batch.column(0).to_pylist()
        kinds += batch.column(1).to_pylist()
        sizes += [count(text) for text in batch.column(2).to_pylist()]
    logs = np.log(np.maximum(np.array(sizes), 1))
    kind_of = np.array(kinds)
    reasons: dict[str, int] = {}
    examples: list[Example] = []
    notes = []
    for kind in sorted(set(kinds)):
        mine = np.flatnonzero(kind_of == kind)
        low, middle, high = np.quantile(logs[mine], (0.25, 0.5, 0.75))
        fence = FENCES * max(high - low, log(1.5))
        notes.append(
            f"{kind} median {exp(middle):,.0f} tokens, longest {max(sizes[n] for n in mine):,}"
        )
        for reason, outliers in (
            ("very short", mine[logs[mine] < low - fence]),
            ("very long", mine[logs[mine] > high + fence]),
        ):
            if len(outliers):
                reasons[reason] = reasons.get(reason, 0) + len(outliers)
            examples += [
                Example("", reason, f"{sizes[n]:,} tokens", ids[n].hex())
                for n in outliers[:EXAMPLES].tolist()
            ]
    return Line(
        "length",
        len(ids),
        reported=sum(reasons.values()),
        reasons=reasons,
        examples=_add_places(engine, examples),
        note=", ".join(notes) or "no row has a solution",
    )


def _add_places(engine: Engine, examples: Sequence[Example]) -> list[Example]:
    places = places_of(engine, (each.row for each in examples))
    return [replace(each, place=places[each.row]) for each in examples]


def languages(engine: Engine) -> Line:
    """Return the rows with many letters that are neither Latin nor Greek."""
    whole = "instruction || ' ' || text"
    # Most texts are pure ASCII; comparing two lengths skips them cheaply.
    foreign = rf"length(regexp_replace({whole}, '[^\pL]|\p{{Latin}}|\p{{Greek}}', '', 'g'))"
    letters = rf"length(regexp_replace({whole}, '[^\pL]', '', 'g'))"
    query = f"""
        SELECT audited.id, number, place, head,
            {foreign} / {letters} AS share
        FROM audited JOIN texts USING (id)
        WHERE strlen({whole}) > length({whole}) AND {foreign} > {FOREIGN} * {letters}
    """
    rows = engine.sql(f"SELECT * FROM ({query}) ORDER BY number").fetchall()
    total = engine.sql("SELECT count(*) FROM audited").fetchall()[0][0]
    examples = [
        Example(place, "other script", f"{share:.0%} of its letters: {head}", row.hex())
        for row, _, place, head, share in rows[:EXAMPLES]
    ]
    reasons = {"other script": len(rows)} if rows else {}
    return Line("language", total, reported=len(rows), reasons=reasons, examples=examples)


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
