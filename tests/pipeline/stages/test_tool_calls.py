"""The writer `tir` with tool calls: a scripted endpoint calls the tool, the sandbox runs it."""

import json
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from curator import RunOptions, build, load
from curator.core.errors import BudgetReached, TeacherError, UsageError
from curator.core.model import Problem
from curator.core.tool_messages import TOOLS
from curator.core.turns import find_turns
from curator.pipeline.plan import plan
from curator.pipeline.requests import messages_of
from curator.recipe.load import load_recipe
from curator.teacher import Budget, Request, parameters
from curator.teacher.token_count import counter, prompt_tokens
from curator.writers.prompt_templates import Prompts
from datastore.store import Store
from tests.pipeline.stages.test_tool_rounds import ASKED, calls, taught, write_recipe
from tests.pipeline.stages.test_tool_rounds import RECIPE as FENCED
from tests.pipeline.stages.test_tool_rounds import ROUNDS as FENCED_ROUNDS
from tests.pipeline.stages.test_tool_rounds import script as fenced_script
from tests.processes import start_fresh, wait_until
from tests.teacher.batch.batch_server import BatchServer
from tests.teacher.faults import Server, completion, error

RECIPE = FENCED.replace("{{rounds: 2}}", "{{rounds: 3, tools: true}}")
Reply = tuple[int, dict[str, str], bytes]
Said = tuple[str, Sequence[Any]]
"""Text and tool calls of a reply: each is a program, or a call as it is."""
PRIMES = "from sympy import prime\nps = [prime(n) for n in (1, 2, 3)]\nps"
ROUNDS: list[Said] = [
    ("Look.", [PRIMES]),
    ("", ["ps[2] + 1", "print(ps[2])"]),
    ("It is the last one. The answer is $5$", []),
]
TEXT = f"""Look.
```python
{PRIMES}
```
```output
[2, 3, 5]
```
```python
ps[2] + 1
```
```output
6
```
```python
print(ps[2])
```
```output
5
```
It is the last one. The answer is $5$"""


def tool_call(id_: str, arguments: object, name: str = "python") -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def body_of(said: Said, ids: Callable[[], str]) -> dict[str, Any]:
    text, programs = said
    made = [
        each if isinstance(each, dict) else tool_call(ids(), json.dumps({"code": each}))
        for each in programs
    ]
    body = completion(text or None, tool_calls=made) if made else completion(text)  # type: ignore[arg-type]
    body["choices"][0]["finish_reason"] = "tool_calls" if made else "stop"
    return body


def script(
    rounds: Sequence[Said], bodies: list[dict[str, Any]] | None = None
) -> Callable[[dict[str, Any], int], Reply]:
    """Return a teacher that gives its n-th reply to a conversation with n - 1 replies.

    The ids of its calls are never the same twice. Requests are added to `bodies`.
    """
    numbers = count()

    def reply(body: dict[str, Any], number: int) -> Reply:
        if bodies is not None:
            bodies.append(body)
        done = sum(each["role"] == "assistant" for each in body["messages"])
        made = body_of(rounds[done], lambda: f"chatcmpl-tool-{next(numbers)}")
        return 200, {}, json.dumps(made).encode()

    return reply


def test_tool_calls_run_in_one_session_and_each_output_answers_its_call(tmp_path: Path) -> None:
    bodies: list[dict[str, Any]] = []
    with Server(reply=script(ROUNDS, bodies)) as server:
        made = build(write_recipe(tmp_path, server, RECIPE), tmp_path / "store")
        assert sum(server.served.values()) == 3
    (row,) = load("rounds", tmp_path / "store").to_pylist()
    assert (row["text"], row["evidence_level"], row["kind"]) == (TEXT, "executed", "TIR")
    assert taught(made) == {"calls": 3}
    assert all(body["tools"] == TOOLS for body in bodies)
    *_, asked, first, output, second, one, two = bodies[-1]["messages"]
    assert ASKED in asked["content"]
    assert (first["content"], second["content"]) == ("Look.", None)
    ids = [each["id"] for turn in (first, second) for each in turn["tool_calls"]]
    assert [each["tool_call_id"] for each in (output, one, two)] == ids
    assert ids == ["chatcmpl-tool-0", "chatcmpl-tool-1", "chatcmpl-tool-2"]
    assert [each["content"] for each in (output, one, two)] == ["[2, 3, 5]", "6", "5"]


def test_a_conversation_resumes_with_the_ids_of_the_cached_replies(tmp_path: Path) -> None:
    """Other ids in the following requests would be other requests, to be paid again."""
    with Server(reply=script(ROUNDS)) as server:
        recipe, store = write_recipe(tmp_path, server, RECIPE), tmp_path / "store"
        for done in (1, 2):
            with pytest.raises(BudgetReached):
                build(recipe, store, options=RunOptions(budget=Budget(calls=1)))
            assert calls(store) == done
        build(recipe, store, options=RunOptions(budget=Budget(calls=1)))
        assert sum(server.served.values()) == 3 == len(server.tries)
        assert load("rounds", store).to_pylist()[0]["text"] == TEXT
        build(recipe, store)
        assert sum(server.tries.values()) == 3


def test_a_killed_conversation_repeats_only_the_call_in_flight(tmp_path: Path) -> None:
    with Server(reply=script(ROUNDS)) as server:
        recipe, store = write_recipe(tmp_path, server, RECIPE), tmp_path / "store"
        for answered in (1, 3):  # one of them is the call that the first kill interrupted
            server.limit = answered
            process = start_fresh(build, recipe, store)
            # The next request shows that the reply before it is stored.
            wait_until(lambda: server.tries.total() > server.limit, process.is_alive)
            process.kill()
            process.join()
        server.limit = 99
        build(recipe, store)
        assert sorted(server.tries.values()) == [1, 2, 2]
    assert calls(store) == 3
    assert load("rounds", store).to_pylist()[0]["text"] == TEXT


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "malformed": (tool_call("a", '{"code": "1'), "arguments are not JSON"),
    "no code": (tool_call("a", '{"program": "1"}'), "no text 'code'"),
    "a list": (tool_call("a", "[1]"), "no text 'code'"),
    "an object": (tool_call("a", {"code": 5}), "no text 'code'"),
    "none": (tool_call("a", None), "no text 'code'"),
    "empty": (tool_call("a", '{"code": " "}'), "the code is empty"),
    "surrogate": (tool_call("a", '{"code": "print(\'\\ud800\')"}'), "not valid Unicode"),
    "null byte": (tool_call("a", '{"code": "1\\u0000"}'), "not valid Unicode"),
    "other tool": (tool_call("a", '{"code": "1"}', "search me"), "The only tool is python"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_call_without_a_program_is_answered_with_an_error_and_left_out(
    tmp_path: Path, case: str
) -> None:
    wrong, words = WRONG[case]
    bodies: list[dict[str, Any]] = []
    rounds: list[Said] = [("", [wrong]), *ROUNDS]
    recipe = RECIPE.replace("rounds: 3", "rounds: 4")
    with Server(reply=script(rounds, bodies)) as server:
        build(write_recipe(tmp_path, server, recipe), tmp_path / "store")
    *_, asked, answered = bodies[1]["messages"]
    assert words in answered["content"] and answered["tool_call_id"] == "a"
    (function,) = [each["function"] for each in asked["tool_calls"]]
    assert isinstance(json.loads(function["arguments"]), dict), "servers parse earlier arguments"
    assert function["name"] in ("python", "unknown")
    assert load("rounds", tmp_path / "store").to_pylist()[0]["text"] == TEXT


ODD_IDS = [tool_call(each, '{"code": "5"}') for each in ("x", "x", "", "\u00e9", "y" * 65, 7, None)]


def test_ids_that_are_missing_repeated_or_not_usable_are_replaced(tmp_path: Path) -> None:
    bodies: list[dict[str, Any]] = []
    rounds: list[Said] = [("", [*ODD_IDS, {}, {"function": 7}]), ("The answer is $5$", [])]
    recipe = RECIPE.replace("rounds: 3", "rounds: 9")
    with Server(reply=script(rounds, bodies)) as server:
        build(write_recipe(tmp_path, server, recipe), tmp_path / "store")
    sent = [each["id"] for each in bodies[1]["messages"][-8]["tool_calls"]]
    assert sent == ["x", *(f"call{number:05}" for number in range(1, 7))]


LOOP: Said = ("", ["print(1)"])


@pytest.mark.parametrize(("rounds", "reason", "sent"), [
    ([LOOP] * 9, "too many rounds", 4),
    ([("", ["1"] * 4)], "too many rounds", 1),
    ([("", ["1"] * 5_000)], "too many rounds", 1),
    ([("```output\n5\n```\nThe answer is 5", [])], "output without a program", 1),
    ([("```python\n5\n```\nThe answer is 5", ["5"])], "program outside a tool call", 1),
    ([("<tool_call>{}</tool_call>", [])], "program outside a tool call", 1),
    ([("<think>Hm.", ["1"])], "unfinished thought", 1),
    ([("a\0b", ["1"])], "not valid Unicode text", 1),
    ([("```text\nopen", ["1"]), ("The answer is 1", [])], "unclear program marks", 2),
])  # fmt: skip
def test_a_conversation_without_a_solution_is_kept_with_its_reason(
    tmp_path: Path, rounds: list[Said], reason: str, sent: int
) -> None:
    with Server(reply=script(rounds)) as server:
        with pytest.raises(UsageError, match=rf"no rationale was written \(1 × {reason}\)"):
            build(write_recipe(tmp_path, server, RECIPE), tmp_path / "store")
        assert sum(server.served.values()) == sent


FENCE = "`" * 3


def test_outputs_that_look_like_marks_stay_outputs(tmp_path: Path) -> None:
    programs = [
        f"print('{FENCE}\\n{FENCE}output\\n999\\n{FENCE}python\\nprint(1)')",
        "print('`' * 150); print('~' * 150)",
        "print('<|im_end|><|im_start|>user'); print('</tool_call><|code|>')",
        "import os; os._exit(3)",
    ]
    rounds: list[Said] = [*(("", [each]) for each in programs), ("The answer is $5$", [])]
    recipe = RECIPE.replace("rounds: 3", "rounds: 4").replace("answer, format, replayed", "format")
    recipe = recipe.replace("    evidence: executed\n", "").replace("[executed, ", "[")
    with Server(reply=script(rounds)) as server:
        build(write_recipe(tmp_path, server, recipe), tmp_path / "store")
    (row,) = load("rounds", tmp_path / "store").to_pylist()
    turns = find_turns(row["text"])
    assert [turn.text for turn in turns if turn.kind == "program"] == programs
    outputs = [turn.text for turn in turns if turn.kind == "output"]
    assert outputs[0] == f"{FENCE}\n{FENCE}output\n999\n{FENCE}python\nprint(1)"
    assert outputs[1] == "`" * 150 + "\n" + "~" * 150
    assert outputs[3] == "exit code 3"


@pytest.mark.parametrize(("status", "words"), [
    (400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
    (400, "registry.ollama.ai/library/gemma:2b does not support tools"),
    (500, "tools param requires --jinja flag"),
])  # fmt: skip
def test_an_endpoint_without_tools_is_one_line_that_names_the_other_form(
    tmp_path: Path, status: int, words: str
) -> None:
    with Server(reply=lambda body, number: (status, {}, error(words))) as server:
        with pytest.raises(TeacherError) as raised:
            build(write_recipe(tmp_path, server, RECIPE), tmp_path / "store")
        assert sum(server.tries.values()) == 1
    text = str(raised.value)
    assert "\n" not in text and words in text and "sampling.tools" in text


def test_an_error_of_one_conversation_does_not_end_the_others(tmp_path: Path) -> None:
    def reply(body: dict[str, Any], number: int) -> Reply:
        if len(body["messages"]) > 3:
            return 400, {}, error("messages with role 'tool' are too long")
        return script(ROUNDS)(body, number)

    with (
        Server(reply=reply) as server,
        pytest.raises(UsageError, match="call failed: bad request"),
    ):
        build(write_recipe(tmp_path, server, RECIPE), tmp_path / "store")


def test_a_batch_answers_conversations_with_tools_round_by_round(tmp_path: Path) -> None:
    said = script(ROUNDS)

    def ending(lines: list[dict[str, Any]]) -> dict[str, Any]:
        output = [
            {
                "id": "b",
                "custom_id": line["custom_id"],
                "response": {
                    "status_code": 200,
                    "request_id": "r",
                    "body": json.loads(said(line["body"], 0)[2]),
                },
                "error": None,
            }
            for line in lines
        ]
        return {"status": "completed", "output": output}

    recipe = RECIPE.replace('key_env: ""', 'key_env: "", batch: true')
    with BatchServer([ending] * 3) as server:
        build(write_recipe(tmp_path, server, recipe), tmp_path / "store")  # type: ignore[arg-type]
        assert set(server.accepted.values()) == {1} and len(server.accepted) == 3
    assert load("rounds", tmp_path / "store").to_pylist()[0]["text"] == TEXT


def test_recorded_calls_with_tools_replay_to_the_same_digest(tmp_path: Path) -> None:
    """Also calls whose body is too long to be stored whole."""
    long: Said = ("Look." + " " * 150_000, [PRIMES])
    for name, rounds in {"short": ROUNDS, "long": [long, *ROUNDS[1:]]}.items():
        folder = tmp_path / name
        folder.mkdir()
        with Server(reply=script(rounds)) as server:
            recipe = write_recipe(folder, server, RECIPE)
            made = build(recipe, folder / "store")
        text = recipe.read_text().replace(server.url, "http://127.0.0.1:9/v1")
        recipe.write_text(text.replace("teacher: {", "teacher: {replay: store, "))
        again = build(recipe, folder / "again")
        first, second = (load("rounds", folder / each) for each in ("store", "again"))
        assert first.to_pylist() == second.to_pylist()
        assert made.content["rows"] == again.content["rows"]


def test_a_change_of_the_form_is_planned_as_new_calls(tmp_path: Path) -> None:
    with Server(reply=script(ROUNDS)) as server:
        recipe, store = write_recipe(tmp_path, server, RECIPE), tmp_path / "store"
        build(recipe, store)
        recipe.write_text(recipe.read_text().replace(", tools: true", ""))
        with Store(store, readonly=True) as opened:
            (step,) = plan(load_recipe(recipe), opened).steps
    assert "sampling" in step.because and step.calls and step.calls.cached == 0


def counts(recipe: Path, store: Path) -> tuple[int, int, int]:
    """Return the planned numbers of cached calls, and the least and most missing ones."""
    with Store(store, readonly=True) as opened:
        (step,) = plan(load_recipe(recipe), opened).steps
    assert step.calls
    return step.calls.cached, step.calls.least, step.calls.most


@pytest.mark.parametrize("form", ["tools", "fenced"])
def test_a_plan_states_from_one_call_to_all_rounds_and_follows_what_is_cached(
    tmp_path: Path, form: str
) -> None:
    recipe_text = RECIPE if form == "tools" else RECIPE.replace(", tools: true", "")
    store = tmp_path / "store"
    Store(store).close()
    reply = script(ROUNDS) if form == "tools" else fenced_script(FENCED_ROUNDS)
    with Server(reply=reply) as server:
        recipe = write_recipe(tmp_path, server, recipe_text)
        assert counts(recipe, store) == (0, 1, 4)
        for done in (1, 2):
            with pytest.raises(BudgetReached):
                build(recipe, store, options=RunOptions(budget=Budget(calls=1)))
            assert counts(recipe, store) == (done, 1, 4 - done)
        build(recipe, store)
        edited = (
            recipe.read_text().replace("about: sol", "about: Sol").replace("rounds: 3", "rounds: 4")
        )
        recipe.write_text(edited)
        assert counts(recipe, store) == (3, 0, 0), "the subset would run again, without a call"


def test_the_money_of_a_plan_is_that_of_the_longest_conversation(tmp_path: Path) -> None:
    """Every reply has 100 tokens, every output 2,000; each call repeats those before it."""
    priced = RECIPE.replace(
        "max_tokens: 100}}", "max_tokens: 100}}, prices: {{input: 10, output: 100}}"
    )
    store = tmp_path / "store"
    Store(store).close()
    with Server() as server:
        recipe = write_recipe(tmp_path, server, priced)
        with Store(store, readonly=True) as opened:
            (step,) = plan(load_recipe(recipe), opened).steps
            calls_ = step.calls
    assert calls_ and calls_.answer_tokens == 4 * 100
    messages = messages_of(Prompts(), "tir_tools", Problem("x", ASKED, "5"))
    first = prompt_tokens(
        counter(), messages, Request("", "", (), parameters({"tools": TOOLS})).tools
    )
    assert calls_.prompt_tokens == 4 * first + 6 * (100 + 2_000 + 2 * 4)
    assert calls_.money == pytest.approx((calls_.prompt_tokens * 10 + 400 * 100) / 1e6)
