"""What passes between the stages of a build: the state of a subset, the inputs, the result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from curator.pipeline.attempts import AttemptsInput
from curator.pipeline.locate import LocatedSource
from curator.recipe.schema import Subset
from curator.versions.content import Content, Objects, Origin

CALL_COUNTS = ("calls", "unanswered", "repaired", "replayed")
"""Names of the counts of a teacher's calls."""

ERRATA = "errata: "
"""Prefix of the counts of rulings by result."""


class InputFile(Protocol):
    """A file beside the recipe that a writer with a stage of its own reads."""

    @property
    def path(self) -> Path: ...
    @property
    def digest(self) -> str:
        """sha256 of the file, as hex."""


@dataclass(frozen=True)
class SubsetInputs:
    """What the subsets of a recipe are made from, located before any stage runs."""

    sources: Mapping[str, LocatedSource]
    evals: Mapping[str, LocatedSource]
    files: Mapping[str, InputFile]
    """By subset, of the writers that read a file of their own."""


@dataclass(frozen=True)
class SubsetState:
    """How far a subset has been built. The digest of an object that was not made is empty."""

    subset: Subset
    licence: str
    waits: tuple[str, ...]
    """Missing sources, teachers or subsets that it waits for."""
    problems: tuple[str, ...] = ()
    ruled: tuple[str, ...] = ()
    """Which rulings of the errata were applied; empty for a recipe without errata."""
    quarantine: str = ""
    rationales: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()
    agreements: str = ""
    """Verdicts on the agreement about new gold answers; empty if upstream states them."""
    replies: str = ""
    """Replies of the teacher without a usable rationale; empty without a teacher."""
    attempts: str = ""
    """Which sample of the teacher led to which rationale; empty without a teacher."""
    prompts: Mapping[str, str] = field(default_factory=dict)
    """Digests of the prompts, by name."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Counts of ingest and write: records, quarantined, problems, without, rationales."""
    outcomes: Mapping[str, int] = field(default_factory=dict)
    """Counts of stage `check`: rows by outcome, and by `outcome: reason`."""


TO_WRITE = ""
"""Instead of an object: writers that need neither teacher nor stage write it when it is checked."""


@dataclass(frozen=True, slots=True)
class Rationales:
    """The rationales of a subset, not checked yet."""

    shards: Sequence[str]
    """One object for each object of problems, in the same order; or `TO_WRITE`."""
    counts: Mapping[str, int]


Written = tuple[SubsetState, Rationales | None]
"""The state of a subset, and its rationales; None while the subset waits."""


@dataclass(frozen=True)
class BuildInputs:
    """What a build read."""

    sources: Mapping[str, Origin]
    """Licence and revision of each source, or that it is missing."""
    evals: Mapping[str, Origin]
    """The same for each evaluation set."""
    origins: Mapping[str, str]
    """Where each source was read on this machine. A version's digest does not cover it."""
    eval_problems: Mapping[str, Sequence[str]]
    """Digests of the objects with the problems of each evaluation set."""
    lists: Mapping[str, str] = field(default_factory=dict)
    """Digests of the objects of the recipe's lists of rows, by key."""
    list_files: Mapping[str, str] = field(default_factory=dict)
    """sha256 of the files of these lists, by key."""
    attempts: Mapping[str, AttemptsInput] = field(default_factory=dict)
    """The files of attempts, by their path in the recipe."""


@dataclass(frozen=True)
class Result:
    """The result of a build: everything that a version records."""

    content: Content
    """What the version's digest covers."""
    objects: Objects
    """Digests of the objects with its data."""
