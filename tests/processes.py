"""Processes that tests start, wait for and kill.

No wait has a bound: on a busy machine everything takes longer. The time limit of pytest, in
pyproject.toml, ends a test that hangs and shows where it waited.
"""

import time
from collections.abc import Callable
from multiprocessing import get_context

FRESH = get_context("forkserver")
"""Forks each process from one that has imported everything, so that starting it is cheap."""
# One list for all tests: the first one of a test process starts the server of forks.
FRESH.set_forkserver_preload(
    [
        "curator.pipeline.build",
        "openai.resources.batches",
        "openai.resources.files",
        "tests.teacher.batch.batch_sender",
        "tests.teacher.many_calls",
    ]
)


def wait_until(
    condition: Callable[[], object], running: Callable[[], object] | None = None
) -> None:
    """Wait until a condition holds; fail if what is to fulfil it is no longer running."""
    while not condition():
        assert running is None or running() or condition(), "the process ended too early"
        time.sleep(0.005)
