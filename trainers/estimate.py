"""Estimates what a training needs: memory of a device and of a machine, and disk space.

In: a recipe, the sizes of its model, the number of processes. Out: GiB. `FORMULA` states how;
kernels, fragmentation and the gathering of one layer at a time are not included.
"""

import os
from dataclasses import dataclass
from typing import Any

from trainers.models import read_config, weight_dtype
from trainers.recipe import DPO, GRPO, KTO, Training, Verifier
from trainers.run import CHECKPOINTS, recomputes_activations

GIB = 2**30
MACHINE = 8
"""GPUs per machine, unless the launcher states it."""
FORMULA = (
    "weights 4 B per parameter (2 B if frozen in bf16), gradients 4 B and Adam 8 B per trained "
    "parameter, sharded over the GPUs; the reference model of a preference training once more; "
    "activations: rows x tokens x hidden x layers x 2 B with "
    "recomputation (34 B without), twice that in fp32, and 8 B per logit. Host memory: the weights "
    "once per process; with sharding once per machine, and with FSDP Adam once, to write a "
    "checkpoint. Disk: 12 B per trained parameter and checkpoint, 16 B with sharding; one more "
    "checkpoint than the kept ones, while it is written; the model"
)


@dataclass(frozen=True)
class Size:
    """What the estimate needs to know about a model."""

    model: str
    """Its name or folder."""
    parameters: int
    """0 if unknown."""
    trained: int
    """Number of trained parameters."""


def estimate_memory(recipe: Training, size: Size, processes: int, gpu: bool) -> dict[str, float]:
    """Return GiB per process by purpose; empty for a model of unknown size."""
    if not size.parameters:
        return {}
    shared = processes if recipe.sharding != "none" else 1
    hidden, layers, vocabulary = _model_sizes(read_config(size.model), size.parameters)
    tokens = recipe.micro_batch * recipe.max_length * (2 if _uses_pairs(recipe) else 1)
    recomputed = recomputes_activations(recipe, gpu or recipe.precision == "bf16")
    each = (2 if recomputed else 34) * (2 if recipe.precision == "fp32" else 1)
    weights = size.parameters * _weight_bytes(recipe) / shared / GIB
    return {
        "weights": weights,
        **({"reference": weights} if _keeps_reference(recipe) else {}),
        "gradients": size.trained * 4 / shared / GIB,
        "optimizer": size.trained * 8 / shared / GIB,
        "activations": tokens * (hidden * layers * each + vocabulary * 8) / GIB,
    }


def suggest_micro_batch(recipe: Training, size: Size, processes: int, gib: float) -> int:
    """Return the largest `micro_batch` that divides the batch and fits in 90% of a GPU.

    `gib` is the memory of one GPU. Returns the recipe's own value if no larger one fits.
    """
    rows = recipe.batch // processes
    found = recipe.micro_batch
    for micro in range(found + 1, rows + 1):
        larger = recipe.model_copy(update={"micro_batch": micro})
        if recipe.batch % (micro * processes):
            continue
        if sum(estimate_memory(larger, size, processes, True).values()) > 0.9 * gib:
            break
        found = micro
    return found


def estimate_host(recipe: Training, size: Size, processes: int) -> float:
    """Return GiB of host memory per machine, beside the data, for training on GPUs."""
    if recipe.sharding != "none":
        return size.parameters * (8 if recipe.sharding == "fsdp" else 4) / GIB
    local = int(os.environ.get("LOCAL_WORLD_SIZE", min(processes, MACHINE)))
    return size.parameters * _weight_bytes(recipe) * local / GIB


def estimate_disk(recipe: Training, size: Size) -> float:
    """Return GiB of the run's folder at its largest."""
    checkpoint = size.trained * (12 if recipe.sharding == "none" else 16)
    merged = recipe.method == "full" or recipe.lora.merge
    model = size.parameters * _weight_bytes(recipe) if merged else size.trained * 4
    return ((CHECKPOINTS + 1) * checkpoint + model) / GIB


def _weight_bytes(recipe: Training) -> int:
    return 2 if weight_dtype(recipe) == "bfloat16" else 4


def _uses_pairs(recipe: Training) -> bool:
    return isinstance(recipe, DPO) or (
        isinstance(recipe, Verifier) and recipe.loss != "cross-entropy"
    )


def _keeps_reference(recipe: Training) -> bool:
    """Return whether a second copy of the start model is in memory."""
    return recipe.method == "full" and (
        isinstance(recipe, (DPO, KTO)) or (isinstance(recipe, GRPO) and recipe.beta > 0)
    )


def _model_sizes(config: dict[str, Any], parameters: int) -> tuple[int, int, int]:
    """Return hidden size, layers and vocabulary, or those of a Llama with as many parameters."""
    sizes = [config.get(key) for key in ("hidden_size", "num_hidden_layers", "vocab_size")]
    if all(isinstance(value, int) for value in sizes):
        return sizes[0], sizes[1], sizes[2]  # type: ignore[return-value]
    # Llamas have 12 h^2 parameters per layer and about h / 128 layers.
    hidden = round((parameters * 128 / 12) ** (1 / 3))
    return hidden, max(1, hidden // 128), 32_000
