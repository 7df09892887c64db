"""What a build knows between its stages: the state of each subset, what was read, the result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from curator.pipeline.locate import LocatedSource
from curator.recipe.schema import Subset
from curator.versions.content import Content, Objects, Origin

CALL_COUNTS = ("calls", "unanswered", "repaired", "replayed")
"""What is counted of a teacher's calls."""


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
    """How far one subset came, and what it waits for; a digest is empty where nothing was made."""

    subset: Subset
    licence: str
    waits: tuple[str, ...]
    problems: tuple[str, ...] = ()
    quarantine: str = ""
    rationales: str = ""
    verdicts: str = ""
    agreements: str = ""
    """How the golds of new problems were agreed on; empty where upstream has them."""
    replies: str = ""
    """Replies of a teacher that hold no rationale; empty where none was asked."""
    prompts: Mapping[str, str] = field(default_factory=dict)
    """Digest of every prompt that a teacher was asked by."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Of ingest and write: records, quarantined, problems, without, rationales."""
    outcomes: Mapping[str, int] = field(default_factory=dict)
    """Of stage `check`: rows by outcome, and by `outcome: reason`."""


@dataclass(frozen=True)
class BuildInputs:
    """What a build read, apart from its subsets."""

    sources: Mapping[str, Origin]
    """Licence and revision of each source, or that it was not reached."""
    evals: Mapping[str, Origin]
    """The same of each evaluation set."""
    origins: Mapping[str, str]
    """Where each source was read on this machine; not part of what a version's digest covers."""
    against: Mapping[str, Sequence[str]]
    """Objects with the problems of each evaluation set."""


@dataclass(frozen=True)
class Result:
    """What a build made: everything a version says."""

    content: Content
    """What defines the version."""
    objects: Objects
    """Digests of the objects that hold it."""
