"""Executors: where the shards of a build run. `local`: processes of this machine; `ray`: a cluster.

In: the setup of a worker. Out: an executor, which starts with the first shards.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

from curator.pipeline.context import Executor
from curator.pipeline.executors.local import LocalProcesses
from curator.pipeline.executors.ray import RayCluster
from curator.pipeline.executors.worker import Setup, WorkerError

EXECUTORS: dict[str, Callable[[Setup], AbstractContextManager[Executor]]] = {
    "local": LocalProcesses,
    "ray": RayCluster,
}

__all__ = ["EXECUTORS", "Setup", "WorkerError"]
