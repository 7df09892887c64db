"""What runs in another process: a build context of its own, and one shard after the other.

In: what a context is made from, then calls. Out: the result of each call, and the notes for the
user that it made. The sandbox and the graders belong to the process: it runs one program at a time.
"""

import gc
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from curator.core.errors import CuratorError
from curator.pipeline.context import BuildContext, Mode, make_context
from curator.pipeline.run_options import RunOptions
from curator.recipe.schema import Recipe
from datastore.errors import StoreError
from datastore.store import Store


class WorkerError(CuratorError):
    """A process that runs shards ended before its work, or cannot do it."""


@dataclass(frozen=True)
class Setup:
    """What the context of a worker is made from; all of it can be pickled."""

    root: Path
    """The folder of the store, which the worker must reach under the same path."""
    recipe: Recipe
    folder: Path
    """The folder of the recipe's file."""
    options: RunOptions
    mode: Mode


GARBAGE = 50_000
"""Number of new objects after which the process looks for garbage. Rows are many objects and none
of them refers to itself: by Python's own number, 700, the search takes 5% of the time."""


class _Notes:
    """Collects notes. The progress of a build counts whole shards."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def progress(self, what: str, done: int, total: int | None) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Keep the note until the shard is done."""
        self.notes.append(text)


class Worker:
    """Runs shards in the current process. The first one opens the context."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._open = ExitStack()
        self._listener = _Notes()
        self._context: BuildContext | None = None

    def run(
        self, function: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> tuple[Any, list[str]]:
        """Return the result of `function(context, *arguments)`, and the notes it made.

        An error for the user is returned as the result, since its notes would be lost otherwise.
        """
        self._listener.notes = []
        try:
            if self._context is None:
                self._context = self._open_context()
                gc.set_threshold(GARBAGE)
            result = function(self._context, *arguments)
        except (CuratorError, StoreError) as error:
            result = error
        return result, self._listener.notes

    def _open_context(self) -> BuildContext:
        setup = self._setup
        options = replace(setup.options, workers=1, listener=self._listener)
        setup.recipe._folder = setup.folder
        store = self._open.enter_context(Store(setup.root))
        return self._open.enter_context(make_context(store, setup.recipe, options, setup.mode))

    def close(self) -> None:
        """Close the sandbox, the ledgers and the store."""
        self._open.close()
