"""Versions: numbered, immutable, equal if their content is, and found by name or digest."""

import shutil
import subprocess
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest

from datastore.errors import StoreError
from datastore.store import Store
from datastore.versions import Manifest, Versions


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Store(tmp_path / "store").versions


def test_versions_are_numbered_and_keep_their_content(versions: Versions) -> None:
    first = versions.create("mathinstruct", {"rows": 1}, None, "the first — é", {"rows": "ab"})
    second = versions.create("mathinstruct", {"rows": 2}, first.ref, "more", {"rows": "cd"})
    assert (first.ref, second.ref) == ("mathinstruct@1", "mathinstruct@2")
    assert versions.get("mathinstruct@1") == first
    assert versions.get("mathinstruct") == versions.get(second.digest[:6]) == second
    assert versions.all() == [first, second]
    assert second.parent == first.ref and first.message == "the first — é"


def test_the_same_content_is_the_same_version_unless_another_is_newer(
    versions: Versions,
) -> None:
    first = versions.create("m", {"a": 1, "b": [2]}, None, "one", {"rows": "x"})
    assert versions.create("m", {"b": [2], "a": 1}, "m@1", "other words", {"rows": "y"}) == first
    versions.create("m", {"a": 2}, "m@1", "", {})
    back = versions.create("m", {"a": 1, "b": [2]}, "m@2", "back", {})
    assert back.number == 3 and back.digest == first.digest
    assert versions.get(first.digest) == first
    assert versions.create("n", {"a": 1, "b": [2]}, None, "", {}).number == 1


def test_an_unknown_version_is_reported_with_the_nearest_name(versions: Versions) -> None:
    with pytest.raises(StoreError, match=r"Versions: none yet\."):
        versions.get("x")
    a = versions.create("mathinstruct", {"a": 1}, None, "", {})
    with pytest.raises(StoreError, match="Did you mean 'mathinstruct'"):
        versions.get("mathinstrct@1")
    for ref in ("mathinstruct@2", "mathinstruct@", "mathinstruct@x", "mathinstruct@0"):
        with pytest.raises(StoreError, match="has only version 1"):
            versions.get(ref)
    with pytest.raises(StoreError, match="No version named"):
        versions.get(a.digest[:5])
    for name in ("", "a/b", "..", "a@1", "-x"):
        with pytest.raises(StoreError, match="is not a valid version name"):
            versions.create(name, {}, None, "", {})


def test_a_changed_manifest_is_refused(versions: Versions, tmp_path: Path) -> None:
    versions.create("m", {"rows": 100}, None, "", {})
    path = tmp_path / "store" / "versions" / "m" / "1.json"
    text = path.read_text()
    path.write_text(text.replace("100", "101"))
    with pytest.raises(StoreError, match="does not match its digest"):
        versions.get("m")
    for before, after in (('"message":""', '"message":"x"'), ('"number":1', '"number":2')):
        assert before in text
        path.write_text(text.replace(before, after))
        with pytest.raises(StoreError, match="does not match its digest"):
            versions.get("m")
    path.write_text(text)
    shutil.copy(path, path.with_name("2.json"))
    with pytest.raises(StoreError, match=r"2\.json is damaged: it is the manifest of m@1"):
        versions.get("m@2")
    assert [(ref, isinstance(read, Manifest)) for ref, read in versions.inspect()] == [
        ("m@1", True),
        ("m@2", False),
    ]
    path.with_name("2.json").unlink()
    path.write_text(text[:20])
    with pytest.raises(StoreError, match="does not match its digest"):
        versions.get("m")


CREATOR = """
import sys
from pathlib import Path
from datastore.store import Store
versions = Store(Path(sys.argv[1])).versions
for n in range(15):
    print(versions.create("m", {"by": sys.argv[2], "n": n}, None, "", {}).number)
"""


def test_parallel_builders_never_share_or_overwrite_a_number(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    root = tmp_path / "store"
    creators = [start(CREATOR, root, name) for name in "abc"]
    taken = {
        name: list(map(int, creator.communicate()[0].split()))
        for name, creator in zip("abc", creators, strict=True)
    }
    assert sorted(chain(*taken.values())) == list(range(1, 46))
    manifests = Store(root).versions.all()
    for name, numbers in taken.items():
        mine = [m for m in manifests if m.content["by"] == name]
        assert [m.number for m in mine] == numbers
        assert [m.content["n"] for m in mine] == list(range(15))
