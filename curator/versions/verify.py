"""Verify a store: that every object, manifest, ledger and record of the stage cache is what it was.

In: a store. Out: what is damaged or missing, the versions that hold it, and the command that makes
it again, if one is known. A damaged record of a ledger counts as missing: the build that needs it
computes it again. Not covered: the last record of a journal, of which a kill may have left a part,
and parts of ledgers that version 0.1 of Curator wrote.
"""

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from curator.core.progress import Listener, track_progress
from curator.versions.content import objects_of
from curator.versions.queries import inspect_versions
from datastore.errors import NotFound, StoreError
from datastore.store import Store
from datastore.versions import Manifest

_REVERIFIED = ("rows", "verdicts")
"""What `curator reverify` makes; it reads the other objects of its version."""


@dataclass(frozen=True, slots=True)
class Damage:
    """One file that is damaged or missing."""

    file: str
    """Its path relative to the store."""
    state: str
    """`damaged`, `missing`, or the number of damaged records of a journal."""
    holders: tuple[str, ...]
    """What it is: `small@1: rationales of cot`; or the stage of the cache that made it."""
    repair: str
    """The command that makes it again; empty if none is known."""


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
    chosen = {_full_name(store, ref) for ref in refs}
    manifests: list[Manifest] = []
    damage: list[Damage] = []
    for ref, read in inspect_versions(store):
        if isinstance(read, Manifest):
            manifests.append(read)
        elif not chosen or ref in chosen:
            damage.append(_damaged_manifest(store, ref))
    verified = [each for each in manifests if not chosen or each.ref in chosen]
    holders = _roles(verified)
    listed, unknown = store.objects.list_files()
    if not chosen:
        for digest in listed:
            holders.setdefault(digest, ())
        damage += _damaged_records(store)
        damage += _damaged_tags(store)
        damage += _damaged_ledgers(store)
    digests = list(holders)
    inspected = store.objects.inspect(digests, again=True)
    checked = track_progress(inspected, listener, "verifying objects", len(digests), every=1)
    broken = [digest for digest, error in checked if error]
    stages, commands = (_stages(store), _commands(manifests)) if broken else ({}, {})
    # What no version has first: its command removes it, the others make it again.
    for digest in sorted(broken, key=lambda digest: bool(holders[digest])):
        path = store.objects.locate(digest)
        roles = holders[digest] or (stages.get(digest, "no version has it"),)
        # Without a version, only the stage cache has it: a build that needs it makes it again.
        remove = shlex.join(["rm", str(path)])
        repair = _at(store, commands.get(digest, ())) if holders[digest] else remove
        state = "damaged" if path.exists() else "missing"
        damage.append(Damage(_relative(store, path), state, tuple(roles), repair))
    return Verification(
        objects=len(digests),
        bytes=sum(store.objects.locate(each).stat().st_size for each in {*digests} & {*listed}),
        versions=len(verified),
        damage=tuple(damage),
        unknown_files=() if chosen else tuple(_relative(store, path) for path in unknown),
    )


def repair_ledgers(store: Store) -> list[Path]:
    """Move damaged files of ledgers into `damaged/`, but not their intact records; return them.

    The journals of running processes stay as they are.
    """
    repaired = []
    for kind in store.ledger_kinds():
        ledger = store.ledger(kind)
        if damage := ledger.damage():
            ledger.compact()
            repaired += sorted(damage.keys() - ledger.damage().keys())
    return repaired


def _full_name(store: Store, ref: str) -> str:
    """Return `name@number` of a version, also of one whose manifest is damaged."""
    try:
        return store.versions.get(ref).ref
    except NotFound:
        raise
    except StoreError:
        names = [name for name, _ in store.versions.inspect() if name.partition("@")[0] == ref]
        return names[-1] if names else ref


def _roles(manifests: Sequence[Manifest]) -> dict[str, tuple[str, ...]]:
    """Return by digest what each object is, and in which versions: `small@1: rationales of cot`."""
    roles: dict[str, tuple[str, ...]] = {}
    for manifest in manifests:
        for digest, role in objects_of(manifest).roles():
            roles[digest] = (*roles.get(digest, ()), f"{manifest.ref}: {role}")
    return roles


def _commands(manifests: Sequence[Manifest]) -> dict[str, list[str]]:
    """Return by digest the command that makes each object again."""
    commands: dict[str, list[str]] = {}
    read = [objects_of(each) for each in manifests]
    for objects in sorted(read, key=lambda each: each.command[:1] == ["reverify"]):
        for digest, role in objects.roles():
            # It reads problems and rationales and makes the rest.
            made = objects.command[:1] != ["reverify"] or role.startswith(_REVERIFIED)
            if objects.command and made:
                commands.setdefault(digest, objects.command)
    return commands


def _at(store: Store, command: Sequence[str]) -> str:
    """Return a command line; empty without a command."""
    return shlex.join(["curator", *command, "--store", str(store.root)]) if command else ""


def _damaged_manifest(store: Store, ref: str) -> Damage:
    path = store.versions.path(ref)
    commands = filter(None, (_at(store, ["rm", ref]), _at(store, _guess_command(path))))
    return Damage(_relative(store, path), "damaged", (f"{ref}: manifest",), " && ".join(commands))


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


def _damaged_tags(store: Store) -> Iterator[Damage]:
    for path in store.versions.tags.damaged():
        ref = f"{path.parent.name}@{path.stem}"
        repair = _at(store, ["tag", "--delete", ref])
        yield Damage(_relative(store, path), "damaged", (f"tag {ref}",), repair)


def _damaged_ledgers(store: Store) -> Iterator[Damage]:
    for kind in store.ledger_kinds():
        for path, state in store.ledger(kind).damage().items():
            role = f"ledger {kind}: what it lost is computed again by the build that needs it"
            yield Damage(_relative(store, path), state, (role,), _at(store, ["verify", "--repair"]))


def _stages(store: Store) -> dict[str, str]:
    """Return by digest the stage that made each object."""
    return {
        digest: f"cached output of stage {record['stage']}"
        for _, record in store.memo.records()
        if record
        for digest in record.get("objects", {}).values()
    }


def _relative(store: Store, path: Path) -> str:
    return str(path.relative_to(store.root))
