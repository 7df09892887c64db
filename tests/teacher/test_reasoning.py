"""Reasoning that an endpoint returns apart from its reply is kept, whatever its length."""

import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from curator import build, load
from curator.core.model import Problem
from curator.core.thoughts import split_thought
from curator.pipeline.requests import messages_of, read_call
from curator.teacher import Call
from curator.teacher.budget import Cost
from curator.teacher.call import Request
from curator.teacher.call_record import Tries, make_record
from curator.teacher.call_record import read_call as read_stored
from curator.teacher.replay.recordings import Recordings, export
from curator.teacher.response import MAX_STORED_BYTES, read_completion, read_response
from curator.writers.prompt_templates import Prompts
from datastore.store import Store

THOUGHT = "Two and two make four. " * 10_000
SOLUTION = "2 + 2 = 4\nThe answer is 4"


def body(message: Mapping[str, Any]) -> dict[str, Any]:
    return {"choices": [{"message": message, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    "message",
    [
        {"content": "4", "reasoning_content": "hm"},
        {"content": "4", "reasoning": "hm"},
        {"content": "4", "reasoning": "hm", "reasoning_content": None},
        {"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "4"}]},
        {"content": [{"type": "reasoning", "text": "hm"}, {"type": "text", "text": "4"}]},
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                {"type": "text", "text": "4"},
            ]
        },
    ],
)
def test_reasoning_is_read_in_every_form(message: dict[str, Any]) -> None:
    call = read_completion(body(message))
    assert isinstance(call, Call) and (call.text, call.reasoning) == ("4", "hm")


@pytest.mark.parametrize("odd", [None, 5, ["hm"], {"text": "hm"}, [{"type": ["x"]}]])
def test_odd_reasoning_is_none(odd: object) -> None:
    call = read_completion(body({"content": "4", "reasoning_content": odd}))
    assert isinstance(call, Call) and (call.text, call.reasoning) == ("4", "")


def test_long_reasoning_is_stored_served_and_exported(tmp_path: Path) -> None:
    sent = json.dumps(body({"content": SOLUTION, "reasoning_content": THOUGHT})).encode()
    assert len(sent) > MAX_STORED_BYTES
    call, stored = read_response("application/json", sent, "")
    assert isinstance(call, Call) and isinstance(stored, str)
    request = Request("openai", "m", (("user", "2 + 2?"),))
    tries = Tries(stored, Cost(), estimated=False, count=1, seconds=1)
    record = make_record(request, call, tries, recipe="r", when=1)
    assert read_stored(json.loads(json.dumps(record))) == call
    with Store(tmp_path / "store") as store:
        store.ledger("calls").put_many({request.key: record})
        written = BytesIO()
        assert export(store.ledger("calls"), written) == 1
    (tmp_path / "calls.jsonl").write_bytes(written.getvalue())
    line = Recordings(tmp_path / "calls.jsonl").find("m", request.messages, {}, 0)
    assert line is not None and (line["reply"], line["reasoning"]) == (SOLUTION, THOUGHT)


def test_a_record_without_reasoning_is_that_of_older_releases() -> None:
    tries = Tries("", Cost(), estimated=False, count=1, seconds=1)
    record = make_record(Request("f", "m", ()), Call("answered", "4"), tries, recipe="", when=1)
    assert "reasoning" not in record["call"]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (Call("answered", SOLUTION, reasoning="hm"), f"<think>\nhm\n</think>\n\n{SOLUTION}"),
        (Call("answered", f"<think>hm</think>{SOLUTION}"), f"<think>\nhm\n</think>\n\n{SOLUTION}"),
        (Call("answered", SOLUTION), SOLUTION),
        (Call("answered", f"<think>hm {SOLUTION}"), ""),
        (Call("answered", SOLUTION, reasoning="\ud800"), ""),
    ],
)
def test_a_kept_thought_precedes_the_solution(call: Call, text: str) -> None:
    assert read_call(call, "CoT", (), "keep")[0] == text
    assert "hm" not in read_call(call, "CoT", ())[0]


def test_a_program_is_stored_without_its_thought() -> None:
    call = Call("answered", "```python\nprint(4)\n```", reasoning="hm")
    assert read_call(call, "PoT", (), "keep") == ("print(4)", "")


RECIPE = """\
name: traced
about: solutions with their thoughts
subsets:
  one:
    source: {{file: rows.jsonl, columns: {{question: q, gold: a}}, licence: MIT}}
    kind: CoT
    writers: [cot]
    checks: [answer, format, trace]
screens: {{contamination: null}}
teacher: {{model: m, replay: calls.jsonl, family: replay, parameters: {{max_tokens: 100}}}}
sampling: {{thoughts: {thoughts}}}
"""


@pytest.mark.parametrize("thoughts", ["keep", "drop"])
def test_a_build_keeps_or_drops_thoughts_of_the_same_cached_calls(
    tmp_path: Path, thoughts: str
) -> None:
    question = "What is two plus two, as a number?"
    (tmp_path / "rows.jsonl").write_text(json.dumps({"q": question, "a": "4"}))
    messages = messages_of(Prompts(), "cot", Problem("x", question, ""))
    line = {"model": "m", "messages": messages[-1:], "reply": SOLUTION, "reasoning": "2 and 2 is 4"}
    (tmp_path / "calls.jsonl").write_text(json.dumps(line))
    recipe = tmp_path / "traced.yaml"
    recipe.write_text(RECIPE.format(thoughts=thoughts))
    build(recipe, tmp_path / "store")
    (row,) = load("traced", tmp_path / "store").to_pylist()
    expected = "2 and 2 is 4" if thoughts == "keep" else ""
    assert split_thought(row["text"]) == (expected, SOLUTION)
    assert row["evidence_level"] == "independent"


@pytest.mark.parametrize("thoughts", ["keep", "drop"])
def test_a_teacher_may_write_thoughts_between_the_marks_of_the_recipe(
    tmp_path: Path, thoughts: str
) -> None:
    question = "What is two plus two, as a number?"
    (tmp_path / "rows.jsonl").write_text(json.dumps({"q": question, "a": "4"}))
    messages = messages_of(Prompts(), "cot", Problem("x", question, ""))
    reply = f"<<plan>>2 and 2 is 4<<end of plan>>\n\n{SOLUTION}"
    line = {"model": "m", "messages": messages[-1:], "reply": reply}
    (tmp_path / "calls.jsonl").write_text(json.dumps(line))
    recipe = tmp_path / "traced.yaml"
    marks = '\nthoughts: [["<<plan>>", "<<end of plan>>"]]\n'
    recipe.write_text(RECIPE.format(thoughts=thoughts))
    unread = build(recipe, tmp_path / "store")
    recipe.write_text(RECIPE.format(thoughts=thoughts) + marks)
    read = build(recipe, tmp_path / "store")
    assert read.digest != unread.digest
    (row,) = load("traced", tmp_path / "store").to_pylist()
    expected = "2 and 2 is 4" if thoughts == "keep" else ""
    assert split_thought(row["text"]) == (expected, SOLUTION)
    with Store(tmp_path / "store", readonly=True) as store:
        assert [record["call"]["text"] for _, record in store.ledger("calls").records()] == [reply]
