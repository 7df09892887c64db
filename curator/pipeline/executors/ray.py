"""Executor `ray`: the nodes of a Ray cluster, one worker per process that Ray starts.

In: a worker's setup. Out: results of shards. The nodes share the folder of the store and the files
of the sources under the same paths; only digests and names pass through the driver. A task whose
node dies runs again on another one, where it finds in the store what was done. Ray ends the tasks
of a driver with the driver, even if it is killed. Not covered: a source file of a node that has
the same path and size as the driver's but other content.
"""

import os
import signal
import socket
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, Self

from curator.core.code_version import code_version
from curator.core.errors import UsageError, to_one_line
from curator.pipeline.context import Call
from curator.pipeline.executors.worker import Setup, Worker, WorkerError
from curator.sources import SourceFiles
from datastore.files import scratch

MAX_RETRIES = 3
"""Number of times that a task is started again because its process or its node died."""

_LIBRARIES = ("pyarrow", "sympy", "math-verify", "numpy", "scipy")
"""Libraries on which bytes of objects, gradings or executions depend."""

_worker: tuple[Path, Worker] | None = None
"""The worker of this process and the mark of its driver, if it is a process of Ray."""


@dataclass(frozen=True)
class _Driver:
    """What a task must know of the driver; all of it can be pickled."""

    setup: Setup
    mark: Path
    """A folder in the store that only this driver made: who sees it sees the same store."""
    versions: Mapping[str, str]


class RayCluster:
    """Runs shards in a Ray cluster: at `address`, of RAY_ADDRESS or this machine, or a new one."""

    def __init__(self, setup: Setup) -> None:
        if find_spec("ray") is None:
            raise UsageError("Executor 'ray' needs Ray. Run: pip install 'mathcurator[ray]'")
        self._setup = setup
        self._open = ExitStack()
        self._start_task: Callable[..., Any] | None = None

    def run(
        self, function: Callable[..., Any], calls: Sequence[Call]
    ) -> Iterator[tuple[int, Any, list[str]]]:
        """Yield position, result and notes of each call as it ends.

        The result of a call that failed is its error. If the caller stops, no more calls start.
        """
        import ray

        if self._start_task is None:
            self._start_task = self._connect()
        waiting, running = enumerate(calls), dict[Any, int]()
        while True:
            limit = self._setup.options.workers or _count_cores()
            for position, call in islice(waiting, max(0, limit - len(running))):
                running[self._start_task(function, *_with_sizes(call))] = position
            if not running:
                return
            [done], _ = ray.wait(list(running))
            yield running.pop(done), *_get(done)

    def release(self) -> None:
        """Do nothing: Ray ends its idle processes itself."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        """Leave the cluster, which ends the tasks that still run; what they have done is stored."""
        self._open.close()
        self._start_task = None

    def _connect(self) -> Callable[..., Any]:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        import ray

        mark = self._open.enter_context(scratch(self._setup.root / "tmp"))
        address = self._setup.options.address or os.environ.get("RAY_ADDRESS")
        if not ray.is_initialized():
            try:
                _check_reachable(address or "")
                ray.init(
                    address,
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level="ERROR",
                )
            except (OSError, ValueError, RuntimeError) as error:
                raise WorkerError(
                    f"Cannot use the Ray cluster{f' at {address}' if address else ''}: "
                    f"{to_one_line(str(error)).rstrip('.')}. Check --address (HOST:PORT) and "
                    "RAY_AUTH_TOKEN, and 'ray status' on its head."
                ) from None
            self._open.callback(ray.shutdown)
            # Ray would print to stdout that a node died, in the middle of JSON.
            ray._private.worker._worker_logs_enabled = False
        driver = _Driver(self._setup, mark, _versions())
        task = ray.remote(num_cpus=1, max_retries=MAX_RETRIES)(_make_task())

        def start(function: Callable[..., Any], call: Call, sizes: Mapping[Path, int]) -> Any:
            work = ray.cloudpickle.dumps((_run, (driver, function, call, sizes)))
            return task.options(name=function.__name__).remote(work)

        return start


def _check_reachable(address: str) -> None:
    """Raise OSError if nothing listens at `HOST:PORT`; Ray itself would try for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def _count_cores() -> int:
    import ray

    cores = int(ray.cluster_resources().get("CPU", 0))
    if not cores:
        raise WorkerError(
            "The Ray cluster has no CPU cores. Start a node with 'ray start', or name the number "
            "of tasks with --workers if nodes start on demand."
        )
    return cores


def _with_sizes(call: Call) -> tuple[Call, dict[Path, int]]:
    """Return the call with absolute paths of source files, and the size of each of them."""
    absolute = tuple(
        replace(each, files=tuple(path.absolute() for path in each.files))
        if isinstance(each, SourceFiles)
        else each
        for each in call
    )
    files = [path for each in absolute if isinstance(each, SourceFiles) for path in each.files]
    return absolute, {path: path.stat().st_size for path in files}


def _get(done: Any) -> tuple[Any, list[str]]:
    """Return result and notes of a task that has ended, or raise its error."""
    import ray
    from ray.exceptions import RayError

    try:
        outcome = ray.get(done)
    except RayError as error:
        raise WorkerError(
            f"Ray gave a task up after {MAX_RETRIES} retries: {to_one_line(str(error))} Rerun: "
            "what was done is kept. If the nodes ran out of memory, use fewer --workers."
        ) from None
    if isinstance(outcome, str):
        raise WorkerError(f"{outcome}. Install the environment of the driver on every node.")
    if isinstance(outcome, Exception):
        raise outcome
    result, notes = outcome
    return result, notes


def _make_task() -> Callable[[bytes], Any]:
    """Return the function that Ray sends to a node, with its code: it runs without Curator, too."""

    def run_work(work: bytes) -> Any:
        import pickle

        import ray

        try:
            function, arguments = pickle.loads(work)
        except Exception as error:  # an import of the node's code raises anything
            return f"Node {ray.util.get_node_ip_address()} cannot load Curator: {error!r}"
        return function(*arguments)

    return run_work


def _run(
    driver: _Driver, function: Callable[..., Any], arguments: Call, sizes: Mapping[Path, int]
) -> tuple[Any, list[str]] | Exception:
    """Run in a process of Ray; return the result and the notes of a shard, or its error.

    An error that Ray raises instead would be of another type, with a message of many lines.
    """
    if lost := _find_store_error(driver):
        return lost
    outcome: tuple[Any, list[str]] | Exception
    try:
        for path, size in sizes.items():
            _check_file(path, size)
        outcome = _start_worker(driver).run(function, arguments)
    except Exception as error:  # see above
        error.add_note(traceback.format_exc())
        outcome = error
    # The folder may be lost in the meantime; then what is written there may not fail.
    return _find_store_error(driver) or outcome


def _start_worker(driver: _Driver) -> Worker:
    global _worker
    import pyarrow as pa

    if _worker is None or _worker[0] != driver.mark:
        _check_versions(driver.versions)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ray ends the workers
        pa.set_cpu_count(1)
        if _worker:
            _worker[1].close()
        _worker = driver.mark, Worker(driver.setup)
    return _worker[1]


def _find_store_error(driver: _Driver) -> WorkerError | None:
    root = driver.setup.root
    if driver.mark.is_dir():
        return None
    seen = "another folder there" if root.is_dir() else "no folder there"
    return WorkerError(
        f"{_node()} does not reach the store {root}: it has {seen}. Mount the folder of the "
        "driver under the same path on every node, then rerun."
    )


def _check_file(path: Path, size: int) -> None:
    try:
        seen = f"{path.stat().st_size:,} bytes"
    except OSError as error:
        seen = os.strerror(error.errno) if error.errno else str(error)
    if seen != f"{size:,} bytes":
        raise WorkerError(
            f"{_node()} does not reach the source file {path} of {size:,} bytes ({seen}). Put "
            "sources into a folder that all nodes share (--mirror, or HF_HOME for downloads)."
        )


def _check_versions(expected: Mapping[str, str]) -> None:
    for name, seen in _versions().items():
        if seen != expected[name]:
            raise WorkerError(
                f"{_node()} has {name} {seen}, but the driver has {expected[name]}. Install the "
                "environment of the driver on every node."
            )


def _versions() -> dict[str, str]:
    """Return the version of Curator's code and of the libraries on which results depend."""
    curator = {"code of Curator": code_version("curator", "datastore")}
    return curator | {name: version(name) for name in _LIBRARIES}


def _node() -> str:
    import ray

    return f"Node {socket.gethostname()} ({ray.util.get_node_ip_address()})"
