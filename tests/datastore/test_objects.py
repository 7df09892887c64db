"""Objects: digests that depend on the rows alone, atomic and durable files, constant memory."""

import random
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datastore.errors import StoreError
from datastore.objects import ROW_GROUP_SIZE, Objects
from datastore.store import Store

SCHEMA = pa.schema([("id", pa.binary(16)), ("text", pa.string()), ("tags", pa.list_(pa.string()))])


def batch(start: int, stop: int) -> pa.RecordBatch:
    numbers = range(start, stop)
    return pa.RecordBatch.from_arrays(
        [
            pa.array([n.to_bytes(16, "big") for n in numbers], pa.binary(16)),
            pa.array([None if n % 7 == 0 else f"row {n} " * (n % 30) for n in numbers]),
            pa.array([["a", str(n)][: n % 3] for n in numbers]),
        ],
        schema=SCHEMA,
    )


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return Store(tmp_path / "store").objects


def leftovers(objects: Objects) -> list[Path]:
    return list(objects.locate("0" * 64).parents[2].glob("tmp/*"))


def test_rows_are_read_in_the_order_in_which_they_were_written(objects: Objects) -> None:
    rows = batch(0, 50_001)
    digest = objects.write([rows], SCHEMA)
    assert pa.Table.from_batches(objects.read(digest)) == pa.Table.from_batches([rows])
    assert objects.rows(digest) == 50_001
    texts = pa.Table.from_batches(objects.read(digest, ["text"]))
    assert texts.column_names == ["text"]
    groups = pq.ParquetFile(objects.path(digest)).metadata
    sizes = [groups.row_group(n).num_rows for n in range(groups.num_row_groups)]
    assert sizes == [ROW_GROUP_SIZE, ROW_GROUP_SIZE, 10_001]
    objects.check(digest)


def test_equal_rows_are_read_without_the_row_groups_that_have_none(
    objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = pa.schema([("text", pa.string()), ("number", pa.int32())])
    numbers = sorted([n // 3_000 for n in range(60_000)] + [7] * 25_000)
    rows = pa.RecordBatch.from_arrays(
        [pa.array(map(str, range(len(numbers)))), pa.array(numbers, pa.int32())], schema=schema
    )
    digest = objects.write([rows], schema)
    groups, read = list[int](), pq.ParquetFile.iter_batches
    monkeypatch.setattr(
        pq.ParquetFile,
        "iter_batches",
        lambda file, *args, **named: groups.extend(named["row_groups"]) or read(file, **named),
    )
    for number in (0, 7, 19, 20):
        found = [
            row
            for batch in objects.read_equal(digest, "number", number)
            for row in batch.to_pylist()
        ]
        assert [row["text"] for row in found] == [
            str(place) for place, each in enumerate(numbers) if each == number
        ]
    assert groups == [0, 1, 2, 4], "one row group, and two that share the number 7"


@settings(max_examples=5)
@given(cuts=st.lists(st.integers(0, 30_000), max_size=12))
def test_the_digest_does_not_depend_on_the_batches(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    objects = Store(tmp_path_factory.mktemp("store")).objects
    limits = [0, *sorted(cuts), 30_000]
    fresh = [batch(*pair) for pair in pairwise(limits)]
    whole = batch(0, 30_000)
    sliced = [whole.slice(a, b - a) for a, b in pairwise(limits)]
    assert objects.write(fresh, SCHEMA) == objects.write(sliced, SCHEMA)
    assert objects.write(fresh, SCHEMA) == objects.write([whole], SCHEMA)


def test_different_rows_or_a_different_order_change_the_digest(objects: Objects) -> None:
    digests = {
        objects.write([batch(0, 10)], SCHEMA),
        objects.write([batch(0, 11)], SCHEMA),
        objects.write([batch(5, 10), batch(0, 5)], SCHEMA),
        objects.write([], SCHEMA),
    }
    assert len(digests) == 4


def test_an_object_that_exists_is_not_written_again_unless_it_is_damaged(objects: Objects) -> None:
    digest = objects.write([batch(0, 100)], SCHEMA)
    path = objects.path(digest)
    first = path.stat()
    assert objects.write([batch(0, 100)], SCHEMA) == digest
    assert path.stat() == first
    path.write_bytes(path.read_bytes()[:-1])
    assert objects.write([batch(0, 100)], SCHEMA) == digest
    objects.check(digest)


def test_an_object_may_have_no_rows(objects: Objects) -> None:
    digest = objects.write([], SCHEMA)
    assert objects.rows(digest) == 0
    assert list(objects.read(digest)) == []


def test_compatible_columns_are_cast_and_other_columns_are_refused(objects: Objects) -> None:
    schema = pa.schema([("id", pa.binary(16))])
    loose = pa.record_batch({"id": pa.array([b"x" * 16], pa.binary())})
    assert next(objects.read(objects.write([loose], schema))).schema == schema
    with pytest.raises(ValueError, match="names"):
        objects.write([pa.record_batch({"other": [1]})], schema)


def test_an_exception_of_the_rows_passes_and_leaves_nothing_behind(objects: Objects) -> None:
    def rows() -> Iterator[pa.RecordBatch]:
        yield batch(0, 30_000)
        raise TimeoutError("the upstream is gone")

    with pytest.raises(TimeoutError, match="upstream"):
        objects.write(rows(), SCHEMA)
    assert leftovers(objects) == []
    assert not list(objects.locate("0" * 64).parents[1].rglob("*.parquet"))


def test_damage_and_absence_are_reported_in_one_line(objects: Objects) -> None:
    digest = objects.write([batch(0, 1000)], SCHEMA)
    path = objects.path(digest)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(
        StoreError, match=r"damaged: its sha256 is .*\. Rebuild its version; 'curator"
    ):
        objects.check(digest)
    path.write_bytes(data[:50])
    with pytest.raises(StoreError, match="damaged"):
        objects.rows(digest)
    assert objects.write([batch(0, 1000)], SCHEMA) == digest
    objects.check(digest)
    path.unlink()
    assert not objects.has(digest)
    with pytest.raises(StoreError, match=r"missing\. Rebuild its version"):
        next(objects.read(digest))
    with pytest.raises(StoreError, match="64 hexadecimal"):
        objects.path("../../etc/passwd")


def test_every_way_to_read_an_object_checks_its_bytes(objects: Objects) -> None:
    digest = objects.write([batch(0, 1000)], SCHEMA)
    path = objects.path(digest)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    ways: list[Callable[[], object]] = [
        lambda: objects.path(digest),
        lambda: objects.rows(digest),
        lambda: next(objects.read(digest)),
        lambda: next(objects.read(digest, ["tags"])),
        lambda: objects.check(digest),
        lambda: objects.check_all([digest]),
    ]
    for read in ways:
        with pytest.raises(StoreError, match=r"is damaged: its sha256 is [0-9a-f]{16}…\. Rebuild"):
            read()
    assert objects.locate(digest) == path and objects.has(digest)


def test_many_objects_are_inspected_in_order_and_each_once(objects: Objects) -> None:
    digests = [objects.write([batch(n, n + 9)], SCHEMA) for n in range(40)]
    Objects.check(objects, digests[0])
    objects.locate(digests[7]).write_bytes(b"PAR1")
    objects.locate(digests[9]).unlink()
    fresh = Objects(objects.locate(digests[0]).parents[2])
    found = list(fresh.inspect([*digests, digests[3], "x"]))
    assert [digest for digest, _ in found] == [*digests, "x"]
    assert [digest for digest, error in found if error] == [digests[7], digests[9], "x"]
    with pytest.raises(StoreError, match=f"{digests[7]}.parquet is damaged"):
        fresh.check_all(digests)


def test_other_files_among_the_objects_are_listed_apart(objects: Objects) -> None:
    digest = objects.write([batch(0, 5)], SCHEMA)
    folder = objects.locate(digest).parents[1]
    wrong_place = folder / f"zz/{digest}.parquet"
    for path in (wrong_place, folder / "notes.txt", folder / digest[:2] / "a.parquet"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    found, others = objects.list_files()
    assert found == [digest]
    assert {path.name for path in others} == {wrong_place.name, "notes.txt", "a.parquet"}


WRITER = """
import sys
from pathlib import Path
from datastore.store import Store
import pyarrow as pa
objects = Store(Path(sys.argv[1])).objects
number = int(sys.argv[2])
while True:
    number += 1
    column = pa.array([f"{number} {row}" * 20 for row in range(10_000)])
    schema = pa.schema([("a", pa.string())])
    print(objects.write([pa.record_batch([column], schema=schema)], schema), flush=True)
"""


def test_a_killed_writer_leaves_only_complete_objects(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    root = tmp_path / "store"
    rng = random.Random(5)
    acknowledged: list[str] = []
    for kill in range(3):
        writer = start(WRITER, root, kill * 1000)
        assert writer.stdout
        acknowledged.append(writer.stdout.readline().strip())
        time.sleep(rng.random() * 0.2)
        writer.kill()
        acknowledged += [line.strip() for line in writer.communicate()[0].splitlines()]
    objects = Store(root).objects
    assert leftovers(objects) == []
    present = [path.stem for path in (root / "objects").rglob("*.parquet")]
    assert len(acknowledged) >= 3
    assert set(acknowledged) <= set(present)
    for digest in present:
        objects.check(digest)


MEMORY = """
import resource, sys
from pathlib import Path
import pyarrow as pa
from datastore.store import Store
objects = Store(Path(sys.argv[1])).objects
schema = pa.schema([("a", pa.string())])
def rows(count):
    for start in range(0, count, 5_000):
        yield pa.record_batch([[f"{n} " * 200 for n in range(start, start + 5_000)]], schema=schema)
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
objects.write(rows(60_000), schema)
first = peak()
digest = objects.write(rows(240_000), schema)
assert sum(batch.num_rows for batch in objects.read(digest)) == 240_000
print(first, peak())
"""


def test_memory_does_not_grow_with_the_rows(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    first, last = map(int, start(MEMORY, tmp_path / "store").communicate()[0].split())
    assert last < first + 150  # MB; the rows are 310 MB
