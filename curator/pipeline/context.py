"""What the stages of one build share: store, recipe, options, sandbox and teacher.

In: an open store, a recipe, the options of the run. Out: a `BuildContext`, whose `once` runs a
stage only if the store has no result for the same code, parameters and inputs. A build opens one by
`open_context`, with a teacher and an executor; each process of the executor makes its own.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from curator import sandbox
from curator.core.code_version import code_version
from curator.core.model import Problem
from curator.core.progress import Listener
from curator.pipeline.checker import Checker
from curator.pipeline.run_options import RunOptions
from curator.pipeline.teacher_session import TeacherSession
from curator.recipe.schema import Recipe
from datastore.memo import MemoKey, Outputs
from datastore.store import Store

Call = tuple[Any, ...]


class Executor(Protocol):
    """Runs a function of a build context in other processes; see `curator.pipeline.executors`."""

    def run(
        self, function: Callable[..., Any], calls: Sequence[Call]
    ) -> Iterator[tuple[int, Any, list[str]]]:
        """Yield the position of each call, its result or error, and the notes it made."""

    def release(self) -> None:
        """Free the memory of idle processes; a later `run` may start new ones."""


_SHARED_CODE = ("curator.pipeline.context", "curator.pipeline.stages.read", "curator.core")
"""Modules that every stage depends on."""


class NotBuilt(Exception):
    """A plan reached a stage whose result is not cached."""


@dataclass(frozen=True)
class Stage:
    """A stage of a build."""

    name: str
    code: tuple[str, ...]
    """Modules and packages that the stage depends on; an edit in one of them reruns the stage."""


@dataclass(frozen=True)
class Mode:
    """How the stages run, where it is not as in a build."""

    limit: int | None = None
    """Maximum number of records per source; None for no limit."""
    dry: bool = False
    """Run nothing: a stage whose result is not cached raises NotBuilt."""
    sandbox_version: int = sandbox.VERSION
    """Version of the sandbox whose cached executions are used."""


BUILD = Mode()


@dataclass
class BuildContext:
    """What the stages of one build share."""

    store: Store
    recipe: Recipe
    options: RunOptions
    checker: Checker
    teacher_session: TeacherSession | None = None
    """The recipe's teacher; None if the recipe has none, and in the processes of an executor."""
    executor: Executor | None = None
    """Where shards run; None for this process."""
    limit: int | None = None
    """Maximum number of records per source; None for no limit."""
    dry: bool = False
    """Run nothing: a stage whose result is not cached raises NotBuilt."""
    last_written: dict[str, list[Problem]] = field(default_factory=dict)
    """The problems of the object of problems that was written last, by its digest: the next stage
    of the same shard takes them from here."""

    @property
    def listener(self) -> Listener:
        """Receives progress and notes."""
        return self.options.listener

    @property
    def mirror(self) -> Path | None:
        """The folder with upstream files: the run's, or else the recipe's; None for the Hub."""
        if self.options.mirror_folder or not self.recipe.mirror:
            return self.options.mirror_folder
        return self.recipe.folder / self.recipe.mirror

    def cached(self, stage: Stage, params: dict[str, Any], inputs: Sequence[str]) -> Outputs | None:
        """Return the cached outputs of a stage; None if it has to run."""
        return self.store.memo.get(_memo_key(stage, params, inputs))

    def once(
        self,
        stage: Stage,
        params: dict[str, Any],
        inputs: Sequence[str],
        make: Callable[[], tuple[dict[str, str], dict[str, int]]],
        about: str = "",
        again: Callable[[Outputs], bool] = lambda cached: False,
    ) -> Outputs:
        """Return the cached outputs of a stage; `make` them if necessary.

        `about` names the source or subset in the note that another process is running the stage.
        `again` decides whether cached outputs are discarded and made again.
        """
        if self.dry:
            cached = self.cached(stage, params, inputs)
            if cached and not again(cached):
                return cached
            raise NotBuilt(stage.name)

        def report_wait(owner: str) -> None:
            self.listener.note(f"{about or self.recipe.name}: {owner}; waiting for it")

        def report_damage(path: Path) -> None:
            self.listener.note(f"{about or self.recipe.name}: {path} is damaged; making it again")

        key = _memo_key(stage, params, inputs)
        return self.store.memo.run_once(key, make, report_wait, again, report_damage)


def _memo_key(stage: Stage, params: dict[str, Any], inputs: Sequence[str]) -> MemoKey:
    return MemoKey(stage.name, code_version(*stage.code, *_SHARED_CODE), params, inputs)


@contextmanager
def make_context(
    store: Store, recipe: Recipe, options: RunOptions, mode: Mode = BUILD
) -> Iterator[BuildContext]:
    """Make a context without teacher and executor; on exit, sandbox and graders are closed."""
    store.note = options.listener.note
    with Checker(
        store.ledger("executions"),
        store.ledger("gradings"),
        recipe.limits,
        workers=options.worker_count,
        unsafe_local=options.unsafe_local,
        sandbox_version=mode.sandbox_version,
    ) as checker:
        yield BuildContext(store, recipe, options, checker, limit=mode.limit, dry=mode.dry)
