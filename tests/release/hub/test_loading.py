"""Others can read a published dataset: with the datasets library, by tag, streamed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from curator import load
from curator.release.hub.push import PublishOptions, publish
from datastore.store import Store
from tests.release.hub.hub_server import Hub

READ = """
import json, sys
import datasets
whole = datasets.load_dataset("me/data", revision="v1")
one = datasets.load_dataset("me/data", "gsm8k_pot", revision="v1")
stream = datasets.load_dataset("me/data", revision="v1", split="train", streaming=True)
names = datasets.get_dataset_config_names("me/data", revision="v1")
print(json.dumps({
    "whole": {split: rows.to_list() for split, rows in whole.items()},
    "one": {split: rows.to_list() for split, rows in one.items()},
    "stream": list(stream),
    "names": names,
}))
"""


@pytest.fixture
def read(quickstart: Path, hub: Hub, tmp_path: Path) -> dict[str, Any]:
    """What another process reads of a release with held-out questions."""
    with Store(quickstart, readonly=True) as store:
        publish(store, "quickstart", "me/data", PublishOptions(held_out=0.2))
    # A later commit on main must not change what the tag names.
    hub.repos["me/data"].add("later", {"README.md": b"nothing"})
    env = {**os.environ, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path / "hf")}
    run = subprocess.run([sys.executable, "-c", READ], env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    result: dict[str, Any] = json.loads(run.stdout)
    return result


def test_the_datasets_library_reads_every_row_by_tag_subset_and_stream(
    read: dict[str, Any], quickstart: Path
) -> None:
    rows = {row["id"]: row for row in load("quickstart", quickstart).to_pylist()}
    whole = read["whole"]
    assert {row["id"] for split in whole.values() for row in split} == set(rows)
    for row in (*whole["train"], *whole["validation"]):
        stored = rows[row["id"]]
        same = ("subset", "instruction", "kind", "question", "gold", "choices", "licence", "place")
        assert {key: row[key] for key in same} == {key: stored[key] for key in same}
        assert (row["source"], row["output"]) == (stored["release_as"], stored["text"])
        assert row["upstream"] == stored["source"]
    assert read["stream"] == whole["train"]
    order = [row["id"] for row in whole["train"]]
    assert order == [row_id for row_id in rows if row_id in set(order)], "in the version's order"
    for split, subset_rows in read["one"].items():
        assert subset_rows == [row for row in whole[split] if row["subset"] == "gsm8k_pot"]
    assert read["names"][0] == "default"
    assert set(read["names"][1:]) == {row["subset"] for row in rows.values()}


def test_no_held_out_question_is_in_the_train_split(
    read: dict[str, Any],
) -> None:
    questions = {split: {row["question"] for row in rows} for split, rows in read["whole"].items()}
    assert questions["train"] and questions["validation"]
    assert not questions["train"] & questions["validation"]
    subsets = {row["subset"] for row in read["whole"]["validation"]}
    assert len(subsets) > 3


def test_verdicts_are_json_with_the_evidence_of_each_row(read: dict[str, Any]) -> None:
    for row in read["whole"]["train"]:
        verdicts = json.loads(row["verdicts"])
        assert {"passed"} == {verdict["outcome"] for verdict in verdicts}
        answered = [verdict for verdict in verdicts if verdict["check"] == "answer"]
        assert len(answered) == (row["subset"] != "camel_math_cot")
        for verdict in answered:
            assert verdict["evidence"]["gold"] == row["gold"]
