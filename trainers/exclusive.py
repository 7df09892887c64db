"""Keeps two processes from training in one folder at once.

In: a function that trains a recipe. Out: the same function, which holds a lock on the run's folder
while it runs. Two trainings of one recipe would each delete the other's unfinished checkpoint. The
lock ends with its process, however that ends. Not covered: two machines on a network mount whose
locks do not reach other machines.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from curator.core.errors import UsageError
from datastore.locks import try_lock
from trainers.launch import is_main_process
from trainers.recipe import Training

LOCK = "lock"
"""Name of the locked file; the folder has it during a training only."""

AnyRecipe = TypeVar("AnyRecipe", bound=Training)
Train = Callable[[AnyRecipe, Callable[[str], None]], dict[str, Any]]


def exclusive(train: Train[AnyRecipe]) -> Train[AnyRecipe]:
    """Return a training that raises UsageError if another process trains in the run's folder."""

    @wraps(train)
    def run(recipe: AnyRecipe, log: Callable[[str], None]) -> dict[str, Any]:
        if not is_main_process():  # of several that train together
            return train(recipe, log)
        with hold_folder(recipe.folder):
            return train(recipe, log)

    return run


@contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """Create a folder and keep other trainings out of it; remove it at the end if it is empty.

    Raises UsageError if another process holds it, or if it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = try_lock(folder / LOCK)
    except OSError as error:
        raise UsageError(
            f"Cannot train in {folder}: {error.strerror}. Choose another output folder."
        ) from None
    if lock is None:
        raise UsageError(
            f"Another process trains in {folder}. Wait for it, or choose another output folder."
        )
    try:
        _delete_leftovers(folder)
        yield
    finally:
        (folder / LOCK).unlink(missing_ok=True)
        lock.close()
        with suppress(OSError):
            folder.rmdir()  # if the training was refused before it wrote anything


def _delete_leftovers(folder: Path) -> None:
    """Delete the unfinished files of a killed process, which may have the size of a release."""
    for path in folder.glob(".*"):
        if re.fullmatch(r"\..+\.[0-9a-f]{32}", path.name):
            path.unlink(missing_ok=True)
