"""SELECTs of the rows of a split: the held-out questions, or all others.

In: the SELECTs of some rows, and the share of questions to hold out. Out: SQL text.
"""

from collections.abc import Sequence
from dataclasses import replace

from curator.versions.rows import RowsSql, Select
from datastore.engine import literal


def select_attempts(held_out: float, split: str, sql: RowsSql) -> str:
    """SELECT of the right and wrong attempts of a split; with nothing held out, of all."""
    return select_split(held_out, split, replace(sql, rows=sql.attempts))


def select_labelled(held_out: float, split: str, sql: RowsSql) -> str:
    """SELECT of the solutions with labelled steps of a split, and of all rows of the version."""
    return select_split(held_out, split, replace(sql, rows=sql.labelled))


def split_sql(rows: str, held_out: float) -> str:
    """SELECT of rows with their `split`, by a hash of the question's words."""
    limit = f"{round(held_out * 2**32):08x}"
    words = "regexp_replace(lower(question), '[^\\pL\\pN]+', ' ', 'g')"
    split = f"CASE WHEN substr(md5('split:' || {words}), 1, 8) < {literal(limit)}"
    return f"SELECT *, {split} THEN 'validation' ELSE 'train' END AS split FROM ({rows})"


def select_split(held_out: float, split: str, sql: RowsSql) -> str:
    """SELECT of the rows of a split; with nothing held out, of all rows."""
    if not held_out:
        return sql.rows
    return f"SELECT * FROM ({split_sql(sql.rows, held_out)}) WHERE split = {literal(split)}"


def select_columns(columns: Sequence[str], select: Select, sql: RowsSql) -> str:
    """SELECT of some columns of another SELECT; DuckDB then does not read the others."""
    return f"SELECT {', '.join(columns)} FROM ({select(sql)})"


def select_questions(sql: RowsSql) -> str:
    """SELECT of the rows that are questions without a solution."""
    return f"SELECT * FROM ({sql.rows}) WHERE text = ''"


def select_solved(held_out: float, sql: RowsSql) -> str:
    """SELECT of the rows of the split `train` with a solution."""
    return f"SELECT * FROM ({select_split(held_out, 'train', sql)}) WHERE text <> ''"
