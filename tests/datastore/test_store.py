"""The store: its format, its errors, and its behaviour on a full or read-only disk."""

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from datastore import store as module
from datastore.errors import StoreError
from datastore.files import scratch
from datastore.memo import MemoKey
from datastore.migrations import FORMAT, MIGRATIONS
from datastore.store import Store
from tests.paths import DATA

SCHEMA = pa.schema([("a", pa.binary())])
CASES = json.loads((DATA / "datastore" / "formats.json").read_text("utf-8"))


def noise(megabytes: int) -> Iterator[pa.RecordBatch]:
    for _ in range(megabytes):
        yield pa.record_batch([[os.urandom(1000) for _ in range(1000)]], schema=SCHEMA)


def tree(root: Path) -> dict[str, bytes]:
    """Every file but locks, with its content."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.parent.name != "locks"
    }


def test_a_folder_whose_name_is_not_utf_8_is_rejected(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/s\xff"))
    with pytest.raises(StoreError, match="is not valid UTF-8"):
        Store(folder)
    assert not folder.exists()


def test_a_store_whose_format_is_damaged_says_how_to_restore_it(tmp_path: Path) -> None:
    fill_store(tmp_path / "it's a store")
    path = tmp_path / "it's a store" / "FORMAT"
    data = path.read_bytes()
    for place in range(len(data)):
        for bit in range(8):
            changed = bytes([data[place] ^ 1 << bit])
            path.write_bytes(data[:place] + changed + data[place + 1 :])
            try:
                Store(path.parent).close()
            except StoreError as error:
                assert str(error).isprintable()
                if "Upgrade Curator" in str(error):
                    continue
                assert "its file FORMAT reads b'" in str(error)
                command = str(error).partition("run: ")[2]
                assert subprocess.run(command, shell=True).returncode == 0
            assert path.read_bytes().startswith(b"mathcurator store, format ")
            with Store(path.parent) as store:
                assert store.versions.get("m").ref == "m@1"
            assert path.read_bytes() == data


def fill_store(root: Path) -> tuple[str, str]:
    """Put one of everything into the store; return the names of the object and the version."""
    with Store(root) as store:
        digest = store.objects.write(noise(1), SCHEMA)
        store.memo.run_once(MemoKey("stage", 1, {}, []), lambda: ({"rows": digest}, {}))
        store.ledger("calls").put_many({b"k" * 16: {"n": 1}})
        return digest, store.versions.create("m", {"a": 1}, None, "", {"rows": digest}).ref


def has_content(store: Store, names: tuple[str, str]) -> bool:
    store.objects.check(names[0])
    memo = store.memo.get(MemoKey("stage", 1, {}, []))
    return bool(
        memo
        and memo.objects["rows"] == names[0]
        and store.versions.get("m").ref == names[1]
        and store.ledger("calls").get_many([b"k" * 16]) == {b"k" * 16: {"n": 1}}
    )


def test_a_copy_without_empty_folders_is_a_store(tmp_path: Path) -> None:
    names = fill_store(tmp_path / "store")
    shutil.rmtree(tmp_path / "store" / "locks")
    shutil.rmtree(tmp_path / "store" / "tmp")
    with Store(tmp_path / "store") as store:
        assert has_content(store, names)


def test_a_new_store_has_the_newest_format_and_opens_again(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "store"
    names = fill_store(root)
    assert (root / "FORMAT").read_text() == f"mathcurator store, format {FORMAT}\n"
    assert has_content(Store(root), names) and has_content(Store(root, readonly=True), names)
    assert list(MIGRATIONS) == list(range(1, FORMAT + 1))


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case["text"]))
@pytest.mark.parametrize("readonly", [False, True])
def test_a_newer_or_foreign_store_is_refused_in_one_line_and_not_changed(
    tmp_path: Path, case: dict[str, str], readonly: bool
) -> None:
    (tmp_path / "FORMAT").write_text(case["text"], "utf-8")
    with pytest.raises(StoreError, match=case["error"]) as caught:
        Store(tmp_path, readonly)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["FORMAT"]


def test_a_folder_with_other_files_is_refused_and_not_changed(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(StoreError, match=r"is not a store\. Choose an empty"):
        Store(tmp_path)
    with pytest.raises(StoreError, match="Not a directory"):
        Store(tmp_path / "thesis.tex")
    assert tree(tmp_path) == {"thesis.tex": b"precious"}


def test_reading_a_missing_store_does_not_create_it(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="There is no store at"):
        Store(tmp_path / "store", readonly=True)
    assert os.listdir(tmp_path) == []


def later(root: Path) -> None:
    (root / "later").mkdir(exist_ok=True)


def test_an_older_store_is_migrated_and_keeps_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = fill_store(tmp_path / "store")
    monkeypatch.setitem(MIGRATIONS, FORMAT + 1, later)
    monkeypatch.setattr(module, "FORMAT", FORMAT + 1)

    def refuse(root: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(module, "_prepare", refuse)
        with pytest.raises(StoreError, match=f"older format {FORMAT} and cannot be updated"):
            Store(tmp_path / "store", readonly=True)
    assert has_content(Store(tmp_path / "store", readonly=True), names)
    assert has_content(Store(tmp_path / "store"), names)
    assert (tmp_path / "store" / "later").is_dir()
    assert f"format {FORMAT + 1}\n" in (tmp_path / "store" / "FORMAT").read_text()


def test_a_store_in_use_is_not_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = Store(tmp_path / "store")
    monkeypatch.setitem(MIGRATIONS, FORMAT + 1, later)
    monkeypatch.setattr(module, "FORMAT", FORMAT + 1)
    with pytest.raises(StoreError, match=r"in use by other processes\. Stop them"):
        Store(tmp_path / "store")
    user.close()
    Store(tmp_path / "store")


def test_a_killed_migration_is_finished_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = fill_store(tmp_path / "store")

    def killed(root: Path) -> None:
        later(root)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "FORMAT", FORMAT + 1)
    monkeypatch.setitem(MIGRATIONS, FORMAT + 1, killed)
    with pytest.raises(KeyboardInterrupt):
        Store(tmp_path / "store")
    monkeypatch.setitem(MIGRATIONS, FORMAT + 1, later)
    assert has_content(Store(tmp_path / "store"), names)


OPENER = """
import sys
from pathlib import Path
from datastore.memo import MemoKey
from datastore.store import Store
store = Store(Path(sys.argv[1]))
print("open", flush=True)
"""


def test_several_processes_can_create_one_store_at_once(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    openers = [start(OPENER, tmp_path / "store") for _ in range(4)]
    assert [opener.communicate()[0] for opener in openers] == ["open\n"] * 4
    Store(tmp_path / "store")


def test_opening_sweeps_files_of_dead_processes_and_none_of_live_ones(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    store = Store(tmp_path / "store")
    program = (
        OPENER.replace("print(", "engine = store.engine()\nprint(")
        + "import time; time.sleep(6000)"
    )
    dead, live = (start(program, tmp_path / "store") for _ in range(2))
    for process in (dead, live):
        assert process.stdout and "open" in process.stdout.readline()
    with scratch(store.root / "tmp") as mine:
        assert len(os.listdir(store.root / "tmp")) == 3
        dead.kill()
        dead.wait()
        Store(tmp_path / "store")
        assert len(os.listdir(store.root / "tmp")) == 2 and mine.is_dir()


def test_a_full_disk_is_one_clear_line_and_leaves_the_store_intact(disk: Path) -> None:
    names = fill_store(disk / "store")
    store = Store(disk / "store")
    before = tree(disk / "store")
    with pytest.raises(StoreError, match=r"No space left on device\. Free some space") as caught:
        store.objects.write(noise(20), SCHEMA)
    assert "\n" not in str(caught.value)
    assert tree(disk / "store") == before
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    (disk / "filler").write_bytes(bytes(free))
    with pytest.raises(StoreError, match="No space left"):
        store.versions.create("m", {"a": "x" * 5000}, None, "", {})
    with pytest.raises(StoreError, match="No space left"):
        store.memo.run_once(MemoKey("other", 1, {}, []), lambda: ({}, {}))
    (disk / "filler").unlink()
    assert has_content(Store(disk / "store"), names)
    assert tree(disk / "store") == before
    assert store.versions.create("m", {"a": "x" * 5000}, None, "", {}).number == 2


def test_a_read_only_store_is_read_and_refuses_writing_in_one_line(
    disk: Path, make_read_only: Callable[[Path], None]
) -> None:
    names = fill_store(disk / "store")
    make_read_only(disk)
    for root in (disk / "store", disk / "new"):
        with pytest.raises(
            StoreError, match=r"Read-only file system\. Use another store"
        ) as caught:
            Store(root)
        assert "\n" not in str(caught.value)
    store = Store(disk / "store", readonly=True)
    assert has_content(store, names)
    assert store.ledger("none").get_many([b"k" * 16]) == {}
    with store.engine() as engine:
        path = str(store.objects.path(names[0]))
        assert engine.sql("SELECT count(*) FROM read_parquet($p)", {"p": path}).fetchall() == [
            (1000,)
        ]
    for write in (
        lambda: store.objects.write(noise(1), SCHEMA),
        lambda: store.memo.run_once(MemoKey("other", 1, {}, []), lambda: ({}, {})),
        lambda: store.ledger("calls").put_many({b"z" * 16: {}}),
        lambda: store.versions.create("m", {"a": 2}, None, "", {}),
    ):
        with pytest.raises(StoreError, match="Read-only file system"):
            write()
