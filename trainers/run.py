"""Runs a training so that it can be resumed, and writes the model with its record and card.

In: a recipe and a trainer of transformers. Out: the subfolder `model` of the run, complete once
`training.json` exists. The run's folder contains `start.json` (the identity of the run, so that
another recipe cannot resume it), `checkpoints/` and `model/`.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from errno import EDQUOT, EFBIG, ENOSPC
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from curator.core.errors import CuratorError, UsageError, to_one_line
from curator.core.files import write_aside
from trainers.batches import Batches, use_batches
from trainers.launch import (
    count_processes,
    find_mismatch,
    is_main_process,
    launcher_recomputes,
)
from trainers.model_card import render_card
from trainers.models import count_parameters, count_saved
from trainers.recipe import Training

FORMAT = 1
COMPLETE = "whole"
"""Name of the file that marks a checkpoint as complete."""
RECORD = "training.json"
START = "start.json"
PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "tokenizers")
IGNORED_KEYS = {
    "about",
    "extends",
    "output",
    "checkpoint_every",
    "release",
    "samples",
    "speed",
    "tracker",
}
"""Keys that do not change the trained model; a digest identifies the data."""

CHECKPOINTS = 2
"""Number of checkpoints that are kept."""
SCHEDULES = {"constant": "constant_with_warmup"}
"""Names of transformers for schedules; its `constant` has no warm-up."""

Log = Callable[[str], None]


@dataclass
class Run:
    """A training in progress."""

    recipe: Training
    folder: Path
    record: dict[str, Any]
    """Content of `training.json`: recipe, data, counts, packages, losses."""
    log: Log
    parameters: int = 0
    """Number of parameters of the model that is trained."""

    @property
    def model(self) -> Path:
        """Return the folder of the model."""
        return self.folder / "model"


def load_finished(recipe: Training, data: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the record if the training is complete, otherwise None.

    Raises UsageError if the folder contains another training.
    """
    path = recipe.folder / "model" / RECORD
    try:
        record = json.loads(path.read_bytes())
        same = (record["recipe"], record["data"]) == (
            _recipe_identity(recipe),
            _data_identity(recipe, data),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UsageError(
            f"{path} cannot be read ({error}). Choose another output folder."
        ) from None
    if not same:
        raise _other_run_error(recipe.folder)
    return dict(record)


def check_start(recipe: Training, data: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the beginning of the record of a run, and the text of its start file.

    Raises UsageError if the folder belongs to another run.
    """
    record = {
        "format": FORMAT,
        "recipe": _recipe_identity(recipe),
        "data": _data_identity(recipe, data),
        "packages": {name: _package_version(name) for name in PACKAGES},
    }
    identity = {key: record[key] for key in ("format", "recipe", "data")}
    text = json.dumps(identity, indent=1, sort_keys=True)
    path = recipe.folder / START
    if path.exists() and path.read_bytes() != text.encode():
        raise _other_run_error(recipe.folder)
    return record, text


def start_run(recipe: Training, data: Mapping[str, Any], log: Log) -> Run:
    """Create the folder of a run, or open it to resume.

    `data` identifies the training data by digest. Raises UsageError if the folder belongs to
    another run.
    """
    record, text = check_start(recipe, data)
    path = recipe.folder / START
    recipe.folder.mkdir(parents=True, exist_ok=True)
    if is_main_process():
        _write_file(path, text)
    record["digest"] = sha256(text.encode()).hexdigest()
    return Run(recipe, recipe.folder, record, log)


def training_arguments(recipe: Training) -> dict[str, Any]:
    """Return the recipe's settings as keyword arguments of transformers' TrainingArguments.

    Available GPUs are used; `accelerate launch` configures sharding.
    """
    import torch

    if mismatch := find_mismatch(recipe):
        raise UsageError(f"{recipe.name} needs {mismatch}")
    gpu = torch.cuda.is_available()
    world = count_processes()
    rows_per_pass = recipe.micro_batch * world
    if recipe.batch % rows_per_pass:
        raise UsageError(
            f"batch {recipe.batch} is not a multiple of micro_batch {recipe.micro_batch} on "
            f"{world} devices. Change one of them."
        )
    return {
        "output_dir": str(recipe.folder / "checkpoints"),
        "learning_rate": recipe.learning_rate,
        "lr_scheduler_type": SCHEDULES.get(recipe.schedule, recipe.schedule),
        "warmup_steps": recipe.warm_up,
        "weight_decay": 0.0,
        "num_train_epochs": recipe.epochs,
        "max_steps": recipe.steps or -1,
        "per_device_train_batch_size": recipe.micro_batch,
        "gradient_accumulation_steps": recipe.batch // rows_per_pass,
        "bf16": recipe.precision == "bf16",
        "use_cpu": not gpu,
        _recompute_key(): recomputes_activations(recipe, gpu) and not launcher_recomputes(),
        "use_liger_kernel": recipe.speed.liger,
        "torch_compile": recipe.speed.compile,
        "dataloader_pin_memory": gpu,
        "save_strategy": "steps",
        "save_steps": recipe.checkpoint_every,
        "save_total_limit": CHECKPOINTS,
        "logging_steps": 10 if recipe.steps == 0 or recipe.steps > 50 else 1,
        "seed": recipe.seed,
        "data_seed": recipe.seed,
        "report_to": recipe.tracker,
        "disable_tqdm": True,
    }


def _recompute_key() -> str:
    """Return the name of the argument that recomputes activations; older transformers have one."""
    from transformers import TrainingArguments

    new = "activation_checkpointing"
    return new if new in TrainingArguments.__dataclass_fields__ else "gradient_checkpointing"


def recomputes_activations(recipe: Training, gpu: bool) -> bool:
    """Return whether a training recomputes activations in the backward pass."""
    return gpu if recipe.speed.recompute == "auto" else recipe.speed.recompute == "yes"


def divide_batches(
    run: Run, trainer: Any, lengths: Sequence[int], tokens: Sequence[int], uneven: bool = True
) -> None:
    """Make a trainer read its rows in balanced micro-batches, and log how much is padding.

    `lengths` are the tokens of each row with the padding inside it, `tokens` without.
    """
    recipe = run.recipe
    batches = Batches(
        lengths,
        recipe.batch,
        recipe.micro_batch,
        count_processes(),
        recipe.seed,
        uneven,
        recipe.speed.packing,
    )
    use_batches(trainer, batches)
    shares = batches.measure(tokens)
    run.log(shares.describe())
    run.record["batches"] = asdict(shares)


def train(run: Run, trainer: Any) -> None:
    """Train to the end, resuming from the newest complete checkpoint if there is one.

    Raises UsageError for a checkpoint with objects other than tensors and numbers: transformers
    unpickles its optimizer with `weights_only=True`, so that none of them can run code.
    """
    from transformers import PrinterCallback

    run.parameters = count_parameters(trainer.model)  # before it is sharded
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_callback(run))
    checkpoint = newest_checkpoint(run.folder / "checkpoints")
    if checkpoint:
        run.log(f"resuming from {checkpoint}")
    try:
        with suppress(_Finished):
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except UnpicklingError:
        raise UsageError(
            f"{checkpoint} contains objects other than tensors and numbers, so it was not loaded. "
            "Curator did not write it: delete it and rerun."
        ) from None
    except Exception as error:
        if not (reason := _disk_error(error)):
            raise
        raise CuratorError(
            f"Cannot write a checkpoint to {run.folder / 'checkpoints'} ({reason}). Free disk "
            "space and rerun: the training resumes from the newest complete checkpoint."
        ) from None
    history = trainer.state.log_history
    run.record["steps"] = trainer.state.global_step
    run.record["losses"] = [(each["step"], each["loss"]) for each in history if "loss" in each]
    if rewards := [(each["step"], each["reward"]) for each in history if "reward" in each]:
        run.record["rewards"] = rewards


def newest_checkpoint(folder: Path) -> Path | None:
    """Return the newest complete checkpoint; delete incomplete ones of a killed process."""
    complete = {}
    for path in folder.glob("checkpoint-*"):
        number = re.fullmatch(r"checkpoint-(\d+)", path.name)
        if number and (path / COMPLETE).is_file():
            complete[int(number[1])] = path
        elif number and is_main_process():
            shutil.rmtree(path)
    return complete[max(complete)] if complete else None


def save_run(run: Run, trainer: Any, tokenizer: Any) -> None:
    """Write the model with tokenizer and card; write the record last, if the weights are complete.

    All processes must call it. Raises CuratorError if the files do not have all parameters.
    """
    model = trainer.accelerator.unwrap_model(trainer.model)
    # Training disables the cache, but sampling from the model needs it.
    model.config.use_cache = True
    if is_main_process():
        run.model.mkdir(parents=True, exist_ok=True)
        for old in run.model.glob("*.safetensors*"):
            old.unlink()  # of a run that was killed
    trainer.accelerator.wait_for_everyone()
    try:
        parameters = _write_weights(run, trainer, model)
    except Exception as error:
        if not (reason := _disk_error(error)):
            raise
        raise CuratorError(
            f"Cannot write the model to {run.model} ({reason}). Free disk space and rerun: the "
            "checkpoints are complete."
        ) from None
    trainer.accelerator.wait_for_everyone()
    if is_main_process():
        saved = count_saved(run.model)
        if saved != parameters:
            raise CuratorError(
                f"{run.model} has {saved:,} parameters after saving, expected {parameters:,}. The "
                "checkpoints are complete: rerun the command to save again, with free disk space "
                "and one of the configurations in recipes/training/accelerate."
            )
        run.record["parameters"] = parameters
        # A pickle of the arguments that nothing reads.
        (run.model / "training_args.bin").unlink(missing_ok=True)
        tokenizer.save_pretrained(run.model)
        (run.model / "README.md").write_text(render_card(run.recipe, run.record), "utf-8")
        _sync_files(run.model)
        _write_file(run.model / RECORD, json.dumps(run.record, indent=1, sort_keys=True))
    trainer.accelerator.wait_for_everyone()


def _disk_error(error: Exception) -> str:
    """Return why a file could not be written; empty for other errors.

    torch and safetensors raise errors of their own, which have no number.
    """
    if isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT, EFBIG):
        return os.strerror(error.errno)
    text = to_one_line(str(error))
    marks = ("PytorchStreamWriter failed", "I/O error", "No space left")
    return text[:200] if any(mark in text for mark in marks) else ""


def _write_weights(run: Run, trainer: Any, model: Any) -> int:
    """Write the weights; return the number of parameters that the files must have."""
    if run.recipe.method == "full":
        # Sharded state dicts, accelerate's default for FSDP2, would write no weights.
        if plugin := getattr(trainer.accelerator.state, "fsdp_plugin", None):
            plugin.set_state_dict_type("FULL_STATE_DICT")
        trainer.save_model(str(run.model))
        return run.parameters
    if not run.recipe.lora.merge:
        if is_main_process():
            model.save_pretrained(run.model, save_embedding_layers=False)
        return sum(each.numel() for each in model.parameters() if each.requires_grad)
    if is_main_process():
        model = model.merge_and_unload()
        model.save_pretrained(run.model)
        return count_parameters(model)
    return 0


class _Finished(Exception):
    """The checkpoint is that of the last step: only the model was not saved."""


def _callback(run: Run) -> Any:
    """Return a callback that marks complete checkpoints, logs the loss, and ends a finished run."""
    from accelerate import PartialState
    from transformers import TrainerCallback

    def on_train_begin(self: Any, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step >= state.max_steps:
            raise _Finished  # transformers would run one more step within an epoch

    def on_save(self: Any, args: Any, state: Any, control: Any, **_: Any) -> None:
        PartialState().wait_for_everyone()
        if state.is_world_process_zero:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            _sync_files(folder)
            _write_file(folder / COMPLETE, "")

    def on_log(self: Any, args: Any, state: Any, control: Any, logs: Any, **_: Any) -> None:
        if state.is_world_process_zero and "loss" in logs:
            reward = f", reward {logs['reward']:.4f}" if "reward" in logs else ""
            step = f"step {state.global_step:,} of {state.max_steps:,}"
            run.log(f"{step}: loss {logs['loss']:.4f}{reward}")

    # Created dynamically, since the base class needs transformers, which is optional.
    events = {"on_train_begin": on_train_begin, "on_save": on_save, "on_log": on_log}
    return type("Callback", (TrainerCallback,), events)()


def _recipe_identity(recipe: Training) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(recipe.model_dump_json(exclude=IGNORED_KEYS))
    return plain


def _data_identity(recipe: Training, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return `data` with the digest of the start model's record, if it has one."""
    try:
        digest = sha256((Path(recipe.model) / RECORD).read_bytes()).hexdigest()
    except OSError:
        digest = ""
    return {**data, "model_record_sha256": digest}


def _other_run_error(folder: Path) -> UsageError:
    return UsageError(
        f"{folder} contains another training (its start.json differs in recipe, data or length). "
        "Choose another output folder, or delete this one."
    )


def _package_version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _sync_files(folder: Path) -> None:
    """Flush the files of a folder to disk, so that they survive a power failure."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _write_file(path: Path, text: str) -> None:
    with write_aside(path) as temporary:
        temporary.write_text(text, "utf-8")
