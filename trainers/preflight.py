"""What a training will run on, what memory it takes, and what it lacks, before anything is loaded.

In: a training recipe and this machine. Out: a `Preflight`. Of models only the headers of their
weights are read. Memory is an estimate by the formula that is told with it; kernels, fragmentation
and the gathering of one layer at a time come on top.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from trainers.models import config_of
from trainers.recipe import SFT, Multitask, Training, Verifier

CONFIGS = {"fsdp": ("8-gpus-fsdp.yaml", 8), "zero3": ("many-gpus-zero3.yaml", 32)}
"""Shipped accelerate configs by sharding, and their GPUs."""
LAUNCHED = {"fsdp": "ACCELERATE_USE_FSDP", "zero3": "ACCELERATE_USE_DEEPSPEED"}
"""What `accelerate launch` sets."""
GIB = 2**30
FORMULA = (
    "weights 4 B a parameter (2 B where frozen in bf16), gradients 4 B and Adam 8 B a trained one, "
    "sharded over the GPUs; activations: rows x tokens x hidden x layers x 2 B with recomputation "
    "(34 B without), twice that in fp32, and 8 B a logit"
)


@dataclass(frozen=True)
class Preflight:
    """One training on this machine."""

    name: str
    train: str
    model: str
    device: str
    """`CPU`, or the GPUs that are seen."""
    processes: int
    """Processes, one a GPU, that the estimate is for."""
    precision: str
    sharding: str
    parameters: int
    """Parameters of the model; 0 if unknown."""
    size_from: str
    """Where that is from."""
    trained: int
    """Parameters that are trained."""
    memory: dict[str, float]
    """GiB a process, by what takes it."""
    has: float
    """GiB of a GPU, or of this machine if it would run on its CPU; 0 if neither."""
    missing: tuple[str, ...]
    """What has to be mended before it can run."""
    notes: tuple[str, ...]
    launch: str
    """How to start it, where a plain start is not enough."""


def preflight(recipe: SFT | Verifier | Multitask) -> list[Preflight]:
    """One entry a training: a multi-task recipe has one a stage."""
    if isinstance(recipe, Multitask):
        runs, start = recipe.runs(), recipe.model
        command = f"curator train multitask {recipe.name}"
        return [_one(run, start, place == 0, command) for place, run in enumerate(runs)]
    return [_one(recipe, recipe.model, True, f"curator train {recipe.train} {recipe.name}")]


def _one(recipe: SFT | Verifier, model: str, first: bool, command: str) -> Preflight:
    gpus = _gpus()
    processes, launched = _processes(recipe, gpus)
    shapes, source = _shapes(model)
    parameters = sum(_product(shape) for shape in shapes.values()) or _by_name(model)
    trained = _trained(recipe, shapes, parameters)
    memory = _memory(recipe, model, parameters, trained, processes, bool(gpus))
    has = gpus[0][1] if gpus else _machine() if recipe.precision == "fp32" else 0.0
    notes = []
    if parameters and has and sum(memory.values()) > has:
        notes.append(
            f"about {sum(memory.values()):,.0f} GiB a process are needed, {has:,.0f} GiB are "
            "there: shard it, take adapters (method: lora), or lower micro_batch"
        )
    if not parameters:
        notes.append("the model's size is unknown here: its weights are not on this machine")
    launch = ""
    if recipe.sharding != "none" and not launched:
        config, count = CONFIGS[recipe.sharding]
        path = f"recipes/training/accelerate/{config}"
        launch = f"accelerate launch --config_file {path} -m {command}  ({count} GPUs)"
    return Preflight(
        recipe.name,
        recipe.train,
        recipe.model,
        ", ".join(name for name, _ in gpus) or "CPU",
        processes,
        recipe.precision,
        recipe.sharding,
        parameters,
        source if shapes else "its name" if parameters else "",
        trained,
        memory,
        has,
        tuple(_missing(recipe, gpus, processes, first)),
        tuple(notes),
        launch,
    )


def _missing(
    recipe: SFT | Verifier, gpus: Sequence[tuple[str, float]], processes: int, first: bool
) -> list[str]:
    """Packages, files and devices that are not there."""
    packages = ["torch", "transformers", "trl", "accelerate", "datasets"]
    packages += ["peft"] if recipe.method == "lora" else []
    lacking = [name for name in packages if not find_spec(name)]
    found = []
    if lacking:
        found.append(f"packages {', '.join(lacking)}: pip install 'mathcurator[train]'")
    if recipe.sharding == "zero3" and not find_spec("deepspeed"):
        found.append("package deepspeed, which ZeRO-3 is of: pip install deepspeed")
    data = recipe.release if isinstance(recipe, SFT) else recipe.samples
    if not Path(data).exists():
        option = "--release" if isinstance(recipe, SFT) else "--samples"
        found.append(f"file {data}: write it, or name another by {option}")
    local = recipe.model.startswith((".", "/", "runs/"))
    if first and local and not (Path(recipe.model) / "config.json").is_file():
        found.append(f"model {recipe.model}: no config.json there")
    if not gpus and (recipe.precision == "bf16" or recipe.sharding != "none"):
        found.append("a GPU, for bf16 or sharding: on a CPU set precision: fp32, sharding: none")
    if len(gpus) > 1 and "WORLD_SIZE" not in os.environ and recipe.sharding == "none":
        found.append(f"one GPU to take of {len(gpus)}: set CUDA_VISIBLE_DEVICES=0, or launch them")
    if recipe.batch % (recipe.micro_batch * processes):
        found.append(
            f"a batch that {processes} processes can share: {recipe.batch} is no multiple of "
            f"{processes} x micro_batch {recipe.micro_batch}"
        )
    return found


def _gpus() -> list[tuple[str, float]]:
    """Name and GiB of each GPU that is seen."""
    if not find_spec("torch"):
        return []
    import torch

    if not torch.cuda.is_available():
        return []
    seen = [torch.cuda.get_device_properties(n) for n in range(torch.cuda.device_count())]
    return [(str(each.name), each.total_memory / GIB) for each in seen]


def _machine() -> float:
    """GiB of this machine's memory."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIB


def _processes(recipe: Training, gpus: Sequence[tuple[str, float]]) -> tuple[int, bool]:
    """How many processes the estimate is for, and whether they were launched as asked."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if recipe.sharding == "none":
        return world, True
    if os.environ.get(LAUNCHED[recipe.sharding], "") == "true":
        return world, True
    return len(gpus) if len(gpus) > 1 else CONFIGS[recipe.sharding][1], False


def _shapes(model: str) -> tuple[dict[str, tuple[int, ...]], str]:
    """Shapes of a local model's weights, by the headers of its files."""
    files = sorted(Path(model).glob("*.safetensors"))
    if not files or not find_spec("safetensors"):
        return {}, ""
    from safetensors import SafetensorError, safe_open

    found: dict[str, tuple[int, ...]] = {}
    for file in files:
        try:
            with safe_open(file, framework="np") as opened:
                names = opened.keys()
                found |= {name: tuple(opened.get_slice(name).get_shape()) for name in names}
        except (SafetensorError, OSError):
            return {}, ""
    return found, "its weights"


def _by_name(model: str) -> int:
    """Parameters as a name such as Llama-2-7b or SmolLM2-135M tells them."""
    match = re.search(r"(?<![\w.])(\d+(?:\.\d+)?)([bm])(?![a-z])", model.replace("-", " ").lower())
    return int(float(match[1]) * {"b": 1e9, "m": 1e6}[match[2]]) if match else 0


def _trained(recipe: Training, shapes: dict[str, tuple[int, ...]], parameters: int) -> int:
    """Parameters that are trained: all, or those of the adapters."""
    if recipe.method == "full":
        return parameters
    linear = [
        shape
        for name, shape in shapes.items()
        if len(shape) == 2 and "embed" not in name and "lm_head" not in name
    ]
    adapters = recipe.lora.rank * sum(sum(shape) for shape in linear)
    # Of a 7B model with rank 16 it is 0.6%, and grows slower than the model.
    return adapters or int(parameters * 0.006 * recipe.lora.rank / 16)


def _memory(
    recipe: Training, model: str, parameters: int, trained: int, processes: int, gpu: bool
) -> dict[str, float]:
    """GiB a process; see `FORMULA`."""
    if not parameters:
        return {}
    shared = processes if recipe.sharding != "none" else 1
    frozen = recipe.method == "lora" and recipe.precision == "bf16"
    config = config_of(model)
    hidden, layers, words = _sizes(config, parameters)
    tokens = recipe.micro_batch * recipe.max_length * (2 if _paired(recipe) else 1)
    recomputed = gpu or recipe.precision == "bf16"
    each = (2 if recomputed else 34) * (2 if recipe.precision == "fp32" else 1)
    return {
        "weights": parameters * (2 if frozen else 4) / shared / GIB,
        "gradients": trained * 4 / shared / GIB,
        "optimizer": trained * 8 / shared / GIB,
        "activations": tokens * (hidden * layers * each + words * 8) / GIB,
    }


def _paired(recipe: Training) -> bool:
    return isinstance(recipe, Verifier) and recipe.loss != "cross-entropy"


def _sizes(config: dict[str, Any], parameters: int) -> tuple[int, int, int]:
    """Hidden size, layers and vocabulary; those of a Llama of that size where not told."""
    told = [config.get(key) for key in ("hidden_size", "num_hidden_layers", "vocab_size")]
    if all(isinstance(value, int) for value in told):
        return told[0], told[1], told[2]  # type: ignore[return-value]
    # Llamas have 12 h^2 parameters a layer and about h / 128 layers.
    hidden = round((parameters * 128 / 12) ** (1 / 3))
    return hidden, max(1, hidden // 128), 32_000


def _product(shape: tuple[int, ...]) -> int:
    result = 1
    for size in shape:
        result *= size
    return result
