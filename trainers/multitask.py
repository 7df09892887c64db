"""Multi-task sequential fine-tuning (Liu et al. 2023, MTSFT): generator, evaluator, generator.

In: a `Multitask` recipe. Out: one folder per stage with a complete model; each stage starts from
the previous one's model. A rerun skips complete stages and resumes from the newest checkpoint.
"""

from typing import Any

from trainers.kinds import TRAINERS
from trainers.recipe import Multitask
from trainers.run import Log


def train_multitask(recipe: Multitask, log: Log) -> list[dict[str, Any]]:
    """Train all stages in order, or resume; return the record of each."""
    records = []
    for run in recipe.runs():
        log(f"stage {run.name}: {run.train} from {run.model}")
        records.append(TRAINERS[run.train](run, log))
    return records
