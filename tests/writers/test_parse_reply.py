"""Replies: every form that models write gives the text of a rationale, or a reason."""

import ast
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator.answers import extract
from curator.writers.parse_reply import read_reply
from tests.paths import DATA

CASES = json.loads((DATA / "writers" / "replies.json").read_text("utf-8"))
REASONS = {
    "too long",
    "empty reply",
    "unfinished thought",
    "unfinished program",
    "not a program",
    "no program",
    "answer without solution",
    "not valid Unicode text",
}


@pytest.mark.parametrize("case", CASES, ids=[f"{c['kind']}: {c['why']}" for c in CASES])
def test_a_reply_is_read_as_in_the_table(case: dict[str, Any]) -> None:
    choices = tuple(case.get("choices", ()))
    assert read_reply(case["reply"], case["kind"], choices) == (case["text"], case["reason"])


def test_the_table_has_every_reason_and_many_forms() -> None:
    assert len(CASES) >= 70
    assert {case["reason"] for case in CASES} == {"", *REASONS}


@pytest.mark.parametrize("case", [c for c in CASES if c["text"]], ids=lambda c: c["why"])
def test_reading_a_result_again_does_not_change_it(case: dict[str, Any]) -> None:
    choices = tuple(case.get("choices", ()))
    assert read_reply(case["text"], case["kind"], choices) == (case["text"], "")


PIECES = st.sampled_from(
    ["```python\n", "```\n", "print(1)\n", "x = (", "The answer is ", "5", "\\boxed{", "}", "$",
     "<think>", "</think>", ">>> ", "\n", "Sure!\n", "'''", "####", "    ", "def f():", "\x00"]
)  # fmt: skip


@given(st.lists(PIECES | st.text(max_size=8), max_size=30).map("".join))
def test_any_text_gives_a_program_that_compiles_or_a_known_reason(text: str) -> None:
    program, reason = read_reply(text, "PoT")
    assert bool(program) != bool(reason)
    assert not reason or reason in REASONS
    ast.parse(program)


@given(st.lists(PIECES | st.text(max_size=8), max_size=30).map("".join))
def test_a_solution_states_the_answer_of_the_reply_or_is_unchanged(text: str) -> None:
    solution, reason = read_reply(text, "CoT")
    assert bool(solution) != bool(reason)
    if solution and "\nThe answer is " in solution and "think" not in text:
        # A reply can contain the phrase without an answer: "The answer is ```".
        assert extract(solution) is not None or extract(text) is None


@pytest.mark.parametrize(
    "unit", ["```python\n", "x = (\n", "def f():\n", "# a\n", "<think>", "A: "]
)
def test_long_hostile_replies_are_read_in_time(unit: str) -> None:
    started = time.process_time()  # other processes do not use it up
    for kind in ("CoT", "PoT"):
        read_reply(unit * (20_000 // len(unit)), kind)  # type: ignore[arg-type]
    assert time.process_time() - started < 10


@pytest.mark.parametrize("line", ["@a\n", "x=\\\n"])
def test_a_reply_whose_every_line_is_incomplete_is_rejected_after_a_few_tries(line: str) -> None:
    assert read_reply(line * 5_000, "PoT") == ("", "unfinished program")


@pytest.mark.parametrize("kind", ["CoT", "PoT"])
def test_a_reply_that_cannot_be_stored_is_rejected(kind: Any) -> None:
    reply = "```python\nprint('\ud800')\n```\nThe answer is 1"
    assert read_reply(reply, kind) == ("", "not valid Unicode text")


@pytest.mark.parametrize(
    "thought",
    ["<think>{}</think>", "<|begin_of_thought|>{}<|end_of_thought|>", "◁think▷{}◁/think▷"],
)
@pytest.mark.parametrize("length", [100, 30_000, 2_000_000])
def test_a_thought_of_any_length_is_removed_and_does_not_count(thought: str, length: int) -> None:
    reply = thought.format("so " * (length // 3)) + "\n3 + 2 = 5\nThe answer is 5"
    assert read_reply(reply, "CoT") == ("3 + 2 = 5\nThe answer is 5", "")


def test_a_long_solution_is_read_and_a_thought_without_an_end_is_not() -> None:
    steps = "3 + 2 = 5 and again\n" * 5_000
    assert read_reply(f"{steps}The answer is 5", "CoT") == (f"{steps}The answer is 5", "")
    assert read_reply(f"<|begin_of_thought|>{steps}", "CoT") == ("", "unfinished thought")
    assert read_reply("a" * 1_000_001, "CoT") == ("", "too long")
