"""Sends one request until it has a reply or cannot get one, within budgets and flow control.

In: requests that no ledger has. Out: an Outcome per request: the call, its cost, the number of
attempts. Also decides when to stop everything, because every other call would fail as well.
"""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from curator.core.progress import Listener
from curator.teacher.batch.client import Batches
from curator.teacher.budget import BudgetLedger, Cost, max_reply_tokens, price
from curator.teacher.call import AnyRequest, Call, Request
from curator.teacher.endpoint import Attempt, Endpoint
from curator.teacher.rate_limit import MAX_HOLD_S, RateLimiter, backoff_s
from curator.teacher.response import Failure
from curator.teacher.token_count import Count, counter, prompt_tokens

RATE_LIMIT_FACTOR = 10
"""A rate limit counts as an attempt only while the endpoint answers no call at all. Otherwise the
call is retried up to this many times `tries`, since some calls are too large for any limit."""
MAX_FAILURES = 32
"""Calls that fail in a row before the endpoint is given up."""
REPORTED_HOLD_S = 10.0
"""A pause that is longer than this is reported to the user."""
_TOOLS = re.compile(r"\btools?\b|\bfunctions?\b", re.I)
"""Words of an endpoint that refuses tools (vLLM, Ollama, llama.cpp, OpenAI)."""
MAX_REPORTED = 5
"""Reasons of failed calls that are reported with the endpoint's words while it works."""
NO_TOOLS = (
    "The endpoint takes no tools. Set sampling.tools to false for programs in fenced blocks, or "
    "start the server with tool calls enabled"
)
NOT_SENT = Attempt(Failure("not sent"))


@dataclass(slots=True)
class Outcome:
    """The state of one request in this run."""

    max_cost: Cost
    """Maximum cost of one attempt."""
    prompt_tokens: int = 0
    """Tokens of the prompt as counted in advance; 0 if no limit needed them."""
    call: Call | None = None
    """None until the request has ended."""
    body: Any = None
    """Body of the last reply, as it is stored."""
    cost: Cost = field(default_factory=Cost)
    """Cost of all attempts."""
    estimated: bool = False
    """Whether a reply did not report its tokens."""
    tries: int = 0
    """Number of attempts."""
    rate_limited: int = 0
    """Attempts that met a rate limit while other calls were answered."""
    seconds: float = 0.0
    """From the start of the first attempt to the end of the last one."""


class Dispatcher:
    """Sends single calls, or hands requests to `batches` if given.

    `before_send` is called before each attempt of a single call, with its maximum cost.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        budgets: BudgetLedger,
        count: Count | None,
        listener: Listener,
        before_send: Callable[[AnyRequest, Cost], None],
        batches: Batches | None = None,
    ) -> None:
        self.closing = False
        """Send nothing more; wait only for calls in flight."""
        self.sent: set[asyncio.Task[Any] | None] = set()
        """Tasks of `dispatch` whose attempt is in flight or answered."""
        self.retried = 0
        """Number of retries."""
        self.refused = 0
        """Number of attempts that met a rate limit."""
        self.stop_error: Exception | None = None
        """Why nothing more is sent; raised by every further `dispatch`."""
        self.last_failure = ""
        """The endpoint's words on the last call that failed."""
        settings = endpoint.settings
        self._settings, self._endpoint, self._budgets = settings, endpoint, budgets
        self._count, self._listener, self._before_send = count, listener, before_send
        self._batches = batches
        self._limiter = RateLimiter(
            settings.concurrency, settings.requests_per_minute, settings.tokens_per_minute
        )
        self._counts_tokens = budgets.counts_tokens or bool(settings.tokens_per_minute)
        self._replies = 0
        self._failures_in_a_row = 0
        self._reported: set[str] = set()
        self._knows_tools = False  # whether a request with tools was answered

    @property
    def in_flight(self) -> int:
        """Number of attempts that wait for a reply."""
        return len(self.sent) if self._batches else self._limiter.in_flight

    async def dispatch(self, request: AnyRequest) -> Outcome:
        """Return the outcome of the request, with its call.

        Raises BudgetReached and TeacherError.
        """
        outcome, start = self._start_outcome(request), time.monotonic()
        replies = self._replies
        while outcome.call is None:
            result = await self._attempt(request, outcome)
            outcome.tries += 1
            outcome.seconds = time.monotonic() - start
            if isinstance(result, Call):
                outcome.call = result
                self._knows_tools |= bool(request.tools)
                break
            if request.tools and self._refuses_tools(result):
                raise self._stop(f"{result} — {NO_TOOLS}")
            if result.retry == "stop":
                raise self._stop(str(result))
            if result.reason == "rate limit" and self._replies > replies:
                replies, outcome.rate_limited = self._replies, outcome.rate_limited + 1
            exhausted = outcome.tries - outcome.rate_limited >= self._settings.tries
            exhausted |= outcome.tries >= RATE_LIMIT_FACTOR * self._settings.tries
            if exhausted and result.reason == "no connection" and self._replies == replies:
                raise self._stop(f"{result}; is the server running?")
            if result.retry == "never" or exhausted or self.closing:
                # A reply that cannot be read was paid for: it is kept, not bought again.
                final = result.retry == "never" or (exhausted and result.charged)
                final &= result.reason != "no recording"
                outcome.call = Call("failed", reason=result.reason, final=final)
                self.last_failure = str(result)
                self._note_words(result)
            else:
                self.retried += 1
                self.sent.discard(asyncio.current_task())
                if not self._limiter.on_hold:
                    await asyncio.sleep(backoff_s(outcome.tries - outcome.rate_limited))
        self._check_failures(outcome.call)
        return outcome

    def _refuses_tools(self, failure: Failure) -> bool:
        """Return whether a failure states that the endpoint takes no tools at all."""
        status = failure.reason.startswith(("bad request", "server error"))
        about_length = "context" in f"{failure}"
        return (
            status
            and not self._knows_tools
            and not about_length
            and bool(_TOOLS.search(f"{failure}"))
        )

    def _note_words(self, failure: Failure) -> None:
        """Report the endpoint's words on a call that failed, once per reason."""
        reported = failure.reason in self._reported or len(self._reported) >= MAX_REPORTED
        if failure.detail and not reported:
            self._reported.add(failure.reason)
            self._listener.note(f"A call failed: {failure}")

    def _start_outcome(self, request: AnyRequest) -> Outcome:
        if not self._counts_tokens:
            return Outcome(Cost(calls=1))
        self._count = self._count or counter()
        prompt = prompt_tokens(self._count, request.messages, request.tools)
        reply = max_reply_tokens(request)
        return Outcome(Cost(price(self._settings.prices, prompt, reply), prompt + reply, 1), prompt)

    async def _attempt(self, request: AnyRequest, outcome: Outcome) -> Call | Failure:
        """Send the request once, as soon as budgets and flow control allow."""
        self._raise_if_stopped()
        await self._budgets.reserve(outcome.max_cost)
        cost = Cost()
        try:
            if self._batches and isinstance(request, Request):
                # The provider controls the flow, and a kill interrupts nothing.
                attempt = await self._batches.send(request)
                self.sent.add(asyncio.current_task())
                result, cost = self._add_cost(request, outcome, attempt)
                self._replies += isinstance(result, Call)
                outcome.cost += cost
                outcome.body = attempt.body
                return result
            entered = await self._limiter.enter(outcome.max_cost.tokens, retry=outcome.tries > 0)
            attempt = NOT_SENT
            try:
                self._raise_if_stopped()
                self._endpoint.open()
                self._before_send(request, outcome.max_cost)
                self.sent.add(asyncio.current_task())
                attempt = await self._endpoint.send(request)
            finally:
                self._leave(entered, attempt)
                result, cost = self._add_cost(request, outcome, attempt)
                self._limiter.settle(outcome.max_cost.tokens, cost.tokens)
            outcome.cost += cost
            outcome.body = attempt.body
            return result
        finally:
            self._budgets.settle(outcome.max_cost, cost)

    def _raise_if_stopped(self) -> None:
        if self.stop_error:
            raise self.stop_error
        if self.closing:
            raise asyncio.CancelledError

    def _leave(self, entered: float, attempt: Attempt) -> None:
        """Report the result of an attempt to flow control."""
        result = attempt.result
        if isinstance(result, Call):
            self._replies += 1
            self._limiter.leave(entered, answered=True)
        elif result.reason == "rate limit":
            self.refused += 1
            self._limiter.leave(entered, answered=False, overloaded=True)
        elif result.busy:
            self._limiter.leave_broken(entered)
        else:
            self._limiter.leave(entered, answered=False)
        if wait_s := attempt.retry_after_s:
            if wait_s > MAX_HOLD_S:
                self._stop(f"it demands a pause of {wait_s:,.0f} s. Rerun the command after that.")
            self._limiter.hold(wait_s)
            if wait_s > REPORTED_HOLD_S:
                self._listener.note(f"{self._endpoint.address} demands a pause of {wait_s:,.0f} s.")

    def _add_cost(
        self, request: AnyRequest, outcome: Outcome, attempt: Attempt
    ) -> tuple[Call | Failure, Cost]:
        """Return the result with its tokens, and its cost.

        Tokens of a reply that does not report them are estimated.
        """
        result = attempt.result
        prompt, completion = result.prompt_tokens, result.completion_tokens
        writes = isinstance(request, Request)  # a vector has no tokens
        reported = prompt and (completion or not writes)
        if (isinstance(result, Call) or result.charged) and not reported:
            self._count = self._count or counter()
            text = str(attempt.body)
            if isinstance(result, Call):
                text = result.text + "".join(each.arguments for each in result.tool_calls)
            prompt = prompt or outcome.prompt_tokens
            prompt = prompt or prompt_tokens(self._count, request.messages, request.tools)
            completion = completion or (self._count(text) if writes else 0)
            outcome.estimated = True
        money = price(self._settings.prices, prompt, completion)
        if isinstance(result, Failure):
            return result, Cost(money, prompt + completion)
        if outcome.estimated:
            result = replace(result, prompt_tokens=prompt, completion_tokens=completion)
        return result, Cost(money, prompt + completion, 1)

    def _check_failures(self, call: Call) -> None:
        answered = call.status == "answered"
        self._failures_in_a_row = 0 if answered else self._failures_in_a_row + 1
        if self._failures_in_a_row >= MAX_FAILURES:
            self._stop(f"{MAX_FAILURES} calls failed in a row, the last with '{self.last_failure}'")

    def _stop(self, reason: str) -> Exception:
        """Send no further call; return the error to raise."""
        if not self.stop_error:
            self.stop_error = self._endpoint.make_error(reason)
        return self.stop_error
