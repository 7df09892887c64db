"""Streams the rows of an Arrow file (IPC file or stream, as `datasets` caches them).

In: a file. Out: (place, row), and QuarantinedRecord for what is not read. The file is mapped, not
loaded. Compressed buffers and types whose rows need no bytes are refused: a few bytes of them can
stand for gigabytes. Every batch is validated before its values are read.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curator.core.model import QuarantinedRecord
from curator.sources.fields import quarantine
from curator.sources.readers.parquet import EXPANDS, EXPANSION, UNPACKED, VALUE, to_rows, weigh
from curator.sources.readers.pieces import Piece
from curator.sources.readers.repeated import SAME_NAME, repeated_names
from curator.sources.readers.unpack import Broken
from curator.sources.source import Row

MAGIC = b"ARROW1\x00\x00"
END = b"\xff\xff\xff\xff\0\0\0\0"
CONTINUED = b"\xff\xff\xff\xff"
"""What each message of a stream begins with."""
ALIGNMENT = 64
"""Bytes to multiples of which a writer may pad what it writes."""
AT_ONCE = 1_000
"""Rows that become Python objects at once."""
COMPRESSION = 3
"""Field of a batch's header that names its compression."""


def read_arrow(
    path: Path, name: str, piece: Piece | None
) -> Iterator[tuple[str, Row] | QuarantinedRecord]:
    """Yield every row of an Arrow file. Raises OSError or, for any content, only Broken."""
    import pyarrow as pa

    count = decoded = 0
    limit = max(UNPACKED, EXPANSION * path.stat().st_size)
    try:
        with pa.memory_map(str(path)) as file:
            start = len(MAGIC) if file.read(len(MAGIC)) == MAGIC else 0
            file.seek(start)
            complete = _check_messages(file)
            file.seek(start)
            for batch in pa.ipc.open_stream(file):
                batch.validate(full=True)
                # Rows without columns take memory, too.
                decoded += weigh(batch.columns) + VALUE * batch.num_rows * (1 + batch.num_columns)
                if decoded > limit:
                    raise Broken(EXPANDS, f"to more than {limit >> 20:,} MB")
                for at in range(0, batch.num_rows, AT_ONCE):
                    part = batch.slice(at, AT_ONCE)
                    for value in to_rows(part, weigh(part.columns)):
                        count += 1
                        place, bad = f"{name}:{count}", isinstance(value, str)
                        yield quarantine(place, value, "") if bad else (place, value)
        if not complete:
            raise Broken("not Arrow", "it has no end mark, or content after it")
    except (pa.ArrowException, OSError, ValueError, struct.error) as error:
        raise Broken("not Arrow", str(error)) from None


def _check_messages(file: Any) -> bool:
    """Return whether the file ends behind its last batch.

    Raises Broken if it has compressed buffers, or types that expand without bytes.
    """
    import pyarrow as pa

    start = file.tell()
    try:
        schema = pa.ipc.read_schema(file)
    except (pa.ArrowException, OSError):
        file.seek(start)
        if start and file.read(len(CONTINUED)) != CONTINUED:
            raise Broken(
                "an Arrow file whose batches are no stream, as Polars writes it: write Parquet", ""
            ) from None
        raise
    if twice := repeated_names(schema.names):
        raise Broken(SAME_NAME, twice)
    for field in schema:
        if _expands(field.type):
            raise Broken("an Arrow type that is not read: write Parquet", str(field)[:1000])
    while True:
        try:
            message = pa.ipc.read_message(file)
        except EOFError:
            return _has_end(file)
        if _is_compressed(message.metadata.to_pybytes()):
            raise Broken("an Arrow file with compressed buffers: write Parquet", "")


def _has_end(file: Any) -> bool:
    """Return whether what follows the last batch is an end mark and, in an IPC file, one footer."""
    end = file.tell()
    file.seek(max(0, end - len(END)))
    marked = file.read(len(END)) == END
    file.seek(0)
    if file.read(len(MAGIC)) != MAGIC:
        return bool(marked and end == file.size())
    # The footer is followed by its length in four bytes, and by the magic.
    closing = 4 + len(MAGIC.rstrip(b"\0"))
    file.seek(max(0, file.size() - closing))
    tail = file.read()
    footer = file.size() - end - closing - int.from_bytes(tail[:4], "little")
    return bool(tail[4:] == MAGIC.rstrip(b"\0") and 0 <= footer < ALIGNMENT)


def _expands(kind: Any) -> bool:
    """Return whether many values of a type may share the same bytes."""
    import pyarrow as pa

    if isinstance(kind, pa.BaseExtensionType):
        return _expands(kind.storage_type)
    kinds = (
        "list_view",
        "large_list_view",
        "run_end_encoded",
        "string_view",
        "binary_view",
        "union",
    )
    return any(getattr(pa.types, f"is_{name}")(kind) for name in kinds) or any(
        _expands(kind.field(number).type) for number in range(kind.num_fields)
    )


def _is_compressed(metadata: bytes) -> bool:
    """Return whether the header of a batch has the field `compression`.

    The header is a flatbuffer: a table starts with the distance to its list of field offsets.
    """
    message = _u32(metadata, 0)
    header = _field(metadata, message, 2)
    if not header:
        return False
    table = header + _u32(metadata, header)
    kind = metadata[_field(metadata, message, 1)]
    if kind == 2:  # a dictionary, whose values are a batch
        inner = _field(metadata, table, 1)
        table = inner + _u32(metadata, inner)
    return kind in (2, 3) and bool(_field(metadata, table, COMPRESSION))


def _u32(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", data, at)[0])


def _field(data: bytes, table: int, number: int) -> int:
    """Return the offset of a field of a table; 0 if the table lacks it."""
    fields = table - int(struct.unpack_from("<i", data, table)[0])
    size = int(struct.unpack_from("<H", data, fields)[0])
    at = 4 + 2 * number
    offset = int(struct.unpack_from("<H", data, fields + at)[0]) if at < size else 0
    return table + offset if offset else 0
