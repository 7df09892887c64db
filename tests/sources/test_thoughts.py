"""Thoughts in fields of their own become a part of the solution."""

import json
from pathlib import Path
from typing import Any

import pytest

from curator.core.model import Problem
from curator.core.thoughts import split_thought
from curator.sources import open_source, records
from curator.sources.custom import CustomFiles, custom_source
from curator.sources.detect_columns import find_columns

ANSWER = "Two and two make four, so the answer is 4."


def read(folder: Path, row: dict[str, Any], **columns: str) -> Problem:
    (folder / "rows.jsonl").write_text(json.dumps(row))
    files = CustomFiles(file=str(folder / "rows.jsonl"))
    source = custom_source("mine", files, {"question": "q", **columns}, "MIT")
    (problem,) = records(source, open_source(source))
    assert isinstance(problem, Problem)
    return problem


@pytest.mark.parametrize("column", ["response", "solution"])
def test_a_column_of_thoughts_precedes_the_solution(tmp_path: Path, column: str) -> None:
    row = {"q": "How many are two and two?", "r": ANSWER, "t": "2 + 2 = 4"}
    found = read(tmp_path, row, thought="t", **{column: "r"})
    assert split_thought(found.solution) == ("2 + 2 = 4", ANSWER)
    assert read(tmp_path, {**row, "t": None}, thought="t", **{column: "r"}).solution == ANSWER
    own = f"<think>mine</think>{ANSWER}"
    assert read(tmp_path, {**row, "r": own}, thought="t", **{column: "r"}).solution == own


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking"])
def test_a_turn_of_a_chat_has_its_thought(tmp_path: Path, name: str) -> None:
    turns = [
        {"role": "user", "content": "How many are two and two?"},
        {"role": "assistant", "content": ANSWER, name: "2 + 2 = 4"},
    ]
    found = read(tmp_path, {"q": turns}, response="q")
    assert split_thought(found.solution) == ("2 + 2 = 4", ANSWER)
    turns[1][name] = 4  # type: ignore[assignment]
    assert read(tmp_path, {"q": turns}, response="q").solution == ANSWER


def test_a_program_has_no_thought(tmp_path: Path) -> None:
    row = {"q": "How many are two and two?", "r": "print(2 + 2)", "t": "2 + 2 = 4"}
    assert read(tmp_path, row, thought="t", response="r").program == "print(2 + 2)"


def test_an_audit_detects_a_column_of_reasoning() -> None:
    rows = [
        {"q": "How many are two and two?", "response": ANSWER, "reasoning_content": "2 + 2"},
        {"q": "How many are two and one?", "response": ANSWER, "reasoning_content": None},
    ]
    found = {each.content: each.column for each in find_columns(rows, {"question": "q"})}
    assert found == {"question": "q", "response": "response", "thought": "reasoning_content"}
