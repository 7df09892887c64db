"""The teacher: returns cached calls, sends the missing requests, and loses no reply that was paid.

In: Requests, thousands at once. Out: Calls, from the ledger if it has them, otherwise made under
flow control and budgets and stored durably before they are returned. A call that fails temporarily
is retried; after the last attempt it is recorded as failed, with its reason.
"""

import asyncio
import random
import time
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from curator.core.progress import Listener, SilentListener
from curator.core.words import counted
from curator.teacher.batch.client import Batches
from curator.teacher.budget import UNLIMITED, BudgetLedger, Cost
from curator.teacher.call import AnyRequest, Call
from curator.teacher.call_record import Tries, make_record, read_call, read_cost
from curator.teacher.call_store import CallStore
from curator.teacher.config import Budget, TeacherSettings
from curator.teacher.dispatch import Dispatcher
from curator.teacher.endpoint import Endpoint
from curator.teacher.token_count import Count
from datastore.claims import Claims
from datastore.errors import StoreError
from datastore.ledger import Ledger

MAX_POLL_S = 0.5
"""Maximum seconds between two checks of a request that another process is sending."""


@dataclass(slots=True)
class Counts:
    """What a teacher has done so far."""

    cached: int = 0
    """Requests whose call was in the ledger or was made by another process in the meantime."""
    made: int = 0
    """Calls made by this process: answered or failed."""
    answered: int = 0
    failed: int = 0
    retried: int = 0
    """Attempts beyond the first one per call."""
    refused: int = 0
    """Attempts that met a rate limit."""
    in_flight: int = 0
    """Attempts that wait for a reply now."""
    money: float = 0.0
    tokens: int = 0
    cut_off: int = 0
    """Calls that a kill interrupted in an earlier run; they may have been paid for."""


@dataclass(frozen=True, slots=True)
class CallLedgers:
    """The ledgers of a store that a teacher uses."""

    calls: Ledger
    claims: Claims
    batches: Ledger | None = None
    """Required if the settings use `batch`."""


class Teacher:
    """The endpoint of `settings` with a cache of calls; an async context for one event loop.

    `budget` is that of this command; `settings.budget` covers all calls that `recipe` ever made in
    these ledgers. `count` counts tokens in advance. When the context ends, single calls in flight
    are awaited and stored; requests not yet sent are dropped. A batch continues at the provider,
    and the next run finds it.
    """

    def __init__(
        self,
        settings: TeacherSettings,
        ledgers: CallLedgers,
        *,
        recipe: str = "",
        budget: Budget = UNLIMITED,
        count: Count | None = None,
        listener: Listener | None = None,
    ) -> None:
        self._recipe, self._claims = recipe, ledgers.claims
        self._store = CallStore(ledgers.calls)
        self._listener = listener or SilentListener()
        spent_before = Cost()
        if settings.budget != UNLIMITED:
            spent_before = sum_costs(ledgers.calls, recipe)
        self._budgets = BudgetLedger(settings.budget, spent_before, budget)
        self._endpoint = Endpoint(settings, self._listener)
        self._batches = None
        if settings.batch:
            assert ledgers.batches is not None, "required by settings that use batches"
            self._batches = Batches(self._endpoint, self._store, ledgers.batches, self._listener)
        self._dispatcher = Dispatcher(
            self._endpoint,
            self._budgets,
            count,
            self._listener,
            self._record_start,
            self._batches,
        )
        self._counts = Counts()
        self._started = time.time()
        self._tasks: dict[bytes, asyncio.Task[Call]] = {}

    @property
    def counts(self) -> Counts:
        """What this teacher has done so far."""
        spent, dispatcher = self._budgets.spent, self._dispatcher
        return replace(
            self._counts,
            retried=dispatcher.retried,
            refused=dispatcher.refused,
            in_flight=dispatcher.in_flight,
            money=spent.money,
            tokens=spent.tokens,
        )

    @property
    def last_failure(self) -> str:
        """The endpoint's words on the last call that failed; empty if none failed."""
        return self._dispatcher.last_failure

    async def __aenter__(self) -> Self:
        await self._report_cut_off()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._dispatcher.closing = True
        in_flight = set(self._tasks.values()) & self._dispatcher.sent
        for task in set(self._tasks.values()) - in_flight:
            task.cancel()
        if in_flight:
            self._listener.note(f"Waiting for {counted(len(in_flight), 'call')} in flight.")
        try:
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            if self._batches:
                await self._batches.close()
        finally:  # also if the wait is cancelled
            await self._store.close()
            await self._endpoint.close()

    async def get_call(self, request: AnyRequest) -> Call:
        """Return the call of the request, which is stored durably by then.

        Raises BudgetReached before a call that might exceed a budget, and TeacherError if no retry
        and no other call can succeed: an invalid key, an unknown model, no server. If the caller is
        cancelled, a call in flight is still stored.
        """
        if not (task := self._tasks.get(request.key)):
            task = asyncio.create_task(self._call(request))
            self._tasks[request.key] = task
            task.add_done_callback(lambda done: self._remove_task(request.key, done))
        return await asyncio.shield(task)

    def _remove_task(self, key: bytes, task: asyncio.Task[Call]) -> None:
        del self._tasks[key]
        self._dispatcher.sent.discard(task)
        if not task.cancelled():
            task.exception()  # marks it as retrieved, in case no caller waits any more

    async def _call(self, request: AnyRequest) -> Call:
        await self._claim(request.key)
        try:
            old = await self._store.get(request.key)
            # A failure of an earlier run is retried, one of this run is not.
            if old and (old["call"]["final"] or old["time"] >= self._started):
                self._counts.cached += 1
                return read_call(old)
            outcome = await self._dispatcher.dispatch(request)
            assert outcome.call
            record = make_record(
                request,
                outcome.call,
                Tries(
                    response=outcome.body,
                    cost=outcome.cost + (read_cost(old) if old else Cost()),
                    estimated=outcome.estimated,
                    count=outcome.tries,
                    seconds=outcome.seconds,
                ),
                recipe=self._recipe,
                when=time.time(),
            )
            try:
                await self._store.put(request.key, record)
            except StoreError as error:
                # Send nothing more: its reply would be paid for and lost.
                self._dispatcher.stop_error = self._dispatcher.stop_error or error
                raise
        finally:
            self._claims.release(request.key)
        answered = outcome.call.status == "answered"
        self._counts.made += 1
        self._counts.answered += answered
        self._counts.failed += not answered
        return outcome.call

    async def _claim(self, key: bytes) -> None:
        """Wait while another process sends the same request."""
        wait_s = 0.02
        while not self._claims.acquire(key):
            await asyncio.sleep(wait_s * random.uniform(1.0, 1.5))
            wait_s = min(MAX_POLL_S, wait_s * 1.5)

    def _record_start(self, request: AnyRequest, max_cost: Cost) -> None:
        self._claims.log_start(request.key, f"{time.time():.3f} {max_cost.money:.6f}")

    async def _report_cut_off(self) -> None:
        """Report calls that a kill interrupted: sent, and without a record since."""
        sent: dict[bytes, tuple[float, float]] = {}
        for key, note in self._claims.read_interrupted():
            when, money = map(float, note.split())
            sent[key] = (when, money)
        records = await asyncio.gather(*(self._store.get(key) for key in sent))
        lost = [
            money
            for (when, money), record in zip(sent.values(), records, strict=True)
            if not record or record["time"] < when
        ]
        if lost:
            maximum = f" (maximum cost: {sum(lost):,.4f})" if sum(lost) else ""
            self._listener.note(
                f"A kill interrupted {counted(len(lost), 'call')} that may have been paid "
                f"for{maximum}."
            )
            self._counts.cut_off = len(lost)
        self._claims.clear_interrupted()


def sum_costs(calls: Ledger, recipe: str) -> Cost:
    """Return the cost of all calls in the ledger that a recipe made."""
    total = Cost()
    for _, record in calls.records():
        if record["recipe"] == recipe:
            total += read_cost(record)
    return total
