"""Executors: where the shards of a build run. `local`: processes of this machine."""

from curator.pipeline.executors.local import LocalProcesses

__all__ = ["LocalProcesses"]
