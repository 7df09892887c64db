"""Give versions names that stay: `curator tag mine@3 paper` makes `mine@paper`.

In: a version and a tag. Out: the version behind the tag. A version with a tag cannot be removed.
"""

from curator.core.errors import UsageError
from datastore.store import Store
from datastore.tags import TAG
from datastore.versions import Manifest


def tag(store: Store, ref: str, name: str, move: bool = False) -> Manifest:
    """Give the tag `name` to a version and return the version.

    Raises NotFound without such a version, UsageError if the tag is not valid or, unless `move`,
    belongs to another version.
    """
    manifest = store.versions.get(ref)
    if not TAG.fullmatch(name):
        raise UsageError(
            f"{name!a} is not a valid tag. Begin with a letter; then letters, digits, '.', '_' and "
            "'-' may follow, 64 characters in total."
        )
    number = store.versions.tags.of(manifest.name).get(name)
    if number and number != manifest.number and not move:
        raise UsageError(
            f"The tag '{name}' belongs to {manifest.name}@{number}. Pass --move to give it to "
            f"{manifest.ref}."
        )
    store.versions.tags.set(manifest.name, name, manifest.number)
    return manifest


def delete_tag(store: Store, ref: str) -> str:
    """Remove the tag `name@tag` and return the version that had it; the version stays.

    The text is empty if the file of the tag is damaged. Raises UsageError if there is no such tag.
    """
    name, _, label = ref.rpartition("@")
    tags = store.versions.tags.of(name)
    if label not in tags:
        known = ", ".join(
            f"{each}@{tag}" for each in store.versions.names() for tag in _tags(store, each)
        )
        raise UsageError(f"No tag {ref!a}. Tags: {known or 'none yet'}.")
    store.versions.tags.remove(name, label)
    return f"{name}@{tags[label]}" if tags[label] else ""


def _tags(store: Store, name: str) -> list[str]:
    return list(store.versions.tags.of(name))
