"""Whatever a published release contains, pulling it gives a usable version or one line.

Every key of a small release is deleted and replaced by values of other types, with all digests
corrected. What is rejected leaves the store as it was, byte for byte; what is accepted can be
queried, shown, explained and removed.
"""

import hashlib
import json
import random
import shutil
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from curator.cli.render import print_manifest
from curator.core.errors import CuratorError
from curator.core.progress import SilentListener
from curator.release.hub.pull import pull
from curator.release.hub.push import publish
from curator.release.hub.validate_manifest import read_manifest
from curator.versions.queries import skipped_versions
from curator.versions.remove import remove
from curator.versions.status import status
from curator.versions.verify import verify
from curator.versions.views import run_query
from curator.versions.why import why
from datastore.errors import StoreError
from datastore.store import Store
from tests.release.hub.hub_server import Hub

REPO = "me/data"
SHARD = "data/cot/train-00000-of-00001.parquet"
ACCEPTED = 40
"""Number of accepted manifests that are pulled and used; each takes a second."""

Path_ = tuple[str | int, ...]


def deep(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "a negative number": -1,
    "a fraction": 0.5,
    "400 digits": 10**400,
    "infinity": float("inf"),
    "a lone surrogate": "\ud800",
    "NUL": "a\0b",
    "an escape sequence": "\x1b]0;owned\x07",
    "a path": "../../x",
    "no text": "",
    "a long text": "x" * 10**6,
    "a list": [],
    "a list of texts": ["cot", "cot"],
    "an object": {},
    "a deep list": deep(300),
    "a date out of range": "99999-99-99T99:99:99Z",
}
NAMES = ("\ud800", "a\0b", "../x", "/etc/passwd", "\x1b[2J", "COT", "x" * 10**5, "default")
"""Keys that are added beside each object's own, with the value of its first one."""


@pytest.fixture
def published(small: Path, hub: Hub, tmp_path: Path) -> tuple[Hub, Path]:
    """The Hub with a release, and a store with a version of its own to pull into."""
    with Store(small, readonly=True) as store:
        publish(store, "small", REPO)
    shutil.copytree(small, tmp_path / "store")
    return hub, tmp_path / "store"


def keys_of(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Yield the path of each key of objects, and of the first entry of lists."""
    entries = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        entries = list(enumerate(value))[:1]
    for key, inner in entries:
        yield (*path, key)
        yield from keys_of(inner, (*path, key))


def mutations(manifest: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what was changed, and a manifest with one change and the right digest."""
    for path in list(keys_of(manifest)):
        changes: dict[str, Callable[[Any, Any], object]] = {
            name: lambda parent, key, value=value: parent.__setitem__(key, value)
            for name, value in VALUES.items()
        }
        changes["deleted"] = lambda parent, key: parent.__delitem__(key)
        for name in NAMES:
            changes[f"a key {name[:9]!a}"] = lambda parent, key, name=name: (
                parent.update({name: parent[key]}) if isinstance(parent, dict) else parent.append(1)
            )
        for what, change in changes.items():
            changed = deepcopy(manifest)
            parent: Any = changed
            for key in path[:-1]:
                parent = parent[key]
            change(parent, path[-1])
            if path != ("digest",) and "content" in changed:
                text = json.dumps(changed["content"], sort_keys=True, separators=(",", ":"))
                changed["digest"] = hashlib.sha256(text.encode("ascii")).hexdigest()
            yield f"{'.'.join(map(str, path))}: {what}", changed


def tree(root: Path) -> dict[str, bytes]:
    """Every file of a store with its content, without locks."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.relative_to(root).parts[0] not in ("locks", "views.duckdb")
    }


def is_one_line(error: Exception) -> bool:
    return str(error).isprintable() and len(str(error)) < 400


def use(root: Path, before: dict[str, bytes], capsys: pytest.CaptureFixture[str]) -> None:
    """Pull, read the version in each way, remove it, and compare the store with `before`."""
    with Store(root) as store:
        pulled = pull(REPO, store)
        assert skipped_versions(store) == []
        assert (pulled.ref, pulled.digest) in run_query(
            store, "SELECT version, digest FROM versions"
        )[1]
        (row,) = run_query(store, f"SELECT min(id) FROM rows WHERE version = '{pulled.ref}'")[1][0]
        assert pulled.ref in why(store, row).versions
        print_manifest(pulled)
        print(json.dumps(run_query(store, "FROM versions")[1]).encode())
        capsys.readouterr()
        assert status(store).versions[pulled.ref] == pulled.content["rows"]["count"]
        assert verify(store, [pulled.ref], SilentListener()).damage == ()
        remove(store, [pulled.ref], print)
        assert run_query(store, "SELECT version FROM versions")[1] == [("small@1",)]
    left = {name: data for name, data in tree(root).items() if ".removed-" not in name}
    assert left == before


def test_a_manifest_with_any_change_is_rejected_in_one_line_or_usable(
    published: tuple[Hub, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    hub, root = published
    files, before = hub.repos[REPO].commits[-1].files, tree(root)
    accepted: list[tuple[str, bytes]] = []
    count = 0
    for what, manifest in mutations(json.loads(files["manifest.json"])):
        count += 1
        data = json.dumps(manifest).encode()
        try:
            read_manifest(data, REPO)
        except CuratorError as error:
            assert is_one_line(error), what
        else:
            accepted.append((what, data))
    assert count > 2_000
    assert len(accepted) < count / 4
    outcomes = []
    for what, data in random.Random(5).sample(accepted, ACCEPTED):
        files["manifest.json"] = data
        try:
            use(root, before, capsys)
            outcomes.append("used")
        except (CuratorError, StoreError) as error:
            assert is_one_line(error), what
            assert {k: v for k, v in tree(root).items() if ".removed-" not in k} == before, what
            outcomes.append("rejected")
        except BaseException as error:
            error.add_note(what)
            raise
    assert {"used", "rejected"} == set(outcomes)
