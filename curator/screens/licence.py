"""Leaves out rows whose licence a recipe does not allow.

In: rows and the licences allowed, as the sources state them. Out: verdicts `licence not allowed`
with the licence seen; a row without any is rejected too.
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from curator.core.arrow import VERDICTS, batches
from curator.core.model import Verdict
from curator.screens.rows import Rows
from curator.screens.screen import Screen
from datastore.engine import Engine

NAME = "licence"
VERSION = 1


def licence(engine: Engine, rows: Rows, licences: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Verdicts in the layout `VERDICTS`, by row id.

    A row counts as its problem; should records of one problem state several licences, each must be
    allowed.
    """
    query = f"""
        WITH alive AS (SELECT id, problem_id FROM ({rows.rows})),
        refused AS (
            SELECT id AS problem_id, min(coalesce(licence, '')) AS licence
            FROM ({rows.problems})
            WHERE NOT list_contains($allowed, coalesce(licence, ''))
            GROUP BY id
        )
        SELECT id, licence FROM alive JOIN refused USING (problem_id) ORDER BY id
    """
    verdicts = (
        Verdict(
            row_id,
            NAME,
            VERSION,
            "failed",
            "licence not allowed",
            {"licence": seen, "allowed": ", ".join(sorted(licences))},
        )
        for batch in engine.batches(query, {"allowed": list(licences)})
        for row_id, seen in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    )
    yield from batches(verdicts, VERDICTS)


SCREEN = Screen(
    VERSION,
    "Reject rows whose licence is not among `mixture.licences`, if the recipe has that list.",
    licence,
    needs=frozenset({"licences"}),
    has_key=False,
)
