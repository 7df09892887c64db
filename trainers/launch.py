"""Reads what a launcher states about this process: its rank, and how it shards weights.

In: environment variables of `accelerate launch` or `torchrun`. Out: numbers, and a sentence if the
launcher and the recipe disagree.
"""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainers.recipe import Training

VARIABLES = {"fsdp": "ACCELERATE_USE_FSDP", "zero3": "ACCELERATE_USE_DEEPSPEED"}
"""Environment variables that `accelerate launch` sets, by method of sharding."""
CONFIGS = {
    "none": ("8-gpus-ddp.yaml", 8),
    "fsdp": ("8-gpus-fsdp.yaml", 8),
    "zero3": ("many-gpus-zero3.yaml", 32),
}
"""Shipped accelerate configurations by method of sharding, and their number of GPUs."""


def is_main_process() -> bool:
    """Return whether this is the process that writes the shared files."""
    return os.environ.get("RANK", "0") == "0"


def count_processes() -> int:
    """Return the number of processes that were launched."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def launched_sharding() -> str:
    """Return the method of sharding that the launcher uses: `none`, `fsdp` or `zero3`."""
    found = [name for name, key in VARIABLES.items() if os.environ.get(key, "") == "true"]
    return found[0] if found else "none"


def receives_weights() -> bool:
    """Return whether this process gets its share of the weights from the first process.

    That is FSDP2 with `fsdp_cpu_ram_efficient_loading`, as in the shipped configuration. ZeRO-3
    does the same by itself.
    """
    keys = {"FSDP_VERSION": "2", "FSDP_CPU_RAM_EFFICIENT_LOADING": "true"}
    efficient = all(os.environ.get(key) == value for key, value in keys.items())
    return launched_sharding() == "fsdp" and efficient and not is_main_process()


def find_mismatch(recipe: "Training") -> str:
    """Return why the recipe cannot run under this launcher; empty if it can.

    One sharded process would otherwise wait for the others where only the first one works: to merge
    adapters, or to write a file.
    """
    launched = launched_sharding()
    if launched in ("none", recipe.sharding):
        return ""
    if recipe.method == "lora":
        return (
            f"a launch without sharding: adapters cannot be merged into weights that {launched} "
            f"shards. Launch with recipes/training/accelerate/{CONFIGS['none'][0]}"
        )
    return (
        f"the launcher's sharding: it uses {launched}, the recipe states {recipe.sharding}. Set "
        f"sharding: {launched}, or launch with recipes/training/accelerate/"
        f"{CONFIGS[recipe.sharding][0]}"
    )
