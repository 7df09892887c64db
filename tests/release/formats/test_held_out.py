"""A held-out share works for every format: two files with all rows, and no question in both."""

import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curator.release.export import ExportOptions, export
from curator.release.formats import FORMATS
from datastore.errors import BadTarget, StoreError
from datastore.store import Store
from tests.worlds import curator

HELD_OUT = ExportOptions(held_out=0.3)
# Formats of attempts hold out questions, too; they have no line for each row (test_attempts).
ROWS = [name for name, form in FORMATS.items() if not (form.pairs or form.steps)]


def questions(path: Path) -> list[str]:
    """The question of each row, whatever the format."""
    if path.suffix == ".parquet":
        rows = pq.read_table(path).to_pylist()
    else:
        text = path.read_text()
        rows = json.loads(text) if path.suffix == ".json" else map(json.loads, text.splitlines())
    found = [row.get("messages") or row.get("instruction") or row["prompt"] for row in rows]
    return [each if isinstance(each, str) else each[0]["content"] for each in found]


@pytest.mark.parametrize("form", ROWS)
def test_every_format_can_hold_out_questions(form: str, quickstart: Path, tmp_path: Path) -> None:
    target = tmp_path / f"rows{FORMATS[form].suffix}"
    with Store(quickstart, readonly=True) as store:
        version = store.versions.get("quickstart")
        whole = export(store, version, form, tmp_path / f"whole{FORMATS[form].suffix}").files
        written = export(store, version, form, target, options=HELD_OUT).files
    train, validation = written
    assert validation.name == f"rows-validation{FORMATS[form].suffix}"
    assert written[train] > written[validation] > 0
    [everything] = whole
    assert Counter(questions(train) + questions(validation)) == Counter(questions(everything))
    plain = [{text.strip().lower() for text in questions(path)} for path in written]
    assert not plain[0] & plain[1]


def test_an_existing_file_of_either_split_is_kept(quickstart: Path, tmp_path: Path) -> None:
    other = tmp_path / "rows-validation.jsonl"
    other.write_text("mine")
    with Store(quickstart, readonly=True) as store:
        version = store.versions.get("quickstart")
        with pytest.raises(BadTarget, match=r"rows-validation\.jsonl exists"):
            export(store, version, "messages", tmp_path / "rows.jsonl", options=HELD_OUT)
    assert sorted(tmp_path.iterdir()) == [other]
    assert other.read_text() == "mine"


def test_the_command_names_both_files(quickstart: Path, tmp_path: Path) -> None:
    words = ("export", "quickstart", "--format", "messages", "--held-out", "0.3")
    done = curator(*words, "--store", quickstart, cwd=tmp_path)
    names = ["quickstart-1-messages.jsonl", "quickstart-1-messages-validation.jsonl"]
    lines = [line for line in done.stdout.splitlines() if not line.startswith("Tokens ")]
    assert [line.rsplit(" ", 1)[1] for line in lines] == names
    assert all((tmp_path / name).is_file() for name in names)


def test_an_export_whose_second_file_fails_leaves_no_first_one(
    quickstart: Path, tmp_path: Path
) -> None:
    obstacle = tmp_path / ".rows-validation.jsonl.partial"
    obstacle.mkdir()
    with Store(quickstart, readonly=True) as store:
        version = store.versions.get("quickstart")
        with pytest.raises(StoreError, match=r"Cannot write .*rows-validation\.jsonl"):
            export(store, version, "messages", tmp_path / "rows.jsonl", options=HELD_OUT)
        assert list(tmp_path.iterdir()) == [obstacle]
        obstacle.rmdir()
        assert export(store, version, "messages", tmp_path / "rows.jsonl", options=HELD_OUT).rows
