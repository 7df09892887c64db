"""Reports the devices, memory and missing requirements of a training, before anything is loaded.

In: a training recipe and this machine. Out: a `Preflight`. Of a model, only the headers of its
weights are read. Memory is estimated by `FORMULA`; kernels, fragmentation and the gathering of one
layer at a time are not included.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from trainers.models import read_config
from trainers.recipe import SFT, Multitask, Training, Verifier

CONFIGS = {"fsdp": ("8-gpus-fsdp.yaml", 8), "zero3": ("many-gpus-zero3.yaml", 32)}
"""Shipped accelerate configurations by method of sharding, and their number of GPUs."""
LAUNCH_VARIABLES = {"fsdp": "ACCELERATE_USE_FSDP", "zero3": "ACCELERATE_USE_DEEPSPEED"}
"""Environment variables that `accelerate launch` sets."""
GIB = 2**30
FORMULA = (
    "weights 4 B per parameter (2 B if frozen in bf16), gradients 4 B and Adam 8 B per trained "
    "parameter, sharded over the GPUs; activations: rows x tokens x hidden x layers x 2 B with "
    "recomputation (34 B without), twice that in fp32, and 8 B per logit"
)


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
    has: float
    """GiB of a GPU, or of this machine if it would run on the CPU; 0 if neither is possible."""
    missing: tuple[str, ...]
    """Requirements that must be met before it can run."""
    notes: tuple[str, ...]
    launch: str
    """Command to start it, if it needs a launcher."""


def preflight(recipe: SFT | Verifier | Multitask) -> list[Preflight]:
    """Check a training on this machine; a multi-task recipe gives one entry per stage."""
    if isinstance(recipe, Multitask):
        runs, start = recipe.runs(), recipe.model
        command = f"curator train multitask {recipe.name}"
        return [_check_run(run, start, place == 0, command) for place, run in enumerate(runs)]
    return [_check_run(recipe, recipe.model, True, f"curator train {recipe.train} {recipe.name}")]


def _check_run(recipe: SFT | Verifier, model: str, first: bool, command: str) -> Preflight:
    gpus = _gpus()
    processes, launched = _count_processes(recipe, gpus)
    shapes, source = _read_shapes(model)
    parameters = sum(_product(shape) for shape in shapes.values()) or _parameters_from_name(model)
    trained = _count_trained(recipe, shapes, parameters)
    memory = _estimate_memory(recipe, model, parameters, trained, processes, bool(gpus))
    has = gpus[0][1] if gpus else _machine_memory() if recipe.precision == "fp32" else 0.0
    notes = []
    if parameters and has and sum(memory.values()) > has:
        notes.append(
            f"needs about {sum(memory.values()):,.0f} GiB per process, {has:,.0f} GiB are "
            "available: use sharding or adapters (method: lora), or reduce micro_batch"
        )
    if not parameters:
        notes.append("the model's size is unknown, since its weights are not on this machine")
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
        tuple(_find_missing(recipe, gpus, processes, first)),
        tuple(notes),
        launch,
    )


def _find_missing(
    recipe: SFT | Verifier, gpus: Sequence[tuple[str, float]], processes: int, first: bool
) -> list[str]:
    """Return missing packages, files and devices, each with what to do."""
    packages = ["torch", "transformers", "trl", "accelerate", "datasets"]
    packages += ["peft"] if recipe.method == "lora" else []
    absent = [name for name in packages if not find_spec(name)]
    missing = []
    if absent:
        missing.append(f"packages {', '.join(absent)}: pip install 'mathcurator[train]'")
    if recipe.sharding == "zero3" and not find_spec("deepspeed"):
        missing.append("package deepspeed for ZeRO-3: pip install deepspeed")
    data = recipe.release if isinstance(recipe, SFT) else recipe.samples
    if not Path(data).exists():
        option = "--release" if isinstance(recipe, SFT) else "--samples"
        missing.append(f"file {data}: create it, or choose another with {option}")
    local = recipe.model.startswith((".", "/", "runs/"))
    if first and local and not (Path(recipe.model) / "config.json").is_file():
        missing.append(f"model {recipe.model}: the folder has no config.json")
    if not gpus and (recipe.precision == "bf16" or recipe.sharding != "none"):
        missing.append(
            "a GPU for bf16 or sharding: on a CPU, set precision: fp32 and sharding: none"
        )
    if len(gpus) > 1 and "WORLD_SIZE" not in os.environ and recipe.sharding == "none":
        missing.append(
            f"a choice among {len(gpus)} GPUs: set CUDA_VISIBLE_DEVICES=0, or use a launcher"
        )
    if recipe.batch % (recipe.micro_batch * processes):
        missing.append(
            f"a batch for {processes} processes: {recipe.batch} is not a multiple of "
            f"{processes} x micro_batch {recipe.micro_batch}"
        )
    return missing


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


def _count_processes(recipe: Training, gpus: Sequence[tuple[str, float]]) -> tuple[int, bool]:
    """Return the number of processes to assume, and whether the required launcher started them."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if recipe.sharding == "none":
        return world, True
    if os.environ.get(LAUNCH_VARIABLES[recipe.sharding], "") == "true":
        return world, True
    return len(gpus) if len(gpus) > 1 else CONFIGS[recipe.sharding][1], False


def _read_shapes(model: str) -> tuple[dict[str, tuple[int, ...]], str]:
    """Return the shapes of a local model's weights, from the headers of its files."""
    files = sorted(Path(model).glob("*.safetensors"))
    if not files or not find_spec("safetensors"):
        return {}, ""
    from safetensors import SafetensorError, safe_open

    shapes: dict[str, tuple[int, ...]] = {}
    for file in files:
        try:
            with safe_open(file, framework="np") as opened:
                names = opened.keys()
                shapes |= {name: tuple(opened.get_slice(name).get_shape()) for name in names}
        except (SafetensorError, OSError):
            return {}, ""
    return shapes, "its weights"


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


def _estimate_memory(
    recipe: Training, model: str, parameters: int, trained: int, processes: int, gpu: bool
) -> dict[str, float]:
    """Return GiB per process by purpose; see `FORMULA`."""
    if not parameters:
        return {}
    shared = processes if recipe.sharding != "none" else 1
    frozen = recipe.method == "lora" and recipe.precision == "bf16"
    config = read_config(model)
    hidden, layers, vocabulary = _model_sizes(config, parameters)
    tokens = recipe.micro_batch * recipe.max_length * (2 if _uses_pairs(recipe) else 1)
    recomputed = gpu or recipe.precision == "bf16"
    each = (2 if recomputed else 34) * (2 if recipe.precision == "fp32" else 1)
    return {
        "weights": parameters * (2 if frozen else 4) / shared / GIB,
        "gradients": trained * 4 / shared / GIB,
        "optimizer": trained * 8 / shared / GIB,
        "activations": tokens * (hidden * layers * each + vocabulary * 8) / GIB,
    }


def _uses_pairs(recipe: Training) -> bool:
    return isinstance(recipe, Verifier) and recipe.loss != "cross-entropy"


def _model_sizes(config: dict[str, Any], parameters: int) -> tuple[int, int, int]:
    """Return hidden size, layers and vocabulary, or those of a Llama with as many parameters."""
    sizes = [config.get(key) for key in ("hidden_size", "num_hidden_layers", "vocab_size")]
    if all(isinstance(value, int) for value in sizes):
        return sizes[0], sizes[1], sizes[2]  # type: ignore[return-value]
    # Llamas have 12 h^2 parameters per layer and about h / 128 layers.
    hidden = round((parameters * 128 / 12) ** (1 / 3))
    return hidden, max(1, hidden // 128), 32_000


def _product(shape: tuple[int, ...]) -> int:
    result = 1
    for size in shape:
        result *= size
    return result
