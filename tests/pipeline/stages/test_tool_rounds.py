"""The writer `tir`: a scripted teacher writes programs, the sandbox runs them between its calls."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curator import RunOptions, build, load
from curator.core.errors import BudgetReached, UsageError
from curator.core.turns import find_turns
from curator.teacher import Budget
from datastore.store import Store
from datastore.versions import Manifest
from tests.teacher.faults import Server, completion

RECIPE = """\
name: rounds
about: solutions that run programs
subsets:
  one:
    source: {{file: rows.jsonl, columns: {{question: q, gold: a}}, licence: MIT}}
    kind: TIR
    writers: [tir]
    checks: [executed, answer, format, replayed]
    evidence: executed
screens: {{contamination: null}}
teacher: {{model: m, base_url: "{url}", key_env: "", parameters: {{max_tokens: 100}}}}
sampling: {{rounds: 2}}
"""
ASKED = "What is the third prime number?"
ROUNDS = [
    "Look.\n```python\nfrom sympy import prime\nps = [prime(n) for n in (1, 2, 3)]\nps\n```",
    "The third one:\n```python\nprint(ps[2])\n```\n```output\n999\n```\nThe answer is 999",
    "It is the last one. The answer is $5$",
]
TEXT = f"""{ROUNDS[0]}
```output
[2, 3, 5]
```
The third one:
```python
print(ps[2])
```
```output
5
```
{ROUNDS[2]}"""


def script(
    replies: list[str],
) -> Callable[[dict[str, Any], int], tuple[int, dict[str, str], bytes]]:
    """Return a teacher that gives its n-th reply to a conversation with n outputs."""

    def reply(body: dict[str, Any], number: int) -> tuple[int, dict[str, str], bytes]:
        asked = max(n for n, each in enumerate(body["messages"]) if ASKED in each["content"])
        outputs = len(body["messages"]) - 1 - asked
        return 200, {}, json.dumps(completion(replies[outputs // 2])).encode()

    return reply


def write_recipe(folder: Path, server: Server, recipe: str = RECIPE) -> Path:
    (folder / "rows.jsonl").write_text(json.dumps({"q": ASKED, "a": "5"}))
    path = folder / "rounds.yaml"
    path.write_text(recipe.format(url=server.url))
    return path


def taught(manifest: Manifest) -> dict[str, Any]:
    found: dict[str, Any] = manifest.content["subsets"]["one"]["taught"]
    return {key: value for key, value in found.items() if value and key != "prompts"}


def calls(store: Path) -> int:
    with Store(store, readonly=True) as opened:
        return sum(1 for _ in opened.ledger("calls").records())


def test_programs_run_between_the_calls_and_invented_outputs_are_dropped(tmp_path: Path) -> None:
    with Server(reply=script(ROUNDS)) as server:
        recipe = write_recipe(tmp_path, server)
        made = build(recipe, tmp_path / "store")
        assert sum(server.served.values()) == 3
        (row,) = load("rounds", tmp_path / "store").to_pylist()
        assert (row["text"], row["evidence_level"], row["kind"]) == (TEXT, "executed", "TIR")
        assert taught(made) == {"calls": 3}
        again = build(recipe, tmp_path / "other")
        assert again.digest == made.digest
        build(recipe, tmp_path / "store")
        assert sum(server.served.values()) == 6, "cached calls are not repeated"


def test_a_conversation_resumes_where_the_budget_stopped_it(tmp_path: Path) -> None:
    with Server(reply=script(ROUNDS)) as server:
        recipe, store = write_recipe(tmp_path, server), tmp_path / "store"
        for done in (1, 2):
            with pytest.raises(BudgetReached):
                build(recipe, store, options=RunOptions(budget=Budget(calls=1)))
            assert calls(store) == done
        build(recipe, store, options=RunOptions(budget=Budget(calls=1)))
        assert sum(server.served.values()) == 3
        assert load("rounds", store).to_pylist()[0]["text"] == TEXT


LOOP = "Again.\n```python\nprint(1)\n```"


@pytest.mark.parametrize(("replies", "reason", "sent"), [
    ([LOOP] * 9, "too many rounds", 3),
    (["```output\n5\n```\nThe answer is 5"], "output without a program", 1),
    (["```python\n```"], "empty program", 1),
    (["<think>Hm."], "unfinished thought", 1),
    ([LOOP, "<code>print("], "unfinished program", 2),
])  # fmt: skip
def test_a_conversation_without_a_solution_is_kept_with_its_reason(
    tmp_path: Path, replies: list[str], reason: str, sent: int
) -> None:
    with Server(reply=script(replies)) as server:
        with pytest.raises(UsageError, match=rf"no rationale was written \(1 × {reason}\)"):
            build(write_recipe(tmp_path, server), tmp_path / "store")
        assert sum(server.served.values()) == sent


def test_errors_and_ends_of_the_session_are_outputs(tmp_path: Path) -> None:
    replies = ["```python\n1 / 0\n```", "```python\nimport os; os._exit(3)\n", "The answer is 5."]
    recipe = RECIPE.replace(
        "checks: [executed, answer, format, replayed]\n    evidence: executed", "checks: [format]"
    )
    with Server(reply=script(replies)) as server:
        build(write_recipe(tmp_path, server, recipe), tmp_path / "store")
    (row,) = load("rounds", tmp_path / "store").to_pylist()
    outputs = [turn.text for turn in find_turns(row["text"]) if turn.kind == "output"]
    assert outputs == ["ZeroDivisionError: division by zero", "exit code 3"]
