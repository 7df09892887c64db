"""The typed content of a version: what its manifest states and which objects hold its rows.

In: a manifest of a store, or the JSON of a pulled release. Out: `Content` and `Objects`, whose
attributes are the manifest's keys. Keys that this version of Curator does not know are preserved,
so the digest of a content can be computed again from what was read.
"""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from curator.checks import CHECKS
from curator.core.model import EvidenceLevel, Kind
from datastore.errors import StoreError
from datastore.files import canonical_json
from datastore.versions import Manifest

Natural = Annotated[int, Field(ge=0, le=10**15)]
"""A count; the maximum keeps sums and quotients of counts within what SQL and JSON can hold."""
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _to_list(digests: Any) -> Any:
    """Older releases wrote one object where there is a list of shards now."""
    return [digests] if isinstance(digests, str) else digests


Shards = Annotated[list[Digest], BeforeValidator(_to_list)]
"""The objects that hold the rows of one subset, in order."""


class JsonObject(BaseModel):
    """A JSON object of a manifest: known keys are validated, other keys are preserved."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    def plain(self) -> dict[str, Any]:
        """Return the JSON object as it was read or written; defaults are not filled in."""
        return self.model_dump(exclude_unset=True)


class Origin(JsonObject):
    """Where a source or an evaluation set was read."""

    __pydantic_extra__: dict[str, str] = Field(init=False)

    licence: str
    revision: str = ""
    """Pinned commit, or the digest of local files; empty if the source could not be reached."""
    missing: str = ""
    """Why it could not be reached; empty if it was read."""


class SubsetRecipe(JsonObject):
    """What the recipe states about one subset."""

    source: Any
    kind: Kind
    writers: list[str]
    checks: list[str]
    evidence: str = ""
    """Weakest evidence level of a row; empty if there is no requirement."""
    release_as: str
    """As the recipe has it; `Content.release_as` applies the default."""
    part: str = ""
    sampling: dict[str, Any] | None = None


class ContaminationRecipe(JsonObject):
    """The settings of the contamination screen. Those of versions before its levels are None."""

    against: list[str]
    same_question: str | None = None
    reworded: str | None = None
    same_template: str | None = None
    shared_phrase: str | None = None
    sets: dict[str, dict[str, str | None]] = {}
    subsets: dict[str, dict[str, str | None]] = {}


class ScreensRecipe(JsonObject):
    """The settings of the screens."""

    contamination: ContaminationRecipe | None = None
    solve_rate: dict[str, Any] | None = None


class RecipeContent(JsonObject):
    """The keys of the resolved recipe that are read from a version.

    The full schema is `curator.recipe.schema`, which lies above. A pulled release must satisfy it.
    """

    about: str
    undecided: str | list[str]
    """`keep`, `leave_out`, or the reasons whose rows are kept."""
    screens: ScreensRecipe
    subsets: dict[str, SubsetRecipe]
    name: str = ""
    seed: int = 0
    limits: dict[str, Any] = {}
    sampling: dict[str, Any] = {}


class Calls(JsonObject):
    """Calls to a teacher that the rows of a subset rest on."""

    __pydantic_extra__: dict[str, Natural] = Field(init=False)

    calls: Natural = 0
    unanswered: Natural = 0
    """Calls that the next build repeats."""
    repaired: Natural = 0
    """Programs that the teacher was shown the error of."""
    replayed: Natural = 0
    prompts: dict[str, str] = {}
    """Digest of each prompt."""

    @property
    def counts(self) -> dict[str, int]:
        """All counts, also those of replies without a rationale: `unread: reason`."""
        return self.model_dump(exclude_unset=True, exclude={"prompts"})

    @property
    def unread(self) -> dict[str, int]:
        """Replies without a rationale, by reason."""
        start = "unread: "
        counts = self.counts.items()
        return {key.removeprefix(start): n for key, n in counts if key.startswith(start)}


class SubsetContent(JsonObject):
    """Counts of one subset: the numbers that `curator show` prints."""

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
    """Rows that the checks and screens let through."""
    kept: Natural
    """Rows that the mixture drew."""
    reasons: dict[str, Natural]
    """Rejected and undecided rows by `outcome: reason`."""
    reported: dict[str, Natural]
    """Rows that a screen reported but did not reject, by `outcome: reason`."""
    invented: dict[str, Natural] = {}
    """Questions that a teacher made, by `invented: outcome`; empty for other subsets."""
    levels: dict[EvidenceLevel, Natural] = {}
    """Kept rows by evidence level; empty in versions of older releases of Curator."""
    errata: dict[str, Natural] = {}
    """Problems with a ruling by its result (`curator.core.errata.ERRATA`). Empty without errata,
    and in versions of older releases of Curator."""
    taught: Calls | None = None
    """None for a subset without a teacher."""


class CodeVersions(JsonObject):
    """Versions of the code that verdicts depend on."""

    answers: int
    sandbox: int
    checks: dict[str, int]
    screens: dict[str, int]


class RowsContent(JsonObject):
    """The rows of a version."""

    count: Natural
    sha256: str
    """See `curator.versions.rows.rows_digest`."""


class Teacher(JsonObject):
    """The model that wrote what a teacher wrote."""

    model: str
    parameters: dict[str, Any]
    family: str = ""
    replay: bool = False
    """Whether the calls were replayed from recordings."""


class AttemptsContent(JsonObject):
    """A file of attempts by a model."""

    model: str
    sha256: str
    counts: dict[str, Natural]
    """Solutions that are successes, failures or undecided, and `unused: REASON`."""

    @property
    def unused(self) -> dict[str, int]:
        """Solutions and records that count for no problem, by reason."""
        prefix = "unused: "
        found = self.counts.items()
        return {key.removeprefix(prefix): n for key, n in found if key.startswith(prefix)}


class Content(JsonObject):
    """What defines a version; its canonical JSON is what the digest covers."""

    recipe: RecipeContent
    sources: dict[str, Origin]
    evals: dict[str, Origin]
    code: CodeVersions
    order: list[str]
    """Subsets in the order of the recipe: JSON objects have no order."""
    subsets: dict[str, SubsetContent]
    rows: RowsContent
    teacher: Teacher | None = None
    lists: dict[str, str] = {}
    """sha256 of the files that list rows to exclude or to include, by key of the recipe."""

    attempts: dict[str, AttemptsContent] = {}
    """The recipe's files of attempts, by their path."""

    def ordered_recipe(self) -> dict[str, Any]:
        """Return the recipe as JSON values: keys sorted, subsets in their order."""
        values: dict[str, Any] = json.loads(canonical_json(self.recipe.plain()))
        return values | {"subsets": {name: values["subsets"][name] for name in self.order}}

    def screened(self, subset: str) -> int:
        """Return the number of rows that passed the checks and that a screen rejected."""
        counts, keep = self.subsets[subset], self.recipe.undecided
        if keep == "keep":
            undecided = counts.undecided
        else:
            known = {reason for check in CHECKS.values() for reason in check.undecided}
            # Rows that a screen could not decide had passed the checks.
            reasons = [] if isinstance(keep, str) else [each for each in keep if each in known]
            undecided = sum(counts.reasons.get(f"undecided: {reason}", 0) for reason in reasons)
        return counts.passed + undecided - counts.available

    def release_as(self, subset: str) -> str:
        """Return the `source` string of a subset in releases."""
        recipe = self.recipe.subsets[subset]
        return recipe.release_as or f"data/{recipe.kind}/{subset}.json"

    def source_name(self, subset: str) -> str:
        """Return the key in `sources` of a subset's source.

        That is the name of the source, the name of the subset if the recipe describes the source
        in place, or the key of the subset that this one is made of.
        """
        source = self.recipe.subsets[subset].source
        if isinstance(source, str):
            return source
        return self.source_name(source["subset"]) if "subset" in source else subset


class Objects(JsonObject):
    """Digests of the objects that hold a version, by subset, screen or evaluation set.

    Subsets that wait for a source or a teacher have no rationales and no verdicts. The shards of
    the rationales and the verdicts of a subset are those of its problems; in versions that older
    releases built or that were pulled, one object may hold the rows of several shards.
    """

    problems: dict[str, Shards]
    rationales: dict[str, Shards]
    verdicts: dict[str, Shards]
    screens: dict[str, Digest]
    rows: Digest
    origins: dict[str, str]
    """Where each source was read on this machine, or the release it was pulled from."""
    quarantine: dict[str, Digest] = {}
    agreements: dict[str, Digest] = {}
    replies: dict[str, Digest] = {}
    evals: dict[str, Shards] = {}
    lists: dict[str, Digest] = {}
    attempts: dict[str, Digest] = {}
    """Which sample of the teacher led to which rationale, by subset."""
    solutions: dict[str, Digest] = {}
    """The content of files of attempts, by their path in the recipe."""
    unused: dict[str, Digest] = {}
    """Solutions in these files that count for no problem."""
    solve_counts: Digest | Literal[""] = ""
    """Successes and failures by problem and model; empty without attempts."""
    ruled: dict[str, Shards] = {}
    """Rulings of errata that were applied, by subset; empty without errata, and in versions of
    older releases of Curator."""
    pulled: str = ""
    """The release that the version was pulled from; empty for a version that was built."""
    command: list[str] = []
    """Arguments of `curator` that make these objects again, where this version was made. Empty if
    it was made by an older version of Curator, or from a recipe that is not in a file."""

    def roles(self) -> Iterator[tuple[str, str]]:
        """Yield the digest of every object and what it holds: `rationales of gsm8k_cot`."""
        yield self.rows, "rows"
        names = ("problems", "rationales", "verdicts", "quarantine", "agreements", "replies")
        for name in (*names, "ruled"):
            for subset, digests in getattr(self, name).items():
                for digest in [digests] if isinstance(digests, str) else digests:
                    yield digest, f"{name} of {subset}"
        for screen, digest in self.screens.items():
            yield digest, f"verdicts of the screen {screen}"
        for name, digests in self.evals.items():
            for digest in digests:
                yield digest, f"problems of the evaluation set {name}"
        for key, digest in self.lists.items():
            yield digest, f"list of rows to {key}"
        for subset, digest in self.attempts.items():
            yield digest, f"attempts of {subset}"
        for file, digest in self.solutions.items():
            yield digest, f"solutions of {file}"
        for file, digest in self.unused.items():
            yield digest, f"unused solutions of {file}"
        if self.solve_counts:
            yield self.solve_counts, "solve counts"


def content_of(manifest: Manifest) -> Content:
    """Read the content of a manifest. Raises StoreError if it is not a version's content."""
    return _read(Content, manifest, manifest.content)


def objects_of(manifest: Manifest) -> Objects:
    """Read the objects of a manifest. Raises StoreError if they are not a version's objects."""
    return _read(Objects, manifest, manifest.objects)


_P = TypeVar("_P", bound=JsonObject)


def _read(part: type[_P], manifest: Manifest, values: dict[str, Any]) -> _P:
    try:
        return part.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))[:100]
        raise StoreError(
            f"The manifest of {manifest.ref} is not valid at {place!a} "
            f"({first['type']}). Use the version of Curator that wrote it, or run "
            f"'curator rm {manifest.ref}' and build it again."
        ) from None
