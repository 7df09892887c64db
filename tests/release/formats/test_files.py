"""A release file is complete or absent, and replaces another only with `overwrite`."""

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from io import RawIOBase
from pathlib import Path

import pyarrow as pa
import pytest

from curator.release.formats import COLUMNS, FORMATS
from datastore.engine import Engine
from datastore.errors import BadTarget, StoreError
from datastore.new_file import new_file

TEXTS = ", ".join(f"'{name} ' || n AS {name}" for name in COLUMNS if name not in {"id", "choices"})
ROWS = (
    f"SELECT unhex(md5(n::VARCHAR)) AS id, ['a'] AS choices, {TEXTS}, "
    "unhex(md5((-n)::VARCHAR)) AS rejected_id, 'no ' || n AS rejected_text, "
    "'why' AS rejected_reason "
    "FROM range({rows}) AS t(n) ORDER BY n"
)
EXPORT = """
import resource, sys
from pathlib import Path
from datastore.errors import StoreError
from curator.release.formats import FORMATS
from datastore.engine import Engine
name, sql, target, spill = sys.argv[1:]
with Engine(threads=1, spill=Path(spill)) as engine:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    try:
        FORMATS[name].write(engine.batches(sql), Path(target), overwrite=True)
    except StoreError as error:
        print(error)
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(threads=1, spill=tmp_path / "spill") as engine:
        yield engine


def test_an_existing_file_is_only_replaced_with_overwrite(engine: Engine, tmp_path: Path) -> None:
    target = tmp_path / "mine.jsonl"
    target.write_text("precious")
    write = FORMATS["messages"].write
    with pytest.raises(BadTarget, match=r"mine\.jsonl exists"):
        write(engine.batches(ROWS.format(rows=3)), target)
    assert target.read_text() == "precious"
    assert write(engine.batches(ROWS.format(rows=3)), target, overwrite=True) == 3
    assert target.read_text().count("\n") == 3


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "mine.json"
    with pytest.raises(BadTarget, match="exists"), new_file(target) as out:
        out.write(b"new")
        target.write_text("precious")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.json"]
    assert target.read_text() == "precious"


def test_a_pipe_or_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(BadTarget, match="is not a regular file"), new_file(pipe, overwrite=True):
        pass
    assert pipe.is_fifo()


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(BadTarget, match="is a folder"), new_file(tmp_path, overwrite=True):
        pass


@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_is_an_error_of_one_line_and_keeps_the_old_file(
    tmp_path: Path, name: str
) -> None:
    target = tmp_path / "out" / f"x{FORMATS[name].suffix}"
    target.parent.mkdir()
    target.write_text("older")
    # Ids do not compress, so that Parquet grows past the limit, too.
    command = [sys.executable, "-c", EXPORT, name, ROWS.format(rows=20_000), str(target)]
    run = subprocess.run([*command, str(tmp_path / "spill")], capture_output=True, text=True)
    assert run.stdout.count("\n") == 1, run.stderr
    assert run.stdout.startswith(f"Cannot write {target}: File too large.")
    assert "Traceback" not in run.stderr
    assert target.read_text() == "older"
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_a_path_that_cannot_be_written_is_an_error_of_one_line() -> None:
    path = Path("/proc/none/x.json")
    with pytest.raises(StoreError, match=f"Cannot write {path}: "), new_file(path):
        pass


def test_an_interrupt_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), new_file(tmp_path / "deep" / "x.json") as out:
        out.write(b"half")
        raise KeyboardInterrupt
    assert list((tmp_path / "deep").iterdir()) == []


def test_a_killed_writer_leaves_no_file_and_the_next_one_takes_over(
    engine: Engine, tmp_path: Path
) -> None:
    target = tmp_path / "out" / "x.parquet"
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom datastore.new_file import new_file\n"
        "with new_file(Path(sys.argv[1])) as out:\n"
        "    out.write(b'junk' * 1_000_000)\n    os.kill(os.getpid(), 9)\n"
    )
    run = subprocess.run([sys.executable, "-c", code, str(target)])
    assert run.returncode == -9
    assert [path.stat().st_size > 0 for path in target.parent.iterdir()] == [True]
    assert not target.exists()
    FORMATS["parquet"].write(engine.batches(ROWS.format(rows=5)), target)
    assert [path.name for path in target.parent.iterdir()] == ["x.parquet"]
    assert engine.sql(f"SELECT count(*) FROM '{target}'").fetchone() == (5,)


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    target = tmp_path / "x.json"
    with new_file(target) as out:
        out.write(b"first")
        with pytest.raises(BadTarget, match="another process"), new_file(target):
            pass
    assert target.read_bytes() == b"first"


class Nowhere(RawIOBase):
    """A file that only counts the bytes."""

    written = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        size = memoryview(data).nbytes  # type: ignore[arg-type]
        self.written += size
        return size

    def tell(self) -> int:
        return self.written


@pytest.mark.parametrize("name", FORMATS)
def test_memory_does_not_grow_with_the_rows(engine: Engine, name: str) -> None:
    batch = next(engine.batches(ROWS.format(rows=2_000), size=2_000))
    peaks = []
    # Parquet holds one row group of 20,000 rows, the others one batch.
    for rounds in (12, 36) if FORMATS[name].suffix == ".parquet" else (2, 6):
        held = 0

        def batches(rounds: int = rounds) -> Iterator[pa.RecordBatch]:
            nonlocal held
            for _ in range(rounds):
                held = max(held, pa.total_allocated_bytes())
                yield batch

        tracemalloc.start()
        out = Nowhere()
        rows = FORMATS[name].write_batches(batches(), out)  # type: ignore[arg-type]
        peaks.append(tracemalloc.get_traced_memory()[1] + held)
        tracemalloc.stop()
        assert rows in (rounds * len(batch), 2 * rounds * len(batch))  # both attempts of a pair
        assert out.written > rows
    assert peaks[1] < peaks[0] * 1.3
