"""Pieces of a file have the records and places of the whole file, or it is not cut."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curator.sources.readers import detect, pieces
from curator.sources.readers.detect import cut, read_records
from curator.sources.readers.pieces import NotCut

BOM = b"\xef\xbb\xbf"
KEYS = st.sampled_from(["k", "key", ",", ":", 'a"b', "é", ""])
TEXTS = st.sampled_from(
    ["", "x", '}, {"k"', '},{"k": 1}, {"k"', ", {", ",{", "\n", '\\"', "ü]", "[", '"', "a, {", "\\"]
) | st.text(max_size=6)
LEAVES = TEXTS | st.integers(-9, 9) | st.none() | st.just(float("nan"))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)
RECORDS = st.lists(OBJECTS.map(lambda each: {"k": 1, **each}) | OBJECTS | VALUES, max_size=12)
BROKEN = st.sampled_from(
    [
        b'{"k": ',
        b'{"k": 1, "k": {"k": 2}}',
        b'{"k": "\xff"}',
        b"{'k': 1}",
        b'{"k": 1}}',
        b'{"k": "',
        b'{"k": [1',
        b"]",
        b"2]",
        b"\xe2\x82",
        b'{"k": 1} {"k": 2}',
        b"[" * 3,
        b"",
    ]
)
LAYOUTS: list[dict[str, Any]] = [
    {"separators": (",", ":")},
    {"indent": 1},
    {"indent": "\t"},
    {"separators": (", ", ": "), "ensure_ascii": False},
]


def compare(path: Path, size: int) -> int:
    """Check that the pieces of a file give what the whole gives; return their number."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PIECE_BYTES", size)
        patch.setattr(detect, "PIECE_BYTES", size)
        found = cut(path)
    whole = list(read_records(path, "f"))
    assert not found or (found[-1].stop == path.stat().st_size and len(found) > 1)
    try:
        read = [record for piece in found for record in read_records(path, "f", piece)]
    except NotCut:
        return 0
    # `repr`, since NaN differs from itself.
    assert not found or repr(read) == repr(whole)
    return len(found)


# The fixture's folder may be shared by all examples: each of them writes its file again.
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400)
@given(
    records=RECORDS,
    broken=st.lists(st.tuples(st.integers(0, 12), BROKEN), max_size=2),
    layout=st.sampled_from(LAYOUTS),
    between=st.sampled_from([b",", b", ", b",\n", b",\r\n", b" ,", b",,"]),
    around=st.sampled_from([(b"[", b"]"), (BOM + b" [\n", b"\n]\n"), (b"[", b"] x"), (b"[", b"")]),
    size=st.integers(1, 60),
)
def test_the_pieces_of_a_list_have_the_records_and_places_of_the_whole_file(
    tmp_path: Path,
    records: list[object],
    broken: list[tuple[int, bytes]],
    layout: dict[str, Any],
    between: bytes,
    around: tuple[bytes, bytes],
    size: int,
) -> None:
    elements = [json.dumps(each, **layout).encode("utf-8", "surrogatepass") for each in records]
    for place, raw in broken:
        elements.insert(place, raw)
    path = tmp_path / "list.json"
    path.write_bytes(around[0] + between.join(elements) + around[1])
    compare(path, size)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    records=RECORDS,
    broken=st.lists(st.tuples(st.integers(0, 12), BROKEN), max_size=3),
    end=st.sampled_from([b"\n", b"\r\n"]),
    start=st.sampled_from([b"", BOM, b"\n", BOM + b"\n"]),
    last=st.sampled_from([b"", b"\n", b"\n\n", b" "]),
    size=st.integers(1, 60),
)
def test_the_pieces_of_a_file_of_lines_have_the_records_and_places_of_the_whole_file(
    tmp_path: Path,
    records: list[object],
    broken: list[tuple[int, bytes]],
    end: bytes,
    start: bytes,
    last: bytes,
    size: int,
) -> None:
    lines = [json.dumps(each).encode() for each in records]
    for place, raw in broken:
        lines.insert(place, raw)
    path = tmp_path / "rows.jsonl"
    path.write_bytes(start + end.join(lines) + last)
    compare(path, size)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("between", [b",", b",\n", b",\r\n    "])
def test_a_list_of_records_of_one_form_is_cut(
    tmp_path: Path, layout: dict[str, Any], between: bytes
) -> None:
    records = [{"k": number, "text": f'}}, {{"k" {number}'} for number in range(40)]
    path = tmp_path / "list.json"
    elements = [json.dumps(each, **layout).encode() for each in records]
    path.write_bytes(BOM + b"[" + between.join(elements) + b"]\n")
    assert compare(path, 100) > 5


def test_a_file_of_lines_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"k": {number}}}\n\n' for number in range(40)))
    assert compare(path, 50) > 5


@pytest.mark.parametrize(
    "text",
    [
        '[{"k": [1, {"k": 2}]}, {"other": 3}, {"k": [1, {"k": 2}]}, {"other": 3}]',
        '[{"k": 1}, [2, {"k": 3}], {"k": 4}, {"other": 5}, {"k": 6}]',
        '[{":": 1}, {"a, {":"b"}, {":": 2}, {"a, {":"b"}]',
    ],
)
@pytest.mark.parametrize("size", range(1, 40))
def test_a_place_inside_an_element_that_looks_like_a_record_cuts_no_record(
    tmp_path: Path, text: str, size: int
) -> None:
    path = tmp_path / "list.json"
    path.write_text(text)
    compare(path, size)


def test_a_file_whose_records_are_longer_than_what_is_searched_is_not_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "SEARCHED", 50)
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"k": "{"x" * 300}"}}\n' * 3)
    assert compare(path, 20) == 0
