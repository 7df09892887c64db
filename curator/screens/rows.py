"""The input of a screen: the rows that nothing has rejected yet and their problems, as queries.

Problems are separate from rows so that no screen joins texts: a million rows have fewer distinct
questions, and the join is over ids of 16 bytes. What a screen compares in all rows are keys, such
as hashes, which each shard computes for itself; texts are read only of the rows that keys select.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows to screen. A screen selects the columns it needs and may run a query repeatedly."""

    rows: str
    """A SELECT of (id, subset, place, problem_id, instruction, text) with unique ids. `place` is
    the position of the subset in the recipe; of two equal rows the one with the lower place is
    kept."""
    problems: str
    """A SELECT of (id, question, licence) with every problem of `rows`. An id may repeat; problems
    without rows are ignored."""
    keys: str = ""
    """A SELECT of the screen's keys of all shards, also of rows that were rejected; see
    `Screen.keys`."""
    vectors: str = ""
    """A SELECT of (question, vector) in the layout `curator.screens.meaning.VECTORS`, if the
    screen compares by meaning."""
    levels: str = ""
    """A SELECT of (row_id, evidence_level) with the rows whose answer passed a check."""
