"""Sampling that stops once the band of a problem is decided: calls, resumption and the plan."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curator import RunOptions, build
from curator.core.errors import BudgetReached, RecipeError
from curator.pipeline.plan import plan
from curator.recipe.load import load_recipe
from curator.teacher import Budget
from curator.versions.views import run_query
from datastore.store import Store
from tests.teacher.faults import Server, completion

RECIPE = """\
name: banded
about: sums
subsets:
  sums:
    source: {file: rows.jsonl, columns: {question: q, gold: a}, licence: MIT}
    kind: PoT
    writers: [pot]
screens: {contamination: null}
teacher:
  model: m
  base_url: URL
  key_env: ""
  parameters: {temperature: 1, max_tokens: 50}
  prices: {input: 2, output: 10}
sampling: {tries: 40, band: [0.2, 0.8], error: 0.1}
"""
SUMS = {"1 and 1": 2, "2 and 2": 4, "3 and 3": 6, "4 and 4": 8}
EASY, HARD, USEFUL, MUTE = SUMS


def reply(body: dict[str, Any], number: int) -> tuple[int, dict[str, str], bytes]:
    """A program that is always right, never right, right in turns, or no program at all."""
    question = body["messages"][-1]["content"]
    sums = re.findall(r"\d and \d", question)[-1]
    sent[sums] = sent.get(sums, 0) + 1
    right = sums == EASY or (sums == USEFUL and sent[sums] % 2)
    text = f"```python\nprint({SUMS[sums] if right else -sent[sums]})\n```"
    good = completion(question, "m", question)
    good["choices"][0]["message"]["content"] = "I cannot say." if sums == MUTE else text
    return 200, {"content-type": "application/json"}, json.dumps(good).encode()


sent: dict[str, int] = {}
"""Requests by question."""


@pytest.fixture
def server() -> Iterator[Server]:
    sent.clear()
    with Server(reply=reply) as serving:
        yield serving


def write_world(folder: Path, server: Server) -> Path:
    rows = [json.dumps({"q": f"What is {each}?", "a": str(n)}) for each, n in SUMS.items()]
    (folder / "rows.jsonl").write_text("\n".join(rows))
    path = folder / "banded.yaml"
    path.write_text(RECIPE.replace("URL", server.url))
    return path


def rates(root: Path) -> dict[str, tuple[int, int]]:
    query = "SELECT question, successes, failures FROM solve_rate JOIN problems ON id = problem_id"
    with Store(root, readonly=True) as store:
        return {row[0]: row[1:] for row in run_query(store, query)[1]}


def test_a_problem_is_sampled_until_its_band_is_decided(tmp_path: Path, server: Server) -> None:
    recipe, store = write_world(tmp_path, server), tmp_path / "store"
    first = build(recipe, store)
    assert sent == {EASY: 16, HARD: 16, USEFUL: 20, MUTE: 16}
    assert rates(store) == {
        f"What is {EASY}?": (16, 0),
        f"What is {HARD}?": (0, 16),
        f"What is {USEFUL}?": (10, 10),
        f"What is {MUTE}?": (0, 16),
    }
    assert build(recipe, store).ref == first.ref
    assert sum(sent.values()) == 68, "a rerun made a call"


def test_a_build_that_was_stopped_resumes_without_a_second_call(
    tmp_path: Path, server: Server
) -> None:
    recipe = write_world(tmp_path, server)
    for calls in (3, 20, 40):
        with pytest.raises(BudgetReached):
            build(recipe, tmp_path / "store", options=RunOptions(budget=Budget(calls=calls)))
    made = build(recipe, tmp_path / "store")
    assert sent == {EASY: 16, HARD: 16, USEFUL: 20, MUTE: 16}
    sent.clear()
    assert build(recipe, tmp_path / "other").content["rows"] == made.content["rows"]


def test_a_plan_states_the_fewest_and_the_most_calls_and_their_cost(
    tmp_path: Path, server: Server
) -> None:
    recipe = load_recipe(write_world(tmp_path, server))
    with Store(tmp_path / "store") as store:
        [step] = plan(recipe, store).steps
        assert step.calls and (step.calls.least, step.calls.most) == (4 * 16, 4 * 40)
        expected = (step.calls.prompt_tokens * 2 + 160 * 50 * 10) / 1_000_000
        assert step.calls.money == pytest.approx(expected)
    build(recipe, tmp_path / "store")
    with Store(tmp_path / "store") as store:
        [step] = plan(recipe, store).steps
        assert step.calls and (step.calls.cached, step.calls.least, step.calls.most) == (68, 0, 0)


@pytest.mark.parametrize(
    ("sampling", "message"),
    [
        ("{tries: 9, band: [0.8, 0.2]}", "expected a band such as [0.2, 0.8], saw [0.8, 0.2]"),
        ("{tries: 9, band: [0.2, 0.8], until: 1}", "'until' and 'band' both decide when to stop"),
        ("{tries: 9, band: [0.2, 1.8]}", "1.8"),
        ("{tries: 9, band: 0.2}", "band"),
    ],
)
def test_an_impossible_band_is_an_error_of_the_recipe(
    sampling: str, message: str, tmp_path: Path, server: Server
) -> None:
    path = write_world(tmp_path, server)
    path.write_text(re.sub("sampling: .*", f"sampling: {sampling}", path.read_text()))
    with pytest.raises(RecipeError) as raised:
        load_recipe(path)
    assert message in str(raised.value)
