"""The tables of an audit hold ids and hashes of rows, never their texts."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curator.pipeline.audit.findings import open_rows
from datastore.engine import Engine, scan

ROWS, CHARACTERS = 150, 1_000_000


def test_the_table_of_rows_needs_less_memory_than_their_texts(tmp_path: Path) -> None:
    """150 MB of texts, an engine with 60 MB that cannot spill."""
    ids = pa.array([number.to_bytes(16, "big") for number in range(ROWS)], pa.binary(16))
    texts = [str(number) * (CHARACTERS // len(str(number))) for number in range(ROWS)]
    common = {"id": ids, "problem_id": ids, "kind": ["CoT"] * ROWS, "copy": [0] * ROWS}
    columns = {"instruction": ["Q"] * ROWS, "text": texts}
    pq.write_table(pa.table(common | columns), tmp_path / "rationales.parquet", row_group_size=4)
    problems = {
        "id": ids,
        "question": ["Q"] * ROWS,
        "gold": [""] * ROWS,
        "licence": ["MIT"] * ROWS,
        "place": [f"rows.jsonl:{number}" for number in range(ROWS)],
        "solution": texts,
        "program": [""] * ROWS,
    }
    pq.write_table(pa.table(problems), tmp_path / "problems.parquet", row_group_size=4)
    rationales, problems = (
        f"SELECT * FROM {scan([tmp_path / f'{name}.parquet'])}"
        for name in ("rationales", "problems")
    )
    with Engine("60MB", threads=1, spill=tmp_path) as engine:
        engine.connection.execute("SET max_temp_directory_size = '0KB'")
        open_rows(engine, [(rationales, problems)])
        ((count,),) = engine.sql("SELECT count(*) FROM audited").fetchall()
    assert count == ROWS
