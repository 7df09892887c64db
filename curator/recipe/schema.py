"""The sections of a recipe: subsets and their sources, screens, mixture, limits.

In: YAML values, by way of `curator.recipe.load`. Out: frozen pydantic models, whose docstrings
are the
reference of the keys. What is asked of a teacher is in `curator.teacher.config`.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import pydantic
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictFloat, StrictInt

from curator.answers import DIGITS
from curator.checks import CHECKS
from curator.core.errors import unknown
from curator.core.model import Kind
from curator.sources import EVALS, SOURCES
from curator.teacher import Sampling, TeacherSettings
from curator.writers import WRITERS


def _known(what: str, names: Mapping[str, object]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in names:
            raise ValueError(unknown(what, name, names))
        return name

    return AfterValidator(check)


IN_EVALS = "evals/"
"""What stands before the name of an evaluation set, where sources may be named as well."""
AMOUNTS = "expected a count such as 500, a share from 0% to 100%, or a weight such as 0.5"


def _fraction(text: str) -> str:
    if not re.fullmatch(r"\d+(\.\d+)?%", text) or float(text[:-1]) > 100:
        raise ValueError(AMOUNTS)
    return text


SourceName = Annotated[str, _known("source", SOURCES)]
GoldName = Annotated[
    str,
    _known(
        "source of golds",
        {**SOURCES, **{f"{IN_EVALS}{name}": each for name, each in EVALS.items()}},
    ),
]
EvalName = Annotated[str, _known("evaluation set", EVALS)]
WriterName = Annotated[str, _known("writer", WRITERS)]
DEFAULT_CHECKS = tuple(name for name, check in CHECKS.items() if check.by_default)
CheckName = Annotated[str, _known("check", CHECKS)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
Share = Annotated[str, AfterValidator(_fraction)]
Count = Annotated[StrictInt, Field(ge=0)]
Weight = Annotated[StrictFloat, Field(ge=0, allow_inf_nan=False)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Columns(Section):
    """Which column of a file holds what."""

    question: str
    """Column of the question."""
    gold: str = ""
    """Column of the gold answer."""
    choices: str = ""
    """Column of the options: a list."""
    response: str = ""
    """Column of upstream's own rationales, texts or programs: parts `CoT` and `PoT`."""
    solution: str = ""
    """Column of upstream's own solution."""
    program: str = ""
    """Column of upstream's own Python program."""
    field: str = ""
    """Column of the field or topic."""


class FileSource(Section):
    """Any JSON lines, JSON, Parquet or CSV file."""

    file: str
    """Path or glob, relative to the recipe."""
    columns: Columns
    licence: str
    """SPDX identifier, or the words of its owner."""
    golds: tuple[GoldName, ...] = ()
    """Sources (`gsm8k`) and evaluation sets (`evals/gsm8k`) whose gold answer is taken for a
    question that they have too, where this one states none; the first that has it."""
    rows: int = Field(default=0, ge=0)
    """Read only so many records, from the first; 0 for all."""


class HubSource(Section):
    """Any dataset of the Hugging Face Hub."""

    hub: str
    """Its id: `org/name`."""
    config: str = ""
    """Its configuration, where it has several."""
    split: str = "train"
    """Its split."""
    revision: str
    """Commit to read: a version must be rebuildable."""
    columns: Columns
    licence: str
    """SPDX identifier, or the words of its owner."""
    golds: tuple[GoldName, ...] = ()
    """Sources (`gsm8k`) and evaluation sets (`evals/gsm8k`) whose gold answer is taken for a
    question that they have too, where this one states none; the first that has it."""
    rows: int = Field(default=0, ge=0)
    """Read only so many records, from the first; 0 for all."""


class Embedding(Section):
    """A sentence-embedding model that runs on this machine; needs the extra `train`."""

    model: str
    """Id on the Hub, or a folder, relative to the recipe where it begins with a dot."""
    above: float = Field(default=0.9, gt=0, le=1)
    """Cosine from which two questions say the same."""


class SelfInstruct(Section):
    """New problems that the teacher makes after seeds, with the answers that it agrees on."""

    seeds: str
    """JSON lines of `question`, `answer`, `topic` and `type`, relative to the recipe."""
    licence: str
    """SPDX identifier, or the words of who has the rights in what the teacher writes."""
    questions: int = Field(ge=1, le=10_000_000)
    """Questions asked of the teacher, balanced over topics and types."""
    near: float = Field(default=0.7, gt=0, le=1)
    """ROUGE-L with a seed, another problem or an evaluation question from which one is no news."""
    embedding: Embedding | None = None
    """Also compares what questions mean; off by default."""
    cot: int = Field(default=3, ge=0, le=100)
    """Worked solutions asked of each new question, independently."""
    pot: int = Field(default=1, ge=0, le=100)
    """Programs asked of each new question."""
    agree: int = Field(default=3, ge=2, le=200)
    """Solutions and programs that must have one answer, at least one program among them if any was
    asked; else the problem stays without a gold answer, and its rows undecided."""


class SubsetSource(Section):
    """What another subset of the recipe proved."""

    subset: str
    """Its name."""


def _source_type(value: object) -> str:
    if isinstance(value, Mapping):
        return next((key for key in ("hub", "seeds", "subset") if key in value), "file")
    names: dict[type, str] = {
        FileSource: "file",
        HubSource: "hub",
        SelfInstruct: "seeds",
        SubsetSource: "subset",
    }
    return names.get(type(value), "name")


AnySource = Annotated[
    Annotated[SourceName, pydantic.Tag("name")]
    | Annotated[FileSource, pydantic.Tag("file")]
    | Annotated[HubSource, pydantic.Tag("hub")]
    | Annotated[SelfInstruct, pydantic.Tag("seeds")]
    | Annotated[SubsetSource, pydantic.Tag("subset")],
    pydantic.Discriminator(_source_type),
]


class Subset(Section):
    """A source with one kind of rationale."""

    source: AnySource
    """Name of a source (`curator sources`), a file or Hub dataset with its columns, seeds of new
    problems, or another subset."""
    part: str = ""
    """Upstream's own division: `data/CoT/gsm_rft.json` of MathInstruct."""
    kind: Kind
    """CoT (text) or PoT (a program)."""
    writers: tuple[WriterName, ...] = ("reference",)
    """Who writes the rationales; those that need a teacher wait for one."""
    sampling: Sampling | None = None
    """How often the teacher is asked; the recipe's `sampling` if not given."""
    checks: tuple[CheckName, ...] = DEFAULT_CHECKS
    """What every row must pass. `executed` judges programs only, `agreement` new problems only."""
    release_as: str = ""
    """The `source` string in releases; `data/<kind>/<subset>.json` if empty."""


class Contamination(Section):
    """Rejects rows whose question is in an evaluation set."""

    against: tuple[EvalName, ...] = tuple(EVALS)
    """Evaluation sets; all of them by default."""
    ngram: int = Field(default=13, ge=5, le=50)
    """Length in words of the sequence that two questions must share."""
    masked: Literal["report", "reject"] = "report"
    """What to do with questions that match only after their numbers are masked."""


class Cap(Section):
    """Bounds the rationales of one problem."""

    rationales: int = Field(ge=1)
    """At most so many rows with the same normalised question."""


class Screens(Section):
    """What is judged over the whole set, in this order."""

    duplicates: bool = True
    """Reject rows that repeat another up to case, space and punctuation."""
    contamination: Contamination | None = Contamination()
    """Reject evaluation questions; null to leave it out."""
    cap: Cap | None = None
    """Bound the rationales of one problem."""


class Mixture(Section):
    """Which of the rows that passed go into the version."""

    rows: int | None = Field(default=None, ge=1)
    """Rows in all; needed for nothing, shared by weights where given."""
    subsets: dict[str, Count | Weight | Share] = {}
    """By subset: an integer is a count, a float a weight, `30%` a share of what it has.
    A subset that is not named gives all it has."""
    licences: tuple[str, ...] | None = None
    """Licences that are allowed; all of them by default."""


class Limits(Section):
    """Bounds of one program, of rounding and of bad input."""

    wall_s: float = Field(default=5.0, gt=0, le=600)
    """Seconds of wall time a program."""
    cpu_s: float = Field(default=5.0, gt=0, le=600)
    """Seconds of CPU time a program."""
    memory_mb: int = Field(default=512, ge=64, le=65536)
    """MiB of memory a program."""
    digits: int = Field(default=DIGITS, ge=1, le=15)
    """Digits that a decimal must state to count as the rounding of another number: by 4, 0.6667 is
    2/3; by more, that is undecided."""
    quarantine: float = Field(default=0.01, ge=0, le=1)
    """Share of a source's records that may fail to parse."""


class Recipe(Section):
    """What a version is made of."""

    name: Name
    """Name of the versions it makes."""
    about: str
    """What it is for, in a line."""
    extends: str = ""
    """A shipped recipe or a file, whose keys this one overrides; null removes a key."""
    seed: int = 0
    """Seed of every draw."""
    mirror: str = ""
    """Folder of upstream files, relative to the recipe; empty for the Hub."""
    subsets: dict[Name, Subset] = Field(min_length=1)
    """Source, writers and checks by subset."""
    screens: Screens = Screens()
    mixture: Mixture = Mixture()
    limits: Limits = Limits()
    teacher: TeacherSettings | None = None
    """Who writes what only a chat model can; without it those subsets wait."""
    sampling: Sampling = Sampling()
    """How often the teacher is asked for each problem."""
    undecided: Literal["leave_out", "keep"] = "leave_out"
    """What happens to rows that no check could decide."""

    _folder: Path = pydantic.PrivateAttr(default=Path())

    @property
    def folder(self) -> Path:
        """Where relative paths of the recipe start."""
        return self._folder

    def canonical(self) -> dict[str, Any]:
        """The resolved recipe as plain JSON values: what a version's digest covers.

        Not where files lie, nor how a teacher is reached, how fast and for how much.
        """
        delivery = set(TeacherSettings.model_fields) - {"model", "family", "parameters"}
        exclude: Any = {
            "extends": True,
            "mirror": True,
            "teacher": delivery,
            "sampling": {"prompts"},
            "subsets": {"__all__": {"sampling": {"prompts"}}},
        }
        return cast(dict[str, Any], json.loads(self.model_dump_json(exclude=exclude)))
