"""The card: what it says follows from the rows, and what a person wrote is left alone."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import DatasetCard

from curator.core.errors import HubError
from curator.release.card import BEGIN, END, card, configs, merged, metadata
from curator.release.counts import ReleaseCounts, SubsetCounts
from curator.release.folder import ReleaseFolder, write_folder
from curator.release.licence import FREE, RESTRICTED, Licence, licence_of
from curator.sources import EVALS, SOURCES
from datastore.store import Store
from datastore.versions import Manifest


@pytest.fixture
def packed(quickstart: Path, tmp_path: Path) -> tuple[Manifest, ReleaseFolder, str]:
    with Store(quickstart, readonly=True) as store:
        version = store.versions.get("quickstart")
        package = write_folder(store, version, tmp_path / "out", repo="me/data")
    return version, package, (tmp_path / "out/README.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("rows", "license_", "name"),
    [
        ({"MIT": 3}, "mit", ""),
        ({"MIT": 3, "CC-BY-NC-4.0": 0}, "mit", ""),
        ({"MIT": 3, "Apache-2.0": 1}, ("apache-2.0", "mit"), ""),
        ({"CC-BY-NC-4.0": 3}, "cc-by-nc-4.0", ""),
        ({"MIT": 9_000, "CC-BY-NC-4.0": 1}, "other", "mixed-non-commercial"),
        ({"MIT": 9_000, "none stated": 1}, "other", "mixed-unlicensed"),
        ({"MIT": 1, "": 1}, "other", "mixed-unlicensed"),
        ({"mit ": 1}, "other", "mixed-unlicensed"),
        ({"none stated": 2}, "other", "mixed-unlicensed"),
        ({"CC-BY-NC-4.0": 1, "CC-BY-NC-SA-4.0": 1}, "other", "mixed-non-commercial"),
        ({}, "other", "no-rows"),
    ],
)
def test_the_licence_follows_from_the_rows(
    rows: dict[str, int], license_: str | tuple[str, ...], name: str
) -> None:
    found = licence_of(rows)
    assert (found.license, found.license_name) == (license_, name)
    free = {found.license} if isinstance(found.license, str) else set(found.license)
    assert bool(found.conflict) == (not free <= set(FREE.values()))


def test_one_row_that_is_not_free_takes_every_permissive_label_away() -> None:
    for bad in (*RESTRICTED, "none stated", "unclear", "GPL-ish"):
        found = licence_of({**dict.fromkeys(FREE, 10_000), bad: 1})
        assert found.license == "other", bad
        assert "1 row (" in found.conflict and bad in found.conflict


def test_every_licence_that_our_sources_state_is_known_or_told() -> None:
    stated = {source.licence for source in (*SOURCES.values(), *EVALS.values())}
    assert {"MIT", "Apache-2.0", "CC-BY-4.0", "ODC-By-1.0"} <= stated & set(FREE)
    assert "CC-BY-NC-4.0" in stated & set(RESTRICTED)


def test_the_card_tells_subsets_proofs_teacher_contamination_and_sources(
    packed: tuple[Manifest, ReleaseFolder, str],
) -> None:
    version, _, text = packed
    read = DatasetCard(text)
    assert read.data.license == "other" and read.data.get("license_name") == "mixed-unlicensed"
    assert read.data.size_categories == ["n<1K"] and read.data.language == ["en"]
    assert version.digest in text
    for name, said in version.content["subsets"].items():
        line = next(row for row in text.splitlines() if row.startswith(f"| {name} |"))
        assert line.endswith(f" {said['kept']} |")
    assert "| form only: nothing of the answer was proved | 8 |" in text
    assert "8 rows (CC-BY-NC-4.0) may not be used commercially" in text
    assert "5 rows (none stated) come without a licence" in text
    assert "recorded calls (recorded-by-hand), replayed: no model was asked" in text
    assert "**8 rows removed, 3 near.**" in text
    for name, said in version.content["evals"].items():
        assert f"| {name} | {said['revision']} |" in text
    for name, said in version.content["sources"].items():
        assert said["revision"] in text
        assert name not in SOURCES or SOURCES[name].citation in text
    assert "curator pull me/data@v1\ncurator diff mine me--data --rows\n" in text


def changed(version: Manifest, package: ReleaseFolder, **content: object) -> str:
    other = replace(version, content={**version.content, **content})
    return card(other, package.facts, package.licence, ["data/a/train-00000-of-00001.parquet"])


def test_a_real_teacher_and_its_absence_are_told(
    packed: tuple[Manifest, ReleaseFolder, str],
) -> None:
    version, package, _ = packed
    teacher = {"model": "m-1", "family": "f", "parameters": {"temperature": 0.7}, "replay": False}
    text = changed(version, package, teacher=teacher)
    assert "were written by m-1 (temperature 0.7)" in text and "replayed" not in text
    assert "No model was asked for this version" in changed(version, package, teacher=None)


def test_sets_that_were_not_reached_or_not_asked_are_told(
    packed: tuple[Manifest, ReleaseFolder, str],
) -> None:
    version, package, _ = packed
    evals = {**version.content["evals"], "svamp": {"licence": "MIT", "missing": "not reached"}}
    text = changed(version, package, evals=evals)
    assert "**Not reached, so not screened against:** svamp." in text
    assert "| svamp |" not in text
    recipe = deepcopy(version.content["recipe"])
    recipe["screens"]["contamination"] = None
    unscreened = changed(version, package, recipe=recipe)
    assert "not screened against any evaluation set" in unscreened


def test_texts_of_others_cannot_break_out_of_the_card(
    packed: tuple[Manifest, ReleaseFolder, str],
) -> None:
    version, package, _ = packed
    bad = f"x\n# Big | `code` {END} <script>alert(1)</script> [a](javascript:b) \x1b[31m"
    recipe = {**version.content["recipe"], "about": bad}
    teacher = {"model": bad, "parameters": {bad: bad}, "replay": False}
    sources = {bad: {"licence": bad, "revision": bad}}
    text = changed(version, package, recipe=recipe, teacher=teacher, sources=sources)
    assert text.count(END) == text.count(BEGIN) == 1
    assert "<script" not in text and "\x1b" not in text and "\n# Big" not in text
    assert "[a](" not in text.replace("\\[a\\](", "")
    assert merged(text, text) == text


def ours(license_: str = "mit") -> str:
    facts = ReleaseCounts({"a": SubsetCounts(rows=3)})
    values = metadata(version_named("a"), facts, Licence(license_), ["data/a/train-0.parquet"])
    data = "\n".join(f"{key}: {value!r}" for key, value in values.items() if key != "configs")
    return f"---\n{data}\n---\n\n{BEGIN}\n# Ours\n\nnew\n{END}\n"


def version_named(name: str) -> Manifest:
    return Manifest(name, 1, "0" * 64, None, "", {}, {})


def test_a_persons_text_before_and_after_our_section_stays() -> None:
    existing = f"---\npretty_name: P\nmine: [1, 2]\n---\n# Mine\n{BEGIN}\nold\n{END}\nAfter.\n"
    text = merged(existing, ours())
    assert text.endswith(f"---\n# Mine\n{BEGIN}\n# Ours\n\nnew\n{END}\nAfter.\n")
    data = DatasetCard(text).data
    assert data.pretty_name == "P" and data.get("mine") == [1, 2] and data.license == "mit"
    assert merged(text, ours()) == text, "to merge again changes nothing"


def test_our_keys_are_written_anew_and_taken_away_when_they_are_no_longer_true() -> None:
    existing = (
        "---\nlicense: other\nlicense_name: mixed\nlicense_link: x\ntags: [mine, math]\n---\n"
    )
    data = DatasetCard(merged(existing, ours())).data
    assert data.license == "mit"
    assert data.get("license_name") is None and data.get("license_link") is None
    assert data.get("tags")[:2] == ["mine", "math"] and "instruction-tuning" in data.get("tags")
    assert data.get("tags").count("math") == 1


def test_a_card_without_metadata_or_marks_gets_both_at_its_places() -> None:
    text = merged("# Only words\n", ours())
    assert DatasetCard(text).data.license == "mit"
    assert text.index("# Only words") < text.index(BEGIN)


@pytest.mark.parametrize(
    ("existing", "words"),
    [
        ("---\na: [\n---\nx", "cannot be read"),
        ("---\n- a\n---\nx", "cannot be read"),
        ("---\na: !!python/object/apply:os.system [id]\n---\nx", "cannot be read"),
        (f"---\na: 1\n---\n{BEGIN}\nno end", "has 1 '<!-- curator:begin -->' and 0"),
        (f"---\na: 1\n---\n{END}{BEGIN}", "expected one of each in this order"),
        (f"---\na: 1\n---\n{BEGIN}{END}{BEGIN}{END}", "has 2"),
    ],
)
def test_a_card_that_cannot_be_taken_apart_is_left(existing: str, words: str) -> None:
    with pytest.raises(HubError, match=words) as told:
        merged(existing, ours())
    assert len(str(told.value).splitlines()) == 1


def test_the_whole_is_the_default_and_lists_subsets_in_order() -> None:
    shards = [
        "data/b/train-00000-of-00002.parquet",
        "data/b/train-00001-of-00002.parquet",
        "data/b/validation-00000-of-00001.parquet",
        "data/a/train-00000-of-00001.parquet",
    ]
    whole, b, a = configs(shards)
    assert whole["config_name"] == "default" and whole["default"] is True
    assert whole["data_files"][0] == {
        "split": "train",
        "path": ["data/b/train-*.parquet", "data/a/train-*.parquet"],
    }
    assert [each["split"] for each in b["data_files"]] == ["train", "validation"]
    assert a["data_files"] == [{"split": "train", "path": "data/a/train-*.parquet"}]
