"""Differences between the recipes of two versions.

In: two manifests, the older one first. Out: one record per key whose values differ.
"""

import json
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any

from curator.core.errors import UsageError, unknown_name
from curator.versions.content import Content, content_of
from datastore.versions import Manifest


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A key of the recipe whose values differ."""

    key: str
    """Path of the key: `screens.contamination.masked`."""
    was: str
    """Value in the older version as JSON; empty if it does not state the key."""
    now: str
    """Value in the newer version."""


def recipe_changes(a: Manifest, b: Manifest) -> list[KeyChange]:
    """Return the keys of the resolved recipes that differ, apart from `name` and `about`.

    Two paths of a file with the same content do not differ: a path depends on the recipe's folder.
    A subset that only one recipe has is one key, and so is each file of attempts, whose value is
    its model and the beginning of its sha256.
    """
    recipes = [content_of(each).recipe.plain() for each in (a, b)]
    alone = recipes[0]["subsets"].keys() ^ recipes[1]["subsets"].keys()
    whole = {f"subsets.{name}" for name in alone}
    old, new = (dict(_flat(each, "", whole)) for each in recipes)
    ignored = {"name", "about", "attempts", *_same_files(content_of(a), content_of(b))}
    changes = [
        KeyChange(key, old.get(key, ""), new.get(key, ""))
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key) and key not in ignored
    ]
    return [*changes, *_attempts_changes(content_of(a), content_of(b))]


def _attempts_changes(a: Content, b: Content) -> Iterator[KeyChange]:
    """Yield a key per file of attempts that only one version read, or whose content differs."""
    old, new = (
        {
            file: json.dumps(f"{each.model} {each.sha256[:12]}")
            for file, each in one.attempts.items()
        }
        for one in (a, b)
    )
    same = {"", *(set(old.values()) & set(new.values()))}
    for file in dict.fromkeys([*old, *new]):
        was, now = old.get(file, ""), new.get(file, "")
        if was != now and not {was, now} <= same:
            yield KeyChange(f"attempts.{file}", was, now)


def _same_files(a: Content, b: Content) -> Iterator[str]:
    """Yield the keys with the path of a file whose content both versions read."""
    for name in a.subsets.keys() & b.subsets.keys():
        old, new = (content.sources.get(name) for content in (a, b))
        if old and new and old.revision and old.revision == new.revision:
            yield from (f"subsets.{name}.source.{key}" for key in ("file", "seeds"))


def _flat(value: Any, path: str, whole: Container[str]) -> Iterator[tuple[str, str]]:
    """Yield the path and the JSON text of every value that is not an object with keys, and of the
    objects at the paths of `whole`."""
    if isinstance(value, dict) and value and path not in whole:
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else key, whole)
    elif value != {}:
        yield path, json.dumps(value, ensure_ascii=False)


def check_subset(a: Manifest, b: Manifest, subset: str) -> None:
    """Raise UsageError unless one of the versions has a subset of this name."""
    known = {*content_of(a).subsets, *content_of(b).subsets}
    if subset not in known:
        raise UsageError(unknown_name("subset", subset, known))
