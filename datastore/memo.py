"""The results of stages: (stage, its version, parameters, input objects) -> output objects.

In: those four and a function that makes the outputs. Out: the outputs, made once by all processes
together. Records are `memo/ab/<key>.json`, canonical JSON without times.
"""

import json
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from datastore.errors import StoreError, wrap_os_errors
from datastore.files import canonical_json, write_json
from datastore.locks import exclusive, is_locked
from datastore.objects import Objects

JSON = Any
"""A value that `json.dumps` accepts: None, bool, int, float, str, and lists and dicts of them."""


@dataclass(frozen=True, slots=True)
class MemoKey:
    """What the outputs of a stage depend on."""

    stage: str
    version: int | str
    """Version of the stage's code."""
    params: Mapping[str, JSON]
    inputs: Sequence[str]
    """Digests of the objects that the stage reads, in order."""

    @property
    def digest(self) -> str:
        """Hash of all four, as hex; the order of `params` does not matter."""
        key = [self.stage, self.version, dict(self.params), list(self.inputs)]
        return sha256(canonical_json(key)).hexdigest()


@dataclass(frozen=True, slots=True)
class Outputs:
    """The outputs of one run of a stage."""

    objects: dict[str, str]
    """Name of the output -> digest of its object."""
    counts: dict[str, int]
    """The counts of the stage, by name."""


class Memo:
    """The memo of the store at `root`."""

    def __init__(self, root: Path) -> None:
        self._objects = Objects(root)
        self._folder = root / "memo"
        self._locks = root / "locks"
        self._tmp = root / "tmp"

    def get(self, key: MemoKey) -> Outputs | None:
        """Return the cached outputs; None without them, or if one of their objects is missing."""
        return self._read(key.digest)

    def run_once(
        self,
        key: MemoKey,
        make: Callable[[], tuple[dict[str, str], dict[str, int]]],
        on_wait: Callable[[str], None] = lambda message: None,
        is_stale: Callable[[Outputs], bool] = lambda outputs: False,
    ) -> Outputs:
        """Return the cached outputs, or those of `make` (objects by name, counts by name).

        While another live process makes the same outputs, `on_wait` receives one line that names
        the process, and the call waits: for its outputs, or for its turn if that process fails or
        dies. `is_stale` decides whether cached outputs are discarded and made again.
        """
        digest = key.digest
        if (cached := self._read(digest)) and not is_stale(cached):
            return cached
        start_time = time.strftime("%Y-%m-%d %H:%M:%S")
        owner = f"process {os.getpid()} on {socket.gethostname()} (since {start_time})"
        with exclusive(self._locks / digest, f"{key.stage} is being built by {owner}", on_wait):
            if (cached := self._read(digest)) and not is_stale(cached):
                return cached
            objects, counts = make()
            record = {
                "stage": key.stage,
                "version": key.version,
                "params": dict(key.params),
                "inputs": list(key.inputs),
                "objects": objects,
                "counts": counts,
            }
            write_json(record, self._path(digest), self._tmp)
        return Outputs(objects, counts)

    def list_running(self) -> list[str]:
        """Return one line per running stage, which names the stage and its live process."""
        lines = []
        for path in sorted(self._locks.glob("*")):
            with suppress(FileNotFoundError):  # the stage ended after it was listed
                if is_locked(path) and (line := path.read_text("utf-8", "replace")):
                    lines.append(line)
        return lines

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / f"{digest}.json"

    def _read(self, digest: str) -> Outputs | None:
        """Return the record, or None if it is missing or damaged; the stage then runs again."""
        path = self._path(digest)
        if not path.is_file():
            return None
        with wrap_os_errors("read a memo", path):
            text = path.read_bytes()
        try:
            record = json.loads(text)
            outputs = Outputs(dict(record["objects"]), dict(record["counts"]))
            complete = all(self._objects.has(digest) for digest in outputs.objects.values())
        except (ValueError, TypeError, LookupError, StoreError):
            return None
        return outputs if complete else None
