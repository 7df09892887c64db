"""Errata: rulings of people on gold answers, keyed by the content that they are about.

In: JSON Lines, one ruling per line; `EXAMPLE` is a line. Out: the newest ruling per problem. A key
is a hash of question, gold answer and choices, so that a file holds no upstream text, applies to
every copy of the problem, and stops applying when upstream changes the gold answer. Rulings are
appended, never replaced: the last line of a key counts, whatever the earlier ones say, and they
stay as its history. `withdrawn` takes the earlier rulings back, as if there were none.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import Literal, get_args

from curator.core.errors import MALFORMED, UsageError, to_one_line
from curator.core.json_text import parse_json
from curator.core.model import content_id
from datastore.errors import wrap_os_errors
from datastore.text import is_storable

Ruling = Literal["wrong", "ambiguous", "right", "withdrawn"]
RULINGS: tuple[Ruling, ...] = get_args(Ruling)
ERRATA = {
    "corrected": "wrong, and replaced by the right answer",
    "removed": "wrong, and removed, since the right answer is not known",
    "ambiguous": "ambiguous, and removed",
    "right": "right, and kept",
}
"""What becomes of a gold answer with a ruling, as reports say it."""
EXAMPLE = (
    '{"key": "3fa2c1d09b7e4455", "ruling": "wrong", "answer": "1520", "number": 1, '
    '"reason": "5 hours are left after the second stop, not 7"}'
)
_KEY = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Erratum:
    """A ruling on one gold answer."""

    key: str
    ruling: Ruling
    """`wrong`, `ambiguous` (several answers are defensible), `right`: looked at, nothing to change,
    or `withdrawn`: the earlier rulings do not count."""
    answer: str = ""
    """The right answer, if the gold answer is wrong; empty if it is not known."""
    number: int = 1
    """Counts the rulings on this key, from 1."""
    reason: str = ""
    """Why, in the words of the person; not a quotation of the problem."""


def erratum_key(question: str, gold: str, choices: Sequence[str] = ()) -> str:
    """Return the key of a problem: 16 hexadecimal digits.

    White space and the source do not count.
    """
    plain = [" ".join(each.split()) for each in (question, gold, *choices)]
    return content_id("erratum", *plain).hex()[:16]


def errata_result(ruling: str, answer: str) -> str:
    """Return what becomes of a gold answer: one of `ERRATA`."""
    return ruling if ruling != "wrong" else "corrected" if answer else "removed"


def read_errata(path: Path) -> Mapping[str, Erratum]:
    """Return the ruling of the last line of each key, without those that are withdrawn.

    Raises UsageError with the number of an invalid line.
    """
    return {key: each for key, each in _read_last(path).items() if each.ruling != "withdrawn"}


def _read_last(path: Path) -> dict[str, Erratum]:
    """Return the last line of each key."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise UsageError(
            f"Cannot read the errata at {path}: {error.strerror}. `curator rule` creates the file."
        ) from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text. Save the errata as UTF-8.") from None
    except ValueError:  # Python rejects NUL and lone surrogates in a path
        raise UsageError(f"{to_one_line(str(path))} is not a valid path.") from None
    rulings: dict[str, Erratum] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            place = f"{path.name}:{number}"
            each = _parse(line, place)
            if each.ruling == "withdrawn" and each.key not in rulings:
                raise UsageError(
                    f"{place}: withdraws a ruling on {each.key}, but no earlier line rules on it. "
                    "Remove the line, or correct its key."
                )
            rulings[each.key] = each
    return rulings


def add_ruling(path: Path, ruling: Erratum) -> tuple[Erratum, Erratum | None]:
    """Append a ruling to a file, which is created if necessary.

    Return it with its number, and the ruling that it replaces. Raises UsageError if it is not valid
    or withdraws nothing.
    """
    earlier = _read_last(path).get(ruling.key) if path.exists() else None
    if ruling.ruling == "withdrawn" and (not earlier or earlier.ruling == "withdrawn"):
        raise UsageError(f"{path} has no ruling on {ruling.key} to withdraw. Check the key.")
    content = asdict(ruling) | {"number": earlier.number + 1 if earlier else 1}
    added = _parse(json.dumps(content), path.name)
    stated = {name: each for name, each in content.items() if each}
    line = json.dumps(stated, ensure_ascii=not is_storable(ruling.reason)) + "\n"
    with wrap_os_errors("add a ruling", path), path.open("ab+", buffering=0) as file:
        _append(file, line.encode())
    return added, earlier


def _append(file: FileIO, line: bytes) -> None:
    """Append a line, or nothing: a part of one would make the whole file invalid."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - 1))
    if file.read() not in (b"", b"\n"):  # written by another program
        line = b"\n" + line
    written = 0
    try:
        while written < len(line):
            written += file.write(line[written:])
    except OSError:
        if file.seek(0, os.SEEK_END) == end + written:  # nobody else has added a line
            file.truncate(end)
        raise


def _parse(line: str, place: str) -> Erratum:
    try:
        row = parse_json(line)
        found = Erratum(
            str(row["key"]),
            row["ruling"],
            str(row.get("answer", "")),
            int(row.get("number", 1)),
            str(row.get("reason", "")),
        )
    except MALFORMED as error:
        raise UsageError(
            f"{place}: not a ruling ({type(error).__name__}). Expected a line such as {EXAMPLE}"
        ) from None
    if not _KEY.fullmatch(found.key):
        raise UsageError(
            f"{place}: '{found.key[:40]}' is not a key. Expected the 16 hexadecimal digits that "
            "`curator golds` prints."
        )
    if found.ruling not in RULINGS:
        raise UsageError(
            f"{place}: unknown ruling '{str(found.ruling)[:40]}'. Use {', '.join(RULINGS)}."
        )
    if found.answer and found.ruling != "wrong":
        raise UsageError(
            f"{place}: a ruling '{found.ruling}' has no other answer. Leave out the answer, or "
            "use 'wrong'."
        )
    return found
