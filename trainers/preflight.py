"""Reports the devices, memory, disk and missing requirements of a training, before it starts.

In: a training recipe and this machine. Out: a `Preflight`. Of a model, only the headers of its
weights are read, and its tokenizer, to measure the lengths of some rows.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import islice
from math import prod
from pathlib import Path
from shutil import disk_usage

from trainers.batches import Batches, Shares
from trainers.estimate import (
    GIB,
    Size,
    estimate_disk,
    estimate_host,
    estimate_memory,
    suggest_micro_batch,
)
from trainers.hub_release import is_hub_name
from trainers.launch import CONFIGS, count_processes, find_mismatch, launched_sharding
from trainers.models import load_tokenizer, read_shapes
from trainers.recipe import GRPO, SFT, Multitask, Training
from trainers.release import is_available, read_release
from trainers.tokenize import encode, set_template
from trainers.trial import Trial

MEASURED_ROWS = 2_048
"""Minimum number of rows whose lengths are measured, if there are as many."""


@dataclass(frozen=True)
class Preflight:
    """One training on this machine."""

    name: str
    train: str
    model: str
    device: str
    """`CPU`, or the names of the GPUs."""
    processes: int
    """Number of processes that the estimate assumes, one per GPU."""
    precision: str
    sharding: str
    parameters: int
    """Parameters of the model; 0 if unknown."""
    size_from: str
    """Origin of `parameters`."""
    trained: int
    """Number of trained parameters."""
    memory: dict[str, float]
    """GiB per process, by purpose."""
    micro_batch: int
    """Rows per forward pass in the recipe."""
    largest_micro_batch: int
    """Largest `micro_batch` that is estimated to fit the GPU; the recipe's on a CPU."""
    has: float
    """GiB of a GPU, or of this machine if it would run on the CPU; 0 if neither is possible."""
    host: float
    """GiB of memory that each machine needs beside its GPUs; 0 if the model's size is unknown."""
    host_has: float
    """GiB of memory of this machine."""
    disk: float
    """GiB that the run's folder needs; 0 if the model's size is unknown."""
    disk_has: float
    """GiB that are free where the run's folder is, or will be."""
    shares: Shares | None
    """Padding and useful work, from some rows of the release; None without release or tokenizer."""
    missing: tuple[str, ...]
    """Requirements that must be met before it can run."""
    notes: tuple[str, ...]
    launch: str
    """Command to start it, if it needs a launcher."""
    trial: Trial | None = None
    """What some steps took; None if none were tried."""


def preflight(recipe: Training | Multitask, measure: bool = False) -> list[Preflight]:
    """Check a training on this machine; a multi-task recipe gives one entry per stage.

    With `measure`, some rows of a release are tokenized for the shares. Raises UsageError for an
    invalid release.
    """
    command = f"curator train {recipe.train} {recipe.name}"
    runs = recipe.runs() if isinstance(recipe, Multitask) else [recipe]
    found = [_check_run(run, recipe.model, not place, command) for place, run in enumerate(runs)]
    if not measure:
        return found
    return [
        replace(one, shares=_measure_shares(run, recipe.model, one.processes))
        for run, one in zip(runs, found, strict=True)
    ]


def _check_run(recipe: Training, model: str, first: bool, command: str) -> Preflight:
    gpus = _gpus()
    processes, launched = _count_processes(recipe, gpus)
    shapes = read_shapes(Path(model)) if find_spec("safetensors") else {}
    parameters = sum(map(prod, shapes.values())) or _parameters_from_name(model)
    size = Size(model, parameters, _count_trained(recipe, shapes, parameters))
    memory = estimate_memory(recipe, size, processes, bool(gpus))
    has = gpus[0][1] if gpus else _machine_memory() if recipe.precision == "fp32" else 0.0
    launch = ""
    if recipe.sharding != "none" and not launched:
        config, count = CONFIGS[recipe.sharding]
        path = f"recipes/training/accelerate/{config}"
        launch = f"accelerate launch --config_file {path} -m {command}  ({count} GPUs)"
    found = Preflight(
        recipe.name,
        recipe.train,
        recipe.model,
        ", ".join(name for name, _ in gpus) or "CPU",
        processes,
        recipe.precision,
        recipe.sharding,
        parameters,
        "its weights" if shapes else "its name" if parameters else "",
        size.trained,
        memory,
        recipe.micro_batch,
        suggest_micro_batch(recipe, size, processes, has) if gpus else recipe.micro_batch,
        has,
        estimate_host(recipe, size, processes),
        _machine_memory(),
        estimate_disk(recipe, size),
        _free_disk(recipe.folder),
        None,
        tuple(_find_missing(recipe, gpus, processes, first)),
        (),
        launch,
    )
    notes = _find_shortages(found)
    if recipe.speed.packing and not recipe.speed.attention.startswith("fl"):
        notes.append(
            "packing computes the attention between all rows of a pass and masks it: set "
            "speed.attention: flash_attention_2, which skips it"
        )
    return replace(found, notes=tuple(notes))


def _measure_shares(recipe: Training, model: str, processes: int) -> Shares | None:
    """Return the shares of some rows; None for a verifier, whose pairs are not graded yet."""
    absent = not all(map(find_spec, ("torch", "transformers")))
    if absent or not isinstance(recipe, SFT) or not is_available(recipe.release):
        return None
    if (
        recipe.batch % (recipe.micro_batch * processes)
        or not (Path(model) / "config.json").exists()
    ):
        return None
    tokenizer = load_tokenizer(model)
    set_template(tokenizer, recipe.template)
    release = read_release(Path(recipe.release))
    step = max(1, release.rows // max(MEASURED_ROWS, 16 * recipe.batch))
    some = islice(release.examples(), 0, None, step)
    rows, _ = encode(some, tokenizer, recipe.max_length, "allow", recipe.thoughts)
    lengths = [len(row.prompt) + len(row.answer) for row in rows]
    packed = recipe.speed.packing
    batches = Batches(
        lengths, recipe.batch, recipe.micro_batch, processes, recipe.seed, packed=packed
    )
    return batches.measure(lengths)


def _find_shortages(found: Preflight) -> list[str]:
    """Return where the estimate exceeds what this machine has, each with what to do."""
    if not found.parameters:
        return ["the model's size is unknown, since its weights are not on this machine"]
    notes = []
    if found.has and (needs := sum(found.memory.values())) > found.has:
        notes.append(
            f"needs about {needs:,.0f} GiB per process, {found.has:,.0f} GiB are available: use "
            "sharding or adapters (method: lora), or reduce micro_batch"
        )
    if found.device != "CPU" and found.host > found.host_has:
        notes.append(
            f"needs about {found.host:,.0f} GiB of host memory per machine, {found.host_has:,.0f} "
            "GiB are available: use sharding, or fewer processes per machine"
        )
    if found.disk > found.disk_has:
        notes.append(
            f"needs about {found.disk:,.0f} GiB of disk for checkpoints and the model, "
            f"{found.disk_has:,.0f} GiB are free at the output folder: choose another one"
        )
    return notes


def find_absent_model(model: str) -> str:
    """Return what is missing if a model is a folder without one; empty for a model of the Hub."""
    local = model.startswith((".", "/", "runs/"))
    if not local or (Path(model) / "config.json").is_file():
        return ""
    return f"model {model}: the folder has no config.json"


def _find_missing(
    recipe: Training, gpus: Sequence[tuple[str, float]], processes: int, first: bool
) -> list[str]:
    """Return missing packages, files and devices, each with what to do."""
    packages = ["torch", "transformers", "trl", "accelerate", "datasets"]
    packages += ["peft"] if recipe.method == "lora" else []
    absent = [name for name in packages if not find_spec(name)]
    missing = []
    if absent:
        missing.append(f"packages {', '.join(absent)}: pip install 'mathcurator[train]'")
    for key, package in _optional_packages(recipe):
        if not find_spec(package.replace("-", "_")):
            missing.append(f"package {package} for {key}: pip install {package}")
    if recipe.sharding == "zero3" and not find_spec("deepspeed"):
        missing.append("package deepspeed for ZeRO-3: pip install deepspeed")
    missing += _find_missing_data(recipe)
    if first and (absent_model := find_absent_model(recipe.model)):
        missing.append(absent_model)
    if not gpus and (recipe.precision == "bf16" or recipe.sharding != "none"):
        missing.append(
            "a GPU for bf16 or sharding: on a CPU, set precision: fp32 and sharding: none"
        )
    if len(gpus) > 1 and "WORLD_SIZE" not in os.environ and recipe.sharding == "none":
        missing.append(
            f"a choice among {len(gpus)} GPUs: set CUDA_VISIBLE_DEVICES=0, or use accelerate "
            f"launch with recipes/training/accelerate/{CONFIGS['none'][0]}"
        )
    if mismatch := find_mismatch(recipe):
        missing.append(mismatch)
    if recipe.batch % (recipe.micro_batch * processes):
        missing.append(
            f"a batch for {processes} processes: {recipe.batch} is not a multiple of "
            f"{processes} x micro_batch {recipe.micro_batch}"
        )
    return missing


def _find_missing_data(recipe: Training) -> list[str]:
    """Return the release or samples that a training needs, if they are missing."""
    option, data = recipe.data
    hub = isinstance(recipe, SFT)
    if is_available(data) if hub else Path(data).exists():
        return []
    note = ""
    if hub:
        note = ". A release on the Hub is named ORG/NAME@REVISION"
    elif is_hub_name(data):
        note = ". Only SFT reads releases on the Hub: fetch it with 'curator pull' and export it"
    return [f"file {data}: create it, or choose another with {option}{note}"]


def _optional_packages(recipe: Training) -> list[tuple[str, str]]:
    """Return the keys of a recipe that need a package of their own, and its name."""
    attention = {"flash_attention_2": "flash-attn", "flash_attention_3": "flash-attn-interface"}
    keys = [("speed.attention", attention.get(recipe.speed.attention, ""))]
    keys += [("speed.liger", "liger-kernel" if recipe.speed.liger else "")]
    if isinstance(recipe, GRPO):
        keys += [("sampler", "vllm" if recipe.sampler == "vllm" else "")]
    keys += [("tracker", recipe.tracker if recipe.tracker != "none" else "")]
    return [(key, package) for key, package in keys if package]


def _gpus() -> list[tuple[str, float]]:
    """Return name and GiB of each visible GPU."""
    if not find_spec("torch"):
        return []
    import torch

    if not torch.cuda.is_available():
        return []
    devices = [torch.cuda.get_device_properties(n) for n in range(torch.cuda.device_count())]
    return [(str(each.name), each.total_memory / GIB) for each in devices]


def _machine_memory() -> float:
    """Return the memory of this machine in GiB."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIB


def _free_disk(folder: Path) -> float:
    """Return the free GiB of the file system on which a folder is, or will be."""
    return (
        disk_usage(
            next(each for each in (folder, *folder.absolute().parents) if each.exists())
        ).free
        / GIB
    )


def _count_processes(recipe: Training, gpus: Sequence[tuple[str, float]]) -> tuple[int, bool]:
    """Return the number of processes to assume, and whether the required launcher started them."""
    if recipe.sharding in ("none", launched_sharding()):
        return count_processes(), True
    return len(gpus) if len(gpus) > 1 else CONFIGS[recipe.sharding][1], False


def _parameters_from_name(model: str) -> int:
    """Return the number of parameters that a name such as Llama-2-7b or SmolLM2-135M states."""
    match = re.search(r"(?<![\w.])(\d+(?:\.\d+)?)([bm])(?![a-z])", model.replace("-", " ").lower())
    return int(float(match[1]) * {"b": 1e9, "m": 1e6}[match[2]]) if match else 0


def _count_trained(recipe: Training, shapes: dict[str, tuple[int, ...]], parameters: int) -> int:
    """Return the number of trained parameters: all, or those of the adapters."""
    if recipe.method == "full":
        return parameters
    linear = [
        shape
        for name, shape in shapes.items()
        if len(shape) == 2 and "embed" not in name and "lm_head" not in name
    ]
    adapters = recipe.lora.rank * sum(sum(shape) for shape in linear)
    # 0.6% for a 7B model with rank 16; the share decreases with the size of the model.
    return adapters or int(parameters * 0.006 * recipe.lora.rank / 16)
