"""One training, resumable: checkpoints that are whole, the record beside the model, its card.

In: a recipe and a trainer of transformers. Out: the folder `model` of the run, complete when its
`training.json` is there. A run's folder holds `start.json` (what it is, so that another recipe
cannot go on in it), `checkpoints/` and `model/`.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from curator.core.errors import UsageError
from curator.core.files import write_aside
from trainers.model_card import card
from trainers.recipe import Training

FORMAT = 1
WHOLE = "whole"
"""File that is written last into a checkpoint."""
RECORD = "training.json"
PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "tokenizers")
NOT_WHAT = {"about", "extends", "output", "checkpoint_every", "release", "samples"}
"""Keys that do not change what a training makes; what is in the data is told by digest."""

Say = Callable[[str], None]


@dataclass
class Run:
    """A training that is going on."""

    recipe: Training
    folder: Path
    record: dict[str, Any]
    """What is kept beside the model: recipe, release, counts, packages, losses."""
    say: Say

    @property
    def model(self) -> Path:
        """Where the model will be."""
        return self.folder / "model"


def finished(recipe: Training, data: Mapping[str, Any]) -> dict[str, Any] | None:
    """The record of a training that is complete, if its folder has it.

    Raises UsageError if the folder has another one.
    """
    path = recipe.folder / "model" / RECORD
    try:
        record = json.loads(path.read_bytes())
        same = (record["recipe"], record["data"]) == (_what(recipe), _from(recipe, data))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UsageError(f"{path} cannot be read ({error}); name another output") from None
    if not same:
        raise _other(recipe.folder)
    return dict(record)


def start(recipe: Training, data: Mapping[str, Any], say: Say) -> Run:
    """Opens the folder of a run, or the same one again.

    `data` tells what is trained on, by digest. Raises UsageError if the folder is another run's.
    """
    record = {
        "format": FORMAT,
        "recipe": _what(recipe),
        "data": _from(recipe, data),
        "packages": {name: _version(name) for name in PACKAGES},
    }
    identity = {key: record[key] for key in ("format", "recipe", "data")}
    text = json.dumps(identity, indent=1, sort_keys=True)
    path = recipe.folder / "start.json"
    recipe.folder.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.read_bytes() != text.encode():
        raise _other(recipe.folder)
    if _main():
        _write(path, text)
    record["digest"] = sha256(text.encode()).hexdigest()
    return Run(recipe, recipe.folder, record, say)


def arguments(recipe: Training) -> dict[str, Any]:
    """What the recipe says as arguments of transformers' TrainingArguments.

    GPUs are used where there are any; what shards over them comes from `accelerate launch`.
    """
    import torch

    gpu = torch.cuda.is_available()
    world = int(os.environ.get("WORLD_SIZE", "1"))
    at_once = recipe.micro_batch * world
    if recipe.batch % at_once:
        raise UsageError(
            f"batch {recipe.batch} is no multiple of micro_batch {recipe.micro_batch} on {world} "
            "devices; change one of them"
        )
    return {
        "output_dir": str(recipe.folder / "checkpoints"),
        "learning_rate": recipe.learning_rate,
        "lr_scheduler_type": recipe.schedule,
        "warmup_steps": recipe.warm_up,
        "weight_decay": 0.0,
        "num_train_epochs": recipe.epochs,
        "max_steps": recipe.steps or -1,
        "per_device_train_batch_size": recipe.micro_batch,
        "gradient_accumulation_steps": recipe.batch // at_once,
        "bf16": recipe.precision == "bf16",
        "use_cpu": not gpu,
        "gradient_checkpointing": gpu,
        "dataloader_pin_memory": gpu,
        "save_strategy": "steps",
        "save_steps": recipe.checkpoint_every,
        "save_total_limit": 2,
        "logging_steps": 10 if recipe.steps == 0 or recipe.steps > 50 else 1,
        "seed": recipe.seed,
        "data_seed": recipe.seed,
        "report_to": "none",
        "disable_tqdm": True,
    }


def train(run: Run, trainer: Any) -> None:
    """Trains from the newest whole checkpoint, if there is one, to the end."""
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_callback(run))
    checkpoint = newest(run.folder / "checkpoints")
    if checkpoint:
        run.say(f"going on from {checkpoint}")
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    history = trainer.state.log_history
    run.record["steps"] = trainer.state.global_step
    run.record["losses"] = [(each["step"], each["loss"]) for each in history if "loss" in each]


def newest(folder: Path) -> Path | None:
    """The newest whole checkpoint; what a killed process left half-written is removed."""
    found = {}
    for path in folder.glob("checkpoint-*"):
        number = re.fullmatch(r"checkpoint-(\d+)", path.name)
        if number and (path / WHOLE).is_file():
            found[int(number[1])] = path
        elif number and _main():
            shutil.rmtree(path)
    return found[max(found)] if found else None


def finish(
    run: Run,
    trainer: Any,
    tokenizer: Any,
    measure: Callable[[Path], dict[str, Any]] | None = None,
) -> None:
    """Writes the model, its tokenizer and card, what it measures, and its record last."""
    merged = trainer.accelerator.unwrap_model(trainer.model)
    run.model.mkdir(parents=True, exist_ok=True)
    # Training turns it off; who samples from the model wants it.
    merged.config.use_cache = True
    if run.recipe.method == "lora":
        if _main():
            merged.merge_and_unload().save_pretrained(run.model)
    else:
        trainer.save_model(str(run.model))
    trainer.accelerator.wait_for_everyone()
    if _main():
        # A pickle of the arguments, which nothing here reads.
        (run.model / "training_args.bin").unlink(missing_ok=True)
        tokenizer.save_pretrained(run.model)
        if measure:
            trainer.accelerator.free_memory()
            run.record["measures"] = measure(run.model)
        (run.model / "README.md").write_text(card(run.recipe, run.record), "utf-8")
        _durable(run.model)
        _write(run.model / RECORD, json.dumps(run.record, indent=1, sort_keys=True))
    trainer.accelerator.wait_for_everyone()


def _callback(run: Run) -> Any:
    """Marks checkpoints when they are whole, and tells the loss."""
    from accelerate import PartialState
    from transformers import TrainerCallback

    def on_save(self: Any, args: Any, state: Any, control: Any, **_: Any) -> None:
        PartialState().wait_for_everyone()
        if state.is_world_process_zero:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            _durable(folder)
            _write(folder / WHOLE, "")

    def on_log(self: Any, args: Any, state: Any, control: Any, logs: Any, **_: Any) -> None:
        if state.is_world_process_zero and "loss" in logs:
            run.say(f"step {state.global_step:,} of {state.max_steps:,}: loss {logs['loss']:.4f}")

    # Made so because the class to inherit from is only known where transformers is installed.
    return type("Marks", (TrainerCallback,), {"on_save": on_save, "on_log": on_log})()


def _what(recipe: Training) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(recipe.model_dump_json(exclude=NOT_WHAT))
    return plain


def _from(recipe: Training, data: Mapping[str, Any]) -> dict[str, Any]:
    """The data, with the digest of the record of the model that is trained on, where it has one."""
    try:
        before = sha256((Path(recipe.model) / RECORD).read_bytes()).hexdigest()
    except OSError:
        before = ""
    return {**data, "model_record_sha256": before}


def _other(folder: Path) -> UsageError:
    return UsageError(
        f"{folder} holds another training (see start.json there: recipe, data or the length of the "
        "run differ); name another output, or remove the folder"
    )


def _main() -> bool:
    """Whether this is the process that writes what all have in common."""
    return os.environ.get("RANK", "0") == "0"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _durable(folder: Path) -> None:
    """Sees to it that the files of a folder outlast a loss of power."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _write(path: Path, text: str) -> None:
    with write_aside(path) as temporary:
        temporary.write_text(text, "utf-8")
