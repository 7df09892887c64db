"""A training recipe: which model is trained on which release, how, and where it goes.

In: a YAML file or the name of a shipped recipe in `recipes/training`. Out: a frozen `SFT`,
`Verifier` or `Multitask`, or one RecipeError that holds every fault with its file and line. Paths
are relative to where the command runs, as model folders are everywhere else.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from curator.core.errors import RecipeError, unknown
from curator.core.section import Section
from curator.recipe.keys import Loc
from curator.recipe.messages import error_line
from curator.recipe.yaml_document import Document, read_document

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
Positive = Annotated[int, Field(ge=1, le=10_000_000)]

PART = "training"
"""Folder of the shipped recipes of this kind."""


class Lora(Section):
    """Low-rank adapters instead of the model's own weights."""

    rank: int = Field(default=16, ge=1, le=1024)
    """Rank of the adapters."""
    alpha: int = Field(default=32, ge=1, le=4096)
    """Their scale: alpha / rank multiplies what they add."""
    dropout: float = Field(default=0.05, ge=0, lt=1)
    """Share of their inputs that is dropped."""


class Training(Section):
    """What every training has."""

    name: Name
    """Name of the run and of its folder."""
    about: str
    """What it is for, in a line."""
    extends: str = ""
    """A shipped training recipe or a file, whose keys this one overrides; null removes a key."""
    model: str = Field(min_length=1)
    """Model to start from: a folder, or an id on the Hub."""
    revision: str = ""
    """Commit of a model on the Hub; its newest if empty."""
    output: str = ""
    """Folder of the run; `runs/NAME` if empty. The model will be in its folder `model`."""
    method: Literal["full", "lora"] = "full"
    """Train all weights, or adapters only, which are merged into the model at the end."""
    lora: Lora = Lora()
    learning_rate: float = Field(gt=0, le=1)
    """The highest learning rate."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """How the learning rate falls after the warm-up."""
    warm_up: float = Field(default=0.03, ge=0, lt=1)
    """Share of the steps in which the learning rate rises."""
    epochs: float = Field(default=3, gt=0, le=1000)
    """Times that every row is seen."""
    steps: int = Field(default=0, ge=0)
    """End after so many optimizer steps; 0 for all epochs."""
    batch: Positive = 128
    """Rows (pairs of a margin or pairwise loss) of one optimizer step over all devices."""
    micro_batch: Positive = 1
    """Rows that one device takes at once; the rest of `batch` is accumulated."""
    max_length: int = Field(default=2048, ge=8, le=1_000_000)
    """Tokens of a row, prompt and answer together."""
    precision: Literal["bf16", "fp32"] = "bf16"
    """Numbers of the forward and backward passes; bf16 needs a GPU."""
    sharding: Literal["none", "fsdp", "zero3"] = "none"
    """How weights are spread over GPUs; run by `accelerate launch` with the config of that name."""
    checkpoint_every: Positive = 500
    """Optimizer steps between checkpoints."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seed of the order of rows, of dropout and of what is split off."""

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        return Path(self.output or f"runs/{self.name}")


class SFT(Training):
    """Supervised fine-tuning on the answers of a release."""

    train: Literal["sft"]
    """What is trained."""
    release: str = Field(min_length=1)
    """JSON lines or Parquet by `curator export`, or a published folder."""
    template: Literal["alpaca", "chat"] = "alpaca"
    """What stands around a question: Alpaca's, or the model's own chat template."""
    truncate: Literal["refuse", "allow"] = "refuse"
    """What happens if rows are longer than `max_length`, so that answers would be cut."""


class Verifier(Training):
    """A model that scores solutions, trained on graded samples."""

    train: Literal["verifier"]
    """What is trained."""
    samples: str = Field(min_length=1)
    """Samples of problems, as `curator sample` writes them; they are graded here."""
    loss: Literal["cross-entropy", "margin", "pairwise"]
    """Cross-entropy on the word "correct" or "incorrect"; margin between the log-scores of a wrong
    and a right solution; pairwise reward."""
    margin: float = Field(default=1.0, gt=0, le=100)
    """λ of the margin loss; the paper does not tell its own."""
    per_problem: int = Field(default=10, ge=2, le=10_000)
    """At most so many solutions a problem, half right and half wrong."""
    held_out: float = Field(default=0.1, gt=0, lt=1)
    """Share of the problems that is kept for the measures."""


class Multitask(Section):
    """Stages in a row, each from the model of the one before."""

    train: Literal["multitask"]
    """What is trained."""
    name: Name
    """Name of the run and of its folder."""
    about: str
    """What it is for, in a line."""
    extends: str = ""
    """A shipped training recipe or a file, whose keys this one overrides; null removes a key."""
    model: str = Field(min_length=1)
    """Model that the first stage starts from: a folder, or an id on the Hub."""
    revision: str = ""
    """Commit of a model on the Hub; its newest if empty."""
    output: str = ""
    """Folder of the run; `runs/NAME` if empty. Each stage has a folder in it."""
    common: dict[str, Any] = Field(default={})
    """Keys that all stages have; those that a stage cannot have are left out there."""
    stages: dict[Name, dict[str, Any]] = Field(min_length=1)
    """By name, in order: the keys of an SFT or a verifier, without name, model and output."""

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        return Path(self.output or f"runs/{self.name}")

    def runs(self) -> list[SFT | Verifier]:
        """The trainings of the stages, in order; raises pydantic.ValidationError."""
        return [_stage(self.model_dump(), name) for name in self.stages]


KINDS: dict[str, type[SFT] | type[Verifier] | type[Multitask]] = {
    "sft": SFT,
    "verifier": Verifier,
    "multitask": Multitask,
}
"""What can be trained, by the recipe's key `train`."""

OWN = ("name", "about", "extends", "model", "revision", "output")
"""Keys of the whole that a stage may not have."""


def load_training(
    name: str | Path, overrides: Mapping[str, Any] | None = None
) -> SFT | Verifier | Multitask:
    """The recipe in the file `name`, or the shipped one of that name, checked whole.

    `overrides` are keys of the command line, which stand above the file's. Raises RecipeError with
    every fault, one a line.
    """
    document = read_document(name, Training, PART)
    values = _overridden(document.values, overrides or {})
    kind = values.get("train")
    if not isinstance(kind, str) or kind not in KINDS:
        place = document.place(("train",))
        raise RecipeError(f"{place}: train: expected sft, verifier or multitask, saw {kind!r:.40}")
    faults: list[str] = []
    try:
        recipe = KINDS[kind].model_validate(values)
    except pydantic.ValidationError as error:
        faults = [error_line(document, dict(item), KINDS[kind]) for item in error.errors()]
    else:
        stages = recipe.stages if isinstance(recipe, Multitask) else {}
        found = [] if stages else _crossed(values, document, ())
        faults = [
            *found,
            *(fault for stage in stages for fault in _staged(document, values, stage)),
        ]
    if faults:
        raise RecipeError("\n".join(dict.fromkeys(faults)))
    return recipe


def _overridden(values: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The values with those of the command line, which all stages have in common."""
    if values.get("train") != "multitask":
        return {**values, **overrides}
    whole = {key: value for key, value in overrides.items() if key in Multitask.model_fields}
    rest = {key: value for key, value in overrides.items() if key not in whole}
    common = values.get("common") or {}
    return {**values, **whole, "common": {**common, **rest} if isinstance(common, dict) else common}


def _stage(values: Mapping[str, Any], name: str) -> SFT | Verifier:
    """The training of one stage, from the model of the stage before."""
    names = list(values["stages"])
    place = names.index(name)
    folder = values.get("output") or f"runs/{values.get('name')}"
    before = f"{folder}/{place}-{names[place - 1]}/model"
    given = values["stages"][name]
    kind = SFT if given.get("train") == "sft" else Verifier
    shared = {key: v for key, v in (values.get("common") or {}).items() if key in kind.model_fields}
    return kind.model_validate(
        {
            **shared,
            **given,
            "name": name,
            "about": values.get("about", ""),
            "model": before if place else values.get("model"),
            "revision": "" if place else values.get("revision", ""),
            "output": f"{folder}/{place + 1}-{name}",
        }
    )


def _staged(document: Document, values: Mapping[str, Any], name: str) -> list[str]:
    """The faults of one stage."""
    loc, given = ("stages", name), values["stages"][name]
    own = [key for key in given if key in OWN]
    faults = [f"{document.place((*loc, key))}: {key} belongs to the whole" for key in own]
    if given.get("train") not in ("sft", "verifier"):
        saw = given.get("train")
        return [*faults, f"{document.place(loc)}: train: expected sft or verifier, saw {saw!r:.40}"]
    keys = {*SFT.model_fields, *Verifier.model_fields}
    allowed = keys - {*OWN, "train"}
    faults += [
        f"{document.place(('common', key))}: {unknown('key', str(key), allowed)}"
        for key in values.get("common") or {}
        if key not in allowed
    ]
    if given.get("loss") == "pairwise":
        where = document.place((*loc, "loss"))
        faults.append(
            f"{where}: the pairwise loss replaces the head that writes text, so that no stage can "
            "follow or precede it; expected cross-entropy or margin"
        )
    try:
        _stage(values, name)
    except pydantic.ValidationError as error:
        kind = KINDS[given["train"]]
        faults += [error_line(document, dict(item), kind, loc) for item in error.errors()]
    merged = {**(values.get("common") or {}), **given}
    return [*faults, *_crossed(merged, document, loc)]


def _crossed(values: Mapping[str, Any], document: Document, loc: Loc) -> list[str]:
    """Faults between keys."""
    faults = []
    batch, micro = values.get("batch", 128), values.get("micro_batch", 1)
    if isinstance(batch, int) and isinstance(micro, int) and micro > 0 and batch % micro:
        place = document.place((*loc, "batch"))
        faults.append(f"{place}: batch {batch} is no multiple of micro_batch {micro}")
    if values.get("method") == "lora" and values.get("sharding", "none") != "none":
        place = document.place((*loc, "sharding"))
        faults.append(f"{place}: sharding: adapters are trained without; expected none")
    return faults
