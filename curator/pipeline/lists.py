"""The lists of rows that persons write: which a recipe excludes, and which alone it includes.

In: files of a recipe, CSV or JSON Lines with `id` or `question`, and `reason`. Out: objects that
the screen `lists` reads, and a note about lines that match no row.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa

from curator.core.errors import SourceError, UsageError, to_one_line
from curator.pipeline.context import BuildContext, Stage
from curator.recipe.schema import Recipe
from curator.screens.lists import LISTED, NAME, Lists, select_matches
from curator.screens.rows import Rows
from curator.sources.readers.detect import read_records
from curator.versions import queries
from curator.versions.queries import Part
from datastore.engine import scan
from datastore.text import make_storable

SHOWN = 3
"""Number of lines without a row that the note names."""
_ID = re.compile(r"[0-9a-fA-F]{32}")
_CODE = (__name__, "curator.screens.lists", "curator.screens.normalize")


@dataclass(frozen=True, slots=True)
class ListFile:
    """A list that was read."""

    name: str
    """Name of the file, without its folder."""
    digest: str
    """sha256 of the file, as hex."""
    lines: Sequence[Mapping[str, Any]]
    """In the layout `LISTED`."""


def open_lists(recipe: Recipe) -> dict[str, ListFile]:
    """Read the lists of a recipe, by the key that names them.

    Raises SourceError if a file cannot be read, UsageError if one of its lines is malformed.
    """
    settings = dict(recipe.active_screens()).get(NAME)
    if not isinstance(settings, Lists):
        return {}
    return {key: _open(recipe.folder / file, key) for key, file in settings.files().items()}


def _open(path: Path, key: str) -> ListFile:
    try:
        digest = sha256(path.read_bytes()).hexdigest()
        records = list(read_records(path, path.name))
    except OSError as error:
        raise SourceError(
            f"Cannot read the list screens.lists.{key} at {path}: {error.strerror}."
        ) from None
    lines = []
    for record in records:
        if not isinstance(record, tuple):
            seen = f": {to_one_line(record.raw, 60)}" if record.raw.strip() else ""
            raise UsageError(f"{record.place}: {record.reason}{seen}. {_FORM}")
        place, row = record
        lines.append(_read_line(place, row, key) | {"file": path.name, "sha256": digest})
    if not lines:  # such as JSON Lines in a file named .csv, whose first line is taken as the head
        raise UsageError(f"{path.name} has no line with a row. {_FORM}")
    return ListFile(path.name, digest, lines)


_FORM = "A list is CSV with the columns id or question, and reason; or JSON Lines with these keys."


def _read_line(place: str, row: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return one line of a list; raises UsageError."""
    if not row.keys() & {"id", "question"}:
        seen = to_one_line(", ".join(map(str, row)), 100)
        raise UsageError(f"{place}: expected id or question, saw: {seen}. {_FORM}")
    texts = {}
    for column in ("id", "question", "reason"):
        value = row.get(column)
        if value is not None and not isinstance(value, str):
            raise UsageError(f"{place}: {column} is not a text, but {type(value).__name__}.")
        texts[column] = make_storable((value or "").strip())
    if texts["id"] and not _ID.fullmatch(texts["id"]):
        raise UsageError(
            f"{place}: '{to_one_line(texts['id'], 60)}' is not a whole id: expected 32 hexadecimal "
            "digits, as 'curator why' prints them."
        )
    if not texts["id"] and not texts["question"]:
        raise UsageError(f"{place}: the line has neither an id nor a question.")
    if not texts["reason"] and key == "exclude":
        raise UsageError(f"{place}: the line has no reason. State in one why the row is rejected.")
    number = place.rpartition(":")[2]
    return {
        "line": int(number) if number.isdigit() else 0,
        "id": bytes.fromhex(texts["id"]) if texts["id"] else None,
        "question": texts["question"],
        "reason": texts["reason"],
    }


def store_lists(context: BuildContext, lists: Mapping[str, ListFile]) -> dict[str, str]:
    """Return the digest of the object of each list, by its key."""

    def store(file: ListFile) -> str:
        def make() -> tuple[dict[str, str], dict[str, int]]:
            batch = pa.RecordBatch.from_pylist(list(file.lines), LISTED)
            return {"lines": context.store.objects.write([batch], LISTED)}, {}

        params = {"file": make_storable(file.name), "sha256": file.digest}
        return context.once(Stage("list", _CODE), params, [], make).objects["lines"]

    return {key: store(file) for key, file in lists.items()}


def note_unmatched(context: BuildContext, parts: Sequence[Part], lists: Mapping[str, str]) -> None:
    """Note the lines of each list that match no row, whether a check rejected the row or not.

    In a preview, which has few rows, there is no note.
    """
    if context.limit is not None:
        return
    for key, digest in lists.items():
        unmatched = [
            row
            for batch in context.store.objects.read(_find_unmatched(context, parts, digest))
            for row in batch.to_pylist()
        ]
        if unmatched:
            total = context.store.objects.rows(digest)
            lines = f"{len(unmatched):,} of {total:,} {'line' if total == 1 else 'lines'}"
            match = "matches" if len(unmatched) == 1 else "match"
            context.listener.note(f"{unmatched[0]['file']} ({key}): {lines} {match} no row:")
            for line in unmatched[:SHOWN]:
                context.listener.note(f"  {_describe(line)}")


def _describe(line: Mapping[str, Any]) -> str:
    what = f"id {line['id'].hex()}" if line["id"] else f"'{to_one_line(line['question'], 40)}'"
    return f"line {line['line']}, {what}"


def _find_unmatched(context: BuildContext, parts: Sequence[Part], digest: str) -> str:
    """Return the object with the lines of a list that match no row of any subset."""
    objects = context.store.objects

    def make() -> tuple[dict[str, str], dict[str, int]]:
        listed = scan([objects.path(digest)])
        rows = Rows(queries.rows(parts), queries.problems(parts))
        with context.store.guard_query(inputs), context.store.engine() as engine:
            matches = select_matches(engine, rows, listed)
            query = f"SELECT * FROM {listed} l ANTI JOIN ({matches}) USING (line) ORDER BY line"
            return {"lines": objects.write(engine.batches(query), LISTED)}, {}

    paths = [path for part in parts for path in (*part.problems, *part.rationales)]
    inputs = [digest, *(path.stem for path in paths)]
    return context.once(Stage("match list", _CODE), {}, inputs, make).objects["lines"]
