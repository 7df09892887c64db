"""Multi-task sequential fine-tuning: generator, evaluator, generator, each from the one before.

In: a `Multitask` recipe. Out: a folder a stage, each with a complete model. A complete stage is
left as it is; one that was stopped goes on from its newest checkpoint (Liu et al. 2023, MTSFT).
"""

from typing import Any

from trainers.recipe import SFT, Multitask
from trainers.run import Say
from trainers.sft import train_sft
from trainers.verifier import train_verifier


def train_multitask(recipe: Multitask, say: Say) -> list[dict[str, Any]]:
    """Trains all stages in order, or goes on; returns the record of each."""
    records = []
    for run in recipe.runs():
        say(f"stage {run.name}: {run.train} from {run.model}")
        records.append(train_sft(run, say) if isinstance(run, SFT) else train_verifier(run, say))
    return records
