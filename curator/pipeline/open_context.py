"""Open the context of a build: its store and recipe, with a teacher and an executor.

In: an open store, a recipe, the options of the run. Out: a `BuildContext`.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from curator.core.errors import UsageError, to_one_line, unknown_name
from curator.core.progress import SilentListener
from curator.pipeline.context import BUILD, BuildContext, Mode, make_context
from curator.pipeline.executors import EXECUTORS, Setup
from curator.pipeline.run_options import RunOptions
from curator.pipeline.running import StatedListener
from curator.pipeline.teacher_session import TeacherSession
from curator.recipe.schema import Recipe
from datastore.running import RunningLine
from datastore.store import Store


@contextmanager
def open_context(
    store: Store, recipe: Recipe, options: RunOptions, mode: Mode = BUILD
) -> Iterator[BuildContext]:
    """Open the context of one build; on exit, workers, sandbox, graders and teacher are closed."""
    if options.unsafe_local and not mode.dry:
        options.listener.note(
            "--unsafe-local: programs run even if this system cannot sandbox them. "
            "'curator sandbox' lists what it blocks."
        )
    if options.executor not in EXECUTORS:
        raise UsageError(unknown_name("executor", options.executor, EXECUTORS))
    if options.address and options.executor != "ray":
        raise UsageError(
            f"Address '{to_one_line(options.address)}' is that of a Ray cluster, but the executor "
            f"is '{options.executor}'. Add --executor ray."
        )
    with ExitStack() as stack:
        if not mode.dry:
            line = stack.enter_context(RunningLine(store.root))
            options = replace(options, listener=StatedListener(recipe.name, options.listener, line))
        context = stack.enter_context(make_context(store, recipe, options, mode))
        if recipe.teacher:
            context.teacher_session = stack.enter_context(
                TeacherSession(
                    recipe.name, recipe.folder, recipe.teacher, store, context.checker, options
                )
            )
            context.teacher_session.thoughts = recipe.thoughts
        parallel = options.executor != "local" or options.worker_count > 1
        if not mode.dry and mode.limit is None and parallel:
            folder, mirror = recipe.folder.absolute(), options.mirror_folder
            plain = replace(
                options, listener=SilentListener(), mirror=mirror.absolute() if mirror else None
            )
            setup = Setup(store.root, recipe, folder, plain, mode)
            context.executor = stack.enter_context(EXECUTORS[options.executor](setup))
        yield context
