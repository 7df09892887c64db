"""Validate the rows of a pulled release: every id is computed again from the row's content.

In: the Parquet files of one subset. Out: problems, rationales and verdicts, or HubError at the
first row that differs from what it claims to be.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curator.core.errors import HubError
from curator.core.model import Outcome, Problem, Rationale, Verdict
from curator.release.shards import GROUP_ROWS, SCHEMA
from curator.versions.content import Content


class Rows:
    """The rows of one subset in its files; each method reads them once, in their order.

    Each raises HubError at the first row that is not what it says, or where a file cannot be read.
    """

    def __init__(self, subset: str, content: Content, files: Sequence[Path]) -> None:
        recipe = content.recipe.subsets[subset]
        self._subset, self._kind, self._checks = subset, recipe.kind, set(recipe.checks)
        self._release_as = content.release_as(subset)
        self._screens = set(content.code.screens)
        self._files = files

    def problems(self) -> Iterator[Problem]:
        """Each problem once."""
        seen: set[bytes] = set()
        for row in self._read("upstream question gold choices field level licence place"):
            problem = _problem(row)
            if problem.id not in seen:
                seen.add(problem.id)
                yield problem

    def rationales(self) -> Iterator[Rationale]:
        """Each row's, whose id is computed from all that it depends on."""
        wanted = "id subset source kind writer instruction output copy"
        for row in self._read(f"{wanted} upstream question gold choices"):
            told = (row["subset"], row["kind"], row["source"])
            if told != (self._subset, self._kind, self._release_as):
                raise HubError(
                    f"Row {row['id'][:32]!a} of {self._subset} says that it is of {told!a:.120}"
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
                    f"Row {row['id'][:32]!a} of {self._subset} has content whose id is "
                    f"{rationale.id.hex()}: it was changed after it was built"
                )
            yield rationale

    def verdicts(self) -> Iterator[Verdict]:
        """Verdicts of checks and screens; `screen` tells them apart."""
        for row in self._read("id verdicts"):
            try:
                found = [self._verdict(bytes.fromhex(row["id"]), v) for v in _listed(row)]
            except (ValueError, TypeError, LookupError, RecursionError):
                raise HubError(
                    f"Row {row['id'][:32]!a} of {self._subset} has verdicts that are none"
                ) from None
            yield from found

    def screen(self, verdict: Verdict) -> bool:
        """Whether a verdict is a screen's."""
        return verdict.check in self._screens

    def _verdict(self, row_id: bytes, said: Mapping[str, Any]) -> Verdict:
        outcome: Outcome = said["outcome"]
        evidence = said["evidence"]
        texts = [said["reason"], *evidence, *evidence.values()]
        fine = (
            len(said) == 5
            and said["check"] in self._checks | self._screens
            and type(said["version"]) is int
            # A row with a failed verdict is in no version.
            and outcome in ("passed", "undecided")
            and all(isinstance(text, str) for text in texts)
        )
        if not fine:
            raise ValueError("no verdict")
        return Verdict(row_id, said["check"], said["version"], outcome, said["reason"], evidence)

    def _read(self, columns: str) -> Iterator[dict[str, Any]]:
        names = columns.split()
        for path in self._files:
            try:
                with pq.ParquetFile(path) as file:
                    if not file.schema_arrow.remove_metadata().equals(SCHEMA):
                        raise HubError(f"A file of {self._subset} has other columns than a release")
                    for batch in file.iter_batches(GROUP_ROWS, columns=names):
                        yield from _filled(batch)
            except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
                raise HubError(
                    f"A file of {self._subset} cannot be read ({type(error).__name__})"
                ) from None


def _filled(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = batch.to_pylist()
    for row in rows:
        if None in row.values() or None in row.get("choices", ()):
            raise HubError(f"Row {str(row.get('id'))[:32]!a} lacks a value")
    return rows


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


def _listed(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = json.loads(row["verdicts"])
    if not isinstance(found, list):
        raise TypeError("no list")
    return found
