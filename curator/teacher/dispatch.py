"""One request, asked until there is an answer or no hope, within budgets and flow control.

In: requests that no ledger knows. Out: what became of each: the call, what it cost, how many tries.
Also here: what ends everything, since no retry and no other call would mend it.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from curator.core.progress import Listener
from curator.teacher.batch.client import Batches
from curator.teacher.budget import BudgetLedger, Spent, cost, most_tokens
from curator.teacher.call import Call, Request
from curator.teacher.endpoint import Endpoint, Try
from curator.teacher.rate_limit import LONGEST_HOLD_S, RateLimiter, backoff_s
from curator.teacher.response import Fault
from curator.teacher.token_count import Count, counter, prompt_tokens

PATIENCE = 10
"""A rate limit uses up a try only where the endpoint answers nobody; else a call is pushed back so
many times its tries before it fails, since some are too large for a limit ever to pass."""
IN_A_ROW = 32
"""Calls that fail with none answered in between, after which the endpoint is given up."""
TOLD_S = 10.0
"""People are told of an endpoint that wants to be left alone for longer."""
NOT_SENT = Try(Fault("not sent"))


@dataclass(slots=True)
class Outcome:
    """What has become of one request in this run."""

    most: Spent
    """What one try can cost at most."""
    prompt: int = 0
    """Tokens of the prompt as counted beforehand; 0 if nothing needed them."""
    call: Call | None = None
    """None as long as it is being asked."""
    body: Any = None
    """Body of the last reply, as it is kept."""
    spent: Spent = field(default_factory=Spent)
    """By all tries."""
    estimated: bool = False
    """Whether a reply did not say its tokens."""
    tries: int = 0
    pushed: int = 0
    """Tries of those that met a rate limit while others were answered."""
    seconds: float = 0.0
    """From the first try to the end of the last."""


class Dispatcher:
    """Sends, each by itself or through `batches` where they are given.

    `begin` is called right before each try of a single call, with the most that it can cost.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        purse: BudgetLedger,
        count: Count | None,
        listener: Listener,
        begin: Callable[[Request, Spent], None],
        batches: Batches | None = None,
    ) -> None:
        self.closing = False
        """Nothing is sent any more; what was sent is waited for."""
        self.sent: set[asyncio.Task[Any] | None] = set()
        """Tasks of `ask` whose try is under way or answered."""
        self.retried = 0
        """Tries beyond the first."""
        self._endpoint, self._settings, self._purse = endpoint, endpoint.settings, purse
        self._count, self._listener, self._begin = count, listener, begin
        self._batches = batches
        settings = endpoint.settings
        per_minute = settings.requests_per_minute, settings.tokens_per_minute
        self._flow = RateLimiter(settings.concurrency, *per_minute)
        self._counts_tokens = purse.counts_tokens or bool(settings.tokens_per_minute)
        self.stopped: Exception | None = None
        """Why nothing is sent any more; whoever asks gets it."""
        self._answers = 0
        self._failed_in_a_row = 0

    async def ask(self, request: Request) -> Outcome:
        """What became of the request: `call` is there. Raises BudgetReached and TeacherError."""
        outcome, start = self._prepared(request), time.monotonic()
        answers = self._answers
        while outcome.call is None:
            found = await self._try(request, outcome)
            outcome.tries += 1
            outcome.seconds = time.monotonic() - start
            if isinstance(found, Call):
                outcome.call = found
                break
            if found.mend == "nobody":
                raise self._stop(found.told)
            if found.reason == "rate limit" and self._answers > answers:
                answers, outcome.pushed = self._answers, outcome.pushed + 1
            hopeless = outcome.tries - outcome.pushed >= self._settings.tries
            hopeless |= outcome.tries >= PATIENCE * self._settings.tries
            if hopeless and found.reason == "no connection" and self._answers == answers:
                raise self._stop(f"{found.told}; is the server running?")
            if found.mend == "never" or hopeless or self.closing:
                final = found.mend == "never" and found.reason != "no recording"
                outcome.call = Call("failed", reason=found.reason, final=final)
            else:
                self.retried += 1
                self.sent.discard(asyncio.current_task())
                if not self._flow.held:
                    await asyncio.sleep(backoff_s(outcome.tries - outcome.pushed))
        self._tally(outcome.call)
        return outcome

    def _prepared(self, request: Request) -> Outcome:
        if not self._counts_tokens:
            return Outcome(Spent(calls=1))
        self._count = self._count or counter()
        prompt, answer = prompt_tokens(self._count, request.messages), most_tokens(request)
        money = cost(self._settings.prices, prompt, answer)
        return Outcome(Spent(money, prompt + answer, 1), prompt)

    async def _try(self, request: Request, outcome: Outcome) -> Call | Fault:
        """Sends the request once, when budgets and flow control allow."""
        self._check()
        await self._purse.reserve(outcome.most)
        real = Spent()
        try:
            if self._batches:  # the provider controls the flow, and a kill cuts nothing off
                tried = await self._batches.ask(request)
                self.sent.add(asyncio.current_task())
                found, real = self._paid(request, outcome, tried)
                self._answers += isinstance(found, Call)
                outcome.spent += real
                outcome.body = tried.body
                return found
            entered = await self._flow.enter(outcome.most.tokens, again=outcome.tries > 0)
            tried = NOT_SENT
            try:
                self._check()
                self._endpoint.open()
                self._begin(request, outcome.most)
                self.sent.add(asyncio.current_task())
                tried = await self._endpoint.ask(request)
            finally:
                self._leave(entered, tried)
                found, real = self._paid(request, outcome, tried)
                self._flow.settle(outcome.most.tokens, real.tokens)
            outcome.spent += real
            outcome.body = tried.body
            return found
        finally:
            self._purse.settle(outcome.most, real)

    def _check(self) -> None:
        if self.stopped:
            raise self.stopped
        if self.closing:
            raise asyncio.CancelledError

    def _leave(self, entered: float, tried: Try) -> None:
        """Tells flow control what a try met."""
        found = tried.found
        if isinstance(found, Call):
            self._answers += 1
            self._flow.leave(entered, answered=True)
        elif found.reason == "rate limit":
            self._flow.leave(entered, answered=False, busy=True)
        elif found.busy:
            self._flow.shaken(entered)
        else:
            self._flow.leave(entered, answered=False)
        if wait := tried.retry_after_s:
            if wait > LONGEST_HOLD_S:
                self._stop(f"it wants a pause of {wait:,.0f} s; run the same again after that")
            self._flow.hold(wait)
            if wait > TOLD_S:
                self._listener.note(f"{self._endpoint.place} wants a pause of {wait:,.0f} s.")

    def _paid(self, request: Request, outcome: Outcome, tried: Try) -> tuple[Call | Fault, Spent]:
        """What was found, with its tokens, and what it cost; tokens that a model's reply does not
        say are estimated."""
        found = tried.found
        prompt, completion = found.prompt_tokens, found.completion_tokens
        if (isinstance(found, Call) or found.charged) and not (prompt and completion):
            self._count = self._count or counter()
            text = found.text if isinstance(found, Call) else str(tried.body)
            prompt = prompt or outcome.prompt or prompt_tokens(self._count, request.messages)
            completion = completion or self._count(text)
            outcome.estimated = True
        money = cost(self._settings.prices, prompt, completion)
        if isinstance(found, Fault):
            return found, Spent(money, prompt + completion)
        if outcome.estimated:
            found = replace(found, prompt_tokens=prompt, completion_tokens=completion)
        return found, Spent(money, prompt + completion, 1)

    def _tally(self, call: Call) -> None:
        self._failed_in_a_row = 0 if call.status == "answered" else self._failed_in_a_row + 1
        if self._failed_in_a_row >= IN_A_ROW:
            self._stop(f"{IN_A_ROW} calls failed in a row, the last with '{call.reason}'")

    def _stop(self, why: str) -> Exception:
        """No further call is sent."""
        if not self.stopped:
            self.stopped = self._endpoint.unusable(why)
        return self.stopped
