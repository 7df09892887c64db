"""Screen `lists`: rejects the rows that a person lists, or all rows that a person does not list.

In: rows, and the lists of the recipe as Parquet files in the layout `LISTED`. Out: verdicts
`excluded`, with the line of the list and the reason it states, and `not included`. A line names
rows by the id of the row, the id of the problem, or the question, which is compared without case,
white space and punctuation.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Self

import pyarrow as pa
from pydantic import model_validator

from curator.core.arrow import ID, VERDICTS, to_batches
from curator.core.model import Verdict
from curator.core.section import Mark, Section
from curator.screens import normalize
from curator.screens.rows import Rows
from curator.screens.screen import Screen
from datastore.engine import Engine, scan

NAME = "lists"
VERSION = 1
LISTED = pa.schema(
    [
        ("file", pa.string()),
        ("sha256", pa.string()),
        ("line", pa.int64()),
        ("id", ID),  # of a row or of a problem; null if the line has a question only
        ("question", pa.string()),
        ("reason", pa.string()),
    ]
)
"""The lines of a list."""


class Lists(Section):
    """Rejects rows that a person lists, or all that a person does not list. A list is a CSV file or
    JSON Lines with `id` (of a row or of a problem) or `question`, and with `reason`."""

    exclude: Annotated[str, Mark.PATH] = ""
    """File of rows to reject, relative to the recipe file. Each line states a reason."""
    include: Annotated[str, Mark.PATH] = ""
    """File of the only rows to keep, relative to the recipe file. They must still pass all checks
    and screens; a row in both lists is rejected."""

    @model_validator(mode="after")
    def _name_a_file(self) -> Self:
        if not self.exclude and not self.include:
            raise ValueError("expected a file in 'exclude', in 'include' or in both")
        return self

    def files(self) -> dict[str, str]:
        """Return the file of each key that is set."""
        both = {"exclude": self.exclude, "include": self.include}
        return {key: file for key, file in both.items() if file}


def select_matches(engine: Engine, rows: Rows, listed: str) -> str:
    """SELECT of (id, line): each row that a line of the FROM item `listed` names, with that line.

    A line with an id is matched by its id only.
    """
    matches = [
        f"SELECT r.id, l.line FROM ({rows.rows}) r JOIN {listed} l ON l.id = r.{column}"
        for column in ("id", "problem_id")
    ]
    # Only if lines have questions alone are the texts of all rows read.
    by_question = f"FROM {listed} WHERE id IS NULL"
    if engine.sql(f"SELECT 1 {by_question} LIMIT 1").fetchall():
        key = normalize.key(normalize.fold("question"))
        lines = f"(SELECT line, {key} AS key {by_question})"
        problems = f"(SELECT DISTINCT id AS problem_id, {key} AS key FROM ({rows.problems}))"
        own = normalize.key(normalize.fold("instruction"))
        matches += [
            f"SELECT r.id, line FROM ({rows.rows}) r JOIN {problems} USING (problem_id) "
            f"JOIN {lines} USING (key)",
            f"SELECT id, line FROM (SELECT id, {own} AS key FROM ({rows.rows})) "
            f"JOIN {lines} USING (key)",
        ]
    return " UNION ALL ".join(matches)


def apply_lists(
    engine: Engine, rows: Rows, lists: Mapping[str, Sequence[Path]], **files: str
) -> Iterator[pa.RecordBatch]:
    """Yield verdicts in the layout `VERDICTS`, by row id, at most one per row."""
    selects = []
    for key, paths in lists.items():
        listed = scan(paths)
        matched = f"SELECT id, min(line) AS line FROM ({select_matches(engine, rows, listed)}) "
        matched += "GROUP BY id"
        if key == "exclude":
            selects.append(
                "SELECT m.id, 'excluded' AS verdict, l.file, l.sha256, l.line, l.reason "
                f"FROM ({matched}) m JOIN {listed} l USING (line)"
            )
        else:
            file = f"(SELECT max(file) AS file, max(sha256) AS sha256 FROM {listed})"
            selects.append(
                "SELECT id, 'not included' AS verdict, file, sha256, 0 AS line, '' AS reason "
                f"FROM (SELECT id FROM ({rows.rows})) ANTI JOIN ({matched}) USING (id), {file}"
            )
    # `excluded` precedes `not included`.
    query = (
        f"SELECT * FROM ({' UNION ALL '.join(selects)}) "
        "QUALIFY row_number() OVER (PARTITION BY id ORDER BY verdict) = 1 ORDER BY id"
    )
    verdicts = (
        _verdict(*values)
        for batch in engine.batches(query)
        for values in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    )
    yield from to_batches(verdicts, VERDICTS)


def _verdict(
    row_id: bytes, reason: str, file: str | None, sha256: str | None, line: int, why: str
) -> Verdict:
    evidence = {"file": file or "", "sha256": sha256 or ""}
    if line:
        evidence |= {"line": str(line), "reason": why}
    return Verdict(row_id, NAME, VERSION, "failed", reason, evidence)


SCREEN = Screen(
    VERSION,
    "Reject rows that a person listed (`exclude`), or all rows that none listed (`include`).",
    apply_lists,
    parameters=Lists,
    needs=frozenset({"lists"}),
)
