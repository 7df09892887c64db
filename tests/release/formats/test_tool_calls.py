"""Exports of tool-integrated rows: messages with tool calls, and one text elsewhere."""

import json
from pathlib import Path

import pytest

from curator import build
from curator.core.errors import UsageError
from curator.release.export import export
from datastore.store import Store
from tests.core.test_tool_messages import CALL, FINAL, OUTPUT
from tests.core.test_turns import TORA
from trainers.release import read_release

RECIPE = """\
name: tools
about: a solution with a program
subsets:
  one:
    source: {file: rows.jsonl, columns: {question: q, gold: a, response: r}, licence: MIT}
    kind: TIR
    part: TIR
    writers: [verbatim]
    checks: [executed, answer, format, replayed]
    evidence: executed
screens: {contamination: null}
"""
ASKED = "How many are one and one?"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tools")
    (folder / "rows.jsonl").write_text(json.dumps({"q": ASKED, "a": "2", "r": TORA}))
    (folder / "tools.yaml").write_text(RECIPE)
    build(folder / "tools.yaml", folder / "store")
    return folder / "store"


def write(store: Path, form: str, target: Path) -> Path:
    with Store(store, readonly=True) as opened:
        assert export(opened, opened.versions.get("tools"), form, target).rows == 1
    return target


def test_messages_have_tool_calls(store: Path, tmp_path: Path) -> None:
    path = write(store, "messages", tmp_path / "a.jsonl")
    line = json.loads(path.read_text())
    assert line["messages"] == [{"role": "user", "content": ASKED}, CALL, OUTPUT, FINAL]
    assert [tool["function"]["name"] for tool in line["tools"]] == ["python"]


@pytest.mark.parametrize(
    ("form", "key"), [("prompt-completion", "completion"), ("alpaca-jsonl", "output")]
)
def test_other_formats_have_one_text(store: Path, tmp_path: Path, form: str, key: str) -> None:
    path = write(store, form, tmp_path / "a.jsonl")
    assert json.loads(path.read_text())[key] == TORA


@pytest.mark.parametrize("form", ["messages", "prompt-completion", "alpaca-jsonl"])
def test_a_training_reads_the_same_text_from_every_format(
    store: Path, tmp_path: Path, form: str
) -> None:
    (example,) = read_release(write(store, form, tmp_path / "a.jsonl")).examples()
    assert example.answer == TORA
    assert [turn.content for turn in example.prompt] == [ASKED]


@pytest.mark.parametrize("messages", [
    [CALL, OUTPUT],
    [{**CALL, "tool_calls": [{"function": {"arguments": "{}"}}]}, OUTPUT, FINAL],
    [CALL, {**OUTPUT, "content": [1]}, FINAL],
    [CALL, "x", FINAL],
    [CALL, OUTPUT, {**FINAL, "content": "\ud800"}],
])  # fmt: skip
def test_messages_that_are_no_solution_are_named(tmp_path: Path, messages: list[object]) -> None:
    path = tmp_path / "a.jsonl"
    row = {"messages": [{"role": "user", "content": ASKED}, *messages]}
    path.write_text(json.dumps(row))
    with pytest.raises(UsageError, match=r"a\.jsonl:1: "):
        read_release(path)
