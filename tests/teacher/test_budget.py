"""Budgets stop before the call that would break them, and lose nothing."""

import json
from pathlib import Path

import pytest

from curator.core.errors import BudgetReached, UsageError
from curator.teacher import Budget, Call, Prices
from tests.teacher.faults import COMPLETION_TOKENS, PROMPT_TOKENS, Server, completion
from tests.teacher.worlds import ask, records, requests, settings

EACH = PROMPT_TOKENS + COMPLETION_TOKENS
BOUNDED = '{"max_tokens":10}'
PRICES = Prices(input=1_000.0, output=3_000.0)
MONEY = (PROMPT_TOKENS * 1_000 + COMPLETION_TOKENS * 3_000) / 1e6


@pytest.mark.parametrize(
    ("budget", "calls"),
    [
        (Budget(calls=25), 25),
        (Budget(calls=0), 0),
        # A call needs less than what is put aside for it: some ten tokens each way.
        (Budget(tokens=25 * EACH + 8), 25),
        (Budget(money=25 * MONEY + 0.02), 25),
        (Budget(money=25 * MONEY + 0.02, calls=7), 7),
    ],
)
@pytest.mark.parametrize("whose", ["recipe", "command"])
def test_a_budget_is_used_up_and_not_broken(
    budget: Budget, calls: int, whose: str, tmp_path: Path
) -> None:
    with Server() as server:
        how = settings(server, prices=PRICES, budget=budget if whose == "recipe" else Budget())
        of_command = budget if whose == "command" else Budget()
        found, counts = ask(how, tmp_path, requests(60, BOUNDED), budget=of_command)
    answered = [each for each in found if isinstance(each, Call)]
    stopped = [each for each in found if isinstance(each, BudgetReached)]
    assert len(answered) == calls == server.tries.total() == len(records(tmp_path))
    assert len(answered) + len(stopped) == 60
    assert counts.money == pytest.approx(calls * MONEY)
    assert counts.tokens == calls * EACH
    says = "the recipe" if whose == "recipe" else "this command"
    assert f"The budget of {says} is reached: " in str(stopped[0])
    assert "\n" not in str(stopped[0])


def test_a_call_that_could_break_the_budget_is_not_made_though_it_would_not_have(
    tmp_path: Path,
) -> None:
    with Server() as server:
        how = settings(server, budget=Budget(tokens=1_000))
        found, _ = ask(how, tmp_path, requests(1, '{"max_tokens":1000}'))
        assert isinstance(found[0], BudgetReached)
        assert "0 of 1,000 tokens spent, and the next call may need 1,0" in str(found[0])
        assert server.tries.total() == 0


def test_a_recipe_s_budget_counts_what_it_spent_before_and_not_what_others_did(
    tmp_path: Path,
) -> None:
    with Server() as server:
        ask(settings(server), tmp_path, requests(10), recipe="other")
        how = settings(server, budget=Budget(calls=5))
        first, _ = ask(how, tmp_path, requests(3, first=10))
        second, counts = ask(how, tmp_path, requests(13))
        third, _ = ask(how, tmp_path, requests(20))
    assert all(isinstance(each, Call) for each in [*first, *second])
    assert (counts.cached, counts.asked) == (13, 0)
    assert sum(isinstance(each, Call) for each in third) == 15
    assert len(records(tmp_path)) == 15


def test_more_budget_goes_on_where_less_stopped(tmp_path: Path) -> None:
    with Server() as server:
        for most in (4, 9, 30):
            ask(settings(server), tmp_path, requests(20), budget=Budget(calls=most))
    assert len(records(tmp_path)) == 4 + 9 + 7
    assert set(server.tries.values()) == {1}


def test_what_failed_tries_were_charged_is_counted_too(tmp_path: Path) -> None:
    nothing = json.dumps({**completion("x"), "choices": []}).encode()
    with Server(reply=lambda body, number: (200, {}, nothing) if number < 2 else None) as server:
        how = settings(server, prices=PRICES, tries=2)
        [failed], _ = ask(how, tmp_path, requests(1))
        [answered], counts = ask(how, tmp_path, requests(1))
    assert isinstance(failed, Call) and failed.status == "failed"
    assert isinstance(answered, Call) and answered.status == "answered"
    assert counts.tokens == EACH
    record = records(tmp_path)["question 0"]
    assert (record["tokens"], record["money"]) == (3 * EACH, pytest.approx(3 * MONEY))


def test_a_budget_of_tokens_needs_a_bound_on_each_answer(tmp_path: Path) -> None:
    with Server() as server:
        found, _ = ask(settings(server, budget=Budget(money=1)), tmp_path, requests(1))
    assert isinstance(found[0], UsageError)
    assert "max_tokens" in str(found[0])
