"""Memos: work is done once, by one process at a time, and again only if its outputs are missing."""

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from datastore.memo import Memo, MemoKey, Outputs
from datastore.store import Store

SCHEMA = pa.schema([("a", pa.int64())])


def rows(n: int) -> list[pa.RecordBatch]:
    return [pa.record_batch([list(range(n))], schema=SCHEMA)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


class Work:
    """A `make` that counts its runs."""

    def __init__(self, store: Store) -> None:
        self.store, self.runs = store, 0

    def __call__(self) -> tuple[dict[str, str], dict[str, int]]:
        self.runs += 1
        return {"rows": self.store.objects.write(rows(3), SCHEMA)}, {"rows": 3}


def test_the_same_work_is_done_once(store: Store) -> None:
    work = Work(store)
    made = store.memo.run_once(MemoKey("ingest", 1, {"b": 1, "a": [2]}, ["x"]), work)
    again = store.memo.run_once(MemoKey("ingest", 1, {"a": [2], "b": 1}, ["x"]), work)
    assert made == again == store.memo.get(MemoKey("ingest", 1, {"b": 1, "a": [2]}, ["x"]))
    assert made.counts == {"rows": 3} and work.runs == 1
    assert (
        Memo(store.root, store.objects).run_once(
            MemoKey("ingest", 1, {"b": 1, "a": [2]}, ["x"]), work
        )
        == made
    )
    assert work.runs == 1


@pytest.mark.parametrize(
    "other",
    [
        ("ingests", 1, {"a": 1}, ["x", "y"]),
        ("ingest", 2, {"a": 1}, ["x", "y"]),
        ("ingest", 1, {"a": "1"}, ["x", "y"]),
        ("ingest", 1, {}, ["x", "y"]),
        ("ingest", 1, {"a": 1}, ["y", "x"]),
        ("ingest", 1, {"a": 1}, ["xy"]),
    ],
)
def test_a_change_of_stage_version_parameters_or_inputs_is_different_work(
    store: Store, other: tuple[str, int, dict[str, object], list[str]]
) -> None:
    store.memo.run_once(MemoKey("ingest", 1, {"a": 1}, ["x", "y"]), Work(store))
    assert store.memo.get(MemoKey("ingest", 1, {"a": 1}, ["x", "y"]))
    assert store.memo.get(MemoKey(*other)) is None


def test_work_with_a_missing_output_is_done_again(store: Store) -> None:
    work = Work(store)
    made = store.memo.run_once(MemoKey("ingest", 1, {}, []), work)
    store.objects.path(made.objects["rows"]).unlink()
    assert store.memo.get(MemoKey("ingest", 1, {}, [])) is None
    assert store.memo.run_once(MemoKey("ingest", 1, {}, []), work) == made
    assert work.runs == 2 and store.objects.has(made.objects["rows"])


def test_work_with_a_damaged_output_or_record_is_done_again(store: Store) -> None:
    work, damaged = Work(store), list[Path]()
    key = MemoKey("ingest", 1, {}, [])

    def run() -> Outputs:
        return store.memo.run_once(key, work, on_damage=damaged.append)

    made = run()
    path = store.objects.path(made.objects["rows"])
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert store.memo.get(key) is None
    assert run() == made
    assert damaged == [path] and path.read_bytes() == whole
    ((record, content),) = store.memo.records()
    assert content and content["counts"] == {"rows": 3}
    text = record.read_text()
    record.write_text(text.replace('"rows":3', '"rows":4'))
    assert list(store.memo.records()) == [(record, None)]
    assert store.memo.get(key) is None
    assert run() == made
    assert record.read_text() == text and work.runs == 3 and damaged == [path]


def test_failed_work_is_not_cached_and_releases_its_lock(store: Store) -> None:
    def fail() -> tuple[dict[str, str], dict[str, int]]:
        raise ZeroDivisionError("no")

    with pytest.raises(ZeroDivisionError):
        store.memo.run_once(MemoKey("ingest", 1, {}, []), fail)
    assert store.memo.get(MemoKey("ingest", 1, {}, [])) is None
    assert store.memo.run_once(MemoKey("ingest", 1, {}, []), lambda: ({}, {"n": 1})) == Outputs(
        {}, {"n": 1}
    )
    assert not [path for path in (store.root / "locks").iterdir() if len(path.name) == 64]


BUILDER = """
import sys, time
from pathlib import Path
from datastore.memo import MemoKey
from datastore.store import Store
store = Store(Path(sys.argv[1]))
def make():
    print("making", flush=True)
    while not Path(sys.argv[2]).exists():
        time.sleep(0.02)
    return {}, {"made by": int(sys.argv[3])}
key = MemoKey("ingest gsm8k", 1, {}, [])
done = store.memo.run_once(key, make, lambda line: print(line, flush=True))
print(done.counts["made by"], flush=True)
"""


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def test_a_second_builder_names_the_first_and_shares_its_work(
    store: Store, start: Callable[..., subprocess.Popen[str]]
) -> None:
    signal_file = store.root / "tmp" / "continue"
    first = start(BUILDER, store.root, signal_file, 1)
    assert line(first) == "making"
    second = start(BUILDER, store.root, "/", 2)
    waiting = line(second)
    owner = f"process {first.pid} on {socket.gethostname()}"
    assert waiting.startswith(f"ingest gsm8k is being built by {owner} (since 20")
    assert store.memo.list_running() == [waiting]
    signal_file.touch()
    assert line(first) == line(second) == "1"
    assert store.memo.list_running() == []


def test_a_second_builder_takes_over_when_the_first_is_killed(
    store: Store, start: Callable[..., subprocess.Popen[str]]
) -> None:
    first = start(BUILDER, store.root, "/never", 1)
    assert line(first) == "making"
    second = start(BUILDER, store.root, "/", 2)
    assert f"process {first.pid} " in line(second)
    first.kill()
    assert line(second) == "making"
    assert line(second) == "2"


def test_a_forked_child_does_not_hold_its_dead_parents_work(
    store: Store, start: Callable[..., subprocess.Popen[str]]
) -> None:
    # The child waits, as its parent does, for a file that appears at the end of the test.
    fork = "    import os\n    os.fork()\n"
    signal_file = store.root / "tmp" / "continue"
    first = start(BUILDER.replace("    while", fork + "    while"), store.root, signal_file, 1)
    assert line(first) == "making"
    second = start(BUILDER, store.root, "/", 2)
    assert f"process {first.pid} " in line(second)
    first.kill()
    assert line(second) == "making"
    signal_file.touch()
