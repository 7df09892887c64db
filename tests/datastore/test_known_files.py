"""Known files: no file is hashed twice, and no change of a file goes unnoticed."""

import os
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from datastore import known_files
from datastore.errors import StoreError
from datastore.known_files import KnownFiles
from datastore.store import Store


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is old enough that a change must change its time."""
    monkeypatch.setattr(known_files, "SETTLED_NS", -1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"one")
    return path


def hash_of(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def is_known(path: Path, cache: Path) -> bool:
    return KnownFiles(cache).knows(path, hash_of(path))


@pytest.mark.usefixtures("old")
def test_a_file_is_known_to_later_processes_until_it_changes(file: Path, tmp_path: Path) -> None:
    cache = tmp_path / "known-files"
    assert KnownFiles(cache).sha256(file) == hash_of(file)
    assert is_known(file, cache)
    file.write_bytes(b"two2")
    assert not is_known(file, cache)
    assert KnownFiles(cache).sha256(file) == hash_of(file)


@pytest.mark.usefixtures("old")
def test_a_changed_byte_is_noticed_although_size_and_time_are_restored(
    file: Path, tmp_path: Path
) -> None:
    known, before = KnownFiles(tmp_path / "known-files"), file.stat()
    known.sha256(file)
    while file.stat().st_ctime_ns == before.st_ctime_ns:  # the clock of the file system is coarse
        file.write_bytes(b"two")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_mtime_ns == before.st_mtime_ns
    assert known.sha256(file) == sha256(b"two").hexdigest()


@pytest.mark.usefixtures("old")
def test_a_file_replaced_by_another_one_is_noticed(file: Path, tmp_path: Path) -> None:
    known, before = KnownFiles(tmp_path / "known-files"), file.stat()
    known.sha256(file)
    other = tmp_path / "other"
    other.write_bytes(b"two")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.rename(file)
    assert known.sha256(file) == sha256(b"two").hexdigest()


@pytest.mark.parametrize("year", [1990, 2500])
def test_a_file_that_has_just_changed_is_hashed_again_whatever_its_time_says(
    file: Path, tmp_path: Path, year: int
) -> None:
    time = (year - 1970) * 365 * 86_400
    os.utime(file, (time, time))
    KnownFiles(tmp_path / "known-files").sha256(file)
    assert not is_known(file, tmp_path / "known-files")


@pytest.mark.usefixtures("old")
@pytest.mark.parametrize(
    "garbage",
    [b"", b"00000000\n", b"\0" * 300, b"\n\n \n", b"\xff" * 50 + b"\n", b"a b c 00000000\n"],
)
def test_a_torn_or_garbled_list_costs_no_more_than_one_hash(
    file: Path, tmp_path: Path, garbage: bytes
) -> None:
    cache = tmp_path / "known-files"
    KnownFiles(cache).sha256(file)
    line = cache.read_bytes()
    for damaged in (garbage, garbage + line, line[:-20] + garbage + line, line[:-9], b"0" + line):
        cache.write_bytes(damaged)
        assert KnownFiles(cache).sha256(file) == hash_of(file)
        assert KnownFiles(cache).sha256(file) == hash_of(file)
    cache.unlink()
    cache.mkdir()
    assert KnownFiles(cache).sha256(file) == hash_of(file)


@pytest.mark.usefixtures("old")
def test_a_reader_knows_files_but_adds_none(file: Path, tmp_path: Path) -> None:
    cache = tmp_path / "known-files"
    KnownFiles(cache, readonly=True).sha256(file)
    assert not cache.exists()


def test_processes_that_append_at_once_lose_no_line(
    tmp_path: Path, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    program = """
import sys
from pathlib import Path
from datastore import known_files
known_files.SETTLED_NS = -1
known = known_files.KnownFiles(Path(sys.argv[1]))
for path in sorted(Path(sys.argv[2]).iterdir()):
    known.sha256(path)
"""
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(300):
        (folder / str(number)).write_bytes(b"%d" % number)
    running = [start(program, tmp_path / "known-files", folder) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    known = KnownFiles(tmp_path / "known-files")
    assert all(known.knows(path, hash_of(path)) for path in folder.iterdir())


def change_a_byte_but_no_time(store: Store, digest: str) -> None:
    """Imitate a disk that changes bytes: what is known is as if the file had always been so."""
    path = store.objects.locate(digest)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    store.known_files.add(path, digest)
    store.objects.check(digest)


def test_what_a_verification_finds_is_known_to_later_builds(tmp_path: Path) -> None:
    import pyarrow as pa

    schema = pa.schema([("text", pa.string())])
    with Store(tmp_path / "store") as store:
        digest = store.objects.write([pa.record_batch([["a"]], schema=schema)], schema)
        change_a_byte_but_no_time(store, digest)
    with Store(tmp_path / "store", readonly=True) as store:
        [(_, error)] = store.objects.inspect([digest], again=True)
        assert "is damaged" in str(error)
    with Store(tmp_path / "store") as store, pytest.raises(StoreError, match="is damaged"):
        store.objects.check(digest)
