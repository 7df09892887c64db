"""Exact duplicates over normalised text: of the rows with one instruction and text, one stays.

In: rows. Out: verdicts `duplicate` with the id of the row that was kept. Which one that is depends
on the recipe's order of subsets and the ids alone: the earliest subset, then the smallest id.
"""

from collections.abc import Iterator

import pyarrow as pa

from curator.core.arrow import VERDICTS, batches
from curator.core.model import Verdict
from curator.screens import normalize
from curator.screens.rows import Rows
from curator.screens.screen import Screen
from datastore.engine import Engine

NAME = "duplicates"
VERSION = 1


def duplicates(engine: Engine, rows: Rows) -> Iterator[pa.RecordBatch]:
    """Verdicts in the layout `VERDICTS`, by row id.

    Instructions decide first, and texts are normalised only where instructions agree: they are four
    fifths of the bytes.
    """
    # The rows are written out twice: as one CTE they would be kept whole, texts and all.
    question = normalize.key(normalize.folded("instruction"))
    query = f"""
        WITH asked AS MATERIALIZED (
            SELECT id, place, md5_number({question}) AS question
            FROM ({rows.rows})
        ),
        shared AS (SELECT question FROM asked GROUP BY question HAVING count(*) > 1),
        alike AS MATERIALIZED (
            SELECT id, place, question FROM asked SEMI JOIN shared USING (question)
        ),
        read AS (
            SELECT id, md5_number({normalize.key(normalize.folded("text"))}) AS answer
            FROM (SELECT id, text FROM ({rows.rows}) SEMI JOIN alike USING (id))
        ),
        answered AS MATERIALIZED (
            SELECT id, place, question, answer FROM read JOIN alike USING (id)
        ),
        kept AS (
            SELECT question, answer, min({{'place': place, 'id': id}}).id AS kept
            FROM answered GROUP BY ALL HAVING count(*) > 1
        )
        SELECT id, kept FROM answered JOIN kept USING (question, answer)
        WHERE id <> kept ORDER BY id
    """
    verdicts = (
        Verdict(row_id, NAME, VERSION, "failed", "duplicate", {"kept": kept.hex()})
        for batch in engine.batches(query)
        for row_id, kept in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    )
    yield from batches(verdicts, VERDICTS)


SCREEN = Screen(
    VERSION,
    "Reject rows that repeat another row up to case, white space and punctuation.",
    duplicates,
    on=True,
    always_digested=True,
)
