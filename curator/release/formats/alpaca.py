r"""The format of the released MathInstruct: one JSON array of `source`, `output`, `instruction`.

[
  {
    "source": "data/CoT/aqua_rat.json",
    "output": "Let's think about the multi-choice question.\n…",
    "instruction": "The distance between two stars is 6.52 \u00d7 10^5 light years. …"
  },
"""

from collections.abc import Iterator
from json import JSONEncoder, dumps
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("release_as", "text", "instruction")
"""The columns that these formats write."""
_raw = JSONEncoder(ensure_ascii=False).encode


def array(batches: "Iterator[pa.RecordBatch]", out: BinaryIO) -> int:
    """Write what `json.dump(rows, file, indent=2)` writes, without keeping the rows in memory.

    The order of the keys is that of the released file on the Hub, whose size fits only an indented
    array. Two spaces, ASCII escapes and no final newline are how its authors write other files.
    """
    rows = 0
    for source, output, instruction in _texts(batches):
        head = "[\n  {\n" if rows == 0 else ",\n  {\n"
        out.write(
            (
                f'{head}    "source": {dumps(source)},\n    "output": {dumps(output)},\n'
                f'    "instruction": {dumps(instruction)}\n  }}'
            ).encode("ascii")
        )
        rows += 1
    out.write(b"\n]" if rows else b"[]")
    return rows


def lines(batches: "Iterator[pa.RecordBatch]", out: BinaryIO) -> int:
    """Write JSON Lines in UTF-8 with the same keys."""
    rows = 0
    for source, output, instruction in _texts(batches):
        # A text alone is encoded several times as fast as a dict with texts.
        line = (
            f'{{"source": {_raw(source)}, "output": {_raw(output)}, '
            f'"instruction": {_raw(instruction)}}}\n'
        )
        out.write(line.encode())
        rows += 1
    return rows


def _texts(batches: "Iterator[pa.RecordBatch]") -> Iterator[tuple[str, str, str]]:
    for batch in batches:
        columns = [batch.column(name).to_pylist() for name in COLUMNS]
        yield from zip(*columns, strict=True)
