"""Training recipes: which model to train, on which data, with which settings.

In: a YAML file or the name of a shipped recipe in `recipes/training`. Out: a frozen recipe of one
of `KINDS`, or one RecipeError with all errors, each with its file and line. Paths are relative to
the working directory of the command, as model folders are elsewhere.
"""

from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from curator.core.errors import RecipeError, join_errors, unknown_name
from curator.core.section import Section
from curator.recipe.messages import error_lines
from curator.recipe.yaml_document import Document, read_document
from trainers.cross_keys import cross_key_errors

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
Positive = Annotated[int, Field(ge=1, le=10_000_000)]

PART = "training"
"""Folder of the shipped training recipes."""


class Lora(Section):
    """Low-rank adapters, for `method: lora`."""

    rank: int = Field(default=16, ge=1, le=1024)
    """Rank of the adapters."""
    alpha: int = Field(default=32, ge=1, le=4096)
    """Scale of the adapters: their output is multiplied by alpha / rank."""
    dropout: float = Field(default=0.05, ge=0, lt=1)
    """Dropout probability of the inputs of the adapters."""
    merge: bool = True
    """Merge the adapters into the model at the end. Otherwise the folder `model` holds the adapters
    alone, in the format of peft, for a server such as vLLM with `--lora-modules`."""


class Speed(Section):
    """Time and memory of a training. These keys change the model by rounding only."""

    attention: Literal[
        "default", "eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention"
    ] = "default"
    """Implementation of attention: transformers' `attn_implementation`. Default: that of the model,
    mostly `sdpa`."""
    packing: bool = False
    """Put the rows of a forward pass one behind the other instead of padding them; no row sees
    another one. For SFT. It pays with flash attention: other kinds compute the attention between
    all rows of a pass, and mask it."""
    liger: bool = False
    """Use the Triton kernels of the package `liger-kernel`: transformers' `use_liger_kernel`."""
    compile: bool = False
    """Compile the model: transformers' `torch_compile`."""
    recompute: Literal["auto", "yes", "no"] = "auto"
    """Recompute activations in the backward pass instead of keeping them: transformers'
    `activation_checkpointing`. `auto` does so on GPUs. With FSDP, `fsdp_activation_checkpointing`
    of the accelerate configuration does so instead, without gathering weights once more."""


class Training(Section):
    """Keys of all kinds of training."""

    train: str
    """Kind of training."""
    name: Name
    """Name of the run."""
    about: str
    """Purpose of the training, in one line."""
    extends: str = ""
    """Name of a shipped training recipe, or a file, whose keys this recipe overrides. `null`
    removes a key."""
    model: str = Field(min_length=1)
    """Model to start from: a folder, or an id on the Hub."""
    revision: str = ""
    """Commit of a model on the Hub. Default: the newest."""
    output: str = ""
    """Folder of the run. Default: `runs/NAME`. The trained model is in its subfolder `model`."""
    method: Literal["full", "lora"] = "full"
    """Train all weights, or only adapters (see `lora`)."""
    lora: Lora = Lora()
    learning_rate: float = Field(gt=0, le=1)
    """Peak learning rate."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """Course of the learning rate after the warm-up: it decays to 0, or stays constant."""
    warm_up: float = Field(default=0.03, ge=0, lt=1)
    """Share of the steps during which the learning rate rises to its peak."""
    epochs: float = Field(default=3, gt=0, le=1000)
    """Number of passes over the data."""
    steps: int = Field(default=0, ge=0)
    """Maximum number of optimizer steps; 0 runs all epochs."""
    batch: Positive = 128
    """Rows per optimizer step over all devices: pairs for DPO and for a margin or pairwise loss,
    sampled completions for GRPO."""
    micro_batch: Positive = 1
    """Average number of rows per forward pass and device. A pass takes more rows if they are short
    and fewer if they are long, but never more tokens than this number of the longest rows of the
    optimizer step. Gradients are accumulated up to `batch`."""
    max_length: int = Field(default=2048, ge=8, le=1_000_000)
    """Maximum number of tokens per row, prompt and answer together."""
    precision: Literal["bf16", "fp32"] = "bf16"
    """Number format of the forward and backward passes; bf16 needs a GPU."""
    sharding: Literal["none", "fsdp", "zero3"] = "none"
    """How weights are sharded over GPUs. Run `accelerate launch` with the matching config of
    `recipes/training/accelerate`. All processes need the run's folder on a shared file system."""
    speed: Speed = Speed()
    tracker: Literal["none", "tensorboard", "wandb", "mlflow", "trackio"] = "none"
    """Service or files that receive the losses, beside the log: transformers' `report_to`. Its
    package must be installed."""
    checkpoint_every: Positive = 500
    """Number of optimizer steps between checkpoints."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seed of the order of rows, of dropout and of the held-out split."""

    @property
    def folder(self) -> Path:
        """Folder of the run."""
        return Path(self.output or f"runs/{self.name}")

    @property
    def data(self) -> tuple[str, str]:
        """Option of the command that names the training data, and its value in the recipe."""
        key = "samples" if "samples" in type(self).model_fields else "release"
        return f"--{key}", str(getattr(self, key))


class SFT(Training):
    """Supervised fine-tuning on the answers of a release."""

    train: Literal["sft"]
    """Kind of training."""
    release: str = Field(min_length=1)
    """JSON Lines or Parquet file of `curator export`, a folder of its format `hub`, or a published
    release on the Hub: `ORG/NAME@REVISION`, where the revision is a tag, a branch or a commit."""
    template: Literal["alpaca", "chat"] = "alpaca"
    """Template of the prompt: Alpaca's, or the model's own chat template."""
    thoughts: Literal["train", "mask", "drop"] = "train"
    """What to do with the thought before an answer (`<think>…</think>`, or the `reasoning_content`
    of a message): train on it, show it to the model without loss, or leave it out. A thought that
    is not closed is a part of the answer."""
    truncate: Literal["refuse", "allow"] = "refuse"
    """What to do if rows are longer than `max_length`: stop with an error, or truncate answers."""


class Verifier(Training):
    """A model that scores solutions, trained on right and wrong ones."""

    train: Literal["verifier"]
    """Kind of training."""
    samples: str = Field(min_length=1)
    """File of samples, in a form that `curator evaluate` reads, which training grades first; or of
    attempts, written by `curator export` in the format preference, kto or scored."""
    loss: Literal["cross-entropy", "margin", "pairwise"]
    """Loss: cross-entropy of the word "correct" or "incorrect", margin between the log-scores of a
    right and a wrong solution, or pairwise reward."""
    margin: float = Field(default=1.0, gt=0, le=100)
    """λ of the margin loss. The paper does not state its value."""
    per_problem: int = Field(default=10, ge=2, le=10_000)
    """Maximum number of solutions per problem, half of them right and half wrong."""
    held_out: float = Field(default=0.1, gt=0, lt=1)
    """Share of the problems held out to measure the verifier."""


class Preferences(Training):
    """Keys of trainings on right and wrong attempts, or on rewards."""

    release: str = Field(min_length=1)
    """JSON Lines file of `curator export`, in the format preference for DPO, kto for KTO and
    trl-grpo for GRPO."""
    template: Literal["alpaca", "chat"] = "alpaca"
    """Template of the prompt: Alpaca's, or the model's own chat template."""
    too_long: Literal["refuse", "leave_out"] = "refuse"
    """What to do if rows are longer than `max_length`: stop with an error, or leave them out. No
    attempt is cut, since its verdict is that of the whole."""


class DPO(Preferences):
    """Direct preference optimization on pairs of a right and a wrong attempt."""

    train: Literal["dpo"]
    """Kind of training."""
    beta: float = Field(default=0.1, gt=0, le=100)
    """Weight of the divergence from the start model (Rafailov et al. 2023, arXiv:2305.18290)."""


class KTO(Preferences):
    """Kahneman-Tversky optimization on right and wrong attempts, which need not be paired."""

    train: Literal["kto"]
    """Kind of training."""
    beta: float = Field(default=0.1, gt=0, le=100)
    """Weight of the divergence from the start model (Ethayarajh et al. 2024, arXiv:2402.01306)."""


class GRPO(Preferences):
    """Group relative policy optimization: the model's own answers, compared with the golds."""

    train: Literal["grpo"]
    """Kind of training."""
    group: int = Field(default=8, ge=2, le=1024)
    """Completions per prompt, whose rewards are compared. `batch` is a multiple of it."""
    max_answer: int = Field(default=512, ge=1, le=1_000_000)
    """Maximum tokens per completion. With its prompt, it has at most `max_length`."""
    temperature: float = Field(default=1.0, gt=0, le=10)
    """Sampling temperature."""
    beta: float = Field(default=0.0, ge=0, le=100)
    """Weight of the divergence from the start model (Shao et al. 2024, arXiv:2402.03300); 0 keeps
    no copy of that model."""
    sampler: Literal["transformers", "vllm"] = "transformers"
    """Library that samples. `vllm` runs in the training's process and on its GPU."""


class Multitask(Section):
    """Several trainings in order. Each one starts from the model of the previous one."""

    train: Literal["multitask"]
    """Kind of training."""
    name: Name
    """Name of the run."""
    about: str
    """Purpose of the training, in one line."""
    extends: str = ""
    """Name of a shipped training recipe, or a file, whose keys this recipe overrides. `null`
    removes a key."""
    model: str = Field(min_length=1)
    """Model from which the first stage starts: a folder, or an id on the Hub."""
    revision: str = ""
    """Commit of a model on the Hub. Default: the newest."""
    output: str = ""
    """Folder of the run. Default: `runs/NAME`. Each stage has a subfolder."""
    common: dict[str, Any] = Field(default={})
    """Keys for all stages. A stage ignores those that its kind of training does not have."""
    stages: dict[Name, dict[str, Any]] = Field(min_length=1)
    """Stages in order, by name. A stage has the keys of its kind of training, except name, about,
    extends, model, revision and output."""

    @property
    def folder(self) -> Path:
        """Folder of the run."""
        return Path(self.output or f"runs/{self.name}")

    def runs(self) -> list[Training]:
        """Return the trainings of the stages, in order. Raises pydantic.ValidationError."""
        return [_stage(self.model_dump(), name) for name in self.stages]


SINGLE: dict[str, type[Training]] = {
    "sft": SFT,
    "verifier": Verifier,
    "dpo": DPO,
    "kto": KTO,
    "grpo": GRPO,
}
"""Kinds of training that a stage may have, by the value of the key `train`."""

KINDS: dict[str, type[Training] | type[Multitask]] = {**SINGLE, "multitask": Multitask}
"""All kinds of training, by the value of the key `train`."""

NOT_IN_STAGES = ("name", "about", "extends", "model", "revision", "output")
"""Keys of a multitask recipe that a stage may not have."""


def load_training(
    name: str | Path, overrides: Mapping[str, Any] | None = None
) -> Training | Multitask:
    """Return the training recipe in the file `name`, or the shipped one of that name.

    `overrides` are keys from the command line; they take precedence over the file. Raises
    RecipeError with all errors, one per line.
    """
    document = read_document(name, Training, PART)
    values = _override(document.values, overrides or {})
    kind = values.get("train")
    if not isinstance(kind, str) or kind not in KINDS:
        place = document.place(("train",))
        raise RecipeError(f"{place}: train: expected {_listed(KINDS)}, saw {kind!r:.40}")
    errors: list[str] = []
    try:
        recipe = KINDS[kind].model_validate(values)
    except pydantic.ValidationError as error:
        errors = error_lines(document, error, KINDS[kind])
    else:
        stages = recipe.stages if isinstance(recipe, Multitask) else {}
        errors = [] if stages else cross_key_errors(values, document, ())
        errors += chain.from_iterable(_stage_errors(document, values, stage) for stage in stages)
    if errors:
        raise RecipeError(join_errors(dict.fromkeys(errors)))
    return recipe


def _override(values: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with the overrides, which apply to all stages."""
    if values.get("train") != "multitask":
        return {**values, **overrides}
    whole = {key: value for key, value in overrides.items() if key in Multitask.model_fields}
    rest = {key: value for key, value in overrides.items() if key not in whole}
    common = values.get("common") or {}
    return {**values, **whole, "common": {**common, **rest} if isinstance(common, dict) else common}


def _listed(kinds: Iterable[str]) -> str:
    *first, last = kinds
    return f"{', '.join(first)} or {last}"


def _stage(values: Mapping[str, Any], name: str) -> Training:
    """Return the training of one stage; it starts from the model of the previous stage."""
    names = list(values["stages"])
    index = names.index(name)
    folder = values.get("output") or f"runs/{values.get('name')}"
    previous = f"{folder}/{index}-{names[index - 1]}/model"
    own = values["stages"][name]
    kind = SINGLE[own["train"]]
    shared = {key: v for key, v in (values.get("common") or {}).items() if key in kind.model_fields}
    return kind.model_validate(
        {
            **shared,
            **own,
            "name": name,
            "about": values.get("about", ""),
            "model": previous if index else values.get("model"),
            "revision": "" if index else values.get("revision", ""),
            "output": f"{folder}/{index + 1}-{name}",
        }
    )


def _stage_errors(document: Document, values: Mapping[str, Any], name: str) -> list[str]:
    loc, own = ("stages", name), values["stages"][name]
    errors = [
        f"{document.place((*loc, key))}: a stage may not have the key '{key}'"
        for key in own
        if key in NOT_IN_STAGES
    ]
    if (saw := own.get("train")) not in [*SINGLE]:
        expected = f"train: expected {_listed(SINGLE)}, saw {saw!r:.40}"
        return [*errors, f"{document.place(loc)}: {expected}"]
    keys = set(chain.from_iterable(kind.model_fields for kind in SINGLE.values()))
    allowed = keys - {*NOT_IN_STAGES, "train"}
    errors += [
        f"{document.place(('common', key))}: {unknown_name('key', str(key), allowed)}"
        for key in values.get("common") or {}
        if key not in allowed
    ]
    if own.get("loss") == "pairwise":
        place = document.place((*loc, "loss"))
        errors.append(
            f"{place}: a stage cannot use the pairwise loss, because it replaces the head that "
            "generates text. Use cross-entropy or margin."
        )
    lora = {**(values.get("common") or {}), **own}.get("lora")
    if (
        isinstance(lora, Mapping)
        and lora.get("merge") is False
        and name != list(values["stages"])[-1]
    ):
        errors.append(
            f"{document.place(loc)}: lora.merge: expected true, because the next stage starts from "
            "this model"
        )
    try:
        _stage(values, name)
    except pydantic.ValidationError as error:
        kind = KINDS[own["train"]]
        errors += error_lines(document, error, kind, loc)
    merged = {**(values.get("common") or {}), **own}
    kind = SINGLE[own["train"]]
    own_keys = {key: value for key, value in merged.items() if key in kind.model_fields}
    return [*errors, *cross_key_errors(own_keys, document, loc)]
