"""Small files that expand to gigabytes are read in bounded memory, or refused with their size."""

import gzip
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.paths import ROOT

LIMIT = 2 << 30
"""Bytes of data that the reading process may have."""
READ = """
import json, resource, sys
from collections import Counter
from pathlib import Path
from curator.core.model import QuarantinedRecord
from curator.sources.readers.detect import read_records
import pyarrow.parquet
path, limit = Path(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
counts, raw = Counter(), ""
for each in read_records(path, path.name):
    if isinstance(each, QuarantinedRecord):
        counts[each.reason] += 1
        raw = each.raw[:300]
    else:
        counts["rows"] += 1
status = Path("/proc/self/status").read_text()
peak = int(status.partition("VmHWM:")[2].split()[0]) << 10
print(json.dumps([counts, raw, peak]))
"""


def read(path: Path) -> tuple[dict[str, int], str]:
    """Read a file in a process of limited memory; return counts and the last raw text."""
    command = [sys.executable, "-c", READ, str(path), str(LIMIT)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    counts, raw, peak = json.loads(done.stdout)
    assert peak < LIMIT
    return counts, raw


def write(path: Path, column: pa.Array, **options: object) -> Path:
    table = pa.table({"question": column})
    pq.write_table(table, path, compression="zstd", store_schema=False, **options)
    assert path.stat().st_size < 200_000
    return path


def repeated(text: str, count: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([text]))


def one_list(values: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), values)


def rows_of_one_long_entry() -> pa.Array:
    return repeated("x" * (1 << 20), 100_000)


def a_list_of_nulls() -> pa.Array:
    return one_list(pa.nulls(50_000_000, pa.string()))


def a_list_of_one_long_entry() -> pa.Array:
    return one_list(repeated("x" * (1 << 16), 4_000))


def a_list_of_empty_lists() -> pa.Array:
    offsets = pa.array(np.zeros(20_000_001, np.int32))
    return one_list(pa.ListArray.from_arrays(offsets, pa.array([], pa.string())))


def a_map_of_nulls() -> pa.Array:
    count = 20_000_000
    keys, values = pa.array(np.zeros(count, np.int8)), pa.nulls(count, pa.int8())
    return pa.MapArray.from_arrays(pa.array([0, count], pa.int32()), keys, values)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (rows_of_one_long_entry, "expands beyond the limit"),
        (a_list_of_nulls, "expands beyond the limit"),
        (a_list_of_one_long_entry, "longer than 16 MB"),
        (a_list_of_empty_lists, "expands beyond the limit"),
        (a_map_of_nulls, "expands beyond the limit"),
    ],
)
def test_a_parquet_file_that_expands_is_refused_with_its_size(
    tmp_path: Path, make: Callable[[], pa.Array], reason: str
) -> None:
    counts, raw = read(write(tmp_path / "rows.parquet", make()))
    assert counts.get(reason) == 1
    if reason.startswith("expands"):
        assert "MB" in raw


def test_a_page_that_decompresses_to_a_gigabyte_is_refused(tmp_path: Path) -> None:
    values = pa.array(["y" * (1 << 20)] * 600)
    path = write(tmp_path / "rows.parquet", values, use_dictionary=False, data_page_size=2 << 30)
    counts, raw = read(path)
    assert counts == {"expands beyond the limit": 1}
    assert "unpack to more than 512 MB" in raw


def test_wide_nulls_are_read_a_few_rows_at_a_time(tmp_path: Path) -> None:
    nulls = pa.nulls(300, pa.binary(1 << 20))
    assert read(write(tmp_path / "rows.parquet", nulls))[0] == {"rows": 300}


def test_long_entries_of_few_rows_are_read(tmp_path: Path) -> None:
    texts = ["a" * 3_000_000, "b" * 2_000_000]
    column = pa.array([[texts[n % 2], "short"] for n in range(60)])
    assert read(write(tmp_path / "rows.parquet", column))[0] == {"rows": 60}


@pytest.mark.parametrize(
    ("size", "reason"), [(100, "not Parquet"), (64 << 20, "expands beyond the limit")]
)
def test_a_footer_that_claims_to_be_huge_is_refused(tmp_path: Path, size: int, reason: str) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"PAR1" + bytes(size) + (40 << 20).to_bytes(4, "little") + b"PAR1")
    assert read(path)[0] == {reason: 1}


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("zeros.gz", lambda: gzip.compress(b"\0" * (900 << 20), 1), "expands beyond the limit"),
        (
            "lines.jsonl.zst",
            lambda: pa.Codec("zstd").compress(b'{"q": "x"}\n' * (60 << 20), asbytes=True),
            "expands beyond the limit",
        ),
        ("lists.json", lambda: b'{"a": [' + b"[]," * 5_000_000 + b"[]]}", "rows"),
        ("more-lists.json", lambda: b'{"a": [' + b"[]," * 6_000_000 + b"[]]}", "one JSON object"),
        ("large.json", lambda: b'{"a": {"b": "' + b"x" * (70 << 20) + b'"}}', "one JSON object"),
        ("nulls.arrow", lambda: arrow(pa.table({"a": pa.nulls(100_000_000)})), "expands beyond"),
        (
            "one-entry.arrow",
            lambda: arrow(pa.table({"a": repeated("x" * (1 << 20), 100_000)})),
            "expands beyond the limit",
        ),
        ("tensors.arrow", lambda: arrow(pa.table({"a": tensors_of_nulls()})), "expands beyond"),
        ("no-columns.arrow", lambda: rows_without_columns(1 << 40), "expands beyond"),
    ],
)
def test_an_expanding_container_is_read_in_bounded_memory(
    tmp_path: Path, name: str, content: Callable[[], bytes], expected: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content())
    counts = read(path)[0]
    assert any(reason.startswith(expected) for reason in counts), counts


def tensors_of_nulls() -> pa.Array:
    size = 2_000_000
    values = pa.FixedSizeListArray.from_arrays(pa.nulls(100 * size), size)
    return pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.null(), [size]), values)


def rows_without_columns(count: int) -> bytes:
    mark = 123_456_789
    rows = pa.table({"a": pa.nulls(mark)}).select([])
    content = arrow(rows)
    assert content.count(mark.to_bytes(8, "little")) == 1
    return content.replace(mark.to_bytes(8, "little"), count.to_bytes(8, "little"))


def arrow(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("line.jsonl", lambda: b'{"q": "' + b"x" * 50_000_000 + b'"}\n{}\n', "longer than 16 MB"),
        ("lists.jsonl", lambda: b'{"q": [' + b"[]," * 5_000_000 + b"[]]}\n", "rows"),
        ("keys.jsonl", lambda: json.dumps({str(n): n for n in range(700_000)}).encode(), "rows"),
        ("lists.json", lambda: b"[" + b"[]," * 300_000 + b"[]]", "not a JSON object"),
        ("open.csv", lambda: b'q,a\n1,2\n"' + b"x" * 50_000_000, "not CSV"),
        ("nul.csv", lambda: b"q,a\n" + b"\0" * 50_000_000, "not CSV"),
        ("lines.csv", lambda: b"q,a\n" + b'"\n0",' * 20_000_000, "longer than 16 MB"),
        ("long.json", lambda: b'[{"q": [' + b'{"":0},' * 4_000_000 + b"0]}]", "longer than 16 MB"),
        ("ragged.csv", lambda: b"q,a\n" + b"," * 5_000_000 + b"\n", "wrong number of columns"),
    ],
)
def test_a_text_file_of_one_huge_record_is_read_in_bounded_memory(
    tmp_path: Path, name: str, content: Callable[[], bytes], expected: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content())
    assert read(path)[0].get(expected, 0) > 0


def test_a_compressed_bomb_is_not_unpacked(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "rows.jsonl.gz", "wb") as file:
        file.write(b"0" * (100 << 20))
    assert "rows" not in read(tmp_path / "rows.jsonl.gz")[0]
    with zipfile.ZipFile(tmp_path / "rows.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", b"0" * (100 << 20))
        archive.writestr("b.json", b"{}")
    assert read(tmp_path / "rows.zip")[0] == {"longer than 16 MB": 1, "rows": 1}
