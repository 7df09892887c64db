"""What trains a recipe, by the value of its key `train`.

To add a kind of training: its keys in `trainers.recipe`, a module with its function, and one line
here.
"""

from collections.abc import Callable
from typing import Any

from trainers.grpo import train_grpo
from trainers.preferences import train_dpo, train_kto
from trainers.sft import train_sft
from trainers.verifier import train_verifier

TRAINERS: dict[str, Callable[..., dict[str, Any]]] = {
    "sft": train_sft,
    "verifier": train_verifier,
    "dpo": train_dpo,
    "kto": train_kto,
    "grpo": train_grpo,
}
"""Each takes a recipe and a log, trains or resumes, and returns the record of the training."""
