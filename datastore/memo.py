"""What has been made already: (stage, its version, parameters, input objects) -> output objects.

In: those four and a function that makes the outputs. Out: the outputs, made at most once by all
processes together. Records are `memo/ab/<key>.json`, canonical JSON without times.
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
from datastore.files import canonical, write_json
from datastore.locks import held, only_one
from datastore.objects import Objects

JSON = Any
"""What `json.dumps` takes: None, bool, int, float, str, and lists and dicts of them."""


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
        return sha256(canonical(key)).hexdigest()


@dataclass(frozen=True, slots=True)
class Outputs:
    """What one run of a stage made."""

    objects: dict[str, str]
    """Name of the output -> digest of its object."""
    counts: dict[str, int]
    """Whatever the stage counted, by name."""


class Memo:
    """The memo of the store at `root`."""

    def __init__(self, root: Path) -> None:
        self._objects = Objects(root)
        self._folder = root / "memo"
        self._locks = root / "locks"
        self._tmp = root / "tmp"

    def get(self, key: MemoKey) -> Outputs | None:
        """What was made from exactly these, or None; None too if one of its objects is gone."""
        return self._look(key.digest)

    def once(
        self,
        key: MemoKey,
        make: Callable[[], tuple[dict[str, str], dict[str, int]]],
        waiting: Callable[[str], None] = lambda message: None,
        again: Callable[[Outputs], bool] = lambda known: False,
    ) -> Outputs:
        """The outputs, from the memo, or from `make` (objects by name, counts by name).

        While another living process makes the same, `waiting` gets one line that names it, and the
        call waits: for its outputs, or for its turn if that process fails or dies. `again` says of
        known outputs whether they are to be made anew, and the old ones forgotten.
        """
        digest = key.digest
        if (known := self._look(digest)) and not again(known):
            return known
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        owner = f"process {os.getpid()} on {socket.gethostname()} (since {since})"
        with only_one(self._locks / digest, f"{key.stage} is being built by {owner}", waiting):
            if (known := self._look(digest)) and not again(known):
                return known
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

    def building(self) -> list[str]:
        """One line for each stage that a living process is making, with its name."""
        lines = []
        for path in sorted(self._locks.glob("*")):
            with suppress(FileNotFoundError):  # it ended after it was listed
                if held(path) and (line := path.read_text("utf-8", "replace")):
                    lines.append(line)
        return lines

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / f"{digest}.json"

    def _look(self, digest: str) -> Outputs | None:
        """A record that is damaged counts as none: what it told is made again."""
        path = self._path(digest)
        if not path.is_file():
            return None
        with wrap_os_errors("read a memo", path):
            text = path.read_bytes()
        try:
            record = json.loads(text)
            outputs = Outputs(dict(record["objects"]), dict(record["counts"]))
            whole = all(self._objects.has(digest) for digest in outputs.objects.values())
        except (ValueError, TypeError, LookupError, StoreError):
            return None
        return outputs if whole else None
