"""Free what no version of a store needs: `curator gc`.

In: a store. Out: what can be freed, and its removal. A version needs the objects that its manifest
names. All other objects are outputs of stages: of stages between, of builds that were stopped, of
older code, and of versions that were removed. A build that needs one makes it again. Ledgers are
never touched, so no teacher call is paid for again.

Records of the stage cache are removed before the objects they name, and no file of a version is
touched, so the removal may be stopped at any moment; the next one finishes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from curator.core.errors import UsageError
from datastore.errors import StoreError
from datastore.store import Store


@dataclass(frozen=True, slots=True)
class Garbage:
    """What no version of a store needs."""

    objects: Mapping[str, int]
    """Bytes of each object that no version names, by digest."""
    records: Mapping[Path, int]
    """Bytes of each record of the stage cache that names such an object, or is damaged."""
    stages: Mapping[str, tuple[int, int]]
    """Number and bytes of the objects by the stage that made them."""
    kept: int
    """Number of objects that versions need."""

    @property
    def bytes(self) -> int:
        """Total size."""
        return sum(self.objects.values()) + sum(self.records.values())


REMOVED = "removed versions"
"""Instead of a stage, for objects that no record of the stage cache names."""


def find_garbage(store: Store) -> Garbage:
    """Return what no version needs; reads only.

    Raises UsageError if a manifest is damaged: what its version needs is not known. While another
    process writes the store, objects that it is about to use are in the result.
    """
    needed = set[str]()
    for ref, read in store.versions.inspect():
        if isinstance(read, StoreError):
            raise UsageError(f"Nothing was removed, since {ref} may need anything: {read}")
        needed |= store.versions.named_objects(store.versions.path(ref))
    listed, _ = store.objects.list_files()
    unneeded = [digest for digest in listed if digest not in needed]
    objects = {digest: store.objects.locate(digest).stat().st_size for digest in unneeded}
    records: dict[Path, int] = {}
    stage_of: dict[str, str] = {}
    for path, record in store.memo.records():
        outputs = [*record.get("objects", {}).values()] if record else []
        if record is None or any(digest not in needed for digest in outputs):
            records[path] = path.stat().st_size
        stage_of |= dict.fromkeys(outputs, str(record["stage"]) if record else "")
    stages: dict[str, tuple[int, int]] = {}
    for digest, size in objects.items():
        stage = stage_of.get(digest, REMOVED)
        count, total = stages.get(stage, (0, 0))
        stages[stage] = count + 1, total + size
    return Garbage(objects, records, dict(sorted(stages.items())), len(listed) - len(unneeded))


def free(store: Store, planned: Garbage) -> int:
    """Remove what is in `planned` and still needed by no version; return the bytes that were freed.

    Raises StoreError if another process writes the store.
    """
    store.exclude_writers()
    now = find_garbage(store)
    records = now.records.keys() & planned.records.keys()
    store.memo.remove(sorted(records))
    _, size = store.objects.remove(sorted(now.objects.keys() & planned.objects.keys()))
    return size + sum(now.records[path] for path in records)
