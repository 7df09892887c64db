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
from itertools import islice
from multiprocessing.util import Finalize
from threading import Thread, current_thread, main_thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

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
        self._end(at_once=kind is not None)

    def release(self) -> None:
        """End the processes; a later `run` starts new ones."""
        self._end(at_once=False)

    def _end(self, at_once: bool) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, kill_workers=at_once)
            self._pool = None

    def run(
        self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]
    ) -> Iterator[tuple[int, Any, list[str]]]:
        """Yield position, result and notes of each call as it ends.

        The result of a call that failed is its error. If the caller stops, few more calls run.
        """
        from concurrent.futures import FIRST_COMPLETED, wait
        from concurrent.futures.process import BrokenProcessPool

        processes, remaining = self._setup.options.worker_count, iter(enumerate(calls))
        running: dict[Future[Any], int] = {}
        try:
            while True:
                # Few at a time: loky cannot end processes whose calls were cancelled.
                for position, call in islice(remaining, 2 * processes - len(running)):
                    running[self._submit(function, call)] = position
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    position = running.pop(future)
                    result, notes = future.result()
                    new = [note for note in dict.fromkeys(notes) if note not in self._noted]
                    self._noted.update(new)
                    yield position, result, new
        except BrokenProcessPool as error:
            self._pool = None
            raise WorkerError(
                f"A worker process ended unexpectedly ({_last_words(error)}); the system may have "
                "run out of memory. Rerun: what was done is kept. Use fewer --workers if it "
                "happens again."
            ) from None

    def _submit(self, function: Callable[..., Any], call: tuple[Any, ...]) -> "Future[Any]":
        if self._pool is None:
            # Both end any block of Ctrl-C when they start, so they start before.
            from multiprocessing import resource_tracker

            from loky.backend import resource_tracker as tracker_of_loky

            tracker_of_loky.ensure_running()
            resource_tracker.ensure_running()
        with _no_interrupt():
            if self._pool is None:
                self._pool = self._start()
            future: Future[Any] = self._pool.submit(_run, function, call)
            return future

    def _start(self) -> Any:
        from loky.backend import get_context
        from loky.process_executor import ProcessPoolExecutor

        # It warns when it replaces a process whose memory has grown, or finds no `pgrep`.
        warnings.filterwarnings("ignore", module=r"loky\.")
        return ProcessPoolExecutor(
            self._setup.options.worker_count,
            context=get_context("loky"),
            initializer=_start_worker,
            initargs=(self._setup, os.getpid()),
        )


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Hold Ctrl-C back: it does not break the start of a process, which then never receives it."""
    pressed: list[Any] = []
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    handler = signal.getsignal(signal.SIGINT)
    # The system may give the signal to another thread; Python handles it in the main thread.
    replaced = callable(handler) and current_thread() is main_thread()
    if replaced:
        signal.signal(signal.SIGINT, lambda *received: pressed.append(received))
    try:
        yield
    finally:
        if replaced:
            signal.signal(signal.SIGINT, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if pressed and callable(handler):
            handler(*pressed[0])


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
    ends = re.findall(r"\b([A-Z]{1,20})\((-?[0-9]{1,5})\)", str(error))
    words = [name if name.startswith("SIG") else f"exit code {code}" for name, code in ends]
    return ", ".join(dict.fromkeys(words)) or type(error).__name__
