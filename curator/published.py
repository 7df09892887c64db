"""Whether what stands in a pulled release is what a release may say: its manifest and its rows.

In: bytes of `manifest.json`, Parquet files. Out: checked values, or HubError naming what differs.
Ids are computed again from content; texts that could drive a terminal are refused.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from curator.absence import source_name
from curator.errors import HubError
from curator.model import Kind, Outcome, Problem, Rationale, Verdict
from curator.recipe import Recipe
from curator.release.shards import GROUP_ROWS, SCHEMA
from datastore.files import canonical
from datastore.versions import Manifest

FORMAT = "mathcurator release 1"
"""What `manifest.json` calls itself: another layout is another number."""

DATA = re.compile(r"data/([a-z0-9][a-z0-9_.-]{0,63})/[a-z]+-\d{5}-of-\d{5}\.parquet")

_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

Natural = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class _Subset(_Part):
    kind: Kind
    licence: str
    waits_for: list[str]
    records: Natural
    quarantined: Natural
    problems: Natural
    without_rationale: Natural
    rationales: Natural
    passed: Natural
    failed: Natural
    undecided: Natural
    available: Natural
    kept: Natural
    reasons: dict[str, Natural]
    reported: dict[str, Natural]
    invented: dict[str, Natural] = {}
    taught: dict[str, Natural | dict[str, str]] = {}


class _Code(_Part):
    answers: int
    sandbox: int
    checks: dict[str, int]
    screens: dict[str, int]


class _Count(_Part):
    count: Natural
    sha256: str


class _Written(_Part):
    source: Any
    kind: Kind
    writers: list[str]
    checks: list[str]
    release_as: str


class _Recipe(_Part):
    about: str
    undecided: str
    screens: dict[str, Any]
    subsets: dict[str, _Written]


class _Teacher(_Part):
    model: str
    parameters: dict[str, Any]


class _Content(_Part):
    recipe: _Recipe
    sources: dict[str, dict[str, str]]
    evals: dict[str, dict[str, str]]
    code: _Code
    order: list[str]
    subsets: dict[str, _Subset]
    rows: _Count
    teacher: _Teacher | None = None


class _File(_Part):
    bytes: Natural
    sha256: str
    rows: Natural = 0


class _Manifest(_Part):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    number: Annotated[int, Field(ge=1)]
    digest: str
    files: dict[str, _File]
    content: _Content


def read_manifest(data: bytes, repo: str) -> dict[str, Any]:
    """What a `manifest.json` says, if it is whole and true to its own digest."""
    try:
        said = json.loads(data)
        if not isinstance(said, dict) or said.get("format") != FORMAT:
            raise HubError(
                f"{repo}: manifest.json is none of this release of Curator, which reads "
                f"'{FORMAT}'; a newer Curator may read it"
            )
        _Manifest.model_validate(said)
        content: dict[str, Any] = said["content"]
        if sha256(canonical(content)).hexdigest() != said["digest"]:
            raise HubError(f"{repo}: the content in manifest.json does not have its digest")
        _check_content(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])[:100]
        raise HubError(
            f"{repo}: manifest.json is not as expected at {place!a} ({first['type']}); "
            "another release of Curator may have written it"
        ) from None
    except (ValueError, RecursionError, LookupError, TypeError) as error:
        raise HubError(f"{repo}: manifest.json is damaged ({type(error).__name__})") from None
    return said


def _check_content(content: dict[str, Any]) -> None:
    """ValueError, LookupError or RecursionError where its parts do not fit together."""
    recipe, order = content["recipe"], content["order"]
    subsets = set(recipe["subsets"])
    if not (subsets == set(order) == set(content["subsets"])) or len(order) != len(subsets):
        raise ValueError("subsets differ")
    Recipe.model_validate(recipe)
    if _UNSEEN.search(" ".join(_texts(content))):
        raise ValueError("control signs")
    version = Manifest("pulled", 1, "", None, "", content, {})
    for subset in order:
        if source_name(version, subset) not in content["sources"]:
            raise LookupError(subset)


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            yield from (text for each in value.items() for text in _texts(list(each)))
        case list():
            yield from (text for each in value for text in _texts(each))


def data_files(manifest: Mapping[str, Any]) -> dict[str, list[str]]:
    """Paths of the Parquet files of each subset, in order; other files hold no row."""
    found: dict[str, list[str]] = {}
    for path in sorted(manifest["files"]):
        if (named := DATA.fullmatch(path)) and named[1] in manifest["content"]["subsets"]:
            found.setdefault(named[1], []).append(path)
    return found


class Rows:
    """The rows of one subset in its files; each method reads them once, in their order.

    Each raises HubError at the first row that is not what it says, or where a file cannot be read.
    """

    def __init__(self, subset: str, content: Mapping[str, Any], files: Sequence[Path]) -> None:
        said = content["recipe"]["subsets"][subset]
        self._subset, self._kind, self._checks = subset, said["kind"], set(said["checks"])
        self._release_as = said["release_as"] or f"data/{self._kind}/{subset}.json"
        self._screens = set(content["code"]["screens"])
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
