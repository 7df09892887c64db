"""What the stages of one build share: store, recipe, sandbox and teacher, and the stage cache.

In: a recipe and an open store. Out: a context whose `once` runs a stage only if its result is not
cached under its name, code, parameters and inputs.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from curator import sandbox
from curator.core.progress import Listener
from curator.pipeline.checker import Checker
from curator.pipeline.code_version import code_version
from curator.pipeline.teacher_session import TeacherSession
from curator.recipe.schema import Recipe
from curator.teacher import Budget
from datastore.memo import Outputs
from datastore.store import Store

_SHARED_CODE = ("curator.pipeline.context", "curator.pipeline.stages.read", "curator.core")
"""Modules that every stage depends on."""


class NotBuilt(Exception):
    """A stage that a plan would have to run."""


@dataclass
class BuildContext:
    """What the stages of one build share."""

    store: Store
    recipe: Recipe
    listener: Listener
    checker: Checker
    limit: int | None = None
    """Problems a source at most; None for all."""
    dry: bool = False
    teacher_session: TeacherSession | None = None
    """The recipe's teacher, if it has one."""

    def once(
        self,
        stage: str,
        code: tuple[str, ...],
        params: dict[str, Any],
        inputs: Sequence[str],
        make: Callable[[], tuple[dict[str, str], dict[str, int]]],
        about: str = "",
        again: Callable[[Outputs], bool] = lambda known: False,
    ) -> Outputs:
        """The outputs of a stage, made if they are not remembered.

        `about` tells people of which source or subset it is, should they have to wait; `again` says
        of what is remembered whether it is to be made anew all the same.
        """
        version = code_version(*code, *_SHARED_CODE)
        if self.dry:
            known = self.store.memo.get(stage, version, params, inputs)
            if known and not again(known):
                return known
            raise NotBuilt(stage)

        def waiting(owner: str) -> None:
            self.listener.note(f"{about or self.recipe.name}: {owner}; waiting for it")

        return self.store.memo.once(stage, version, params, inputs, make, waiting, again)


def open_context(
    stack: ExitStack,
    store: Store,
    recipe: Recipe,
    workers: int | None,
    listener: Listener,
    unsafe_local: bool = False,
    limit: int | None = None,
    dry: bool = False,
    executor: int = sandbox.VERSION,
    budget: Budget | None = None,
) -> BuildContext:
    """What the stages share, closed with the stack.

    `executor` is the version of the sandbox whose executions are looked up, before any is run.
    """
    limits = recipe.limits
    checker = Checker(
        stack.enter_context(store.ledger("executions")),
        stack.enter_context(store.ledger("gradings")),
        workers=workers or os.cpu_count() or 1,
        wall_s=limits.wall_s,
        cpu_s=limits.cpu_s,
        memory_mb=limits.memory_mb,
        digits=limits.digits,
        unsafe_local=unsafe_local,
        executor=executor,
    )
    stack.enter_context(checker)
    teacher_session = None
    if recipe.teacher:
        teacher_session = TeacherSession(
            recipe.name, recipe.folder, recipe.teacher, store, checker, listener, budget
        )
        stack.enter_context(teacher_session)
    return BuildContext(store, recipe, listener, checker, limit, dry, teacher_session)
