"""The memory of an audit depends neither on the length of its rows nor on their number."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curator.core import arrow
from curator.pipeline.audit.findings import open_rows, read_line
from curator.versions import queries
from datastore.engine import Engine, scan

ROWS, CHARACTERS = 150, 1_000_000
SHARDS, SHARD_ROWS = 50, 2_000


def _ids(rows: range) -> pa.Array:
    return pa.array([number.to_bytes(16, "big") for number in rows], pa.binary(16))


def _write(folder: Path, rows: range, texts: list[str]) -> tuple[str, str]:
    """Write one shard, with a question of its own per row; return its SELECTs."""
    ids, count = _ids(rows), len(rows)
    common = {"id": ids, "problem_id": ids, "kind": ["CoT"] * count, "copy": [0] * count}
    rationales = common | {"text": texts}
    problems = {
        "id": ids,
        "question": [f"What is {number}? {'Why? ' * 40}" for number in rows],
        "gold": [""] * count,
        "licence": ["MIT"] * count,
        "place": [f"rows.jsonl:{number}" for number in rows],
        "solution": texts,
        "program": [""] * count,
    }
    selects = []
    for name, columns in {"rationales": rationales, "problems": problems}.items():
        path = folder / f"{name}-{rows.start}.parquet"
        pq.write_table(pa.table(columns), path, row_group_size=4 if count == ROWS else count)
        selects.append(f"SELECT * FROM {scan([path])}")
    return selects[0], selects[1]


def _open_many(engine: Engine, folder: Path) -> None:
    starts = range(0, SHARDS * SHARD_ROWS, SHARD_ROWS)
    shards = (range(start, start + SHARD_ROWS) for start in starts)
    open_rows(engine, (_write(folder, rows, [str(row) for row in rows]) for rows in shards))


def _write_verdicts(folder: Path, rows: range) -> str:
    """Write a verdict with a reason and long evidence on each row, the last row first."""
    count = len(rows)
    columns: dict[str, Any] = {
        "row_id": _ids(rows)[::-1],
        "check": ["answer"] * count,
        "version": [1] * count,
        "outcome": ["failed"] * count,
        "reason": ["wrong" if row % 2 else "late" for row in rows],
        "evidence": [f'{{"seen": "{row:0300}"}}' for row in rows],
    }
    path = folder / "verdicts.parquet"
    pq.write_table(pa.table(columns, arrow.VERDICTS), path, row_group_size=2_048)
    return queries.verdicts([path])


def test_the_rows_need_less_memory_than_their_texts(tmp_path: Path) -> None:
    """150 MB of texts, an engine with 60 MB that cannot spill."""
    texts = [str(number) * (CHARACTERS // len(str(number))) for number in range(ROWS)]
    with Engine("60MB", threads=1, spill=tmp_path) as engine:
        engine.connection.execute("SET max_temp_directory_size = '0KB'")
        open_rows(engine, [_write(tmp_path, range(ROWS), texts)])
        ((count,),) = engine.sql("SELECT count(*) FROM audited").fetchall()
    assert count == ROWS


def test_many_rows_need_no_more_memory_than_those_of_one_shard(tmp_path: Path) -> None:
    with Engine("30MB", threads=1, spill=tmp_path) as engine:
        engine.connection.execute("SET max_temp_directory_size = '0KB'")
        _open_many(engine, tmp_path)
        ((count,),) = engine.sql("SELECT count(*) FROM audited").fetchall()
    assert count == SHARDS * SHARD_ROWS


def test_the_first_findings_are_found_without_the_evidence_of_all_rows(tmp_path: Path) -> None:
    """30 MB of evidence, an engine with 40 MB that cannot spill."""
    rows = range(SHARDS * SHARD_ROWS)
    with Engine("40MB", threads=1, spill=tmp_path) as engine:
        engine.connection.execute("SET max_temp_directory_size = '0KB'")
        _open_many(engine, tmp_path)
        line = read_line(engine, "answer", _write_verdicts(tmp_path, rows))
    assert line.failed == len(rows)
    # Row `first` of the file has the verdict that was written last.
    assert {(each.place, each.reason) for each in line.examples} == {
        (f"rows.jsonl:{row}", "wrong" if (len(rows) - 1 - row) % 2 else "late") for row in range(6)
    }
