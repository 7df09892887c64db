"""Reads the headers of Parquet as pyarrow does: Thrift's compact protocol.

In: the bytes of a page header or of a footer. Out: the numbers of the header; how much memory the
footer takes. What this reader and pyarrow could understand differently is rejected, since a header
that says one thing here and another one there would lift every limit: a field that occurs twice, a
number of another type, a number or a field id that pyarrow cuts to fewer bits.

The format: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from typing import Any

Fields = dict[int, Any]
"""32-bit numbers and structures by field id; other values are None."""

STRUCT_BYTES, INNER_BYTES, ELEMENT_BYTES = 2 << 10, 128, 64
"""Bytes that pyarrow needs for an element of a list: for a structure, for one in two more lists,
and for any other value. A column of the schema takes 3 kB, that of a row group less than 1 kB, and
within that one are only encodings and pairs of texts."""
MAX_LEVELS = 16
"""Maximum number of structures and lists inside each other; Parquet has 7."""
MAX_ID = (1 << 15) - 1


def read_struct(raw: bytes) -> tuple[Fields, int]:
    """Return the fields of the structure at the start of some bytes, and where it ends.

    Raises IndexError if the bytes end before, ValueError if it is not valid.
    """
    reader = _Reader(raw)
    return reader.read_struct(MAX_LEVELS), reader.at


def weigh_struct(raw: bytes, limit: int) -> tuple[int, int]:
    """Return the bytes that pyarrow needs for the lists of a structure, and for its longest text.

    Stops once the lists need more than `limit`. Raises ValueError if the structure is not valid.
    """
    reader = _Reader(raw, limit)
    try:
        reader.read_struct(MAX_LEVELS)
    except _TooHeavy:
        pass
    except IndexError:
        raise ValueError("the footer ends too early") from None
    return reader.weight, reader.longest


class _TooHeavy(Exception):
    """The lists need more than the limit."""


class _Reader:
    """Reads values from `raw[at:]`, and adds up the weight of lists."""

    def __init__(self, raw: bytes, limit: int = 0) -> None:
        self.raw, self.limit = raw, limit
        self.at = self.weight = self.longest = self.lists = 0

    def read_struct(self, levels: int) -> Fields:
        if not levels:
            raise ValueError("a structure is nested too deeply")
        fields: Fields = {}
        last = 0
        while head := self._byte():
            last = last + (head >> 4) if head >> 4 else self._number(32)
            if last in fields or not 0 < last <= MAX_ID:
                raise ValueError("a structure has a field twice, or one that does not exist")
            kind = head & 15
            # A truth value of a structure is its type; it has no bytes.
            fields[last] = kind == 1 if kind in (1, 2) else self._value(kind, levels - 1)
        return fields

    def _value(self, kind: int, levels: int) -> Any:
        match kind:
            case 1 | 2 | 3:
                self._byte()
            case 5:
                return self._number(32)
            case 4 | 6:
                self._number(64)
            case 7:
                self._skip(8)
            case 8:
                length = self._varint(32)
                self.longest = max(self.longest, length)
                self._skip(length)
            case 9 | 10:
                self._skip_list(levels)
            case 12:
                return self.read_struct(levels)
            case _:
                raise ValueError("a structure has a value of an unknown type")
        return None

    def _skip_list(self, levels: int) -> None:
        head = self._byte()
        kind, size = head & 15, head >> 4 if head >> 4 < 15 else self._varint(32)
        if not levels:
            raise ValueError("a list is nested too deeply")
        self.lists += 1
        struct = STRUCT_BYTES if self.lists < 3 else INNER_BYTES
        for _ in range(size):
            self.weight += struct if kind == 12 else ELEMENT_BYTES
            if self.weight > self.limit:
                raise _TooHeavy
            self._value(kind, levels - 1)
        self.lists -= 1

    def _byte(self) -> int:
        self.at += 1
        return self.raw[self.at - 1]

    def _skip(self, length: int) -> None:
        self.at += length
        if self.at > len(self.raw):
            raise IndexError

    def _number(self, bits: int) -> int:
        number = self._varint(bits)
        return (number >> 1) ^ -(number & 1)

    def _varint(self, bits: int) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if value >> bits or shift > 70:
                raise ValueError("a number is longer than its type")
            if byte < 128:
                return value
