"""Screen `duplicates`: of the rows with the same normalised instruction and text, keeps one.

In: rows. Out: verdicts `duplicate` with the id of the row that was kept: the one in the earliest
subset of the recipe, and there the one with the smallest id.
"""

from collections.abc import Iterator

import pyarrow as pa

from curator.core.arrow import ID, VERDICTS, to_batches
from curator.core.model import Verdict
from curator.screens import normalize
from curator.screens.rows import Rows
from curator.screens.screen import Keys, Screen
from datastore.engine import Engine

NAME = "duplicates"
VERSION = 2


def select_keys(source: str) -> str:
    """SELECT of (id, instruction): half of the hash of the instruction without white space.

    Instructions with the same `normalize.key` have the same hash here, at two thirds of the time.
    """
    key = normalize.squeeze(normalize.fold("instruction"))
    return f"SELECT id, md5_number_lower({key}) AS instruction FROM {source}"


def reject_duplicates(engine: Engine, rows: Rows) -> Iterator[pa.RecordBatch]:
    """Yield verdicts in the layout `VERDICTS`, by row id.

    Keys of the instructions are compared first. Instructions and texts are read and compared whole
    only where these agree.
    """
    keys = rows.keys or f"({select_keys(f'({rows.rows})')})"
    whole = [normalize.key(normalize.fold(column)) for column in ("instruction", "text")]
    query = f"""
        WITH repeated AS (
            SELECT instruction FROM {keys} GROUP BY instruction HAVING count(*) > 1
        ),
        candidate AS (SELECT DISTINCT id FROM {keys} SEMI JOIN repeated USING (instruction)),
        hashed AS MATERIALIZED (
            SELECT id, place, md5_number({whole[0]}) AS instruction_hash,
                md5_number({whole[1]}) AS text_hash
            FROM (SELECT id, place, instruction, text FROM ({rows.rows})
                SEMI JOIN candidate USING (id))
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
    keys=Keys("rationales", select_keys, pa.schema([("id", ID), ("instruction", pa.uint64())])),
    audit_note="compared without case, white space and punctuation",
    on=True,
    always_digested=True,
)
