"""Questions without a solution: refused by the formats that cannot state them."""

import json
from pathlib import Path

import pytest

from curator import build
from curator.core.errors import UsageError
from curator.release.export import export
from curator.release.folder import write_folder
from curator.release.formats import FORMATS
from curator.versions.diff import recipe_changes
from datastore.store import Store

RECIPE = """\
name: r
about: questions
screens: {contamination: null}
subsets:
  asked: {source: {file: rows.jsonl, columns: {question: q, gold: g}, licence: MIT}, kind: CoT}
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    rows = [{"q": f"How many are {n} and {n}?", "g": str(2 * n)} for n in range(4)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "r.yaml").write_text(RECIPE)
    build(tmp_path / "r.yaml", tmp_path / "store")
    return tmp_path / "store"


def test_a_format_that_needs_a_solution_refuses_questions(store: Path, tmp_path: Path) -> None:
    with Store(store, readonly=True) as opened:
        version = opened.versions.get("r")
        for form, each in FORMATS.items():
            target = tmp_path / f"out{each.suffix}-{form}"
            if each.needs_solution:
                with pytest.raises(UsageError, match="4 of 4 rows of r@1 are questions"):
                    export(opened, version, form, target)
                assert not target.exists()
            elif each.pairs:
                with pytest.raises(UsageError, match="no right and wrong attempts"):
                    export(opened, version, form, target)
                assert not target.exists()
            else:
                assert export(opened, version, form, target).files == {target: 4}
        write_folder(opened, version, tmp_path / "folder")
    assert json.loads((tmp_path / "folder/alpaca.json").read_text()) == []


def test_another_path_to_the_same_file_is_no_change_of_the_recipe(
    store: Path, tmp_path: Path
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/v.yaml").write_text("extends: ../r.yaml\nname: v\nseed: 4\n")
    build(tmp_path / "sub/v.yaml", store)
    with Store(store, readonly=True) as opened:
        versions = opened.versions
        changes = recipe_changes(versions.get("r"), versions.get("v"))
        assert [change.key for change in changes] == ["seed"]
        (tmp_path / "rows.jsonl").write_text('{"q": "How many are 9 and 9?", "g": "18"}\n')
    build(tmp_path / "sub/v.yaml", store)
    with Store(store, readonly=True) as opened:
        versions = opened.versions
        changes = recipe_changes(versions.get("r"), versions.get("v"))
    assert [change.key for change in changes] == ["subsets.asked.source.file", "seed"]
