"""What a parser would lose silently: equal names, and what comes before damage."""

import bz2
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curator.core.model import QuarantinedRecord
from curator.sources.readers.detect import read_records

TWICE = '{"question": "one", "answer": "1", "answer": "2"}'


def read(path: Path) -> tuple[list[dict[str, object]], list[tuple[str, str, str]]]:
    """The rows of a file, and what was not read: place, reason, details."""
    rows, bad = [], []
    for record in read_records(path, path.name):
        if isinstance(record, QuarantinedRecord):
            bad.append((record.place, record.reason, record.raw))
        else:
            rows.append(dict(record[1]))
    return rows, bad


@pytest.mark.parametrize(
    "text",
    [
        f'{{"a": 1}}\n{TWICE}\n{{"a": 2}}\n',
        f'[{{"a": 1}}, {TWICE}, {{"a": 2}}]',
        f'{{"a":\n 1}}\n{TWICE}\n{{"a": 2}}\n',
        f'{{"a": 1}}\n{{"inner": {TWICE}}}\n{{"a": 2}}\n',
        f'{{"a": 1}}\n{{"turns": [{TWICE}]}}\n{{"a": 2}}\n',
        f'{{"data": [{{"a": 1}}, {TWICE}, {{"a": 2}}]}}',
    ],
)
def test_a_record_with_a_key_twice_is_refused_and_the_others_are_read(
    text: str, tmp_path: Path
) -> None:
    path = tmp_path / "rows.json"
    path.write_text(text)
    rows, bad = read(path)
    assert [row["a"] for row in rows] == [1, 2]
    assert [reason for _, reason, _ in bad] == ["a key occurs twice"]
    assert bad[0][0] in ("rows.json:2", "rows.json:3", "rows.json:4")


def test_two_records_with_the_same_id_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text('{"x": {"a": 1}, "x": {"a": 2}}')
    assert [reason for _, reason, _ in read(path)[1]] == ["a key occurs twice"]


def write_csv(path: Path) -> None:
    path.write_text("q,answer,answer\none,1,2\n")


def write_parquet(path: Path) -> None:
    columns = [pa.array(["one"]), pa.array(["1"]), pa.array(["2"])]
    pq.write_table(pa.Table.from_arrays(columns, names=["q", "answer", "answer"]), path)


def write_arrow(path: Path) -> None:
    columns = [pa.array(["one"]), pa.array(["1"]), pa.array(["2"])]
    batch = pa.RecordBatch.from_arrays(columns, names=["q", "answer", "answer"])
    with pa.OSFile(str(path), "wb") as out, pa.ipc.new_stream(out, batch.schema) as writer:
        writer.write_batch(batch)


@pytest.mark.parametrize(
    ("name", "write"),
    [("t.csv", write_csv), ("t.parquet", write_parquet), ("t.arrow", write_arrow)],
)
def test_a_table_with_two_columns_of_one_name_is_refused(
    name: str, write: Callable[[Path], None], tmp_path: Path
) -> None:
    write(tmp_path / name)
    assert read(tmp_path / name) == ([], [(name, "two columns have the same name", "answer")])


def test_columns_without_a_name_may_repeat(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("q,answer,,\none,1,,\n")
    assert read(path)[0] == [{"q": "one", "answer": "1", "": ""}]


def lines(rows: list[dict[str, str]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def array(rows: list[dict[str, str]]) -> bytes:
    return json.dumps(rows).encode()


def table(rows: list[dict[str, str]]) -> bytes:
    return ("n,text\n" + "".join(f"{row['n']},{row['text']}\n" for row in rows)).encode()


def small_blocks(data: bytes) -> bytes:
    return bz2.compress(data, 1)


def zstd(data: bytes) -> bytes:
    whole: bytes = pa.Codec("zstd").compress(data, asbytes=True)
    return whole


@pytest.mark.parametrize("count", [20, 40_000])
@pytest.mark.parametrize(
    ("suffix", "compress"), [("gz", gzip.compress), ("bz2", small_blocks), ("zst", zstd)]
)
@pytest.mark.parametrize(
    ("form", "write"), [("jsonl", lines), ("json", array), ("csv", table)], ids=lambda x: str(x)[:9]
)
def test_rows_before_the_cut_of_a_compressed_file_are_kept_and_the_loss_has_its_place(
    form: str,
    write: Callable[..., bytes],
    suffix: str,
    compress: Callable[..., bytes],
    count: int,
    tmp_path: Path,
) -> None:
    if suffix != "gz" and count == 20:
        pytest.skip("one block, which expands whole or not at all")
    rows = [{"n": str(n), "text": f"text {n * n * 7919 % 10007}"} for n in range(count)]
    data = write(rows)
    packed = compress(data)
    path = tmp_path / f"rows.{form}.{suffix}"
    path.write_bytes(packed[: len(packed) * 9 // 10])
    read_rows, bad = read(path)
    assert read_rows == rows[: len(read_rows)], "none is missing between, and none is cut"
    assert len(read_rows) > count * (0.5 if suffix == "bz2" else 0.7)
    place, reason, details = bad[-1]
    assert (place, reason) == (path.name, "damaged compressed file")
    assert details.startswith(f"after {path.name}:")
    if suffix == "gz":
        import zlib

        whole = zlib.decompressobj(31).decompress(path.read_bytes())
        assert len(read_rows) >= whole.count(b"text ") - 1, "all that can be expanded is read"
