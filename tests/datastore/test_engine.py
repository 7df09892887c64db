"""The engine: bounded memory, private spill folders, parallel streams, nothing from outside."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datastore.engine import Engine, scan
from datastore.errors import StoreError
from tests.paths import ROOT

SORT = "SELECT md5(range::VARCHAR) AS a, range AS n FROM range($rows) ORDER BY a"


def test_a_sort_larger_than_its_memory_spills_and_streams(tmp_path: Path) -> None:
    with Engine("40MB", 2, spill=tmp_path) as engine:
        batches = engine.batches(SORT, {"rows": 1_500_000}, size=5_000)
        first = next(batches)
        spilled = [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size]
        assert spilled
        assert first.num_rows <= 5_000
        assert first.num_rows + sum(batch.num_rows for batch in batches) == 1_500_000
    assert os.listdir(tmp_path) == []


def test_running_out_of_space_to_spill_is_one_line(disk: Path) -> None:
    with Engine("40MB", 2, spill=disk) as engine:
        with pytest.raises(StoreError, match="Free some space, or raise the memory") as caught:
            list(engine.batches(SORT, {"rows": 1_500_000}))
        assert "\n" not in str(caught.value)
        assert engine.sql("SELECT 1").fetchall() == [(1,)]
    assert os.listdir(disk) == []


@pytest.mark.parametrize(
    ("memory", "cores", "threads"),
    [("1GB", 64, 4), ("1GB", 2, 2), ("300MB", 64, 1), ("40MB", 8, 1), ("16GB", 64, 64)],
)
def test_a_machine_with_many_cores_gets_no_more_threads_than_fit_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: str, cores: int, threads: int
) -> None:
    """Each thread holds a row group of texts; 16 threads ran out of 1 GB where 4 did not."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)))
    with Engine(memory, spill=tmp_path) as engine:
        assert engine.sql("SELECT current_setting('threads')").fetchall() == [(threads,)]


def test_long_texts_of_many_files_fit_in_one_tenth_of_the_memory(tmp_path: Path) -> None:
    texts = [f"{number} " * (60_000 // len(f"{number} ")) for number in range(540)]
    paths = [tmp_path / f"{number}.parquet" for number in range(30)]
    for path in paths:  # 32 MB each
        pq.write_table(pa.table({"text": texts}), path, compression="zstd")
    with Engine("100MB", spill=tmp_path) as engine:
        engine.connection.execute("SET max_temp_directory_size = '0KB'")
        query = f"SELECT count(DISTINCT hash(text)) FROM {scan(paths)}"
        assert engine.sql(query).fetchall() == [(540,)]


def test_streams_are_read_in_parallel_and_see_tables(tmp_path: Path) -> None:
    with Engine(spill=tmp_path) as engine:
        engine.sql("CREATE TABLE t AS SELECT range AS n FROM range(100000)")
        evens = engine.batches("SELECT n FROM t WHERE n % 2 = $rest ORDER BY n", {"rest": 0})
        odds = engine.batches("SELECT n FROM t WHERE n % 2 = $rest ORDER BY n", {"rest": 1})
        for even, odd in zip(evens, odds, strict=True):
            assert engine.sql("SELECT count(*) FROM t").fetchall() == [(100_000,)]
            assert [n + 1 for n in even["n"].to_pylist()] == odd["n"].to_pylist()


@pytest.mark.parametrize("folder", ["n=5", "other=1/subset=a", "s[1]*?", "it's"])
def test_a_file_is_read_as_it_is_whatever_its_folder_is_called(tmp_path: Path, folder: str) -> None:
    path = tmp_path / folder / "a.parquet"
    path.parent.mkdir(parents=True)
    table = pa.table({"n": [1, 2]})
    pq.write_table(table, path)
    with Engine(spill=tmp_path) as engine:
        assert engine.sql(f"FROM {scan([path])}").to_arrow_table() == table


def test_an_abandoned_stream_does_not_prevent_closing(tmp_path: Path) -> None:
    with Engine(spill=tmp_path) as engine:
        stream = engine.batches(SORT, {"rows": 1_500_000})
        next(stream)
    assert os.listdir(tmp_path) == []


def test_nothing_is_loaded_from_outside_and_python_variables_are_invisible(tmp_path: Path) -> None:
    secret = {"a": [1]}
    with Engine(spill=tmp_path) as engine:
        settings = dict(
            engine.sql(
                "SELECT name, value FROM duckdb_settings() WHERE name LIKE 'auto%extensions'"
            ).fetchall()
        )
        assert settings == {
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        with pytest.raises(duckdb.CatalogException):
            engine.sql("SELECT * FROM secret").fetchall()
        assert secret


MEMORY = """
import resource, sys
from pathlib import Path
from datastore.engine import Engine
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
with Engine("100MB", 2, spill=Path(sys.argv[1])) as engine:
    rows = "SELECT repeat('x', 400) || range AS a FROM range({}) WHERE range >= $least"
    first = peak()
    batches = engine.batches(rows.format(1_500_000), {"least": 0})
    assert sum(batch.num_rows for batch in batches) == 1_500_000
print(first, peak())
"""


def test_a_stream_with_parameters_does_not_fill_the_memory(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    first, last = map(int, start(MEMORY, tmp_path).communicate()[0].split())
    assert last < first + 200  # MB; the rows are 600 MB


def test_no_progress_bar_is_printed_in_an_interactive_python(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from datastore.engine import Engine
query = "SELECT current_setting('enable_progress_bar') AS shown"
with Engine(spill=Path(sys.argv[1])) as engine:
    [batch] = engine.batches(query)
    print(engine.sql(query).fetchall(), batch.to_pylist())
"""
    # DuckDB takes a program without a file for an interactive one.
    words = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[(False,)] [{'shown': False}]\n", done.stderr


def test_a_view_is_made_of_batches_that_query_the_same_engine(tmp_path: Path) -> None:
    with Engine(threads=2, spill=tmp_path) as engine:
        engine.sql("CREATE TABLE numbers AS SELECT range AS n FROM range(3_000_000)")
        doubled = engine.batches("SELECT 2 * n AS n FROM numbers ORDER BY n DESC", size=2_048)
        engine.create_view("doubled", doubled, pa.schema([("n", pa.int64())]))
        assert engine.sql("SELECT count(*), max(n) FROM doubled").fetchall() == [
            (3_000_000, 5_999_998)
        ]
        engine.drop("doubled", "numbers", "absent")
        assert engine.sql("SHOW TABLES").fetchall() == []
        assert not list(engine.folder.glob("*.parquet"))


def test_the_file_of_a_view_has_few_row_groups_however_small_its_batches_are(
    tmp_path: Path,
) -> None:
    """A footer of 10,000 row groups would take more memory than the rows."""
    schema = pa.schema([("n", pa.int64()), ("text", pa.string())])
    short = (pa.record_batch([[n], ["short"]], schema) for n in range(10_000))
    long = (pa.record_batch([[n], ["long" * 1_000_000]], schema) for n in range(20))
    with Engine(threads=1, spill=tmp_path) as engine:
        for name, batches, groups in (("short", short, 1), ("long", long, 4)):
            engine.create_view(name, batches, schema)
            [path] = tmp_path.rglob(f"{name}.parquet")
            assert pq.ParquetFile(path).num_row_groups == groups
        assert engine.sql("SELECT count(*), sum(n) FROM short").fetchall() == [(10_000, 49_995_000)]
