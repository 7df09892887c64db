"""Remove versions of a store, and the objects that only they name: `curator rm`.

In: `name@number`, which may be damaged. Out: what was freed. The order makes it safe to stop at any
moment: first the manifest is renamed, so that the version is gone, then its objects are removed;
repeating the removal finishes it. Ledgers are never touched, so nothing that was paid for is lost.
Records of the stage cache that lead to a removed object count as missing: a build that needs one
makes it again.
"""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from curator.core.errors import UsageError
from curator.versions.views import update_views
from datastore.errors import NotFound
from datastore.store import Store


@dataclass(frozen=True, slots=True)
class Removal:
    """What the removal of one version freed."""

    version: str
    objects: int
    bytes: int


def remove(store: Store, refs: Sequence[str], note: Callable[[str], None]) -> list[Removal]:
    """Remove versions and return what each removal freed; `note` receives lines about the rest.

    `refs` are `name@number`, the name of a single version or the start of a digest. Raises NotFound
    before anything is removed if one of them does not exist or a name has several versions,
    UsageError if one has a tag, and StoreError if another process writes the store.
    """
    chosen = list(dict.fromkeys(_choose(store, ref) for ref in refs))
    for name, number in chosen:
        tags = [tag for tag, tagged in store.versions.tags.of(name).items() if tagged == number]
        if tags:
            raise UsageError(
                f"{name}@{number} has the tag '{tags[0]}', so it was not removed. Remove the tag "
                f"first: curator tag --delete {shlex.quote(f'{name}@{tags[0]}')}"
            )
    store.exclude_writers()
    removals = []
    for name, number in chosen:
        removed = store.versions.remove(name, number)
        kept = set[str]()
        for ref, _ in store.versions.inspect():
            kept |= store.versions.named_objects(store.versions.path(ref))
        count, size = store.objects.remove(store.versions.named_objects(removed) - kept)
        removals.append(Removal(f"{name}@{number}", count, size))
    update_views(store, f"{', '.join(each.version for each in removals)} removed", note)
    return removals


def _choose(store: Store, ref: str) -> tuple[str, int]:
    """Return name and number of an existing version or of one whose removal may be unfinished."""
    name, number = store.versions.split(ref)
    numbers, removed = store.versions.numbers(name), store.versions.removed(name)
    if number in numbers or number in removed:
        return name, number
    if number is None and len(numbers) > 1:
        raise NotFound(
            f"'{name}' has {len(numbers)} versions. Give the number of the one to remove, such as "
            f"'{name}@{numbers[-1]}'."
        )
    if number is None and (numbers or removed):
        return name, max(numbers or removed)
    found = store.versions.get(ref)  # by its digest, or an error that names the nearest version
    return found.name, found.number
