"""Executor `local`: one process per core of this machine.

In: a worker's setup. Out: results of shards. The processes start with the first shards and end with
this process, even if it is killed. loky rather than `concurrent.futures`: its processes do not
import the caller's main module again, so a build works in a script without a guard.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.util import Finalize
from threading import Thread
from typing import TYPE_CHECKING, Any

from curator.pipeline.executors.worker import Setup, Worker, WorkerError

if TYPE_CHECKING:
    from concurrent.futures import Future

_worker: Worker | None = None
"""The worker of this process, if it is one of the executor's."""


class LocalProcesses:
    """Runs shards in processes of this machine."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._pool: Any = None

    def run(
        self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]
    ) -> Iterator[tuple[int, Any, list[str]]]:
        """Yield position, result and notes of each call as it ends.

        An error of one call is raised at once; no further call starts.
        """
        from loky.process_executor import TerminatedWorkerError

        if self._pool is None:
            self._pool = self._start()
        futures: dict[Future[Any], int] = {
            self._pool.submit(_run, function, call): position for position, call in enumerate(calls)
        }
        from concurrent.futures import as_completed

        try:
            for future in as_completed(futures):
                result, notes = future.result()
                yield futures[future], result, notes
        except TerminatedWorkerError as error:
            self._pool = None
            raise WorkerError(
                f"A worker process ended unexpectedly ({_last_words(error)}); the system may have "
                "run out of memory. Rerun: what was done is kept. Use fewer --workers if it "
                "happens again."
            ) from None
        finally:
            for future in futures:
                future.cancel()

    def close(self) -> None:
        """End the processes at once; what they have done is stored."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, kill_workers=True)
            self._pool = None

    def _start(self) -> Any:
        from loky.backend import get_context
        from loky.process_executor import ProcessPoolExecutor

        return ProcessPoolExecutor(
            self._setup.options.worker_count,
            context=get_context("loky"),
            initializer=_start_worker,
            initargs=(self._setup, os.getpid()),
        )


def _start_worker(setup: Setup, parent: int) -> None:
    global _worker
    import pyarrow as pa

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process ends the workers
    Thread(target=_end_with_parent, args=[parent], daemon=True).start()
    pa.set_cpu_count(1)
    _worker = Worker(setup)
    Finalize(_worker, _worker.close, exitpriority=10)


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _run(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, list[str]]:
    assert _worker is not None
    return _worker.run(function, arguments)


def _last_words(error: Exception) -> str:
    text = str(error)
    with suppress(ValueError):
        return text[text.index("exit codes") :].strip().rstrip(".")
    return type(error).__name__
