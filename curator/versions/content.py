"""The typed content of a version manifest."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from curator.core.model import Kind

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
