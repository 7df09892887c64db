"""Verify a store: that every object, manifest and record of the stage cache is what it was.

In: a store. Out: what is damaged or missing, the versions that hold it, and the command that
repairs it. Not covered: ledgers; records there that are damaged are computed again or, in compacted
parts, reported when they are read.
"""

import json
import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from curator.core.progress import Listener, track_progress
from curator.versions.content import objects_of
from datastore.store import Store
from datastore.versions import Manifest

_REWRITERS = ("build", "pull", "audit")
"""Commands that make all objects of a version; `reverify` makes only the verdicts and rows."""


@dataclass(frozen=True, slots=True)
class Damage:
    """One file that is damaged or missing."""

    file: str
    """Its path relative to the store."""
    state: str
    """`damaged` or `missing`."""
    holders: tuple[str, ...]
    """What it is: `small@1: rationales of cot`; or the stage of the cache that made it."""
    repair: str
    """The command that repairs it; empty if none is known."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verification found."""

    objects: int
    bytes: int
    """Size of the objects that exist."""
    versions: int
    damage: tuple[Damage, ...]
    unknown_files: tuple[str, ...]
    """Files in the folder of the objects that are not objects, relative to the store."""


def verify(store: Store, refs: Sequence[str], listener: Listener) -> Verification:
    """Hash the objects of versions, by default everything in the store; change nothing.

    Raises NotFound for a version that does not exist.
    """
    chosen = {store.versions.get(ref).ref for ref in refs}
    manifests: list[Manifest] = []
    damage: list[Damage] = []
    for ref, read in store.versions.inspect():
        if isinstance(read, Manifest):
            manifests += [read] if not chosen or ref in chosen else []
        elif not chosen:
            damage.append(_damaged_manifest(store, ref))
    holders = _holders(manifests)
    listed, unknown = store.objects.list_files()
    if not chosen:
        for digest in listed:
            holders.setdefault(digest, {})
        damage += _damaged_records(store)
    digests = list(holders)
    inspected = store.objects.inspect(digests)
    checked = track_progress(inspected, listener, "verifying objects", len(digests), every=1)
    broken = [digest for digest, error in checked if error]
    stages = _stages(store) if broken else {}
    damage += [_damaged_object(store, digest, holders[digest], stages) for digest in broken]
    return Verification(
        objects=len(digests),
        bytes=sum(store.objects.locate(each).stat().st_size for each in {*digests} & {*listed}),
        versions=len(manifests),
        damage=tuple(damage),
        unknown_files=() if chosen else tuple(_relative(store, path) for path in unknown),
    )


def _holders(manifests: Sequence[Manifest]) -> dict[str, dict[str, Manifest]]:
    """Return by digest what each object is, and the version in which it is that."""
    holders: dict[str, dict[str, Manifest]] = defaultdict(dict)
    for manifest in manifests:
        for digest, role in objects_of(manifest).roles():
            holders[digest][f"{manifest.ref}: {role}"] = manifest
    return holders


def _damaged_object(
    store: Store, digest: str, holders: Mapping[str, Manifest], stages: Mapping[str, str]
) -> Damage:
    path = store.objects.locate(digest)
    # Without a version, only the stage cache has it: a build that needs it makes it again.
    remove = shlex.join(["rm", str(path)])
    repair = _rebuild(store, list(holders.values())) if holders else remove
    return Damage(
        file=_relative(store, path),
        state="damaged" if path.exists() else "missing",
        holders=tuple(holders) or (stages.get(digest, "no version has it"),),
        repair=repair,
    )


def _rebuild(store: Store, manifests: Sequence[Manifest]) -> str:
    """Return the command that makes the objects of one of these versions again."""
    commands = [command for each in manifests if (command := objects_of(each).command)]
    commands.sort(key=lambda command: command[0] not in _REWRITERS)
    return _at(store, commands[0]) if commands else ""


def _at(store: Store, command: Sequence[str]) -> str:
    return shlex.join(["curator", *command, "--store", str(store.root)])


def _damaged_manifest(store: Store, ref: str) -> Damage:
    path = store.versions.path(ref)
    repair = shlex.join(["rm", str(path)])
    if command := _guess_command(path):
        repair += f" && {_at(store, command)}"
    return Damage(_relative(store, path), "damaged", (f"{ref}: manifest",), repair)


def _guess_command(path: Path) -> list[str]:
    """Return the command in a manifest whose digest is wrong; empty if it cannot be read."""
    try:
        command = json.loads(path.read_bytes())["objects"]["command"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return []
    is_command = isinstance(command, list) and all(isinstance(word, str) for word in command)
    return command if is_command else []


def _damaged_records(store: Store) -> Iterator[Damage]:
    for path, record in store.memo.records():
        if record is None:
            repair = shlex.join(["rm", str(path)])
            yield Damage(_relative(store, path), "damaged", ("record of the stage cache",), repair)


def _stages(store: Store) -> dict[str, str]:
    """Return by digest the stage that made each object."""
    return {
        digest: f"cached output of stage {record['stage']}"
        for _, record in store.memo.records()
        if record
        for digest in record["objects"].values()
    }


def _relative(store: Store, path: Path) -> str:
    return str(path.relative_to(store.root))
