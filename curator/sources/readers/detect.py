"""Rows of a data file with their places, streamed; the format is told by content, not by name.

In: a file of JSON lines, one JSON list, Lila's `{"Instances": […]}`, Parquet, CSV, or a zip with
one JSON record a member. Out: (place, row) in file order, and Quarantined for whatever is not a
row. A place is `train.jsonl:17`: the line of JSON lines and CSV, else the record's number, from
1. Nothing is unpacked to disk or executed; memory stays flat whatever the file holds.
"""

import csv
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from curator.core.model import Quarantined
from curator.sources.fields import quarantined
from curator.sources.readers import json_array
from curator.sources.source import Row

LONGEST = json_array.LONGEST
ZIP_MEMBERS = 1_000_000
ZIP_BYTES = 8 << 30

Found = tuple[str, Row] | Quarantined


def read(path: Path, name: str) -> Iterator[Found]:
    """Every record of a file. Whatever the bytes are, nothing is raised but OSError."""
    with path.open("rb") as file:
        head = file.read(1 << 20)
    if head[:4] == b"PAR1" or path.suffix == ".parquet":
        return _parquet(path, name)
    if head[:4] == b"PK\x03\x04" or path.suffix == ".zip":
        return _zip(path, name)
    if path.suffix == ".csv":
        return _csv(path, name)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start == b"[":
        return _list(path, name, json_array.WHOLE)
    if start == b"{" and json_array.INSTANCES[0].search(head.decode("utf-8", "replace")):
        return _list(path, name, json_array.INSTANCES)
    return _lines(path, name)


def _record(place: str, raw: bytes) -> Found:
    try:
        found = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError:
        return quarantined(place, "not UTF-8", raw)
    except json.JSONDecodeError:
        return quarantined(place, "not JSON", raw)
    except RecursionError:
        return quarantined(place, "nested too deeply", raw)
    except ValueError:
        return quarantined(place, "a number has too many digits", raw)
    return _row(place, found)


def _row(place: str, found: object) -> Found:
    if isinstance(found, dict):
        return place, found
    return quarantined(place, "not a JSON object", found)


def _lines(path: Path, name: str) -> Iterator[Found]:
    with path.open("rb") as file:
        for line_number, (line, whole) in enumerate(_bounded(file), 1):
            place = f"{name}:{line_number}"
            if not whole:
                yield quarantined(place, "longer than 16 MB", line)
            elif plain := line.removeprefix(b"\xef\xbb\xbf").strip():
                yield _record(place, plain)


def _bounded(file: IO[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Lines, and whether each is whole; of one longer than 16 MB only the beginning is kept."""
    while line := file.readline(LONGEST):
        whole = len(line) < LONGEST or line.endswith(b"\n")
        rest = line
        while not rest.endswith(b"\n") and len(rest) == LONGEST:
            rest = file.readline(LONGEST)
        yield line, whole


def _list(path: Path, name: str, brackets: json_array.Brackets) -> Iterator[Found]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as stream:
        for count, found in enumerate(json_array.elements(stream, brackets), 1):
            place = f"{name}:{count}"
            if isinstance(found, json_array.Malformed):
                yield quarantined(place, found.reason, found.raw)
            else:
                yield _row(place, found)


def _csv(path: Path, name: str) -> Iterator[Found]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        rows = csv.DictReader(iter(lambda: stream.readline(LONGEST), ""), strict=True)
        while True:
            try:
                row: dict[str | None, Any] | None = next(rows, None)
            except csv.Error as error:
                yield quarantined(f"{name}:{rows.line_num}", "not CSV", str(error))
                continue
            if row is None:
                return
            place = f"{name}:{rows.line_num}"
            if None in row or None in row.values():
                yield quarantined(place, "wrong number of columns", list(row.values()))
            else:
                yield place, {str(key): cell for key, cell in row.items()}


def _parquet(path: Path, name: str) -> Iterator[Found]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = 0
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            for batch in file.iter_batches(batch_size=1_000):
                for found in _cells(batch):
                    count += 1
                    place = f"{name}:{count}"
                    if found is None:
                        yield quarantined(place, "not UTF-8", "")
                    else:
                        yield _row(place, found)
    except (pa.ArrowException, OSError, ValueError) as error:
        yield quarantined(f"{name}:{count + 1}", "not Parquet", str(error))


def _cells(batch: Any) -> Iterable[object]:
    try:
        return batch.to_pylist()  # type: ignore[no-any-return]
    except UnicodeDecodeError:
        # One cell is not UTF-8: take the rows one by one, so that only its row is lost.
        return (_cell(batch.slice(at, 1)) for at in range(batch.num_rows))


def _cell(row: Any) -> object:
    try:
        return row.to_pylist()[0]
    except UnicodeDecodeError:
        return None


def _zip(path: Path, name: str) -> Iterator[Found]:
    """Members ending in .json, by name. Read in place: no member's path is ever used on disk."""
    left = ZIP_BYTES
    try:
        with zipfile.ZipFile(path) as archive:
            members = sorted(
                each.filename
                for each in archive.infolist()
                if not each.is_dir() and not each.filename.startswith("__MACOSX/")
            )
            if len(members) > ZIP_MEMBERS:
                yield quarantined(name, "too many members", f"{len(members)} members")
                return
            for member in members:
                place = f"{name}/{member}"
                found, size = _member(archive, member, place)
                left -= size
                if left < 0:
                    yield quarantined(place, "the archive unpacks to more than 8 GB", "")
                    return
                yield found
    except (zipfile.BadZipFile, OSError, ValueError, EOFError) as error:
        yield quarantined(name, "not a zip archive", str(error))


def _member(archive: zipfile.ZipFile, member: str, place: str) -> tuple[Found, int]:
    if not member.endswith(".json"):
        return quarantined(place, "not a JSON member", ""), 0
    try:
        with archive.open(member) as file:
            raw = file.read(LONGEST + 1)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, OSError, ValueError, EOFError) as error:
        return quarantined(place, "damaged or locked member", str(error)), 0
    if len(raw) > LONGEST:
        return quarantined(place, "longer than 16 MB", raw), len(raw)
    return _record(place, raw.removeprefix(b"\xef\xbb\xbf")), len(raw)
