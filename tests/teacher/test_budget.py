"""Budgets stop the run before the call that would exceed them, and lose nothing."""

import json
from pathlib import Path

import pytest

from curator.core.errors import BudgetReached, UsageError
from curator.teacher import Budget, Call, Prices
from tests.teacher.faults import COMPLETION_TOKENS, PROMPT_TOKENS, Reply, Server, completion
from tests.teacher.helpers import ask, records, requests, settings

EACH = PROMPT_TOKENS + COMPLETION_TOKENS
BOUNDED = '{"max_tokens":10}'
PRICES = Prices(input=1_000.0, output=3_000.0)
MONEY = (PROMPT_TOKENS * 1_000 + COMPLETION_TOKENS * 3_000) / 1e6


@pytest.mark.parametrize(
    ("budget", "calls"),
    [
        (Budget(calls=25), 25),
        (Budget(calls=0), 0),
        # A call uses less than it reserves: about ten tokens.
        (Budget(tokens=25 * EACH + 8), 25),
        (Budget(money=25 * MONEY + 0.02), 25),
        (Budget(money=25 * MONEY + 0.02, calls=7), 7),
    ],
)
@pytest.mark.parametrize("owner", ["recipe", "command"])
def test_a_budget_is_used_up_and_never_exceeded(
    budget: Budget, calls: int, owner: str, tmp_path: Path
) -> None:
    with Server() as server:
        recipe_budget = budget if owner == "recipe" else Budget()
        command_budget = budget if owner == "command" else Budget()
        priced = settings(server, prices=PRICES, budget=recipe_budget)
        results, counts = ask(priced, tmp_path, requests(60, BOUNDED), budget=command_budget)
    answered = [each for each in results if isinstance(each, Call)]
    stopped = [each for each in results if isinstance(each, BudgetReached)]
    assert len(answered) == calls == server.tries.total() == len(records(tmp_path))
    assert len(answered) + len(stopped) == 60
    assert counts.money == pytest.approx(calls * MONEY)
    assert counts.tokens == calls * EACH
    name = "the recipe" if owner == "recipe" else "this command"
    assert f"The budget of {name} is reached: " in str(stopped[0])
    assert "\n" not in str(stopped[0])


def test_a_call_that_could_exceed_the_budget_is_not_made(
    tmp_path: Path,
) -> None:
    with Server() as server:
        limited = settings(server, budget=Budget(tokens=1_000))
        results, _ = ask(limited, tmp_path, requests(1, '{"max_tokens":1000}'))
        assert isinstance(results[0], BudgetReached)
        assert "0 of 1,000 tokens spent, and the next call may need 1,0" in str(results[0])
        assert server.tries.total() == 0


def test_the_budget_of_a_recipe_counts_its_earlier_runs_and_no_other_recipe(
    tmp_path: Path,
) -> None:
    with Server() as server:
        ask(settings(server), tmp_path, requests(10), recipe="other")
        limited = settings(server, budget=Budget(calls=5))
        first, _ = ask(limited, tmp_path, requests(3, first=10))
        second, counts = ask(limited, tmp_path, requests(13))
        third, _ = ask(limited, tmp_path, requests(20))
    assert all(isinstance(each, Call) for each in [*first, *second])
    assert (counts.cached, counts.made) == (13, 0)
    assert sum(isinstance(each, Call) for each in third) == 15
    assert len(records(tmp_path)) == 15


def test_a_larger_budget_resumes_where_a_smaller_one_stopped(tmp_path: Path) -> None:
    with Server() as server:
        for calls in (4, 9, 30):
            ask(settings(server), tmp_path, requests(20), budget=Budget(calls=calls))
    assert len(records(tmp_path)) == 4 + 9 + 7
    assert set(server.tries.values()) == {1}


def test_the_cost_of_failed_attempts_is_counted(tmp_path: Path) -> None:
    empty = json.dumps({**completion("x"), "choices": []}).encode()
    replies: list[Reply] = [(200, {}, empty), (500, {}, b"")]
    with Server(reply=lambda body, number: dict(enumerate(replies)).get(number)) as server:
        limited = settings(server, prices=PRICES, tries=2)
        [failed], _ = ask(limited, tmp_path, requests(1))
        [answered], counts = ask(limited, tmp_path, requests(1))
    assert isinstance(failed, Call) and failed.status == "failed"
    assert isinstance(answered, Call) and answered.status == "answered"
    assert counts.tokens == EACH
    record = records(tmp_path)["question 0"]
    assert (record["tokens"], record["money"]) == (2 * EACH, pytest.approx(2 * MONEY))


def test_a_budget_of_money_needs_a_maximum_length_of_replies(tmp_path: Path) -> None:
    with Server() as server:
        results, _ = ask(settings(server, budget=Budget(money=1)), tmp_path, requests(1))
    assert isinstance(results[0], UsageError)
    assert "max_tokens" in str(results[0])
