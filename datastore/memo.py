"""The results of stages: (stage, its version, parameters, input objects) -> output objects.

In: those four and a function that makes the outputs. Out: the outputs, made once by all processes
together. Records are `memo/ab/<key>.json`, canonical JSON with its own digest and without times.
"""

import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from datastore.errors import StoreError, wrap_os_errors
from datastore.files import canonical_json, read_record, write_record
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
    """The memo of the store at `root`, whose outputs are `objects`."""

    def __init__(self, root: Path, objects: Objects) -> None:
        self._objects = objects
        self._folder = root / "memo"
        self._locks = root / "locks"
        self._tmp = root / "tmp"

    def get(self, key: MemoKey) -> Outputs | None:
        """Return the cached outputs; None without them, or if an object is missing or damaged."""
        return self._read(key.digest)

    def run_once(
        self,
        key: MemoKey,
        make: Callable[[], tuple[dict[str, str], dict[str, int]]],
        on_wait: Callable[[str], None] = lambda message: None,
        is_stale: Callable[[Outputs], bool] = lambda outputs: False,
        on_damage: Callable[[Path], None] = lambda path: None,
    ) -> Outputs:
        """Return the cached outputs, or those of `make` (objects by name, counts by name).

        While another live process makes the same outputs, `on_wait` receives one line that names
        the process, and the call waits: for its outputs, or for its turn if that process fails or
        dies. `is_stale` decides whether cached outputs are discarded and made again. So are outputs
        with a damaged object, whose path `on_damage` receives: `make` replaces it.
        """
        digest = key.digest
        if (cached := self._read(digest)) and not is_stale(cached):
            return cached
        start_time = time.strftime("%Y-%m-%d %H:%M:%S")
        owner = f"process {os.getpid()} on {socket.gethostname()} (since {start_time})"
        with exclusive(self._locks / digest, f"{key.stage} is being built by {owner}", on_wait):
            if (cached := self._read(digest, on_damage)) and not is_stale(cached):
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
            # A record that a power failure undoes costs one more run; no durable file names it.
            write_record(record, self._path(digest), self._tmp, durable=False)
        return Outputs(objects, counts)

    def list_running(self) -> list[str]:
        """Return one line per running stage, which names the stage and its live process."""
        lines = []
        for path in sorted(self._locks.glob("*")):
            with suppress(FileNotFoundError):  # the stage ended after it was listed
                if is_locked(path) and (line := path.read_text("utf-8", "replace")):
                    lines.append(line)
        return lines

    def records(self) -> Iterator[tuple[Path, Mapping[str, Any] | None]]:
        """Yield the path and the content of each record; None instead of a damaged one."""
        for path in sorted(self._folder.glob("*/*.json")):
            try:
                yield path, read_record(path)
            except (ValueError, StoreError):
                yield path, None

    def remove(self, paths: Iterable[Path]) -> None:
        """Remove records; a stage that needs one runs again. A record that is gone is no error."""
        for path in paths:
            with wrap_os_errors("remove a record of the stage cache", path):
                path.unlink(missing_ok=True)

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / f"{digest}.json"

    def _read(
        self, digest: str, on_damage: Callable[[Path], None] = lambda path: None
    ) -> Outputs | None:
        """Return the record; None if it or one of its objects is missing or damaged."""
        path = self._path(digest)
        if not path.is_file():
            return None
        try:
            record = read_record(path)
            outputs = Outputs(dict(record["objects"]), dict(record["counts"]))
            broken = [d for d, error in self._objects.inspect(outputs.objects.values()) if error]
        except (ValueError, TypeError, LookupError):
            return None
        for each in filter(self._objects.has, broken):
            on_damage(self._objects.locate(each))
        return None if broken else outputs
