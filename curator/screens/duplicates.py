"""Screen `duplicates`: of the rows with the same normalised instruction and text, keeps one.

In: rows. Out: verdicts `duplicate` with the id of the row that was kept: the one in the earliest
subset of the recipe, and there the one with the smallest id.
"""

from collections.abc import Iterator

import pyarrow as pa

from curator.core.arrow import VERDICTS, to_batches
from curator.core.model import Verdict
from curator.screens import normalize
from curator.screens.rows import Rows
from curator.screens.screen import Screen
from datastore.engine import Engine

NAME = "duplicates"
VERSION = 1


def reject_duplicates(engine: Engine, rows: Rows) -> Iterator[pa.RecordBatch]:
    """Yield verdicts in the layout `VERDICTS`, by row id.

    Instructions are compared first. Texts, which are four fifths of the bytes, are normalised only
    where the instructions agree.
    """
    # `rows.rows` appears twice: a common table expression would hold all rows with their texts.
    instruction = normalize.key(normalize.fold("instruction"))
    query = f"""
        WITH instruction AS MATERIALIZED (
            SELECT id, place, md5_number({instruction}) AS instruction_hash
            FROM ({rows.rows})
        ),
        repeated AS (
            SELECT instruction_hash FROM instruction GROUP BY instruction_hash HAVING count(*) > 1
        ),
        candidate AS MATERIALIZED (
            SELECT id, place, instruction_hash
            FROM instruction SEMI JOIN repeated USING (instruction_hash)
        ),
        text AS (
            SELECT id, md5_number({normalize.key(normalize.fold("text"))}) AS text_hash
            FROM (SELECT id, text FROM ({rows.rows}) SEMI JOIN candidate USING (id))
        ),
        hashed AS MATERIALIZED (
            SELECT id, place, instruction_hash, text_hash FROM text JOIN candidate USING (id)
        ),
        first AS (
            SELECT instruction_hash, text_hash, min({{'place': place, 'id': id}}).id AS kept
            FROM hashed GROUP BY ALL HAVING count(*) > 1
        )
        SELECT id, kept FROM hashed JOIN first USING (instruction_hash, text_hash)
        WHERE id <> kept ORDER BY id
    """
    verdicts = (
        Verdict(row_id, NAME, VERSION, "failed", "duplicate", {"kept": kept.hex()})
        for batch in engine.batches(query)
        for row_id, kept in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    )
    yield from to_batches(verdicts, VERDICTS)


SCREEN = Screen(
    VERSION,
    "Reject rows that equal another row except for case, white space and punctuation.",
    reject_duplicates,
    audit_note="compared without case, white space and punctuation",
    on=True,
    always_digested=True,
)
