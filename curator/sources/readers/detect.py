"""Streams the records of a data file; the format is detected from the content, not the name.

In: a file of one of the `FORMS`, or any form of text compressed or in UTF-16. Out: (place, row) in
file order, and QuarantinedRecord for anything that is not a row. A place is `train.jsonl:17`: the
line number in JSON Lines and CSV, otherwise the number of the record, counted from 1. Nothing is
unpacked to disk or executed; memory use is bounded.
"""

import csv
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import IO, NamedTuple

from curator.core.model import QuarantinedRecord
from curator.sources.fields import quarantine
from curator.sources.readers import json_array, json_object
from curator.sources.readers.arrow_file import read_arrow
from curator.sources.readers.parquet import EXPANDS, EXPANSION, UNPACKED, read_parquet
from curator.sources.readers.pieces import PIECE_BYTES, NotCut, Piece, cut_lines, cut_list
from curator.sources.readers.repeated import (
    REPEATED,
    SAME_NAME,
    parse_value,
    repeated_names,
    repeats_a_key,
)
from curator.sources.readers.unpack import Broken, is_plain, open_utf8
from curator.sources.source import Row

LONGEST = json_array.LONGEST
TOO_LONG = "longer than 16 MB"
ZIP_MEMBERS = 1_000_000
"""Maximum members of an archive."""

Record = tuple[str, Row] | QuarantinedRecord


Read = Callable[[Path, str, Piece | None], Iterator[Record]]
HEAD = 1 << 20
"""Bytes from which the form of a file is detected."""


class Head(NamedTuple):
    """The start of a file."""

    data: bytes
    """Its first bytes, expanded and in UTF-8."""
    suffix: str
    """The suffix of its name, without that of a compressed file."""
    plain: bool
    """Whether the file itself is UTF-8 and not compressed."""

    @property
    def text(self) -> str:
        return self.data.decode("utf-8-sig", "replace").lstrip()


class Form(NamedTuple):
    """A form of data files."""

    name: str
    fits: Callable[[Head], bool]
    read: Read
    cut: Callable[[Path], list[Piece]] = lambda path: []
    """Cuts a large file into pieces, if it can be cut."""


def read_records(path: Path, name: str, piece: Piece | None = None) -> Iterator[Record]:
    """Yield every record of a file, or of one of its `pieces`.

    For any content, the only exceptions raised are OSError and, for a piece, NotCut: the file then
    has to be read as a whole, and what was yielded of it is void.
    """
    place = ""
    try:
        for record in _detect(path).read(path, name, piece):
            place = record.place if isinstance(record, QuarantinedRecord) else record[0]
            yield record
    except Broken as broken:
        reason, details = broken.args
        yield quarantine(name, reason, f"after {place}: {details}" if place else details)


def cut(path: Path) -> list[Piece]:
    """Return the pieces of a large file, of which `read_records` reads one; none for most files."""
    if path.stat().st_size < 2 * PIECE_BYTES or not is_plain(path):
        return []
    return _detect(path).cut(path)


def _detect(path: Path) -> Form:
    """Return the form of a file. Raises OSError or Broken."""
    with open_utf8(path) as file:
        data = file.read(HEAD)
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] in (".gz", ".zst", ".zstd", ".bz2"):
        suffixes.pop()
    head = Head(data, suffixes[-1] if suffixes else "", is_plain(path))
    return next(form for form in FORMS if form.fits(head))


def _starts(*starts: bytes) -> Callable[[Head], bool]:
    return lambda head: head.data.startswith(starts)


def _follow_each_other(head: Head) -> bool:
    """Return whether records are printed over several lines, or several on one."""
    end = _first_object(head)
    if end <= 0:
        return False
    record, rest = head.text[:end], head.text[end:]
    between = rest[: len(rest) - len(rest.lstrip())]
    return rest.lstrip().startswith("{") and ("\n" in record or "\n" not in between)


def _is_one_object(head: Head) -> bool:
    """Return whether the file is one object, as far as its head shows."""
    end = _first_object(head)
    if end <= 0:  # more than the head
        return end < 0
    return len(head.data) < HEAD and not head.text[end:].strip()


def _first_object(head: Head) -> int:
    """Return where the first object ends; -1 if it is longer than the head, 0 without one."""
    text = head.text
    if not text.startswith("{"):
        return 0
    try:
        return json.JSONDecoder().raw_decode(text)[1]
    except json.JSONDecodeError as error:
        cut = error.msg.startswith("Unterminated") or error.pos > len(text) - 64
        return -1 if cut and len(head.data) == HEAD else 0
    except (RecursionError, ValueError):
        return 0


def _read_object(path: Path, name: str, piece: Piece | None) -> Iterator[Record]:
    """Read a file that is one object, or whose first line is longer than its head."""
    with open_utf8(path) as file:
        raw = file.read(json_object.LARGEST + 1)
        file.read(1)  # raises Broken for a damaged file
    line = raw.find(b"\n") + 1
    if line > HEAD and raw[line:].strip():
        del raw
        yield from _read_lines(path, name, piece)
        return
    for count, value in enumerate(json_object.parse_object(raw), 1):
        yield _check_object(f"{name}:{count}", value)


def _refuse(reason: str) -> Read:
    def read(path: Path, name: str, piece: Piece | None) -> Iterator[Record]:
        raise Broken(reason, "")
        yield

    return read


def _parse_record(place: str, raw: bytes) -> Record:
    try:
        value = parse_value(raw.decode("utf-8"))
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
        return quarantine(place, REPEATED, value) if repeats_a_key(value) else (place, value)
    return quarantine(place, "not a JSON object", value)


def _read_lines(path: Path, name: str, piece: Piece | None) -> Iterator[Record]:
    with open_utf8(path) as whole:
        file = whole
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


def _open_text(path: Path, newline: str | None = None) -> TextIOWrapper:
    return TextIOWrapper(open_utf8(path), "utf-8-sig", "surrogateescape", newline)


def _read_list(
    brackets: json_array.Brackets, path: Path, name: str, piece: Piece | None
) -> Iterator[Record]:
    if piece:
        yield from _read_list_piece(path, name, piece)
        return
    with _open_text(path) as stream:
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
    count = 0
    try:
        for value in json_array.read_whole(text, last):
            count += 1
            yield _check_object(f"{name}:{piece.before + count}", value)
    except (ValueError, RecursionError):
        raise NotCut(name) from None
    if count != piece.count:
        raise NotCut(name)


def _read_csv(path: Path, name: str, piece: Piece | None) -> Iterator[Record]:
    with _open_text(path, newline="") as stream:
        header = stream.readline(HEAD)
    # Programs for tables write semicolons where the comma is the decimal point.
    separator = next((each for each in ("\t", ",", ";") if each in header), ",")
    size = 0

    def read_line() -> str:
        nonlocal size
        line = stream.readline(LONGEST)
        if not line.endswith("\n"):
            stream.read(1)  # raises Broken: the last line of a damaged file may lack its end
        size += len(line)
        if size > LONGEST:
            raise csv.Error(TOO_LONG)
        return line

    with _open_text(path, newline="") as stream:
        rows = csv.reader(iter(read_line, ""), strict=True, delimiter=separator)
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
                if twice := repeated_names(columns):
                    raise Broken(SAME_NAME, twice)
            elif len(cells) != len(columns):  # not DictReader: it pads each row to all columns
                yield quarantine(place, "wrong number of columns", cells)
            else:
                yield place, dict(zip(columns, cells, strict=True))


def _read_zip(path: Path, name: str, piece: Piece | None) -> Iterator[Record]:
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
            if "xl/workbook.xml" in members:
                yield quarantine(name, "an Excel workbook: save its sheet as CSV", "")
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


def _read_parquet(path: Path, name: str, piece: Piece | None) -> Iterator[Record]:
    return read_parquet(path, name)


_PARQUET = (b"PAR1",)
_ZIP = (b"PK\x03\x04",)
_ARROW = (b"ARROW1", b"\xff\xff\xff\xff")
FORMS = (
    Form(
        "compressed binary",
        lambda head: not head.plain and head.data.startswith(_PARQUET + _ZIP + _ARROW),
        _refuse("a compressed Parquet, Arrow or zip file: expand it first"),
    ),
    Form(
        "Parquet",
        lambda head: head.data.startswith(_PARQUET) or head.suffix == ".parquet",
        _read_parquet,
    ),
    Form("zip", lambda head: head.data.startswith(_ZIP) or head.suffix == ".zip", _read_zip),
    Form("Arrow", _starts(*_ARROW), read_arrow),
    Form("xz", _starts(b"\xfd7zXZ\x00"), _refuse("compressed with xz: expand the file first")),
    Form(
        "tar",
        lambda head: head.data[257:262] == b"ustar",
        _refuse("a tar archive: unpack it and name its files"),
    ),
    Form("pickle", _starts(b"\x80\x03", b"\x80\x04", b"\x80\x05"), _refuse(
        "a pickle, which is never loaded: write JSON Lines or Parquet"
    )),
    Form("SQLite", _starts(b"SQLite format 3"), _refuse(
        "an SQLite database: export its table as CSV"
    )),
    Form("Git LFS", _starts(b"version https://git-lfs"), _refuse(
        "a Git LFS pointer: fetch the file with 'git lfs pull'"
    )),
    Form("CSV", lambda head: head.suffix in (".csv", ".tsv", ".tab"), _read_csv),
    Form(
        "list",
        lambda head: head.text.startswith("["),
        partial(_read_list, json_array.WHOLE),
        cut_list,
    ),
    Form(
        "Lila",
        lambda head: head.text.startswith("{")
        and json_array.INSTANCES[0].search(head.text) is not None,
        partial(_read_list, json_array.INSTANCES),
    ),
    Form("one object", _is_one_object, _read_object),
    Form("printed records", _follow_each_other, partial(_read_list, json_array.RECORDS)),
    Form("lines", lambda head: True, _read_lines, cut_lines),
)  # fmt: skip
"""The forms of data files; the first that fits counts."""
