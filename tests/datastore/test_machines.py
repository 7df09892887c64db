"""Machines that share a store on a file system whose locks do not reach from one to the other.

The other machine is a process with another host name; that its locks do not reach this process is
simulated by a flock that always succeeds.
"""

import errno
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from datastore import ledger as module
from datastore.claims import Claims
from datastore.files import scratch, sweep
from datastore.ledger import Ledger
from datastore.locks import TAKE_OVER_SECONDS
from datastore.store import Store

OTHER = """
import socket, sys
socket.gethostname = lambda: "other.machine"
from pathlib import Path
from datastore.files import scratch
from datastore.store import Store

store = Store(Path(sys.argv[1]))
store.ledger("calls").put_many({b"1" * 16: {"n": 1}})
store.claims("calls").acquire(b"3" * 16)
store.claims("calls").log_start(b"3" * 16, "now")
with scratch(store.root / "tmp") as folder:
    (folder / "rows").write_text("unfinished")
    print("ready", flush=True)
    sys.stdin.readline()
    assert (folder / "rows").read_text() == "unfinished"
    store.ledger("calls").put_many({b"2" * 16: {"n": 2}})
    print("done", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """No lock that another process holds is seen in this one."""
    monkeypatch.setattr("fcntl.flock", lambda file, mode: None)


@pytest.fixture
def other(tmp_path: Path, start: Callable[..., subprocess.Popen[str]]) -> subprocess.Popen[str]:
    """A live process of the other machine, in the middle of its work in the store."""
    process = start(OTHER, tmp_path / "store")
    assert process.stdout and process.stdout.readline() == "ready\n"
    return process


def tell(process: subprocess.Popen[str]) -> str:
    """Let the other process go on; return the line that it prints then."""
    assert process.stdin and process.stdout
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline()


def test_files_of_a_live_process_on_another_machine_are_left_alone(
    no_locks: None, other: subprocess.Popen[str], tmp_path: Path
) -> None:
    with Store(tmp_path / "store") as store:
        store.ledger("calls").compact()
        assert store.claims("calls").read_interrupted() == []
        assert tell(other) == "done\n"
        found = store.ledger("calls").get_many([b"1" * 16, b"2" * 16])
    assert found == {b"1" * 16: {"n": 1}, b"2" * 16: {"n": 2}}


def test_files_of_another_machine_that_did_not_change_for_a_week_are_taken_over(
    no_locks: None, other: subprocess.Popen[str], tmp_path: Path
) -> None:
    tell(other)
    other.kill()
    other.wait()
    root = tmp_path / "store"
    old = [*root.glob("tmp/*"), *root.glob("ledgers/calls/*.journal"), *root.glob("claims/*/*.log")]
    assert len(old) == 3
    for path in old:
        time = path.stat().st_mtime - TAKE_OVER_SECONDS - 60
        os.utime(path, (time, time))
    with Store(root) as store:
        store.ledger("calls").compact()
        assert store.claims("calls").read_interrupted() == [(b"3" * 16, "now")]
        assert len(store.ledger("calls").get_many([b"1" * 16, b"2" * 16])) == 2
    assert not list(root.glob("tmp/*")) and not list(root.glob("ledgers/calls/*.journal"))


def test_files_that_state_no_machine_are_those_of_this_one(no_locks: None, tmp_path: Path) -> None:
    with scratch(tmp_path) as folder:
        named = folder.rename(tmp_path / "0123456789abcdef")
        sweep(tmp_path)
        assert not named.exists()
    with Claims(tmp_path / "a") as claims:
        claims.log_start(b"1" * 16, "x")
        [log] = (tmp_path / "a").glob("*.log")
        log.rename(tmp_path / "0.log")
    with Claims(tmp_path) as claims:
        assert claims.read_interrupted() == [(b"1" * 16, "x")]


def test_two_machines_that_merge_the_same_parts_lose_no_record(
    no_locks: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = {bytes([n]) * 16: {"n": n} for n in range(module.MERGE_COUNT)}
    for key, record in records.items():
        with Ledger(tmp_path) as ledger:
            ledger.put_many({key: record})
            monkeypatch.setattr(module, "_find_mergeable", lambda parts: {})
            ledger.compact()
    monkeypatch.undo()
    monkeypatch.setattr("fcntl.flock", lambda file, mode: None)
    assert len(list(tmp_path.glob("*.parquet"))) == module.MERGE_COUNT
    publish, here = module.publish, Ledger(tmp_path)
    here.put_many({b"x" * 16: {"n": "x"}})

    def publish_second(temporary: Path, final: Path) -> None:
        monkeypatch.setattr(module, "publish", publish)
        with monkeypatch.context() as other, Ledger(tmp_path) as there:
            other.setattr("socket.gethostname", lambda: "other")
            there.put_many({b"y" * 16: {"n": "y"}})
            there.compact()
        publish(temporary, final)

    monkeypatch.setattr(module, "publish", publish_second)
    here.compact()
    expected = {**records, b"x" * 16: {"n": "x"}, b"y" * 16: {"n": "y"}}
    assert Ledger(tmp_path).get_many(expected) == expected


def test_a_part_that_another_machine_has_merged_is_looked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.put_many({b"1" * 16: {"n": 1}})
        ledger.compact()
        assert ledger.get_many([b"1" * 16])
        read = pq.ParquetFile.read_row_group

        def fail_once(*args: object) -> object:
            monkeypatch.setattr(pq.ParquetFile, "read_row_group", read)
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

        monkeypatch.setattr(pq.ParquetFile, "read_row_group", fail_once)
        assert ledger.get_many([b"1" * 16]) == {b"1" * 16: {"n": 1}}
