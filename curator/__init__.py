"""Curator: build, check and version math-instruction datasets.

`build(recipe, store=...)` makes a version and `load(version, store=...)` reads its rows;
`RunOptions` says how a build runs. `curator.answers` and `curator.sandbox` work on their own.
Heavy packages are imported when they are first used.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curator.pipeline.build import build
    from curator.pipeline.run_options import RunOptions
    from curator.versions.rows import load

# Arrow's allocator would commit 1 GB at once, which counts against a memory limit (`ulimit -d`).
os.environ.setdefault("MIMALLOC_ARENA_EAGER_COMMIT", "0")

__all__ = ["RunOptions", "build", "load"]

_MODULES = {
    "RunOptions": "curator.pipeline.run_options",
    "build": "curator.pipeline.build",
    "load": "curator.versions.rows",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'curator' has no attribute '{name}'")
    return getattr(import_module(_MODULES[name]), name)
