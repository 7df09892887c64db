"""Streams the rows of a Parquet file in bounded memory, whatever the file expands to.

In: a file. Out: (place, row), and QuarantinedRecord for what is not read. A few bytes of Parquet
can stand for terabytes: rows that name one long entry of a dictionary, lists of a billion empty
elements, pages that decompress a thousandfold. So the headers of all pages of a row group are read
first: they decide how many rows are read at once, or that the file is refused.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Any

from curator.core.model import QuarantinedRecord
from curator.sources.fields import quarantine
from curator.sources.readers.json_array import LONGEST
from curator.sources.readers.parquet_pages import WINDOWS, Chunk, read_chunk
from curator.sources.readers.repeated import SAME_NAME, repeated_names
from curator.sources.readers.thrift import weigh_struct
from curator.sources.source import Row

AT_ONCE = 128 << 20
"""Maximum bytes that a batch of rows may decode to."""
PAGES = 512 << 20
"""Maximum bytes of the decompressed pages that are in memory at the same time."""
ONE_ROW = 256 << 20
"""Maximum bytes that one row with lists may decode to, apart from what the file itself contains."""
EXPANSION = 100
"""Maximum size of all rows, as a multiple of the file's, if it is more than `UNPACKED`."""
UNPACKED = 512 << 20
EXPANDS = "expands beyond the limit"
"""Reason why a file is not read further; its size and the limit are in the raw text."""
FOOTER = 32 << 20
"""Maximum bytes of the footer."""
PARSED = 512 << 20
"""Maximum bytes that the lists of the footer may be parsed to: 3 bytes can stand for a column."""
FOOTER_TEXT = 512 << 10
"""Maximum bytes of a text in the footer, such as a schema of Arrow, which can be parsed to 500
times its size."""
VALUE = 64
"""Bytes that Python needs for a small value."""

Record = tuple[str, Row] | QuarantinedRecord


class TooLarge(Exception):
    """A file that cannot be read in bounded memory. The message states size and limit."""


def read_parquet(path: Path, name: str, columns: Collection[str] | None = None) -> Iterator[Record]:
    """Yield every row of a Parquet file; for any content, the only exception raised is OSError.

    With `columns`, only these are read; one that the file lacks is not in the rows.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = decoded = 0
    try:
        with path.open("rb") as raw:
            size = _check_footer(raw)
            with pq.ParquetFile(path, pre_buffer=False) as file:
                if twice := repeated_names(file.schema_arrow.names):
                    yield quarantine(name, SAME_NAME, twice)
                    return
                names = None if columns is None else list(columns)
                for group in range(file.num_row_groups):
                    for batch in _read_group(raw, file, group, names):
                        weight = weigh(batch.columns)
                        decoded += weight
                        if decoded > max(UNPACKED, EXPANSION * size):
                            raise TooLarge(
                                f"{_mb(decoded)} from a file of {size:,} bytes; the limit is "
                                f"{_mb(UNPACKED)} or {EXPANSION} times the file"
                            )
                        for value in to_rows(batch, weight):
                            count += 1
                            place = f"{name}:{count}"
                            bad = isinstance(value, str)
                            yield quarantine(place, value, "") if bad else (place, value)
    except TooLarge as error:
        yield quarantine(f"{name}:{count + 1}", EXPANDS, str(error))
    except (pa.ArrowException, OSError, ValueError) as error:
        yield quarantine(f"{name}:{count + 1}", "not Parquet", str(error))


def read_schema(path: Path) -> Any:
    """Return the schema of a Parquet file. Raises ValueError or ArrowException if it has none."""
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as raw:
            _check_footer(raw)
    except TooLarge as error:
        raise ValueError(str(error)) from None
    with pq.ParquetFile(path, pre_buffer=False) as file:
        return file.schema_arrow


def _check_footer(raw: IO[bytes]) -> int:
    """Return the size of the file; raise TooLarge if its footer is too large to parse."""
    whole = raw.seek(0, 2)
    if whole < 12:
        return whole
    raw.seek(-8, 2)
    size = int.from_bytes(raw.read(4), "little")
    if size > whole - 12:
        raise ValueError(f"the footer claims {size:,} bytes of a file of {whole:,}")
    if size > FOOTER:
        raise TooLarge(f"the footer has {_mb(size)}; the limit is {_mb(FOOTER)}")
    raw.seek(whole - 8 - size)
    parsed, text = weigh_struct(raw.read(size), PARSED)
    if parsed > PARSED:
        raise TooLarge(f"the footer of {size:,} bytes is parsed to more than {_mb(PARSED)}")
    if text > FOOTER_TEXT:
        raise TooLarge(f"a text in the footer has {text:,} bytes; the limit is {FOOTER_TEXT:,}")
    return whole


def _read_group(raw: IO[bytes], file: Any, group: int, names: list[str] | None) -> Iterator[Any]:
    """Yield the batches of a row group."""
    import pyarrow.parquet as pq

    chunks = _read_chunks(raw, file, group, names)
    rows = _rows_at_once(chunks)
    dictionaries = [each.path for each in chunks if _needs_dictionary(each)]
    if not dictionaries:
        yield from file.iter_batches(rows, [group], names)
        return
    # Without `read_dictionary`, each value would be a copy of its entry.
    with pq.ParquetFile(raw.name, pre_buffer=False, read_dictionary=dictionaries) as encoded:
        yield from encoded.iter_batches(rows, [group], names)


def _read_chunks(raw: IO[bytes], file: Any, group: int, names: list[str] | None) -> list[Chunk]:
    metadata, resident = file.metadata.row_group(group), 0
    chunks = []
    for number in range(metadata.num_columns):
        column, schema = metadata.column(number), file.schema.column(number)
        if names is not None and schema.path.partition(".")[0] not in names:
            continue
        text = schema.physical_type == "BYTE_ARRAY"
        width = schema.length if schema.physical_type == "FIXED_LEN_BYTE_ARRAY" else 12
        chunk = Chunk(schema.path, schema.max_repetition_level > 0, text, width)
        chunk.stored = column.total_compressed_size
        read_chunk(raw, chunk, column, PAGES)
        resident += chunk.largest_page + 2 * chunk.dictionary
        if resident > PAGES:
            raise TooLarge(
                f"pages that are needed at once unpack to more than {_mb(PAGES)} "
                f"(column {schema.path[:60]}: {_mb(chunk.largest_page + chunk.dictionary)})"
            )
        chunks.append(chunk)
    return chunks


def _needs_dictionary(chunk: Chunk) -> bool:
    return chunk.nested and chunk.text and chunk.by_dictionary * chunk.longest_entry > AT_ONCE


def _rows_at_once(chunks: list[Chunk]) -> int:
    """Return how many rows of a row group are read at once; raise TooLarge if one is too many."""
    nested = 0
    for chunk in chunks:
        if not chunk.nested:
            continue
        # All values may belong to one row.
        width = 16 if chunk.text else chunk.width + 8
        fixed = chunk.values * width
        if chunk.text:
            fixed += chunk.unpacked
            if not _needs_dictionary(chunk):
                fixed += chunk.by_dictionary * chunk.longest_entry
            if chunk.repeats:
                fixed += chunk.values * chunk.largest_page
        nested += fixed - 8 * chunk.stored
        if nested > ONE_ROW:
            raise TooLarge(
                f"lists of column {chunk.path[:60]} decode to {_mb(fixed)} "
                f"({chunk.values:,} values from {chunk.stored:,} bytes); "
                f"the limit is {_mb(ONE_ROW)}"
            )
    for rows in WINDOWS:
        if sum(_cost(each, rows) for each in chunks if not each.nested) <= AT_ONCE:
            return rows
    return 1


def _cost(chunk: Chunk, rows: int) -> int:
    """Return the maximum bytes that a number of rows of a flat column decode to."""
    if not chunk.text:
        return rows * chunk.width
    entry = chunk.longest_entry if chunk.by_dictionary else 0
    repeated = chunk.largest_page if chunk.repeats else 0
    return chunk.windows[rows] + rows * (entry + repeated)


_NOT_CONVERTED = (ValueError, OverflowError, LookupError)
"""What pyarrow raises for a value that Python cannot hold; LookupError for an unknown time zone."""


def to_rows(batch: Any, weight: int) -> Iterator[Any]:
    """Yield each row as a dict, or the reason why it is not one."""
    if weight <= LONGEST:
        try:
            yield from batch.to_pylist()
            return
        except _NOT_CONVERTED:
            pass  # convert the rows one by one, so that only those that fail are lost
    for at in range(batch.num_rows):
        row = batch.slice(at, 1)
        if weigh(row.columns) > LONGEST:
            yield "longer than 16 MB"
            continue
        try:
            yield row.to_pylist()[0]
        except UnicodeDecodeError:
            yield "not UTF-8"
        except _NOT_CONVERTED:
            yield "a time or date that cannot be read"


def weigh(columns: Any) -> int:
    """Return about how many bytes the values are in Python."""
    import pyarrow as pa
    import pyarrow.compute as pc

    total = 0
    for column in columns:
        kind = column.type
        if isinstance(kind, pa.BaseExtensionType):
            total += weigh([column.storage])
        elif pa.types.is_dictionary(kind):
            lengths = pc.binary_length(column.dictionary).take(column.indices)
            total += (pc.sum(lengths).as_py() or 0) + column.indices.nbytes
        elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_map(kind):
            inner = column.flatten() if not pa.types.is_map(kind) else _entries(column)
            total += column.nbytes if not len(inner) else VALUE * len(inner) + weigh([inner])
        elif pa.types.is_fixed_size_list(kind):
            inner = column.flatten()
            total += VALUE * len(inner) + weigh([inner])
        elif pa.types.is_struct(kind):
            total += VALUE * len(column) * kind.num_fields + weigh(column.flatten())
        else:
            total += column.nbytes
    return int(total)


def _entries(column: Any) -> Any:
    """Return the (key, value) structures of a map array, for its own slice only."""
    import pyarrow as pa

    pairs = pa.StructArray.from_arrays([column.keys, column.items], ["key", "value"])
    first, last = column.offsets[0].as_py(), column.offsets[-1].as_py()
    return pairs.slice(first, last - first)


def _mb(size: int) -> str:
    return f"{size / (1 << 20):,.0f} MB"
