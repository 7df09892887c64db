"""Budgets: what calls have cost, and whether the next one may still be made.

In: budgets, and the most and the real cost of each call. Out: leave to spend, or BudgetReached.
Answers are bounded by their limit of tokens; prompts are counted beforehand by a tokenizer that
may not be the endpoint's, so a budget may be missed by what those counts are wrong for one call.
Not covered: two processes that spend one recipe's budget at once know of each other's calls only
from their beginnings; the price of calls that broke off, which an endpoint may charge for.
"""

import asyncio
import json
from dataclasses import dataclass

from curator.core.errors import BudgetReached, UsageError
from curator.teacher.call import Request
from curator.teacher.config import Budget, Prices

UNBOUNDED = Budget()

_HAIR = 1 + 1e-9
"""Sums of money are rounded; a budget is not missed for that."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What calls cost."""

    money: float = 0.0
    """In the currency of the prices."""
    tokens: int = 0
    """Of prompts and answers."""
    calls: int = 0
    """Calls that got an answer."""

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.money + other.money, self.tokens + other.tokens, self.calls + other.calls)

    def __sub__(self, other: "Spent") -> "Spent":
        return Spent(self.money - other.money, self.tokens - other.tokens, self.calls - other.calls)

    def within(self, budget: Budget) -> bool:
        """Whether this much may be spent."""
        return (
            (budget.money is None or self.money <= budget.money * _HAIR)
            and (budget.tokens is None or self.tokens <= budget.tokens)
            and (budget.calls is None or self.calls <= budget.calls)
        )


def cost(prices: Prices, prompt_tokens: int, completion_tokens: int) -> float:
    """Money for so many tokens."""
    return (prompt_tokens * prices.input + completion_tokens * prices.output) / 1_000_000


def most_tokens(request: Request) -> int:
    """Tokens that the answer may have at most.

    Raises UsageError if the parameters do not bound it: then no budget can be kept.
    """
    values = json.loads(request.parameters)
    most = values.get("max_completion_tokens", values.get("max_tokens"))
    if type(most) is not int or most < 1:
        raise UsageError(
            "A budget of money or tokens, or a limit of tokens a minute, needs a bound on answers: "
            "set max_tokens (or max_completion_tokens) in teacher.parameters."
        )
    return most


class BudgetLedger:
    """What may be spent: of the whole recipe, and of this command."""

    def __init__(self, recipe: Budget, before: Spent, command: Budget) -> None:
        self.spent = Spent()
        """By this command."""
        bounds = [("the recipe", recipe, before), ("this command", command, Spent())]
        self._bounds = [bound for bound in bounds if bound[1] != UNBOUNDED]
        self._reserved = Spent()
        self._turn = asyncio.Lock()
        self._settled = asyncio.Event()
        budgets = (recipe, command)
        self.counts_tokens = any(b.money is not None or b.tokens is not None for b in budgets)
        """Whether the most that a call can cost must be known in tokens."""

    async def reserve(self, most: Spent) -> None:
        """Puts aside the most that a call can cost.

        Waits while only what is put aside for others stands in the way; raises BudgetReached if
        what is spent does.
        """
        if not self._bounds:
            return
        async with self._turn:
            while True:
                for whose, budget, before in self._bounds:
                    if not (before + self.spent + most).within(budget):
                        raise BudgetReached(_reached(whose, budget, before + self.spent, most))
                planned = self.spent + self._reserved + most
                if all((before + planned).within(budget) for _, budget, before in self._bounds):
                    break
                self._settled.clear()
                await self._settled.wait()
            self._reserved += most

    def settle(self, most: Spent, real: Spent) -> None:
        """The call that `most` was put aside for is over and cost `real`."""
        self.spent += real
        if self._bounds:
            self._reserved -= most
            self._settled.set()


def _reached(whose: str, budget: Budget, spent: Spent, most: Spent) -> str:
    parts = [
        f"{have:,.{digits}f} of {bound:,.{digits}f} {what} spent, and the next call may need "
        f"{need:,.{digits}f}"
        for what, bound, have, need, digits in (
            ("money", budget.money, spent.money, most.money, 4),
            ("tokens", budget.tokens, spent.tokens, most.tokens, 0),
            ("calls", budget.calls, spent.calls, most.calls, 0),
        )
        if bound is not None
    ]
    return f"The budget of {whose} is reached: {'; '.join(parts)}."
