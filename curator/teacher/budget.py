"""Budgets: what calls have cost, and whether the next one may be made.

In: budgets, and the maximum and the actual cost of each call. Out: permission to spend, or
BudgetReached. Replies are bounded by their token limit. Prompts are counted in advance by a
tokenizer that may not be the endpoint's, so a budget may be exceeded by the error of that count for
one call. Not covered: two processes that spend the budget of one recipe at the same time do not see
each other's calls; an endpoint may charge for calls that were interrupted.
"""

import asyncio
import json
from dataclasses import dataclass

from curator.core.errors import BudgetReached, UsageError
from curator.teacher.call import AnyRequest, EmbeddingRequest
from curator.teacher.config import Budget, Prices

UNLIMITED = Budget()

_ROUNDING = 1 + 1e-9
"""Sums of money are rounded; that alone does not exceed a budget."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What calls cost."""

    money: float = 0.0
    """In the currency of the prices."""
    tokens: int = 0
    """Tokens of prompts and replies together."""
    calls: int = 0
    """Number of calls with a reply."""

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.money + other.money, self.tokens + other.tokens, self.calls + other.calls)

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(self.money - other.money, self.tokens - other.tokens, self.calls - other.calls)

    def fits(self, budget: Budget) -> bool:
        """Whether the budget allows this cost."""
        return (
            (budget.money is None or self.money <= budget.money * _ROUNDING)
            and (budget.tokens is None or self.tokens <= budget.tokens)
            and (budget.calls is None or self.calls <= budget.calls)
        )


def price(prices: Prices, prompt_tokens: int, completion_tokens: int) -> float:
    """Return the money that a call with these token counts costs."""
    return (prompt_tokens * prices.input + completion_tokens * prices.output) / 1_000_000


def max_reply_tokens(request: AnyRequest) -> int:
    """Return the maximum number of tokens of the reply.

    Raises UsageError if the parameters set none: no budget could be guaranteed then.
    """
    if isinstance(request, EmbeddingRequest):
        return 0
    values = json.loads(request.parameters)
    maximum = values.get("max_completion_tokens", values.get("max_tokens"))
    if type(maximum) is not int or maximum < 1:
        raise UsageError(
            "A budget of money or tokens, or a limit of tokens per minute, needs a maximum length "
            "of replies. Set max_tokens (or max_completion_tokens) in teacher.parameters."
        )
    return maximum


class BudgetLedger:
    """Spending of the recipe and of this command, each within its budget.

    `spent_before` is what the recipe spent in earlier runs.
    """

    def __init__(self, recipe: Budget, spent_before: Cost, command: Budget) -> None:
        self.spent = Cost()
        """By this command."""
        limits = [("the recipe", recipe, spent_before), ("this command", command, Cost())]
        self._limits = [limit for limit in limits if limit[1] != UNLIMITED]
        self._reserved = Cost()
        self._turn = asyncio.Lock()
        self._settled = asyncio.Event()
        budgets = (recipe, command)
        self.counts_tokens = any(b.money is not None or b.tokens is not None for b in budgets)
        """Whether the maximum cost of a call must include its tokens."""

    async def reserve(self, max_cost: Cost) -> None:
        """Reserve the maximum cost of a call.

        Waits while the reservations of other calls leave too little. Raises BudgetReached if what
        is spent leaves too little.
        """
        if not self._limits:
            return
        async with self._turn:
            while True:
                for owner, budget, before in self._limits:
                    if not (before + self.spent + max_cost).fits(budget):
                        message = _explain(owner, budget, before + self.spent, max_cost)
                        raise BudgetReached(message)
                planned = self.spent + self._reserved + max_cost
                if all((before + planned).fits(budget) for _, budget, before in self._limits):
                    break
                self._settled.clear()
                await self._settled.wait()
            self._reserved += max_cost

    def settle(self, reserved: Cost, actual: Cost) -> None:
        """Replace the reservation of a finished call by its actual cost."""
        self.spent += actual
        if self._limits:
            self._reserved -= reserved
            self._settled.set()


def _explain(owner: str, budget: Budget, spent: Cost, max_cost: Cost) -> str:
    parts = [
        f"{used:,.{digits}f} of {limit:,.{digits}f} {unit} spent, and the next call may need "
        f"{needed:,.{digits}f}"
        for unit, limit, used, needed, digits in (
            ("money", budget.money, spent.money, max_cost.money, 4),
            ("tokens", budget.tokens, spent.tokens, max_cost.tokens, 0),
            ("calls", budget.calls, spent.calls, max_cost.calls, 0),
        )
        if limit is not None
    ]
    return f"The budget of {owner} is reached: {'; '.join(parts)}."
