"""Streams the records of a data file; the format is detected from the content, not the name.

In: a file of JSON Lines, one JSON list, Lila's `{"Instances": […]}`, Parquet, CSV, or a zip with
one JSON record per member. Out: (place, row) in file order, and QuarantinedRecord for anything that
is not a row. A place is `train.jsonl:17`: the line number in JSON Lines and CSV, otherwise the
number of the record, counted from 1. Nothing is unpacked to disk or executed; memory use is
bounded.
"""

import csv
import json
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO, Literal

from curator.core.model import QuarantinedRecord
from curator.sources.fields import quarantine
from curator.sources.readers import json_array
from curator.sources.readers.parquet import EXPANDS, EXPANSION, UNPACKED, read_parquet
from curator.sources.readers.pieces import PIECE_BYTES, NotCut, Piece, cut_lines, cut_list
from curator.sources.source import Row

LONGEST = json_array.LONGEST
TOO_LONG = "longer than 16 MB"
ZIP_MEMBERS = 1_000_000
"""Maximum members of an archive."""

Record = tuple[str, Row] | QuarantinedRecord


Form = Literal["Parquet", "zip", "CSV", "list", "Lila", "lines"]


def read_records(path: Path, name: str, piece: Piece | None = None) -> Iterator[Record]:
    """Yield every record of a file, or of one of its `pieces`.

    For any content, the only exceptions raised are OSError and, for a piece, NotCut: the file then
    has to be read as a whole, and what was yielded of it is void.
    """
    match _detect(path):
        case "Parquet":
            return read_parquet(path, name)
        case "zip":
            return _read_zip(path, name)
        case "CSV":
            return _read_csv(path, name)
        case "list":
            if piece:
                return _read_list_piece(path, name, piece)
            return _read_list(path, name, json_array.WHOLE)
        case "Lila":
            return _read_list(path, name, json_array.INSTANCES)
        case "lines":
            return _read_lines(path, name, piece)


def cut(path: Path) -> list[Piece]:
    """Return the pieces of a large file, of which `read_records` reads one; none for most files."""
    if path.stat().st_size < 2 * PIECE_BYTES:
        return []
    form = _detect(path)
    return cut_list(path) if form == "list" else cut_lines(path) if form == "lines" else []


def _detect(path: Path) -> Form:
    with path.open("rb") as file:
        head = file.read(1 << 20)
    if head[:4] == b"PAR1" or path.suffix == ".parquet":
        return "Parquet"
    if head[:4] == b"PK\x03\x04" or path.suffix == ".zip":
        return "zip"
    if path.suffix == ".csv":
        return "CSV"
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start == b"[":
        return "list"
    if start == b"{" and json_array.INSTANCES[0].search(head.decode("utf-8", "replace")):
        return "Lila"
    return "lines"


def _parse_record(place: str, raw: bytes) -> Record:
    try:
        value = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError:
        return quarantine(place, "not UTF-8", raw)
    except json.JSONDecodeError:
        return quarantine(place, "not JSON", raw)
    except RecursionError:
        return quarantine(place, "nested too deeply", raw)
    except ValueError:
        return quarantine(place, "a number has too many digits", raw)
    return _check_object(place, value)


def _check_object(place: str, value: object) -> Record:
    if isinstance(value, dict):
        return place, value
    return quarantine(place, "not a JSON object", value)


def _read_lines(path: Path, name: str, piece: Piece | None) -> Iterator[Record]:
    with path.open("rb") as whole:
        file: IO[bytes] = whole
        if piece:
            whole.seek(piece.start)
            file = BytesIO(whole.read(piece.stop - piece.start))
        first = piece.before + 1 if piece else 1
        for line_number, (line, complete) in enumerate(_bounded_lines(file), first):
            place = f"{name}:{line_number}"
            if not complete:
                yield quarantine(place, TOO_LONG, line)
            elif stripped := line.removeprefix(b"\xef\xbb\xbf").strip():
                yield _parse_record(place, stripped)


def _bounded_lines(file: IO[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each line and whether it is complete; a line longer than 16 MB is cut."""
    while line := file.readline(LONGEST):
        complete = len(line) < LONGEST or line.endswith(b"\n")
        rest = line
        while not rest.endswith(b"\n") and len(rest) == LONGEST:
            rest = file.readline(LONGEST)
        yield line, complete


def _read_list(path: Path, name: str, brackets: json_array.Brackets) -> Iterator[Record]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as stream:
        for count, value in enumerate(json_array.read_elements(stream, brackets), 1):
            place = f"{name}:{count}"
            if isinstance(value, json_array.Malformed):
                yield quarantine(place, value.reason, value.raw)
            else:
                yield _check_object(place, value)


def _read_list_piece(path: Path, name: str, piece: Piece) -> Iterator[Record]:
    with path.open("rb") as file:
        last = piece.stop == file.seek(0, 2)
        file.seek(piece.start)
        text = file.read(piece.stop - piece.start).decode("utf-8", "surrogateescape")
    # The comma in front of the next piece is the end of this one's list.
    elements = text if last else text.rstrip()[:-1] + "]"
    count = 0
    try:
        for value in json_array.read_whole(elements):
            count += 1
            yield _check_object(f"{name}:{piece.before + count}", value)
    except (ValueError, RecursionError):
        raise NotCut(name) from None
    if count != piece.count:
        raise NotCut(name)


def _read_csv(path: Path, name: str) -> Iterator[Record]:
    size = 0

    def read_line() -> str:
        nonlocal size
        line = stream.readline(LONGEST)
        size += len(line)
        if size > LONGEST:
            raise csv.Error(TOO_LONG)
        return line

    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        rows = csv.reader(iter(read_line, ""), strict=True)
        columns: list[str] = []
        while True:
            size = 0  # a quoted cell may have many lines, and a row many such cells
            try:
                cells = next(rows, None)
            except csv.Error as error:
                reason = TOO_LONG if str(error) == TOO_LONG else "not CSV"
                yield quarantine(f"{name}:{rows.line_num}", reason, str(error))
                continue
            if cells is None:
                return
            place = f"{name}:{rows.line_num}"
            if not cells:  # a blank line
                continue
            if not columns:
                columns = cells
            elif len(cells) != len(columns):  # not DictReader: it pads each row to all columns
                yield quarantine(place, "wrong number of columns", cells)
            else:
                yield place, dict(zip(columns, cells, strict=True))


def _read_zip(path: Path, name: str) -> Iterator[Record]:
    """Read the .json members in order of name, in memory: no member's path is used on disk."""
    bytes_left = limit = max(UNPACKED, EXPANSION * path.stat().st_size)
    try:
        with zipfile.ZipFile(path) as archive:
            members = sorted(
                each.filename
                for each in archive.infolist()
                if not each.is_dir() and not each.filename.startswith("__MACOSX/")
            )
            if len(members) > ZIP_MEMBERS:
                yield quarantine(name, "too many members", f"{len(members)} members")
                return
            for member in members:
                place = f"{name}/{member}"
                record, size = _read_member(archive, member, place)
                bytes_left -= size
                if bytes_left < 0:
                    yield quarantine(place, EXPANDS, f"to more than {limit >> 20:,} MB")
                    return
                yield record
    except (zipfile.BadZipFile, OSError, ValueError, EOFError) as error:
        yield quarantine(name, "not a zip archive", str(error))


def _read_member(archive: zipfile.ZipFile, member: str, place: str) -> tuple[Record, int]:
    if not member.endswith(".json"):
        return quarantine(place, "not a JSON member", ""), 0
    try:
        with archive.open(member) as file:
            raw = file.read(LONGEST + 1)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, OSError, ValueError, EOFError) as error:
        return quarantine(place, "damaged or locked member", str(error)), 0
    if len(raw) > LONGEST:
        return quarantine(place, TOO_LONG, raw), len(raw)
    return _parse_record(place, raw.removeprefix(b"\xef\xbb\xbf")), len(raw)
