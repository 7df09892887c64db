"""Executor `local`: one process per core of this machine.

In: a worker's setup. Out: results of shards. The processes start with the first shards and end with
this process, even if it is killed. loky rather than `concurrent.futures`: its processes do not
import the caller's main module again, so a build works in a script without a guard.
"""

import os
import re
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.util import Finalize
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from curator.core.errors import CuratorError
from curator.pipeline.executors.worker import Setup, Worker

if TYPE_CHECKING:
    from concurrent.futures import Future

_worker: Worker | None = None
"""The worker of this process, if it is one of the executor's."""


class WorkerError(CuratorError):
    """A process that ran shards ended before its work."""


class LocalProcesses:
    """Runs shards in processes of this machine."""

    def __init__(self, setup: Setup, processes: int) -> None:
        self._setup, self._processes = setup, processes
        self._pool: Any = None
        self._noted: set[str] = set()
        """Notes that were yielded: each process notes a damaged file of the store."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the processes, after an error at once; what they have done is stored."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, kill_workers=kind is not None)
            self._pool = None

    def run(
        self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]
    ) -> Iterator[tuple[int, Any, list[str]]]:
        """Yield position, result and notes of each call as it ends.

        The result of a call that failed is its error. No call starts after the caller's last step.
        """
        from concurrent.futures import as_completed
        from concurrent.futures.process import BrokenProcessPool

        futures: dict[Future[Any], int] = {}
        try:
            if self._pool is None:
                self._pool = self._start()
            for position, call in enumerate(calls):
                with _no_interrupt():
                    futures[self._pool.submit(_run, function, call)] = position
            for future in as_completed(futures):
                result, notes = future.result()
                new = [note for note in dict.fromkeys(notes) if note not in self._noted]
                self._noted.update(new)
                yield futures[future], result, new
        except BrokenProcessPool as error:
            self._pool = None
            raise WorkerError(
                f"A worker process ended unexpectedly ({_last_words(error)}); the system may have "
                "run out of memory. Rerun: what was done is kept. Use fewer --workers if it "
                "happens again."
            ) from None
        finally:
            for future in futures:
                future.cancel()

    def _start(self) -> Any:
        from loky.backend import get_context
        from loky.process_executor import ProcessPoolExecutor

        # It warns when it replaces a process whose memory has grown, or finds no `pgrep`.
        warnings.filterwarnings("ignore", module=r"loky\.")
        return ProcessPoolExecutor(
            self._processes,
            context=get_context("loky"),
            initializer=_start_worker,
            initargs=(self._setup, os.getpid()),
        )


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Hold Ctrl-C back: a process that is started in here never receives it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker(setup: Setup, parent: int) -> None:
    global _worker
    import pyarrow as pa

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
    """Return what loky knows of how processes ended: `SIGKILL`, `exit code 1`."""
    ends = re.findall(r"(\w+)\((-?\d+)\)", str(error))
    words = [name if name.startswith("SIG") else f"exit code {code}" for name, code in ends]
    return ", ".join(dict.fromkeys(words)) or type(error).__name__
