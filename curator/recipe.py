"""A recipe: what a version is made of, read from YAML and checked whole before any work.

In: a YAML file or the name of a shipped recipe. Out: a frozen `Recipe`, or one RecipeError that
holds every fault with its file, line, what was expected and the nearest valid name.
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
from curator.documents import Document, read_document
from curator.errors import RecipeError, unknown
from curator.faults import cross_faults, place
from curator.model import Kind
from curator.rationales import WRITERS
from curator.sources import EVALS, SOURCES


def _known(what: str, names: Mapping[str, object]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in names:
            raise ValueError(unknown(what, name, names))
        return name

    return AfterValidator(check)


AMOUNTS = "expected a count such as 500, a share from 0% to 100%, or a weight such as 0.5"


def _fraction(text: str) -> str:
    if not re.fullmatch(r"\d+(\.\d+)?%", text) or float(text[:-1]) > 100:
        raise ValueError(AMOUNTS)
    return text


SourceName = Annotated[str, _known("source", SOURCES)]
EvalName = Annotated[str, _known("evaluation set", EVALS)]
WriterName = Annotated[str, _known("writer", WRITERS)]
CheckName = Annotated[str, _known("check", CHECKS)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
Share = Annotated[str, AfterValidator(_fraction)]
Count = Annotated[StrictInt, Field(ge=0)]
Weight = Annotated[StrictFloat, Field(ge=0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Columns(_Part):
    """Which column of a file holds what."""

    question: str
    """Column of the question."""
    gold: str = ""
    """Column of the gold answer."""
    choices: str = ""
    """Column of the options: a list."""
    solution: str = ""
    """Column of upstream's own solution."""
    program: str = ""
    """Column of upstream's own Python program."""


class FileSource(_Part):
    """Any JSON lines, JSON, Parquet or CSV file."""

    file: str
    """Path or glob, relative to the recipe."""
    columns: Columns
    licence: str
    """SPDX identifier, or the words of its owner."""


class HubSource(_Part):
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


def _source_type(value: object) -> str:
    if isinstance(value, Mapping):
        return "hub" if "hub" in value else "file"
    names: dict[type, str] = {HubSource: "hub", FileSource: "file"}
    return names.get(type(value), "name")


AnySource = Annotated[
    Annotated[SourceName, pydantic.Tag("name")]
    | Annotated[FileSource, pydantic.Tag("file")]
    | Annotated[HubSource, pydantic.Tag("hub")],
    pydantic.Discriminator(_source_type),
]


class Subset(_Part):
    """A source with one kind of rationale."""

    source: AnySource
    """Name of a source (`curator sources`), or a file or Hub dataset with its columns."""
    part: str = ""
    """Upstream's own division: `data/CoT/gsm_rft.json` of MathInstruct."""
    kind: Kind
    """CoT (text) or PoT (a program)."""
    writers: tuple[WriterName, ...] = ("reference",)
    """Who writes the rationales; those that need a teacher wait for one."""
    checks: tuple[CheckName, ...] = ("executed", "answer", "format")
    """What every row must pass. `executed` judges programs only."""
    release_as: str = ""
    """The `source` string in releases; `data/<kind>/<subset>.json` if empty."""


class Contamination(_Part):
    """Rejects rows whose question is in an evaluation set."""

    against: tuple[EvalName, ...] = tuple(EVALS)
    """Evaluation sets; all of them by default."""
    ngram: int = Field(default=13, ge=5, le=50)
    """Length in words of the sequence that two questions must share."""
    masked: Literal["report", "reject"] = "report"
    """What to do with questions that match only after their numbers are masked."""


class Cap(_Part):
    """Bounds the rationales of one problem."""

    rationales: int = Field(ge=1)
    """At most so many rows with the same normalised question."""


class Screens(_Part):
    """What is judged over the whole set, in this order."""

    duplicates: bool = True
    """Reject rows that repeat another up to case, space and punctuation."""
    contamination: Contamination | None = Contamination()
    """Reject evaluation questions; null to leave it out."""
    cap: Cap | None = None
    """Bound the rationales of one problem."""


class Mixture(_Part):
    """Which of the rows that passed go into the version."""

    rows: int | None = Field(default=None, ge=1)
    """Rows in all; needed for nothing, shared by weights where given."""
    subsets: dict[str, Count | Weight | Share] = {}
    """By subset: an integer is a count, a float a weight, `30%` a share of what it has.
    A subset that is not named gives all it has."""
    licences: tuple[str, ...] | None = None
    """Licences that are allowed; all of them by default."""


class Limits(_Part):
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


class Recipe(_Part):
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
    undecided: Literal["leave_out", "keep"] = "leave_out"
    """What happens to rows that no check could decide."""

    _folder: Path = pydantic.PrivateAttr(default=Path())

    @property
    def folder(self) -> Path:
        """Where relative paths of the recipe start."""
        return self._folder

    def canonical(self) -> dict[str, Any]:
        """The resolved recipe as plain JSON values: what a version's digest covers."""
        return cast(dict[str, Any], json.loads(self.model_dump_json(exclude={"extends", "mirror"})))


def load_recipe(name: str | Path) -> Recipe:
    """The recipe in the file `name`, or the shipped recipe of that name, checked whole.

    Raises RecipeError with every fault, one a line.
    """
    document = read_document(name)
    faults = cross_faults(document)
    try:
        recipe = Recipe.model_validate(document.values)
    except pydantic.ValidationError as error:
        faults += [_fault(document, dict(item)) for item in error.errors()]
    if faults:
        raise RecipeError("\n".join(sorted(dict.fromkeys(faults), key=place)))
    recipe._folder = document.path.parent
    return recipe


def schema() -> dict[str, Any]:
    """JSON Schema of a recipe, for editors.

    `extends` may provide what is required otherwise, so only the name is required there.
    """
    full = Recipe.model_json_schema()
    full["required"] = ["name"]
    full["title"] = "Curator recipe"
    return full


def _fault(document: Document, item: Mapping[str, Any]) -> str:
    """One line for one of pydantic's findings: place, what was expected, what was seen."""
    loc = _key_of(item["loc"])
    where = document.place(loc)
    key = ".".join(str(part) for part in loc)
    if loc[:2] == ("mixture", "subsets") and len(loc) == 3:
        # Each member of the union has its own complaint; people need one.
        return f"{where}: {key}: {AMOUNTS}, saw {_seen(item)}"
    match item["type"]:
        case "extra_forbidden":
            return f"{where}: {unknown('key', str(loc[-1]), _keys_at(loc[:-1]))}"
        case "missing":
            return f"{where}: '{key}' is missing"
        case "value_error":
            return f"{where}: {key}: {item['ctx']['error']}"
        case _:
            message = item["msg"]
            return f"{where}: {key}: {message[:1].lower() + message[1:]}, saw {_seen(item)}"


def _seen(item: Mapping[str, Any]) -> str:
    return json.dumps(item.get("input"), default=str)[:60]


def _key_of(loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """A location without the names that pydantic puts in for the members of a union."""
    match loc:
        case ("mixture", "subsets", name, *_):
            return ("mixture", "subsets", name)
        case ("subsets", name, "source", _, *rest):
            return ("subsets", name, "source", *rest)
        case _:
            return loc


_MODELS: dict[object, type[_Part]] = {
    "screens": Screens,
    "mixture": Mixture,
    "limits": Limits,
    "contamination": Contamination,
    "cap": Cap,
    "columns": Columns,
}


def _keys_at(loc: tuple[object, ...]) -> list[str]:
    """The keys that a recipe may have at a place."""
    match loc:
        case ():
            return [*Recipe.model_fields]
        case ("subsets", _):
            return [*Subset.model_fields]
        case (*_, "source"):
            return sorted({*FileSource.model_fields, *HubSource.model_fields})
        case _:
            return [*_MODELS[loc[-1]].model_fields]
