"""The typed content of a manifest is the JSON that was read, and a wrong one is a StoreError."""

import shutil
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest

from curator.versions.content import Content, content_of, objects_of
from datastore.errors import StoreError
from datastore.files import canonical_json
from datastore.store import Store
from datastore.versions import Manifest
from tests.paths import DATA


@pytest.fixture(scope="module")
def manifests(quickstart_built: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    """A version with a teacher and every kind of source, and one of an older release."""
    old_store = tmp_path_factory.mktemp("content") / "old"
    shutil.copytree(DATA / "store-0.1", old_store)
    with Store(quickstart_built, readonly=True) as new, Store(old_store) as old:
        return [new.versions.get("quickstart"), old.versions.get("small")]


def test_content_and_objects_are_written_as_they_were_read(manifests: list[Manifest]) -> None:
    for manifest in manifests:
        content = {**manifest.content, "later": {"key": [1, None]}}
        assert canonical_json(Content.model_validate(content).plain()) == canonical_json(content)
        objects = dict(manifest.objects)
        for name in ("rationales", "verdicts"):  # the older release has one object per subset
            objects[name] = {
                subset: [shards] if isinstance(shards, str) else shards
                for subset, shards in objects[name].items()
            }
        assert canonical_json(objects_of(manifest).plain()) == canonical_json(objects)


def test_counts_of_a_subset_add_up(manifests: list[Manifest]) -> None:
    for content in map(content_of, manifests):
        for name, counts in content.subsets.items():
            assert counts.passed + counts.failed + counts.undecided == counts.rationales
            assert content.screened(name) >= 0
            assert counts.kept <= counts.available
        assert sum(counts.kept for counts in content.subsets.values()) == content.rows.count


def test_release_as_has_a_default(manifests: list[Manifest]) -> None:
    small = content_of(manifests[1])
    assert small.release_as("pot") == "data/PoT/pot.json"
    values = deepcopy(manifests[1].content)
    values["recipe"]["subsets"]["pot"]["release_as"] = "data/PoT/gsm_gpt4.json"
    assert Content.model_validate(values).release_as("pot") == "data/PoT/gsm_gpt4.json"


@pytest.mark.parametrize(
    ("key", "value"), [("rows", {"count": -1, "sha256": ""}), ("order", "cot"), ("code", None)]
)
def test_other_content_is_an_error_of_one_line(
    key: str, value: object, manifests: list[Manifest]
) -> None:
    wrong = replace(manifests[1], content={**manifests[1].content, key: value})
    with pytest.raises(StoreError, match=f"small@1 .* at '{key}") as error:
        content_of(wrong)
    assert "\n" not in str(error.value)
