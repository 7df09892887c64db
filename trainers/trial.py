"""Tries a training: a few real optimizer steps on some of its rows, in a folder that is deleted.

In: a training recipe whose requirements are met. Out: a `Trial` with memory, speed and the
estimated duration of the whole training. All launched processes call it, and train as they would:
same model, precision, sharding and batch. The rows are evenly spaced, with the longest one among
them, so that a pass can have its padding. The last step writes a checkpoint and the model.
"""

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path

from curator.core.errors import UsageError
from trainers.estimate import GIB
from trainers.exclusive import LOCK, hold_folder
from trainers.kinds import TRAINERS
from trainers.launch import count_processes, is_main_process, wait_for_file
from trainers.recipe import GRPO, SFT, Training, Verifier
from trainers.release import read_release
from trainers.run import Log

STEPS = 3
"""Optimizer steps; the first one is not timed, since it warms up."""
PROBLEMS = 64
"""Minimum number of a verifier's problems: some of them have no right or no wrong solution."""
MARK = "rows.jsonl"


@dataclass(frozen=True)
class Trial:
    """What a few steps of a training took."""

    processes: int
    memory: tuple[float, ...]
    """Peak GiB of each process: of its GPU, or of the process itself on a CPU."""
    step_seconds: float
    """Seconds per optimizer step, without the first."""
    rows_per_second: float
    """Rows of all processes; pairs or completions where `batch` counts those."""
    tokens_per_second: float | None
    """Tokens of all processes, without padding; None for a verifier and for GRPO."""
    useful: float | None
    """Useful share of the tokens that the processes compute, as in training; None for KTO and
    GRPO."""
    rows: int
    """Rows of the training data."""
    steps: int
    """Optimizer steps of the whole training."""
    hours: float
    """Estimated duration of the whole training, without checkpoints."""
    disk: float
    """GiB that the trial wrote: encoded rows, a checkpoint and the model."""
    losses: tuple[float, ...]
    """Loss of each step; a trial that overflows shows it here."""


def try_training(recipe: Training, log: Log) -> Trial:
    """Train for `STEPS` steps in a folder beside the run's, and delete it.

    Raises UsageError as the training does.
    """
    with _folder(recipe) as folder:
        data, total = folder / MARK, folder / _total_file()
        if is_main_process():
            rows = _write_rows(recipe, data)
            total.write_text(str(rows), "ascii")  # last, since the other processes wait for it
        wait_for_file(total, folder)
        rows = int(total.read_text("ascii"))
        key = recipe.data[0].removeprefix("--")
        keys = {key: str(data), "output": str(folder / "run"), "steps": STEPS, "tracker": "none"}
        times: list[float] = []

        def watch(line: str) -> None:
            if line.startswith("step "):
                times.append(time.perf_counter())
            else:
                log(line)

        record = TRAINERS[recipe.train](recipe.model_copy(update=keys), watch)
        memory = _gather_memory()  # after which all processes have finished
        disk = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / GIB
    if not times:  # of a process that logs nothing
        times = [0.0] * STEPS
    seconds = (times[-1] - times[0]) / (len(times) - 1)
    steps = recipe.steps or ceil(recipe.epochs * ceil(_rows_per_epoch(recipe, rows) / recipe.batch))
    tokens = record.get("tokens")
    per_row = (tokens["prompt_tokens"] + tokens["answer_tokens"]) / tokens["rows"] if tokens else 0
    speed = recipe.batch / seconds if seconds else 0.0
    return Trial(
        count_processes(),
        memory,
        seconds,
        speed,
        speed * per_row if tokens else None,
        record["batches"]["useful"] if "batches" in record else None,
        rows,
        steps,
        steps * seconds / 3600,
        disk,
        tuple(loss for _, loss in record["losses"]),
    )


def _rows_per_epoch(recipe: Training, rows: int) -> int:
    if isinstance(recipe, GRPO):
        return rows * recipe.group
    if isinstance(recipe, Verifier):  # at most; pairs are counted after grading
        return rows * recipe.per_problem // (1 if recipe.loss == "cross-entropy" else 2)
    return rows


@contextmanager
def _folder(recipe: Training) -> Iterator[Path]:
    """Yield a new folder on the run's file system, which is deleted with its parents.

    Raises UsageError if another process tries the training.
    """
    run = recipe.folder if recipe.folder.name.strip(".") else recipe.folder.resolve()
    folder = run.parent / f"{run.name}.trial"
    if not is_main_process():
        yield folder
        return
    if folder.exists() and not {MARK, LOCK} & {each.name for each in folder.iterdir()}:
        raise UsageError(f"{folder} is not the folder of a trial. Move it, or change output.")
    made = [each for each in folder.absolute().parents if not each.exists()]
    with hold_folder(folder):
        for left in folder.iterdir():  # of a trial that was killed
            if left.is_dir():
                shutil.rmtree(left)
            elif left.name != LOCK:
                left.unlink()
        try:
            (folder / MARK).touch()
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        for each in made:
            each.rmdir()


def _total_file() -> str:
    """Return a name that differs between launches, since a killed trial leaves its files.

    Launchers mostly use the same port; on one machine, their own number differs.
    """
    values = [os.environ.get(key, "0") for key in ("WORLD_SIZE", "LOCAL_WORLD_SIZE")]
    launcher = os.getppid() if values[0] == values[1] else 0
    return f"total-{os.environ.get('MASTER_PORT', '0')}-{launcher}"


def _write_rows(recipe: Training, target: Path) -> int:
    """Write some rows, the longest one among them; return the number of all rows."""
    wanted = STEPS * recipe.batch
    if isinstance(recipe, GRPO):
        wanted //= recipe.group
    if isinstance(recipe, Verifier):
        wanted = max(PROBLEMS, wanted)
    longest = ""
    count = sum(1 for _ in _lines(recipe))
    step = max(1, count // wanted)
    step -= step > 1 and step % 2 == 0  # exports of kto have right and wrong attempts in turn
    with target.open("w", encoding="utf-8", errors="surrogateescape") as file:
        for number, line in enumerate(_lines(recipe)):
            if number % step == 0 and number < step * wanted:
                file.write(f"{line}\n")
            elif len(line) > len(longest):
                longest = line
        file.write(f"{longest}\n")
    return count


def _lines(recipe: Training) -> Iterator[str]:
    """Yield the rows of the training data as lines of JSON."""
    path = Path(recipe.data[1])
    if isinstance(recipe, SFT):
        for example in read_release(path).examples():
            turns = [asdict(turn) for turn in example.prompt]
            turns.append({"role": "assistant", "content": example.answer})
            yield json.dumps({"messages": turns, "source": example.subset})
        return
    try:
        with path.open(encoding="utf-8", errors="surrogateescape") as file:
            yield from (line.rstrip("\n") for line in file if line.strip())
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror}") from None


def _gather_memory() -> tuple[float, ...]:
    """Return the peak GiB of each process, in the order of their ranks."""
    import resource

    import torch
    from accelerate.utils import gather_object

    if torch.cuda.is_available():
        mine = torch.cuda.max_memory_allocated() / GIB
    else:
        mine = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIB
    return tuple(gather_object([mine]))
