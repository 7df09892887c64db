"""The schema of a recipe: every key, its values, its default and its documentation.

In: YAML values, by way of `curator.recipe.load`. Out: frozen pydantic models. The docstring below a
field is its reference; marks (`curator.core.section.Mark`) state what other code must know about a
key. Keys of the teacher are in `curator.teacher.config`, parameters of screens in their files.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import pydantic
from pydantic import AfterValidator, Field, StrictFloat, StrictInt

from curator.answers import DIGITS
from curator.checks import CHECKS, MAX_CHARACTERS
from curator.core.model import EvidenceLevel, Kind
from curator.core.section import Expected, Mark, Section, one_of
from curator.recipe import keys
from curator.screens import SCREENS, Screen
from curator.sources import EVALS, SOURCES
from curator.teacher import Sampling, TeacherSettings
from curator.writers import WRITERS, own_stage

IN_EVALS = "evals/"
"""Prefix of an evaluation set's name where sources may be named as well."""
AMOUNTS = "expected a count such as 500, a share from 0% to 100%, or a weight such as 0.5"


def _check_share(text: str) -> str:
    if len(text) > 20 or not re.fullmatch(r"[0-9]+(\.[0-9]+)?%", text) or float(text[:-1]) > 100:
        raise ValueError(AMOUNTS)
    return text


SourceName = Annotated[str, one_of("source", SOURCES)]
GoldName = Annotated[
    str,
    one_of(
        "source of gold answers",
        {**SOURCES, **{f"{IN_EVALS}{name}": each for name, each in EVALS.items()}},
    ),
]
WriterName = Annotated[str, one_of("writer", WRITERS)]
CheckName = Annotated[str, one_of("check", CHECKS)]


def _check_marks(pair: tuple[str, str]) -> tuple[str, str]:
    if pair[0] == pair[1]:
        raise ValueError(MARKS)
    return pair


MARKS = (
    "expected an opening and a closing mark, two different texts of 3 to 100 characters, such as "
    "['<plan>', '</plan>']"
)
MarkText = Annotated[str, Field(min_length=3, max_length=100, pattern=r"\S")]
ThoughtMarks = Annotated[tuple[MarkText, MarkText], Expected(MARKS), AfterValidator(_check_marks)]


def _without_repetitions(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


UNDECIDED_REASONS = {
    reason: name for name, check in CHECKS.items() for reason in check.undecided
} | {reason: name for name, screen in SCREENS.items() for reason in screen.undecided}
UndecidedReason = Annotated[str, one_of("reason of an undecided row", UNDECIDED_REASONS)]
UNDECIDED = f"expected leave_out, keep, or a list of reasons: {', '.join(UNDECIDED_REASONS)}"
DEFAULT_CHECKS = tuple(name for name, check in CHECKS.items() if check.by_default)
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
Share = Annotated[str, AfterValidator(_check_share)]
Count = Annotated[StrictInt, Field(ge=0)]
Weight = Annotated[StrictFloat, Field(ge=0, allow_inf_nan=False)]
Amount = Annotated[Count | Weight | Share, Expected(AMOUNTS)]
RecipePath = Annotated[str, Mark.PATH]


class Columns(Section):
    """The columns of the records, by content. `outer.inner` names a column inside an object."""

    question: str
    """Column of the question. To Alpaca's `instruction`, the text in `input` is added; to a
    `question`, the text before it in `body`, `context` or `passage`."""
    gold: str = ""
    """Column of the gold answer. Without it, or if its cell is null or empty, a row has none."""
    choices: str = ""
    """Column of the choices of a multiple-choice question: a list of texts."""
    response: str = ""
    """Column of the response: a text, a program or a list of them. Each becomes a record of its
    own: texts in part `CoT`, programs in part `PoT`, texts with programs and their outputs in part
    `TIR`."""
    thought: Annotated[str, Mark.OMIT_DEFAULT] = ""
    """Column of the thought before the response or solution. Both become one text,
    `<think>…</think>` and the answer."""
    solution: str = ""
    """Column of the worked solution."""
    program: str = ""
    """Column of the Python program."""
    field: str = ""
    """Column of the field or topic."""


class NamedSource(Section):
    """The first records of a source that Curator knows by name."""

    name: SourceName
    """Name of the source (`curator sources`)."""
    rows: int = Field(ge=1)
    """Maximum number of records to read, from the first."""


class FileSource(Section):
    """Any file of JSON Lines, JSON, Parquet, Arrow, CSV or TSV. JSON may be a list, an object of
    records by id, of columns or with a list inside, or records that follow each other. Text files
    may be compressed (gzip, zstd, bzip2) or in UTF-16."""

    file: RecipePath
    """Path or glob pattern, relative to the recipe file."""
    columns: Columns
    licence: str
    """SPDX identifier, or the licence in the owner's words."""
    golds: tuple[GoldName, ...] = ()
    """Sources with gold answers for the questions of this source. The subset's key `golds`, which
    explains them, is used instead if it is set."""
    rows: int = Field(default=0, ge=0)
    """Maximum number of records to read, from the first; 0 reads all."""


class HubSource(Section):
    """Any dataset on the Hugging Face Hub."""

    hub: str
    """Id of the dataset: `org/name`."""
    config: str = ""
    """Configuration of the dataset, if it has several."""
    split: str = "train"
    """Split of the dataset."""
    revision: str
    """Commit to read. Required, so that a version can be rebuilt."""
    columns: Columns
    licence: str
    """SPDX identifier, or the licence in the owner's words."""
    golds: tuple[GoldName, ...] = ()
    """Sources with gold answers for the questions of this source. The subset's key `golds`, which
    explains them, is used instead if it is set."""
    rows: int = Field(default=0, ge=0)
    """Maximum number of records to read, from the first; 0 reads all."""


class Embedding(Section):
    """A sentence-embedding model that runs on this machine; needs the extra `train`."""

    model: Annotated[str, Mark.HUB_ID_OR_PATH]
    """Id on the Hub, or a folder. A path that begins with a dot is relative to the recipe file."""
    above: float = Field(default=0.9, gt=0, le=1)
    """Reject a question whose cosine similarity to another one is at least this."""


class SelfInstruct(Section):
    """New problems that the teacher generates from seeds; the gold answer is the one on which its
    independent solutions agree."""

    seeds: RecipePath
    """File of seed problems, relative to the recipe file: JSON Lines with `question`, `answer`,
    `topic` and `type`."""
    licence: str
    """Licence of the teacher's output: SPDX identifier, or the licence in the owner's words."""
    questions: int = Field(ge=1, le=10_000_000)
    """Number of questions to request from the teacher, balanced over topics and types."""
    near: float = Field(default=0.7, gt=0, le=1)
    """Reject a question whose ROUGE-L similarity to any seed, accepted problem or evaluation
    question is at least this. A question that repeats one of them is rejected in any case: as the
    same question, reworded or the same template."""
    embedding: Embedding | None = None
    """Also reject questions by similarity of meaning. Off by default."""
    cot: int = Field(default=3, ge=0, le=100)
    """Number of worked solutions to sample per new question."""
    pot: int = Field(default=1, ge=0, le=100)
    """Number of programs to sample per new question."""
    agree: int = Field(default=3, ge=2, le=200)
    """Minimum number of solutions and programs with the same answer, at least one program among
    them if `pot` is not 0. Below it the problem has no gold answer and its rows are undecided."""


class SubsetSource(Section):
    """The rows of another subset that passed its checks."""

    subset: str
    """Name of that subset."""


def _source_type(value: object) -> str:
    if isinstance(value, Mapping):
        keys = {"hub": "hub", "seeds": "seeds", "subset": "subset", "name": "named"}
        return next((tag for key, tag in keys.items() if key in value), "file")
    names: dict[type, str] = {
        NamedSource: "named",
        FileSource: "file",
        HubSource: "hub",
        SelfInstruct: "seeds",
        SubsetSource: "subset",
    }
    return names.get(type(value), "name")


AnySource = Annotated[
    Annotated[SourceName, pydantic.Tag("name")]
    | Annotated[NamedSource, pydantic.Tag("named")]
    | Annotated[FileSource, pydantic.Tag("file")]
    | Annotated[HubSource, pydantic.Tag("hub")]
    | Annotated[SelfInstruct, pydantic.Tag("seeds")]
    | Annotated[SubsetSource, pydantic.Tag("subset")],
    pydantic.Discriminator(_source_type),
]


class Subset(Section):
    """Rows from one source with one kind of rationale."""

    source: AnySource
    """Name of a source (`curator sources`), its first rows (`{name: gsm8k, rows: 500}`), a file or
    Hub dataset with its columns, seeds of new problems, or another subset."""
    part: str = ""
    """Read only this part of the source, such as `data/CoT/gsm_rft.json` of MathInstruct. Default:
    the whole source."""
    kind: Kind
    """Kind of rationale: CoT (text), PoT (a Python program) or TIR (text with programs and their
    outputs in turns)."""
    writers: tuple[WriterName, ...] = ("reference",)
    """Writers of the rationales. Those that need a teacher wait until the recipe has one. Default
    for a file or Hub dataset without columns of a response, solution or program: `question`."""
    sampling: Sampling | None = None
    """How many rationales the teacher writes per problem. Default: the recipe's `sampling`."""
    checks: tuple[CheckName, ...] = DEFAULT_CHECKS
    """Checks that every row must pass. `executed` applies to programs only, `agreement` to new
    problems only. Default with the writer `question`: none."""
    evidence: Annotated[EvidenceLevel | None, Mark.OMIT_DEFAULT] = None
    """Weakest evidence level that a row may have, from strong to weak: `executed`, `independent`,
    `arithmetic`, `agreed`, `same text`, `form`. Weaker rows are rejected. Default: any level."""
    golds: Annotated[tuple[GoldName, ...], Mark.OMIT_DEFAULT] = ()
    """Sources (`gsm8k`) and evaluation sets (`evals/gsm8k`) with gold answers for the questions of
    this source. They fill missing gold answers, and replace those that a solution states itself.
    The first one that has the question is used."""
    open_choices: Annotated[bool, Mark.OMIT_DEFAULT] = False
    """Ask multiple-choice questions as open ones: the gold answer is the text of the marked choice.
    Rows pass the check `answer` if their text or program arrives at it. Questions that need their
    choices ("which of the following") stay; the check `verifiable` leaves them out."""
    release_as: str = ""
    """Value of the column `source` in releases. Default: `data/<kind>/<subset>.json`."""

    @pydantic.model_validator(mode="after")
    def _default_to_questions(self) -> Self:
        """Without a solution in the source, a row is the problem, which no check reads."""
        columns = getattr(self.source, "columns", None)
        solved = columns is None or columns.response or columns.solution or columns.program
        if not solved and self.kind == "CoT" and "writers" not in self.model_fields_set:
            object.__setattr__(self, "writers", ("question",))
        if self.writers == ("question",) and "checks" not in self.model_fields_set:
            object.__setattr__(self, "checks", ())
        return self

    @pydantic.model_validator(mode="after")
    def _complete_checks(self) -> Self:
        """Add the checks that a required evidence level needs."""
        if self.evidence:
            needed = [name for name in ("answer", "evidence") if name not in self.checks]
            object.__setattr__(self, "checks", (*self.checks, *needed))
        elif "evidence" in self.checks:
            raise ValueError("the check 'evidence' needs the key 'evidence', which names a level")
        for key in ("golds", "open_choices"):
            if getattr(self, key) and own_stage(self.writers):
                raise ValueError(f"the key '{key}' needs a source with questions of its own")
        return self

    def gold_sources(self) -> tuple[str, ...]:
        """Return the names of the sources with gold answers for the subset's questions."""
        return self.golds or getattr(self.source, "golds", ())


def _screen_field(screen: Screen) -> Any:
    """Return the annotation and the field of a screen's key."""
    annotation: Any = bool
    default: Any = screen.on
    about = screen.about
    if screen.parameters is not None:
        annotation = screen.parameters | None
        default = screen.parameters() if screen.on else None
        about += " `null` switches the screen off." if screen.on else " Off by default."
    if not screen.always_digested:
        annotation = Annotated[annotation, Mark.OMIT_DEFAULT]
    return annotation, Field(default=default, description=about)


if TYPE_CHECKING:

    class Screens(Section):
        def __init__(self, **settings: Any) -> None: ...
        def __getattr__(self, key: str) -> Any: ...

else:
    Screens = pydantic.create_model(
        "Screens",
        __base__=Section,
        __module__=__name__,
        __doc__="Screens over all rows of the version. They run in this order.",
        **{name: _screen_field(screen) for name, screen in SCREENS.items() if screen.has_key},
    )


class Mixture(Section):
    """Which of the rows that passed go into the version."""

    rows: int | None = Field(default=None, ge=1)
    """Total number of rows. Optional; weighted subsets share what the fixed counts leave."""
    subsets: dict[str, Amount] = Field(default={})
    """Amount per subset: an integer is a number of rows, a float a weight, and `30%` a share of the
    subset's rows. A subset that is not named contributes all its rows."""
    kinds: Annotated[dict[Kind, Share], Mark.OMIT_DEFAULT] = Field(default={})
    """Share of the version's rows per kind, such as `{CoT: 50%}`; the other kind has the rest. The
    version has as many rows as these shares allow: the subsets of a kind with too many rows give
    fewer, in proportion to what they would give without this key."""
    licences: tuple[str, ...] | None = None
    """Licences to allow, as the sources state them; rows with another licence are rejected.
    Default: all licences."""


class AttemptsFile(Section):
    """A model's solutions, right or wrong, to problems of the recipe."""

    file: RecipePath
    """File that `curator sample` wrote, or any file with columns of questions and responses;
    relative to the recipe file. Solutions are matched with problems by their question."""
    model: str = Field(min_length=1)
    """Name of the model."""


class Limits(Section):
    """Limits of programs, of rounding, of long texts and of malformed input."""

    wall_s: float = Field(default=5.0, gt=0, le=600)
    """Maximum wall time per program, in seconds."""
    cpu_s: float = Field(default=5.0, gt=0, le=600)
    """Maximum CPU time per program, in seconds."""
    memory_mb: int = Field(default=512, ge=64, le=65536)
    """Maximum memory per program, in MiB."""
    digits: int = Field(default=DIGITS, ge=1, le=15)
    """Minimum number of digits that a decimal must state to count as the rounding of another
    number. With 4, 0.6667 matches 2/3; with 5, that comparison is undecided."""
    characters: Annotated[int, Mark.OMIT_DEFAULT] = Field(
        default=MAX_CHARACTERS, ge=100, le=1_000_000
    )
    """Maximum number of characters of an instruction, and of a text without its thoughts
    (`<think>…</think>`). The check `format` rejects longer ones as `too long`."""
    quarantine: float = Field(default=0.01, ge=0, le=1)
    """Maximum share of a source's records that may fail to parse."""


class Recipe(Section):
    """What a version is made of."""

    name: Name
    """Name of the versions that the recipe makes."""
    about: str
    """Purpose of the recipe, in one line."""
    extends: Annotated[str, Mark.NOT_DIGESTED] = ""
    """Name of a shipped recipe, or a recipe file, whose keys this recipe overrides. `null` removes
    a key."""
    only: Annotated[tuple[str, ...], Mark.NOT_DIGESTED] = ()
    """Names of the subsets to keep of the extended recipe. Default: all of them. `null` in place of
    a subset leaves out that one."""
    seed: int = 0
    """Seed of every random draw."""
    mirror: Annotated[RecipePath, Mark.NOT_DIGESTED] = ""
    """Folder with local upstream files, relative to the recipe file. Default: download from the
    Hub."""
    errata: Annotated[RecipePath, Mark.OMIT_DEFAULT] = ""
    """File of rulings on gold answers (`curator rule`), relative to the recipe file. Wrong golds
    are replaced, or removed like ambiguous ones, before any row is written or checked."""
    thoughts: Annotated[tuple[ThoughtMarks, ...], Mark.OMIT_DEFAULT] = Field(
        default=(), max_length=20
    )
    """Further marks of thoughts, as pairs of an opening and a closing text:
    `[["<|START_THINKING|>", "<|END_THINKING|>"]]`. In responses and solutions of files and Hub
    datasets with columns, in attempts and in replies of the teacher, they become `<think>` and
    `</think>`; `curator/core/thoughts.py` lists the marks that need no key."""
    attempts: Annotated[tuple[AttemptsFile, ...], Mark.OMIT_DEFAULT] = ()
    """Files of attempts by other models than the teacher, such as `[{file: samples.jsonl, model:
    NAME}]`. They are graded and counted for solve rates, and give no rows."""
    subsets: dict[Name, Subset] = Field(min_length=1)
    """Source, writers and checks per subset."""
    screens: Screens = Screens()
    mixture: Mixture = Mixture()
    limits: Limits = Limits()
    teacher: TeacherSettings | None = None
    """Chat model that writes rationales and new problems. Without it, subsets that need a teacher
    wait."""
    sampling: Sampling = Sampling()
    undecided: Annotated[
        Literal["leave_out", "keep"]
        | Annotated[tuple[UndecidedReason, ...], AfterValidator(_without_repetitions)],
        Expected(UNDECIDED),
    ] = "leave_out"
    """What to do with rows that no check could decide: `leave_out`, `keep`, or a list of the
    reasons whose rows are kept, such as `[no gold answer]`."""

    @pydantic.field_validator("thoughts")
    @classmethod
    def _check_thoughts(cls, pairs: tuple[ThoughtMarks, ...]) -> tuple[ThoughtMarks, ...]:
        opening, closing = {first for first, _ in pairs}, {last for _, last in pairs}
        if both := sorted(opening & closing):
            raise ValueError(f"'{both[0]}' opens one thought and closes another. Remove one")
        return pairs

    @pydantic.field_validator("attempts")
    @classmethod
    def _check_attempts(cls, attempts: tuple[AttemptsFile, ...]) -> tuple[AttemptsFile, ...]:
        files = [each.file for each in attempts]
        if repeated := [each for each in files if files.count(each) > 1]:
            raise ValueError(f"'{repeated[0]}' is listed twice. Remove one")
        return attempts

    _folder: Path = pydantic.PrivateAttr(default=Path())
    _file: str = pydantic.PrivateAttr(default="")

    @property
    def folder(self) -> Path:
        """The folder to which relative paths of the recipe refer."""
        return self._folder

    @property
    def file(self) -> str:
        """Path of the recipe's file, or name of the shipped recipe; empty if it has neither."""
        return self._file

    def active_screens(self) -> Iterator[tuple[str, Section | None]]:
        """Yield the screens that the recipe switches on, in order, with their parameters."""
        for name, screen in SCREENS.items():
            setting = getattr(self.screens, name) if screen.has_key else True
            if setting:
                yield name, setting if isinstance(setting, Section) else None

    def evals(self) -> tuple[str, ...]:
        """Return the names of the evaluation sets that the screens need, in the recipe's order."""
        names = (
            name
            for screen, parameters in self.active_screens()
            if "evals" in SCREENS[screen].needs
            for name in getattr(parameters, "against", ())
        )
        return tuple(dict.fromkeys(names))

    def canonical(self) -> dict[str, Any]:
        """Return the resolved recipe as plain JSON values: what a version's digest covers.

        Where files lie, and how, how fast and for how much a teacher is reached, is left out.
        """
        return keys.canonical(self)
