"""Exports, releases and reports count the tokens of rows in the same buckets."""

import json
import re
from pathlib import Path

import pytest

from curator import build
from curator.release.export import ExportOptions, export
from curator.release.folder import write_folder
from curator.release.formats import FORMATS
from curator.teacher.token_count import counter
from curator.versions import lengths
from curator.versions.lengths import plain_lengths
from curator.versions.report.write import write_report
from datastore.store import Store
from tests.release.test_thoughts import RECIPE, ROWS

THOUGHT = "two and two are four, and " * 1_000


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("traced")
    long = {"How many are two and one?": f"<think>{THOUGHT}</think>The answer is 3."}
    golds = ("4", "5", "6", "3")
    rows = [
        {"q": q, "a": a, "r": r} for (q, r), a in zip((ROWS | long).items(), golds, strict=True)
    ]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "traced.yaml").write_text(RECIPE)
    build(folder / "traced.yaml", folder / "store")
    return folder / "store"


def test_the_long_row_is_counted_with_its_thought_in_a_bucket_of_its_own(
    store: Path, tmp_path: Path
) -> None:
    with Store(store, readonly=True) as opened:
        (found,) = export(
            opened, opened.versions.get("traced"), "messages", tmp_path / "m.jsonl"
        ).lengths
    count = counter()
    assert found.kind == "CoT" and (found.rows, found.thoughts) == (4, 3)
    assert found.maximum == sum(
        map(count, ("How many are two and one?", THOUGHT.strip(), "The answer is 3."))
    )
    assert sum(rows for edge, rows in found.buckets if edge >= 4_096) == 1


@pytest.mark.parametrize("thoughts", ["keep", "apart", "drop"])
def test_an_export_counts_what_it_writes(store: Path, tmp_path: Path, thoughts: str) -> None:
    with Store(store, readonly=True) as opened:
        options = ExportOptions(thoughts=thoughts)  # type: ignore[arg-type]
        version = opened.versions.get("traced")
        (found,) = export(
            opened, version, "parquet", tmp_path / "p.parquet", options=options
        ).lengths
    assert found.thoughts == (0 if thoughts == "drop" else 3)
    assert (found.maximum > 4_096) == (thoughts != "drop")


def test_report_card_manifest_and_export_state_the_same(store: Path, tmp_path: Path) -> None:
    with Store(store, readonly=True) as opened:
        version = opened.versions.get("traced")
        exported = export(opened, version, "messages", tmp_path / "m.jsonl").lengths
        write_folder(opened, version, tmp_path / "folder")
        write_report(opened, version, tmp_path / "page.html")
    (found,) = exported
    manifest = json.loads((tmp_path / "folder" / "manifest.json").read_text())
    assert manifest["lengths"] == plain_lengths(exported)
    card = (tmp_path / "folder" / "README.md").read_text()
    table = card.partition("## Length")[2].partition("\n## ")[0]
    lines = re.findall(r"^\| ([\d,]+) \| ([\d,]+) \|$", table, re.M)
    assert [(int(edge.replace(",", "")), int(rows)) for edge, rows in lines] == [
        (edge, rows) for edge, rows in found.buckets if rows
    ]
    stated = f"median <strong>{found.median}</strong>"
    assert stated in (tmp_path / "page.html").read_text("utf-8")


@pytest.mark.parametrize("form", [n for n, each in FORMATS.items() if each.prompts])
def test_prompts_have_no_lengths(store: Path, tmp_path: Path, form: str) -> None:
    with Store(store, readonly=True) as opened:
        version = opened.versions.get("traced")
        done = export(opened, version, form, tmp_path / f"p{FORMATS[form].suffix}")
    assert done.rows and done.lengths == []


def test_of_a_large_version_the_same_rows_are_counted_everywhere(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lengths, "SAMPLE", 2)
    with Store(store, readonly=True) as opened:
        version = opened.versions.get("traced")
        exported = export(opened, version, "alpaca", tmp_path / "a.json").lengths
        write_folder(opened, version, tmp_path / "folder")
    assert [each.rows for each in exported] == [2]
    manifest = json.loads((tmp_path / "folder" / "manifest.json").read_text())
    assert manifest["lengths"] == plain_lengths(exported)
