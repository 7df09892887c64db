"""Parquet whose headers lie: the reader here and pyarrow must not understand them differently."""

import base64
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curator.sources.readers.detect import read_records
from curator.sources.readers.parquet_pages import WINDOWS, Chunk, read_chunk
from curator.sources.readers.thrift import STRUCT_BYTES, read_struct, weigh_struct
from tests.sources.readers.test_memory import read

I32, I64, TEXT, LIST, STRUCT = 5, 6, 8, 9, 12
MANY = 2_000_000_000


def varint(number: int) -> bytes:
    head = b""
    while number > 127:
        head += bytes([number & 127 | 128])
        number >>= 7
    return head + bytes([number])


def number(value: int) -> bytes:
    return varint(value << 1)


def text(value: bytes) -> bytes:
    return varint(len(value)) + value


def elements(kind: int, *values: bytes) -> bytes:
    return bytes([0xF0 | kind]) + varint(len(values)) + b"".join(values)


def fields(*members: tuple[int, int, bytes]) -> bytes:
    """Return a structure; each member states its own id, so that ids can repeat."""
    return b"".join(bytes([kind]) + number(each) + raw for each, kind, raw in members) + b"\0"


def page(kind: int, size: int, *details: tuple[int, int, bytes]) -> bytes:
    sizes = ((each, I32, number(value)) for each, value in ((1, kind), (2, size), (3, size)))
    return fields(*sizes, *details)


def page_details(count: bytes, *more: tuple[int, int, bytes]) -> bytes:
    encodings = ((each, I32, number(value)) for each, value in ((2, 0), (3, 3), (4, 3)))
    return fields((1, I32, count), *encodings, *more)


def element(name: bytes, *members: tuple[int, int, bytes]) -> bytes:
    return fields(*members, (4, TEXT, text(name)))


LISTS = (
    element(b"q", (3, I32, number(1)), (5, I32, number(1))),
    element(b"list", (3, I32, number(2)), (5, I32, number(1))),
    element(b"e", (1, I32, number(6)), (3, I32, number(1))),
)
"""The schema of a column of lists of texts."""


def footer(
    *groups: bytes,
    columns: int = 1,
    schema: tuple[bytes, ...] = LISTS,
    values: tuple[tuple[int, int, bytes], ...] = (),
) -> bytes:
    return fields(
        (1, I32, number(2)),
        (2, LIST, elements(STRUCT, element(b"s", (5, I32, number(columns))), *schema)),
        (3, I64, number(1)),
        (4, LIST, elements(STRUCT, *groups)),
        *values,
    )


def group(pages: bytes, values: int) -> bytes:
    """Return a row group of one row, which is a list."""
    column = fields(
        (1, I32, number(6)),
        (2, LIST, elements(I32, number(0), number(3))),
        (3, LIST, elements(TEXT, text(b"q"), text(b"list"), text(b"e"))),
        (4, I32, number(0)),
        (5, I64, number(values)),
        (6, I64, number(len(pages))),
        (7, I64, number(len(pages))),
        (9, I64, number(4)),
    )
    chunk = fields((2, I64, number(4)), (3, STRUCT, column))
    return fields(
        (1, LIST, elements(STRUCT, chunk)), (2, I64, number(len(pages))), (3, I64, number(1))
    )


def write(path: Path, pages: bytes, end: bytes) -> Path:
    path.write_bytes(b"PAR1" + pages + end + len(end).to_bytes(4, "little") + b"PAR1")
    return path


REPEATS = number(1) + b"\0" + number(MANY - 1) + b"\1"
PRESENT = number(MANY) + b"\2"
"""Levels of one row that is a list of two billion nulls, in 20 bytes."""
LEVELS_1 = b"".join(struct.pack("<I", len(each)) + each for each in (REPEATS, PRESENT))
DETAILS_2 = fields(
    *((each, I32, number(value)) for each, value in ((1, MANY), (2, 0), (3, 1), (4, 0))),
    (5, I32, number(len(PRESENT))),
    (6, I32, number(len(REPEATS))),
    (7, 2, b""),
)


def a_count_that_is_stated_twice() -> bytes:
    details = page_details(number(MANY), (1, I64, number(1)))
    return page(0, len(LEVELS_1), (5, STRUCT, details)) + LEVELS_1


def a_count_of_another_field_id() -> bytes:
    details = page_details(number(1), ((1 << 16) + 1, I32, number(MANY)))
    return page(0, len(LEVELS_1), (5, STRUCT, details)) + LEVELS_1


def a_count_of_more_bits() -> bytes:
    details = page_details(varint((MANY << 1) + (1 << 40) + 1))
    return page(0, len(LEVELS_1), (5, STRUCT, details)) + LEVELS_1


def details_of_another_type_of_page() -> bytes:
    details = (5, STRUCT, page_details(number(1))), (8, STRUCT, DETAILS_2)
    return page(3, len(REPEATS + PRESENT), *details) + REPEATS + PRESENT


@pytest.mark.parametrize(
    ("make", "seen"),
    [
        (a_count_that_is_stated_twice, "a structure has a field twice"),
        (a_count_of_another_field_id, "one that does not exist"),
        (a_count_of_more_bits, "a number is longer than its type"),
        (details_of_another_type_of_page, "2,000,000,000 values from"),
    ],
)
def test_a_page_header_that_can_be_understood_in_two_ways_is_not_read(
    make: Callable[[], bytes], seen: str, tmp_path: Path
) -> None:
    counts, raw = read(write(tmp_path / "rows.parquet", make(), footer(group(make(), MANY))))
    assert sum(counts.values()) == 1
    assert seen in raw


def many_columns_of_a_row_group() -> bytes:
    chunks = bytes([0xF0 | STRUCT]) + varint(1_000_000) + b"\x26\0\0" * 1_000_000
    return footer(*[fields((1, LIST, chunks), (2, I64, b"\0"), (3, I64, b"\0"))] * 9)


def many_columns() -> bytes:
    return footer(columns=900_000, schema=LISTS[2:] * 900_000)


def a_schema_of_arrow_that_repeats_itself() -> bytes:
    pair = fields(
        (1, TEXT, text(b"ARROW:schema")), (2, TEXT, text(base64.b64encode(bytes(1 << 20))))
    )
    return footer(values=((5, LIST, elements(STRUCT, pair)),))


@pytest.mark.parametrize(
    ("make", "limit"),
    [
        (many_columns_of_a_row_group, "is parsed to more than 512 MB"),
        (many_columns, "is parsed to more than 512 MB"),
        (a_schema_of_arrow_that_repeats_itself, "the limit is 524,288"),
    ],
)
def test_a_footer_that_is_parsed_to_gigabytes_is_refused(
    make: Callable[[], bytes], limit: str, tmp_path: Path
) -> None:
    counts, raw = read(write(tmp_path / "rows.parquet", b"", make()))
    assert counts == {"expands beyond the limit": 1}
    assert limit in raw


def test_pages_without_values_take_no_memory(tmp_path: Path) -> None:
    pages = (page(0, 0, (5, STRUCT, page_details(number(0))))) * 20_000
    path = write(tmp_path / "rows.parquet", pages, footer(group(pages, 1)))
    column = pq.read_metadata(path).row_group(0).column(0)
    chunk = Chunk("q", nested=True, text=True, width=12)
    tracemalloc.start()
    with path.open("rb") as file:
        read_chunk(file, chunk, column, 1 << 20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert chunk.windows == dict.fromkeys(WINDOWS, 0)
    assert peak < 200_000


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_headers_of_every_version_and_their_statistics_are_read(
    tmp_path: Path, version: str
) -> None:
    path = tmp_path / "rows.parquet"
    table = pa.table({"q": [f"question {n}" for n in range(5_000)], "n": list(range(5_000))})
    pq.write_table(
        table,
        path,
        data_page_version=version,
        row_group_size=700,
        write_page_index=True,
        write_page_checksum=True,
        store_decimal_as_integer=True,
    )
    assert len(list(read_records(path, "rows.parquet"))) == 5_000


def test_the_footer_of_many_ordinary_row_groups_weighs_little(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    row = pa.table({f"c{n}": ["a text of some length " * 20, "b"] for n in range(10)})
    with pq.ParquetWriter(path, row.schema, write_page_index=True) as writer:
        for _ in range(300):
            writer.write_table(row)
    raw = path.read_bytes()
    size = int.from_bytes(raw[-8:-4], "little")
    weight, longest = weigh_struct(raw[-8 - size : -8], 512 << 20)
    assert 3_000 * STRUCT_BYTES < weight < 10 << 20
    assert longest < 10_000


def test_a_header_that_is_cut_is_told_from_one_that_is_not_valid() -> None:
    whole = page(0, 1, (5, STRUCT, page_details(number(3))))
    values, end = read_struct(whole + b"more")
    assert (values[1], values[5][1], end) == (0, 3, len(whole))
    with pytest.raises(IndexError):
        read_struct(whole[:-1])
    with pytest.raises(ValueError, match="unknown type"):
        read_struct(b"\x1d\0\0")
