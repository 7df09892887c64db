"""The generated card follows from the rows, and the text that people wrote is preserved."""

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import DatasetCard

from curator import build
from curator.core.errors import HubError
from curator.core.model import MATCH_LEVELS
from curator.core.recall import RECALL, RECALL_VERSION
from curator.release.card import BEGIN, END, card, configs, merge_card, metadata
from curator.release.counts import ReleaseCounts, SubsetCounts
from curator.release.folder import CardOptions, ReleaseFolder, write_folder
from curator.release.licence import FREE, RESTRICTED, Licence, licence_of
from curator.screens import SCREENS
from curator.sources import EVALS, MAMMOTH_EVALS, SOURCES
from datastore.store import Store
from datastore.versions import Manifest
from tests.paths import ROOT


@pytest.fixture
def released(quickstart: Path, tmp_path: Path) -> tuple[Manifest, ReleaseFolder, str]:
    with Store(quickstart, readonly=True) as store:
        version = store.versions.get("quickstart")
        release = write_folder(store, version, tmp_path / "out", options=CardOptions("me/data"))
    return version, release, (tmp_path / "out/README.md").read_text("utf-8")


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
    licence = licence_of(rows)
    assert (licence.license, licence.license_name) == (license_, name)
    free = {licence.license} if isinstance(licence.license, str) else set(licence.license)
    assert bool(licence.conflict) == (not free <= set(FREE.values()))


def test_one_restricted_row_removes_every_permissive_label() -> None:
    for bad in (*RESTRICTED, "none stated", "unclear", "GPL-ish"):
        licence = licence_of({**dict.fromkeys(FREE, 10_000), bad: 1})
        assert licence.license == "other", bad
        assert "1 row (" in licence.conflict and bad in licence.conflict


def test_the_licences_of_our_sources_are_known() -> None:
    stated = {source.licence for source in (*SOURCES.values(), *EVALS.values())}
    assert {"MIT", "Apache-2.0", "CC-BY-4.0", "ODC-By-1.0"} <= stated & set(FREE)
    assert "CC-BY-NC-4.0" in stated & set(RESTRICTED)


def test_the_card_states_subsets_proofs_teacher_contamination_and_sources(
    released: tuple[Manifest, ReleaseFolder, str],
) -> None:
    version, _, text = released
    parsed = DatasetCard(text)
    assert parsed.data.license == "other" and parsed.data.get("license_name") == "mixed-unlicensed"
    assert parsed.data.size_categories == ["n<1K"] and parsed.data.language == ["en"]
    assert version.digest in text
    for name, values in version.content["subsets"].items():
        line = next(row for row in text.splitlines() if row.startswith(f"| {name} |"))
        assert line.endswith(f" {values['kept']} |")
    assert "| form | only the form was checked, or the answer could not be compared | 8 |" in text
    assert "8 rows (CC-BY-NC-4.0) may not be used commercially" in text
    assert "5 rows (none stated) have no licence" in text
    assert "replayed from recorded calls (recorded-by-hand): no model was called" in text
    assert "| same question | contains a whole evaluation question | reject | 8 | 0 |" in text
    assert (
        "| same template | asks an evaluation question with other numbers | flag | 0 | 3 |" in text
    )
    table = text.split("strongest level.\n\n")[1].split("\n\n")[0].splitlines()[2:]
    assert {row.split(" | ")[0] for row in table} <= {
        f"| {name}" for name in version.content["evals"]
    }
    counts = [[int(cell) for cell in row.split("|")[3:7]] for row in table]
    assert [sum(column) for column in zip(*counts, strict=True)] == [8, 0, 3, 0]
    for name, values in version.content["evals"].items():
        assert f"| {name} | {values['revision']} |" in text
    for name, values in version.content["sources"].items():
        assert values["revision"] in text
        assert name not in SOURCES or SOURCES[name].citation in text
    assert "curator pull me/data@v1\ncurator diff mine me--data --rows\n" in text


def test_without_counts_by_evaluation_set_the_card_counts_by_subset(
    released: tuple[Manifest, ReleaseFolder, str],
) -> None:
    version, release, _ = released
    text = card_with(version, release)
    table = text.split("strongest level.\n\n")[1].split("\n\n")[0].splitlines()[2:]
    counts = [[int(cell) for cell in row.split("|")[2:6]] for row in table]
    assert [sum(column) for column in zip(*counts, strict=True)] == [8, 0, 3, 0]


def test_the_card_states_actions_of_sets_and_subsets(
    released: tuple[Manifest, ReleaseFolder, str],
) -> None:
    version, release, text = released
    assert "Other actions" not in text
    recipe = deepcopy(version.content["recipe"])
    recipe["screens"]["contamination"]["sets"] = {"svamp": {"same_template": "reject"}}
    recipe["screens"]["contamination"]["subsets"] = {"math_cot": {"reworded": "flag"}}
    lines = card_with(version, release, recipe=recipe).replace("\\_", "_").splitlines()
    assert "| svamp |  |  | reject |  |" in lines and "| math_cot |  | flag |  |  |" in lines


def test_the_recall_on_the_card_is_that_of_the_present_screen() -> None:
    assert SCREENS["contamination"].version == RECALL_VERSION


def test_the_recall_on_the_card_is_that_of_the_findings() -> None:
    """Of each way to hide a question, the first row in findings has the same shares."""
    stated: dict[str, list[str]] = {}
    for line in (ROOT / "docs/findings.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 + len(MATCH_LEVELS) and cells[2].endswith("%"):
            stated.setdefault(cells[0], cells[3:])
    assert len(RECALL) >= 15
    for way, *shares in RECALL:
        assert shares == stated[way], way


def card_with(version: Manifest, release: ReleaseFolder, **content: object) -> str:
    other = replace(version, content={**version.content, **content})
    return card(other, release.counts, release.licence, ["data/a/train-00000-of-00001.parquet"])


def test_the_card_states_a_real_teacher_and_its_absence(
    released: tuple[Manifest, ReleaseFolder, str],
) -> None:
    version, release, _ = released
    teacher = {"model": "m-1", "family": "f", "parameters": {"temperature": 0.7}, "replay": False}
    text = card_with(version, release, teacher=teacher)
    assert "were written by m-1 (temperature 0.7)" in text and "replayed" not in text
    assert "No teacher wrote rows of this version" in card_with(version, release, teacher=None)


def test_the_card_states_sets_that_were_not_reached_or_not_screened(
    released: tuple[Manifest, ReleaseFolder, str],
) -> None:
    version, release, _ = released
    evals = {**version.content["evals"], "svamp": {"licence": "MIT", "missing": "not reached"}}
    text = card_with(version, release, evals=evals)
    assert "**Could not be read, so not screened against:** svamp." in text
    assert "| svamp |" not in text
    others = [name for name in EVALS if name not in MAMMOTH_EVALS]
    assert f"**Not screened against:** {', '.join(others)}." in text.replace("\\_", "_")
    recipe = deepcopy(version.content["recipe"])
    recipe["screens"]["contamination"]["against"] = [name for name in EVALS if name != "math"]
    assert "**Not screened against:** math." in card_with(version, release, recipe=recipe)
    for off in (None, {**recipe["screens"]["contamination"], "against": []}):
        recipe["screens"]["contamination"] = off
        unscreened = card_with(version, release, recipe=recipe)
        assert "not screened against any evaluation set" in unscreened


def test_untrusted_text_cannot_break_out_of_the_card(
    released: tuple[Manifest, ReleaseFolder, str],
) -> None:
    version, release, _ = released
    bad = f"x\n# Big | `code` {END} <script>alert(1)</script> [a](javascript:b) \x1b[31m"
    recipe = {**version.content["recipe"], "about": bad}
    teacher = {"model": bad, "parameters": {bad: bad}, "replay": False}
    sources = {bad: {"licence": bad, "revision": bad}}
    text = card_with(version, release, recipe=recipe, teacher=teacher, sources=sources)
    assert text.count(END) == text.count(BEGIN) == 1
    assert "<script" not in text and "\x1b" not in text and "\n# Big" not in text
    assert "[a](" not in text.replace("\\[a\\](", "")
    assert merge_card(text, text) == text


def generated(license_: str = "mit") -> str:
    counts = ReleaseCounts({"a": SubsetCounts(rows=3)})
    values = metadata(version_named("a"), counts, Licence(license_), ["data/a/train-0.parquet"])
    data = "\n".join(f"{key}: {value!r}" for key, value in values.items() if key != "configs")
    return f"---\n{data}\n---\n\n{BEGIN}\n# Generated\n\nnew\n{END}\n"


def version_named(name: str) -> Manifest:
    return Manifest(name, 1, "0" * 64, None, "", {}, {})


def test_text_before_and_after_the_generated_section_is_preserved() -> None:
    existing = f"---\npretty_name: P\nmine: [1, 2]\n---\n# Mine\n{BEGIN}\nold\n{END}\nAfter.\n"
    text = merge_card(existing, generated())
    assert text.endswith(f"---\n# Mine\n{BEGIN}\n# Generated\n\nnew\n{END}\nAfter.\n")
    data = DatasetCard(text).data
    assert data.pretty_name == "P" and data.get("mine") == [1, 2] and data.license == "mit"
    assert merge_card(text, generated()) == text, "a second merge changes nothing"


def test_owned_keys_are_replaced_and_removed_when_they_no_longer_apply() -> None:
    existing = (
        "---\nlicense: other\nlicense_name: mixed\nlicense_link: x\ntags: [mine, math]\n---\n"
    )
    data = DatasetCard(merge_card(existing, generated())).data
    assert data.license == "mit"
    assert data.get("license_name") is None and data.get("license_link") is None
    assert data.get("tags")[:2] == ["mine", "math"] and "instruction-tuning" in data.get("tags")
    assert data.get("tags").count("math") == 1


def test_a_card_without_metadata_or_marks_gets_both() -> None:
    text = merge_card("# Only words\n", generated())
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
def test_a_card_that_cannot_be_parsed_is_an_error_of_one_line(existing: str, words: str) -> None:
    with pytest.raises(HubError, match=words) as error:
        merge_card(existing, generated())
    assert len(str(error.value).splitlines()) == 1


def test_the_default_configuration_lists_subsets_in_order() -> None:
    shards = [
        "data/b/train-00000-of-00002.parquet",
        "data/b/train-00001-of-00002.parquet",
        "data/b/validation-00000-of-00001.parquet",
        "data/a/train-00000-of-00001.parquet",
    ]
    default, b, a = configs(shards)
    assert default["config_name"] == "default" and default["default"] is True
    assert default["data_files"][0] == {
        "split": "train",
        "path": ["data/b/train-*.parquet", "data/a/train-*.parquet"],
    }
    assert [each["split"] for each in b["data_files"]] == ["train", "validation"]
    assert a["data_files"] == [{"split": "train", "path": "data/a/train-*.parquet"}]


def test_the_card_says_only_what_is_true_of_the_rows(tmp_path: Path) -> None:
    def card_of(
        name: str, rows: list[dict[str, str]], columns: str, kind: str, more: str = ""
    ) -> str:
        (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
        source = f"{{file: rows.jsonl, columns: {{{columns}}}, licence: MIT}}"
        (tmp_path / "own.yaml").write_text(
            f"name: {name}\nabout: own rows\nscreens: {{contamination: null}}\n"
            f"subsets: {{aqua_rat: {{kind: {kind}, source: {source}{more}}}}}\n"
        )
        made = build(tmp_path / "own.yaml", tmp_path / "store")
        with Store(tmp_path / "store") as store:
            write_folder(store, made, tmp_path / name)
        return (tmp_path / name / "README.md").read_text("utf-8")

    row = {"q": "Wie viele Äpfel hat sie, wenn sie 3 und 4 kauft?", "a": "7"}
    text = card_of(
        "solved",
        [row | {"s": "3 + 4 = 7. The answer is 7."}],
        "question: q, gold: a, solution: s",
        "CoT",
    )
    data = DatasetCard(text).data
    assert data.language == ["de"] and "German (1 row)" in text and "English" not in text
    assert data.get("tags") == ["math", "mathematics", "instruction-tuning", "chain-of-thought"]
    assert "MathInstruct" not in text and "hinted" not in text
    programs = [row | {"p": "print(3 + 4)"}]
    columns = "question: q, gold: a, response: p"
    text = card_of("programs", programs, columns, "PoT", ", part: PoT, writers: [verbatim]")
    assert "program-of-thought" in text and "chain-of-thought" not in text
    text = card_of(
        "open", [{"q": "How many are the 3 and the 4?", "a": "7"}], "question: q, gold: a", "CoT"
    )
    data = DatasetCard(text).data
    assert data.get("tags") == ["math", "mathematics"] and data.language == ["en"]


def test_a_card_of_mathinstruct_names_it(released: tuple[Manifest, ReleaseFolder, str]) -> None:
    assert "The mixture follows MathInstruct" in released[2]
    assert "in hinted rows" not in released[2]
