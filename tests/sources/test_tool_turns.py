"""Chats with tool calls, and the columns and kinds of tool-integrated texts."""

import json
from pathlib import Path
from typing import Any

import pytest

from curator import RunOptions
from curator.core.model import Problem, QuarantinedRecord
from curator.core.turns import find_turns
from curator.pipeline.audit.run import AuditRequest, audit
from curator.sources import open_source, records
from curator.sources.chat_columns import kind_of
from curator.sources.custom import CustomFiles, custom_source
from tests.core.test_turns import TORA

ASKED = {"role": "user", "content": "How many are one and one?"}
ANSWER = {"role": "assistant", "content": "It is $\\boxed{2}$."}


def call(arguments: object, content: str | None = "We add.") -> dict[str, Any]:
    function = {"name": "python", "arguments": arguments}
    tool_call = {"id": "1", "type": "function", "function": function}
    return {"role": "assistant", "content": content, "tool_calls": [tool_call]}


OUTPUT = {"role": "tool", "tool_call_id": "1", "content": "2"}
CHATS: dict[str, list[dict[str, Any]]] = {
    "arguments as JSON": [call('{"code": "print(1 + 1)"}'), OUTPUT, ANSWER],
    "arguments as an object": [call({"code": "print(1 + 1)"}), OUTPUT, ANSWER],
    "arguments that are the program": [call("print(1 + 1)"), OUTPUT, ANSWER],
    "MathCoder's roles": [
        {"role": "text", "content": "We add."},
        {"role": "code", "content": "print(1 + 1)"},
        {"role": "execution", "content": "2"},
        {"role": "text", "content": "It is $\\boxed{2}$."},
    ],
    "parts of text": [
        {**call({"code": "print(1 + 1)"}), "content": [{"type": "text", "text": "We add."}]},
        OUTPUT,
        ANSWER,
    ],
}


def read(folder: Path, chat: list[dict[str, Any]]) -> Problem | QuarantinedRecord:
    (folder / "rows.jsonl").write_text(json.dumps({"chat": [{"role": "system"}, ASKED, *chat]}))
    files = CustomFiles(file=str(folder / "rows.jsonl"))
    source = custom_source("mine", files, {"question": "chat", "response": "chat"}, "MIT")
    (found,) = records(source, open_source(source))
    return found


@pytest.mark.parametrize("name", CHATS)
def test_a_chat_with_tool_calls_is_read_as_one_text(tmp_path: Path, name: str) -> None:
    problem = read(tmp_path, CHATS[name])
    assert isinstance(problem, Problem), problem
    assert (problem.question, problem.part) == ("How many are one and one?", "TIR")
    assert problem.solution == TORA


def test_outputs_follow_the_programs_that_they_belong_to(tmp_path: Path) -> None:
    two = call({"code": "print(1)"}, None)
    two["tool_calls"] += call({"code": "print(2)"})["tool_calls"]
    outputs = [{**OUTPUT, "content": "1"}, {**OUTPUT, "content": "2"}]
    problem = read(tmp_path, [two, *outputs, ANSWER])
    assert isinstance(problem, Problem)
    found = [(turn.kind, turn.text) for turn in find_turns(problem.solution)]
    assert found == [
        *(("program", "print(1)"), ("output", "1")),
        *(("program", "print(2)"), ("output", "2")),
        ("text", "It is $\\boxed{2}$."),
    ]


def test_the_thought_of_a_turn_stands_before_it(tmp_path: Path) -> None:
    thinking = call({"code": "print(1 + 1)"}) | {"reasoning_content": "Hm."}
    problem = read(tmp_path, [thinking, OUTPUT, ANSWER])
    assert isinstance(problem, Problem)
    assert problem.solution.startswith("<think>\nHm.\n</think>\n\nWe add.\n```python")


@pytest.mark.parametrize("arguments", ['{"city": "Oslo"}', None, {"code": 4}, [], "", "{}", "[1]"])
def test_a_call_without_a_program_is_quarantined(tmp_path: Path, arguments: object) -> None:
    found = read(tmp_path, [call(arguments), OUTPUT, ANSWER])
    assert isinstance(found, QuarantinedRecord)
    assert found.reason == "chat calls a tool without a program"


def test_text_with_programs_and_outputs_is_a_kind_of_its_own() -> None:
    assert kind_of(TORA) == "TIR"
    assert kind_of(TORA[TORA.index("```") :]) == "TIR"
    assert kind_of("```python\nprint(1)\n```") == "PoT"


def test_an_audit_checks_tool_integrated_rows_as_such(tmp_path: Path) -> None:
    rows = [
        ("1 + 1", TORA, 2),
        ("2 + 2", TORA, 4),
        ("3 + 3", "We add: 3 + 3 = 6. The answer is 6.", 6),
    ]
    with (tmp_path / "rows.jsonl").open("w") as file:
        for sum_, response, gold in rows:
            row = {"question": f"How many are {sum_}?", "response": response, "answer": gold}
            file.write(json.dumps(row) + "\n")
    found = audit(
        AuditRequest(str(tmp_path / "rows.jsonl")),
        tmp_path / "store",
        RunOptions(mirror=tmp_path),
    )
    assert found.kinds == {"CoT": 1, "TIR": 2}
    (answer,) = [line for line in found.lines if line.check == "answer"]
    assert (answer.failed, answer.undecided) == (1, 0)
