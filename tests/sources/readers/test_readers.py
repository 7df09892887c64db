"""Reading files: formats are detected from content, and malformed bytes are quarantined."""

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curator.core.model import QuarantinedRecord
from curator.sources.readers import json_array
from curator.sources.readers.detect import read_records
from tests.hostile import Hostile, growth

ROWS = [{"a": "eins", "b": 1}, {"a": "zwei ± π", "b": None}]


def read_file(path: Path) -> list[tuple[str, object]]:
    """Return the place of each record with its row, or with the reason of its quarantine."""
    return [
        (each.place, each.reason) if isinstance(each, QuarantinedRecord) else each
        for each in read_records(path, path.name)
    ]


def parquet(rows: list[dict[str, Any]]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("dev.json", LINES),
        ("rows.jsonl", b"\xef\xbb\xbf" + LINES.replace(b"\n", b"\r\n")),
        ("rows.json", json.dumps(ROWS, indent=2).encode()),
        ("bom.json", b"\xef\xbb\xbf \n" + json.dumps(ROWS).encode()),
        ("lila.json", json.dumps({"Source": "x", "Instances": ROWS, "Metadata": [{}]}).encode()),
        ("rows.bin", parquet(ROWS)),
    ],
)
def test_the_format_is_detected_from_the_content(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert read_file(path) == [(f"{name}:1", ROWS[0]), (f"{name}:2", ROWS[1])]


def test_csv_cells_are_texts_and_lines_of_the_wrong_width_are_quarantined(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('q,a\n"one, ""two""",3\nonly\n1,2,3\n"last\nline",4\n', encoding="utf-8-sig")
    assert read_file(path) == [
        ("rows.csv:2", {"q": 'one, "two"', "a": "3"}),
        ("rows.csv:3", "wrong number of columns"),
        ("rows.csv:4", "wrong number of columns"),
        ("rows.csv:6", {"q": "last\nline", "a": "4"}),
    ]


def test_an_unclosed_quote_in_csv_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('q,a\n1,2\n"open,3\n' + "x,y\n" * 50_000)
    found = read_file(path)
    assert found[0] == ("rows.csv:2", {"q": "1", "a": "2"})
    assert "not CSV" in [reason for _, reason in found[1:]]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": 1', "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": "\xff\xfe"}', "not UTF-8"),
        (b'{"a": "\x00"}', "not JSON"),
        (b"[1, 2]", "not a JSON object"),
        (b"3", "not a JSON object"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "a number has too many digits"),
        (b'{"a": "' + b"x" * (16 << 20) + b'"}', "longer than 16 MB"),
    ],
)
def test_a_malformed_line_is_quarantined_and_the_next_one_read(
    tmp_path: Path, line: bytes, reason: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n' + line + b'\n\n{"a": 2}\n')
    assert read_file(path) == [
        ("rows.jsonl:1", {"a": 1}),
        ("rows.jsonl:2", reason),
        ("rows.jsonl:4", {"a": 2}),
    ]
    quarantined = [
        each for each in read_records(path, path.name) if isinstance(each, QuarantinedRecord)
    ]
    assert len(quarantined[0].raw) <= 10_000
    assert quarantined[0].raw.encode("utf-8")


@pytest.mark.parametrize(
    ("element", "reason"),
    [
        (b'{"a": }', "not JSON"),
        (b'{"a": "open}', "not JSON"),
        (b"{'a': [{}, {}]}", "not JSON"),
        (b'{"a": "line\nbreak"}', "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"7", "not a JSON object"),
    ],
)
def test_a_malformed_element_of_a_list_is_quarantined_and_later_ones_read(
    tmp_path: Path, element: bytes, reason: str
) -> None:
    path = tmp_path / "rows.json"
    path.write_bytes(b'[{"a": 1},\n' + element + b',\n{"b": 1}, {"a": 2}, {"a": 3}\n]')
    found = read_file(path)
    assert found[0] == ("rows.json:1", {"a": 1})
    assert found[1] == ("rows.json:2", reason)
    assert [row for _, row in found[-2:]] == [{"a": 2}, {"a": 3}]


@pytest.mark.parametrize("cut", [1, 30, 40])
def test_a_truncated_list_is_reported_after_its_complete_elements(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "rows.json"
    path.write_bytes(json.dumps([{"a": 1}, {"a": 2}, {"long": "x" * 30}]).encode()[:-cut])
    found = read_file(path)
    assert [row for _, row in found[:2]] == [{"a": 1}, {"a": 2}]
    assert found[-1][1] in ("not JSON", "the file ends inside the list")


def test_text_after_a_list_is_quarantined(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_bytes(b'[{"a": 1}]\n{"a": 2}')
    assert read_file(path) == [("rows.json:1", {"a": 1}), ("rows.json:2", "not JSON")]


def test_invalid_utf8_inside_a_list_becomes_surrogates(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_bytes(b'[{"a": "\xff"}, {"a": 2}]')
    assert read_file(path)[0] == ("rows.json:1", {"a": "\udcff"})


def test_a_long_list_is_streamed_with_bounded_memory() -> None:
    class LongList(io.TextIOBase):
        """A list of 200,000 rows, generated while it is read."""

        largest = 0

        def __init__(self) -> None:
            self.text = self.pieces()

        def pieces(self) -> Iterator[str]:
            yield "["
            for _ in range(199_999):
                yield '{"question": "How many?", "solution": "Some: 1, 2, 3"},\n'
            yield '{"question": "last"}]'

        def read(self, size: int | None = -1) -> str:
            LongList.largest = max(LongList.largest, size or 0)
            out: list[str] = []
            while sum(map(len, out[-1:])) + 57 * len(out) < (size or 0):
                piece = next(self.text, None)
                if piece is None:
                    break
                out.append(piece)
            return "".join(out)

    found = list(json_array.read_elements(LongList(), json_array.WHOLE))
    assert len(found) == 200_000
    assert found[-1] == {"question": "last"}
    assert LongList.largest <= 1 << 20


@pytest.mark.parametrize(
    "element",
    ["{[}, ", '{"a": [}, ', '{"a": "x}, {', '{"a":[{"b":1}, ', '{"b":1}, {"a": "x}, {}, '],
)
def test_a_list_of_malformed_elements_takes_linear_time(
    monkeypatch: pytest.MonkeyPatch, element: str
) -> None:
    monkeypatch.setattr(json_array, "READ_TWICE", 1 << 16)

    def read(text: str) -> None:
        for _ in json_array.read_elements(io.StringIO(text), json_array.WHOLE):
            pass

    assert growth(read, Hostile(element, "[", "]"), 400_000) is None


def test_elements_after_many_nested_ones_are_read() -> None:
    text = '[{"a":1}, ' + '{"a":[{"b":2}, ' * 20_000 + "?}, " + '{"a":3}, {"a":4}]'
    found = list(json_array.read_elements(io.StringIO(text), json_array.WHOLE))
    assert found[0] == {"a": 1}
    assert found[-2:] == [{"a": 3}, {"a": 4}]


def test_damaged_parquet_is_quarantined_with_its_place(tmp_path: Path) -> None:
    whole = parquet(ROWS)
    for content in (b"PAR1" + b"\0" * 50, whole[: len(whole) // 2], b""):
        path = tmp_path / "rows.parquet"
        path.write_bytes(content)
        assert read_file(path) == [("rows.parquet:1", "not Parquet")]


def test_a_parquet_cell_that_is_not_utf8_loses_only_its_row(tmp_path: Path) -> None:
    raw = pa.array([b"good", b"\xff\xfe", b"fine"], pa.binary()).view(pa.string())
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"a": raw}), path)
    assert read_file(path) == [
        ("rows.parquet:1", {"a": "good"}),
        ("rows.parquet:2", "not UTF-8"),
        ("rows.parquet:3", {"a": "fine"}),
    ]


@pytest.mark.parametrize("name", ["rows.parquet", "rows.arrow"])
@pytest.mark.parametrize(
    "times",
    [
        pa.array([0, 1 << 40, 0], pa.timestamp("s")),
        pa.array([0, (1 << 31) - 1, 0], pa.date32()),
        pa.array([None, 0, None], pa.timestamp("s", "Nowhere/Nothing")),
    ],
)
def test_a_time_that_python_cannot_hold_loses_only_its_row(
    tmp_path: Path, name: str, times: pa.Array
) -> None:
    table, path = pa.table({"a": ["x", "y", "z"], "time": times}), tmp_path / name
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        path.write_bytes(_arrow(pa.ipc.new_stream, table))
    [(_, first), second, (_, third)] = read_file(path)
    assert isinstance(first, dict)
    assert first["a"] == "x"
    assert second == (f"{name}:2", "a time or date that cannot be read")
    assert isinstance(third, dict)


@pytest.mark.parametrize("open_file", [pa.ipc.new_file, pa.ipc.new_stream])
def test_an_arrow_file_that_ends_too_early_or_too_late_is_reported_after_its_rows(
    tmp_path: Path, open_file: Any
) -> None:
    whole, path = _arrow(open_file, _table()), tmp_path / "rows.arrow"
    end = whole.rindex(b"\xff\xff\xff\xff\0\0\0\0")
    for content in (whole[:end], whole + whole):
        path.write_bytes(content)
        found = read_file(path)
        assert [row for _, row in found[:2]] == ROWS
        assert found[2:] == [("rows.arrow", "not Arrow")]


def test_an_arrow_file_without_a_stream_inside_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "rows.arrow"
    polars.DataFrame({"a": ["x", "y"]}).write_ipc(path)
    assert [reason for _, reason in read_file(path)] == [
        "an Arrow file whose batches are no stream, as Polars writes it: write Parquet"
    ]


def test_a_zip_is_read_member_by_member_and_nothing_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "math.zip"
    path.write_bytes(
        zipped(
            {
                "math/b.json": b'{"a": 2}',
                "math/a.json": b'{"a": 1}',
                "../../evil.json": b'{"a": 0}',
                "bad.json": b"{",
                "read.me": b"hello",
                "__MACOSX/x.json": b"junk",
            }
        )
    )
    before = set(tmp_path.parent.rglob("*"))
    assert read_file(path) == [
        ("math.zip/../../evil.json", {"a": 0}),
        ("math.zip/bad.json", "not JSON"),
        ("math.zip/math/a.json", {"a": 1}),
        ("math.zip/math/b.json", {"a": 2}),
        ("math.zip/read.me", "not a JSON member"),
    ]
    assert set(tmp_path.parent.rglob("*")) == before


def test_a_zip_bomb_is_cut_at_sixteen_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    path.write_bytes(zipped({"a.json": b'{"a": "' + b"0" * (40 << 20) + b'"}', "b.json": b"{}"}))
    assert path.stat().st_size < 100_000
    assert read_file(path) == [("bomb.zip/a.json", "longer than 16 MB"), ("bomb.zip/b.json", {})]


def test_a_zip_whose_members_expand_a_thousandfold_is_read_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    text = b'{"a": "' + b"0" * (15 << 20) + b'"}'
    path.write_bytes(zipped({f"{n:02}.json": text for n in range(40)}))
    assert path.stat().st_size < 1_000_000
    reasons = [row for _, row in read_file(path) if isinstance(row, str)]
    assert reasons == ["expands beyond the limit"]


def test_a_damaged_zip_is_quarantined(tmp_path: Path) -> None:
    whole = bytearray(zipped({"a.json": b'{"a": 1}' * 50}))
    path = tmp_path / "math.zip"
    path.write_bytes(bytes(whole[:40]))
    assert read_file(path) == [("math.zip", "not a zip archive")]
    whole[40] ^= 0xFF
    path.write_bytes(bytes(whole))
    assert read_file(path) == [("math.zip/a.json", "damaged or locked member")]


def test_a_csv_file_with_many_columns_and_rows_is_read_in_linear_time(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    names = ",".join(f"a{number}" for number in range(100_001))
    path.write_text(names + "\n" + "1\n" * 100_000)
    found = read_file(path)
    assert len(found) == 100_000
    assert {reason for _, reason in found} == {"wrong number of columns"}


def _table() -> pa.Table:
    return pa.Table.from_pylist(ROWS)


def _arrow(open_file: Any, table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    with open_file(sink, table.schema, **options) as writer:
        writer.write_table(table)
    return sink.getvalue()


CONTAINERS = {
    "lines.jsonl.gz": lambda: gzip.compress(LINES),
    "list.json.gz": lambda: gzip.compress(json.dumps(ROWS).encode()),
    "two-members.gz": lambda: gzip.compress(LINES[:20]) + gzip.compress(LINES[20:]),
    "lines.jsonl.zst": lambda: pa.Codec("zstd").compress(LINES, asbytes=True),
    # pzstd writes the size of each frame in front of it.
    "pzstd.zst": lambda: (
        b"\x50\x2a\x4d\x18\4\0\0\0size" + pa.Codec("zstd").compress(LINES, asbytes=True)
    ),
    "lines.bz2": lambda: bz2.compress(LINES),
    "utf-16.jsonl": lambda: LINES.decode().encode("utf-16"),
    "utf-16-no-mark.json": lambda: json.dumps(ROWS).encode("utf-16-le"),
    "utf-16.json.gz": lambda: gzip.compress(json.dumps(ROWS).encode("utf-16")),
    "printed.json": lambda: "\n".join(json.dumps(row, indent=2) for row in ROWS).encode(),
    "one-line.json": lambda: "".join(map(json.dumps, ROWS)).encode(),
    "by-id.json": lambda: json.dumps({"x1": ROWS[0], "x2": ROWS[1]}).encode(),
    "by-number.json": lambda: json.dumps({"0": ROWS[0], "1": ROWS[1]}, indent=1).encode(),
    "columns.json": lambda: json.dumps(
        {key: {str(at): row[key] for at, row in enumerate(ROWS)} for key in ROWS[0]}
    ).encode(),
    "lists.json": lambda: json.dumps({key: [row[key] for row in ROWS] for key in "ab"}).encode(),
    "split.json": lambda: json.dumps(
        {"columns": ["a", "b"], "index": [0, 1], "data": [list(row.values()) for row in ROWS]}
    ).encode(),
    "wrapped.json": lambda: json.dumps({"version": "1", "data": ROWS}).encode(),
    "wrapped-by-id.json": lambda: json.dumps({"data": {"x": ROWS[0], "y": ROWS[1]}}).encode(),
    "own-name.json": lambda: json.dumps({"my_rows": ROWS}).encode(),
    "server.json": lambda: json.dumps({"features": [{"name": "a"}], "rows": ROWS}).encode(),
    "stream.arrow": lambda: _arrow(pa.ipc.new_stream, _table()),
    "file.arrow": lambda: _arrow(pa.ipc.new_file, _table()),
    "dictionary.arrow": lambda: _arrow(
        pa.ipc.new_stream, _table().set_column(0, "a", _table()["a"].dictionary_encode())
    ),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_gives_all_of_its_rows(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(CONTAINERS[name]())
    assert read_file(path) == [(f"{name}:1", ROWS[0]), (f"{name}:2", ROWS[1])]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.tsv", "a\tb\none\t1,5\n"),
        ("semicolons.csv", "a;b\none;1,5\n"),
        ("rows.tsv.gz", gzip.compress(b"a\tb\none\t1,5\n", mtime=0)),
        ("utf-16.tsv", "a\tb\none\t1,5\n".encode("utf-16")),
    ],
)
def test_tables_are_separated_by_tabs_or_semicolons_too(
    tmp_path: Path, name: str, content: str | bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    assert read_file(path) == [(f"{name}:2", {"a": "one", "b": "1,5"})]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (json.dumps({"train": ROWS, "test": ROWS}).encode(), "several lists of rows: give each a"),
        (json.dumps({"data": ROWS, "test": ROWS}).encode(), "several lists of rows: give each a"),
        (b'{"a": ["x", "y"], "b": [1]}', "columns of different lengths: write one record per"),
        (gzip.compress(LINES * 50, mtime=0)[:-20], "damaged compressed file"),
        (pa.Codec("zstd").compress(LINES * 50, asbytes=True)[:-9], "damaged compressed file"),
        (
            gzip.compress(parquet(ROWS), mtime=0),
            "a compressed Parquet, Arrow or zip file: expand it first",
        ),
        (lzma.compress(LINES), "compressed with xz: expand the file first"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer: fetch"),
        (b"\xff\xfe{\x00\x00", "not UTF-16"),
        (_arrow(pa.ipc.new_file, _table())[:-400], "not Arrow"),
        (
            _arrow(pa.ipc.new_file, _table(), options=pa.ipc.IpcWriteOptions(compression="lz4")),
            "an Arrow file with compressed buffers: write Parquet",
        ),
    ],
)
def test_what_is_not_read_is_refused_by_a_reason_that_names_it(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "rows"
    path.write_bytes(content)
    [*_, (_, seen)] = read_file(path)
    assert str(seen).startswith(reason)


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [{"role": "user", "content": "How many?"}]},
        {"question": "How many?", "steps": [{"text": "one"}, {"text": "two"}]},
        {"question": {"text": "How many?"}, "label": {"gold": "2"}},
    ],
)
def test_an_object_that_is_one_record_stays_one(tmp_path: Path, row: dict[str, Any]) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps(row, indent=1))
    assert read_file(path) == [("one.json:1", row)]


def test_a_malformed_printed_record_does_not_take_the_others_with_it(tmp_path: Path) -> None:
    path = tmp_path / "printed.json"
    path.write_text('{\n "a": 1\n}\n{\n "a": oops\n}\n{\n "a": 3\n}\n')
    assert read_file(path) == [
        ("printed.json:1", {"a": 1}),
        ("printed.json:2", "not JSON"),
        ("printed.json:3", {"a": 3}),
    ]


def test_records_without_a_list_end_at_a_bracket_that_is_left_over(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    for text in ('{"a": 1} {"a": 2} ]', '{"a": 1}{"a": 2}\n]]', '{\n"a": 1} {"a": 2} [3] ]'):
        path.write_text(text)
        found = [each for each, _ in zip(read_records(path, path.name), range(50), strict=False)]
        assert 2 <= len(found) < 10
