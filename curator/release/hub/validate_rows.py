"""Validate the rows of a pulled release: every id is recomputed from the row's content.

In: the Parquet files of one subset. Out: problems, rationales and verdicts, or HubError at the
first row that does not match its id or its manifest.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from curator.checks import CHECKS
from curator.core.errors import MALFORMED, HubError
from curator.core.model import EVIDENCE_LEVELS, Problem, QuarantinedRecord, Rationale, Verdict
from curator.release.shards import SCHEMA, SCHEMA_1
from curator.sources.readers.parquet import read_parquet, read_schema
from curator.versions.content import Content
from datastore.text import is_storable

MAX_VERSION = 2**31 - 1
"""Maximum version of a check."""


class Rows:
    """The rows of one subset in their order; each method reads the files once.

    Methods raise HubError at the first invalid row, or for a file that cannot be read.
    """

    def __init__(self, subset: str, content: Content, files: Sequence[Path]) -> None:
        recipe = content.recipe.subsets[subset]
        self._subset, self._kind, self._checks = subset, recipe.kind, set(recipe.checks)
        self._release_as = content.release_as(subset)
        self._screens = set(content.code.screens)
        self._files = files

    def problems(self) -> Iterator[Problem]:
        """Yield each distinct problem."""
        seen: set[bytes] = set()
        for row in self._read("upstream question gold choices field level licence place"):
            problem = _problem(row)
            if problem.id not in seen:
                seen.add(problem.id)
                yield problem

    def rationales(self) -> Iterator[Rationale]:
        """Yield the rationale of each row."""
        columns = "id subset source kind writer instruction output copy"
        for row in self._read(f"{columns} upstream question gold choices"):
            labels = (row["subset"], row["kind"], row["source"])
            if labels != (self._subset, self._kind, self._release_as):
                raise HubError(
                    f"Row {row['id'][:32]!a} of {self._subset} is labelled {labels!a:.120}. "
                    "The release was changed after it was built."
                )
            rationale = Rationale(
                _problem(row).id,
                row["writer"],
                self._kind,
                row["instruction"],
                row["output"],
                row["copy"],
            )
            if rationale.id.hex() != row["id"]:
                raise HubError(
                    f"Row {row['id'][:32]!a} of {self._subset} does not match its id (its content "
                    f"has the id {rationale.id.hex()}). The release was changed after it was built."
                )
            yield rationale

    def verdicts(self) -> Iterator[Verdict]:
        """Yield the verdicts of checks and screens; `is_screen` distinguishes them."""
        for row in self._read("id verdicts evidence_level"):
            try:
                row_id = bytes.fromhex(row["id"])
                verdicts = [self._verdict(row_id, each) for each in _parse_verdicts(row)]
                if row.get("evidence_level", _level(verdicts)) != _level(verdicts):
                    raise ValueError("another evidence level")
            except MALFORMED:
                raise HubError(
                    f"Row {row['id'][:32]!a} of {self._subset} has invalid verdicts"
                ) from None
            yield from verdicts

    def is_screen(self, verdict: Verdict) -> bool:
        """Return whether a screen gave the verdict."""
        return verdict.check in self._screens

    def _verdict(self, row_id: bytes, values: Mapping[str, Any]) -> Verdict:
        check, outcome, evidence = values["check"], values["outcome"], values["evidence"]
        texts = [values["reason"], *evidence, *evidence.values()]
        valid = (
            len(values) == 5
            and check in self._checks | self._screens
            and type(values["version"]) is int
            and 0 <= values["version"] <= MAX_VERSION
            # A row with a failed verdict is in no version.
            and outcome in ("passed", "undecided")
            and all(isinstance(text, str) and is_storable(text) for text in texts)
        )
        if not valid:
            raise ValueError("not a verdict")
        return Verdict(row_id, check, values["version"], outcome, values["reason"], evidence)

    def _read(self, columns: str) -> Iterator[dict[str, Any]]:
        for path in self._files:
            try:
                schema = read_schema(path).remove_metadata()
            except (pa.ArrowException, OSError, ValueError) as error:
                raise self._unreadable(type(error).__name__) from None
            if not (schema.equals(SCHEMA) or schema.equals(SCHEMA_1)):
                raise HubError(f"A file of {self._subset} does not have the columns of a release")
            for record in read_parquet(path, path.name, columns.split()):
                if isinstance(record, QuarantinedRecord):
                    raise self._unreadable(record.reason)
                yield _check_row(dict(record[1]))

    def _unreadable(self, reason: str) -> HubError:
        return HubError(f"A file of {self._subset} cannot be read ({reason})")


def _level(verdicts: Sequence[Verdict]) -> str:
    """Return the evidence level that the verdicts on one row state."""
    for verdict in verdicts:
        check = CHECKS.get(verdict.check)
        if check and check.proves == "answer" and verdict.outcome == "passed":
            level = verdict.evidence.get("level", "")
            return level if level in EVIDENCE_LEVELS else ""
    return "form"


def _check_row(row: dict[str, Any]) -> dict[str, Any]:
    if None in row.values() or None in row.get("choices", ()):
        raise HubError(f"Row {str(row.get('id'))[:32]!a} has a missing value")
    # JSON in `verdicts` can express them, too; `verdicts` validates what it reads there.
    if not all(is_storable(text) for text in _texts(row)):
        raise HubError(f"Row {str(row.get('id'))[:32]!a} has a text with NUL")
    return row


def _texts(row: Mapping[str, Any]) -> Iterator[str]:
    yield from (value for value in row.values() if isinstance(value, str))
    yield from row.get("choices", ())


def _problem(row: Mapping[str, Any]) -> Problem:
    return Problem(
        source=row["upstream"],
        question=row["question"],
        gold=row["gold"],
        choices=tuple(row["choices"]),
        field=row.get("field", ""),
        level=row.get("level", ""),
        licence=row.get("licence", ""),
        place=row.get("place", ""),
    )


def _parse_verdicts(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    verdicts = json.loads(row["verdicts"])
    if not isinstance(verdicts, list):
        raise TypeError("not a list")
    return verdicts
