"""Screen `licence`: rejects rows whose licence the recipe does not allow.

In: rows and the allowed licences, spelled as the sources state them. Out: verdicts `licence not
allowed` with the licence of the row. A row without a licence is rejected.
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from curator.core.arrow import VERDICTS, to_batches
from curator.core.model import Verdict
from curator.screens.rows import Rows
from curator.screens.screen import Screen
from datastore.engine import Engine

NAME = "licence"
VERSION = 1


def reject_other_licences(
    engine: Engine, rows: Rows, licences: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Yield verdicts in the layout `VERDICTS`, by row id.

    A row has the licence of its problem. If records of one problem state several licences, all of
    them must be allowed.
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
    yield from to_batches(verdicts, VERDICTS)


SCREEN = Screen(
    VERSION,
    "Reject rows whose licence is not among `mixture.licences`, if the recipe has that list.",
    reject_other_licences,
    needs=frozenset({"licences"}),
    has_key=False,
)
