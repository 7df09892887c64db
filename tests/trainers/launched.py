"""One of several launched processes: runs trainings in order, and may kill itself in one.

Run as `launched.py FOLDER KILL`, where FOLDER has a recipe per training, `*.json` in the order of
their names. The process dies without cleaning up when the training named KILL (NAME or NAME/STAGE)
logs step 5.

Not a GPU's path in one respect: accelerate enables FSDP for types of GPUs alone, so that this
process calls its CPUs GPUs while accelerate decides that.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType

from curator.core import pretrained
from trainers.kinds import TRAINERS
from trainers.multitask import train_multitask
from trainers.recipe import KINDS, Multitask

initialize = AcceleratorState.__init__


def allow_fsdp(self: Any, *args: Any, **kwargs: Any) -> None:
    shared = PartialState._shared_state
    if os.environ.get("ACCELERATE_USE_FSDP") and shared.get("distributed_type") == "MULTI_CPU":
        shared["distributed_type"] = DistributedType.MULTI_GPU
    initialize(self, *args, **kwargs)


def print_line(line: str) -> None:
    """Print a line in one write: all processes share one pipe."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


def print_loading(load: Callable[..., Any]) -> Callable[..., Any]:
    """Return a loader of models that prints which process calls it."""

    def loader(*args: Any, **options: Any) -> Any:
        print_line(f"rank {os.environ['RANK']} calls {load.__name__}")
        return load(*args, **options)

    return loader


def main(folder: Path, kill: str) -> None:
    for file in sorted(folder.glob("*.json")):
        values = json.loads(file.read_text())

        place = [file.stem]

        def log(line: str, place: list[str] = place) -> None:
            if line.startswith("stage "):
                place[1:] = [line.removeprefix("stage ").partition(":")[0]]
            if os.environ.get("RANK", "0") == "0":
                print_line(f"{'/'.join(place)} {line}")
            if "/".join(place) == kill and line.startswith("step 5 "):
                os.kill(os.getpid(), signal.SIGKILL)

        recipe = KINDS[values["train"]].model_validate(values)
        if isinstance(recipe, Multitask):
            train_multitask(recipe, log)
        else:
            TRAINERS[recipe.train](recipe, log)


if __name__ == "__main__":
    AcceleratorState.__init__ = allow_fsdp  # type: ignore[method-assign]
    for each in (pretrained.load_model, pretrained.make_empty_model):
        setattr(pretrained, each.__name__, print_loading(each))
    main(Path(sys.argv[1]), sys.argv[2])
