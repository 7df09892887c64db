"""The teacher: asks each request at most once, and nothing that was paid for is lost.

In: Requests, thousands at once. Out: Calls, from the ledger where it knows them, else asked under
flow control and budgets, and durable before anybody sees them. A call that fails for a while is
tried again alone; then it is kept as failed, with its reason.
"""

import asyncio
import random
import time
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from curator.core.progress import Listener, SilentListener
from curator.teacher.batch.client import Batches
from curator.teacher.budget import UNBOUNDED, BudgetLedger, Spent
from curator.teacher.call import Call, Request
from curator.teacher.call_record import Tries, call_of, record_of, spent_of
from curator.teacher.call_store import CallStore
from curator.teacher.config import Budget, TeacherSettings
from curator.teacher.dispatch import Dispatcher
from curator.teacher.endpoint import Endpoint
from curator.teacher.token_count import Count
from datastore.claims import Claims
from datastore.errors import StoreError
from datastore.ledger import Ledger

LONGEST_POLL_S = 0.5
"""Seconds between looks at a request that another process asks."""


@dataclass(slots=True)
class Counts:
    """What a teacher has done so far."""

    cached: int = 0
    """Requests whose call the ledger knew, or another process made meanwhile."""
    asked: int = 0
    """Requests that were asked to their end: answered or failed."""
    answered: int = 0
    failed: int = 0
    retried: int = 0
    """Tries beyond the first of each."""
    money: float = 0.0
    tokens: int = 0
    cut_off: int = 0
    """Calls that a kill cut off in an earlier run; they may have been paid for."""


@dataclass(frozen=True, slots=True)
class CallLedgers:
    """The ledgers of a store that a teacher works with."""

    calls: Ledger
    claims: Claims
    batches: Ledger | None = None
    """Needed where the settings say `batch`."""


class Teacher:
    """Asks the endpoint of `settings`; use as an async context, in one event loop.

    `budget` is of this command and `settings.budget` of all calls that `recipe` ever made in this
    ledger. `count` counts tokens beforehand. When the context ends, single calls that were sent are
    waited for and kept; those not sent are dropped. A batch goes on, and the next run finds it.
    """

    def __init__(
        self,
        settings: TeacherSettings,
        ledgers: CallLedgers,
        *,
        recipe: str = "",
        budget: Budget = UNBOUNDED,
        count: Count | None = None,
        listener: Listener | None = None,
    ) -> None:
        self._recipe, self._claims = recipe, ledgers.claims
        self._keeping = CallStore(ledgers.calls)
        self._listener = listener or SilentListener()
        bounded = settings.budget != UNBOUNDED
        before = spent_by(ledgers.calls, recipe) if bounded else Spent()
        self._purse = BudgetLedger(settings.budget, before, budget)
        self._endpoint = Endpoint(settings)
        self._batches = None
        if settings.batch:
            assert ledgers.batches is not None, "needed by settings that say batch"
            self._batches = Batches(self._endpoint, self._keeping, ledgers.batches, self._listener)
        self._asker = Dispatcher(
            self._endpoint, self._purse, count, self._listener, self._begin, self._batches
        )
        self._counts = Counts()
        self._began = time.time()
        self._tasks: dict[bytes, asyncio.Task[Call]] = {}

    @property
    def counts(self) -> Counts:
        """What was done so far."""
        spent = self._purse.spent
        retried = self._asker.retried
        return replace(self._counts, retried=retried, money=spent.money, tokens=spent.tokens)

    async def __aenter__(self) -> Self:
        await self._tell_cut_off()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._asker.closing = True
        under_way = set(self._tasks.values()) & self._asker.sent
        for task in set(self._tasks.values()) - under_way:
            task.cancel()
        if under_way:
            self._listener.note(f"waiting for {len(under_way):,} calls that are under way")
        try:
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            if self._batches:
                await self._batches.close()
        finally:  # also if we are not to wait any longer
            await self._keeping.close()
            await self._endpoint.close()

    async def ask(self, request: Request) -> Call:
        """The call of the request, which is durable by now.

        Raises BudgetReached before a call that might break a budget, and TeacherError where no
        retry and no other call would help: a refused key, an unknown model, nothing that listens.
        If the caller is cancelled, a call that was sent is still kept.
        """
        if not (task := self._tasks.get(request.key)):
            task = asyncio.create_task(self._call(request))
            self._tasks[request.key] = task
            task.add_done_callback(lambda done: self._over(request.key, done))
        return await asyncio.shield(task)

    def _over(self, key: bytes, task: asyncio.Task[Call]) -> None:
        del self._tasks[key]
        self._asker.sent.discard(task)
        if not task.cancelled():
            task.exception()  # raised to whoever asked; if nobody waits any more, to nobody

    async def _call(self, request: Request) -> Call:
        await self._claim(request.key)
        try:
            old = await self._keeping.get(request.key)
            # What failed in an earlier run is asked again; what failed in this one is left.
            if old and (old["call"]["final"] or old["time"] >= self._began):
                self._counts.cached += 1
                return call_of(old)
            asked = await self._asker.ask(request)
            assert asked.call
            record = record_of(
                request,
                asked.call,
                Tries(
                    response=asked.body,
                    spent=asked.spent + (spent_of(old) if old else Spent()),
                    estimated=asked.estimated,
                    count=asked.tries,
                    seconds=asked.seconds,
                ),
                recipe=self._recipe,
                when=time.time(),
            )
            try:
                await self._keeping.put(request.key, record)
            except StoreError as error:
                # What cannot be kept must not be paid for: nothing more is sent.
                self._asker.stopped = self._asker.stopped or error
                raise
        finally:
            self._claims.release(request.key)
        answered = asked.call.status == "answered"
        self._counts.asked += 1
        self._counts.answered += answered
        self._counts.failed += not answered
        return asked.call

    async def _claim(self, key: bytes) -> None:
        """Waits while another process asks the same."""
        wait = 0.02
        while not self._claims.acquire(key):
            await asyncio.sleep(wait * random.uniform(1.0, 1.5))
            wait = min(LONGEST_POLL_S, wait * 1.5)

    def _begin(self, request: Request, most: Spent) -> None:
        self._claims.log_start(request.key, f"{time.time():.3f} {most.money:.6f}")

    async def _tell_cut_off(self) -> None:
        """Tells of calls that a kill cut off: sent, and with no record since."""
        sent: dict[bytes, tuple[float, float]] = {}
        for key, note in self._claims.read_interrupted():
            when, money = map(float, note.split())
            sent[key] = (when, money)
        records = await asyncio.gather(*(self._keeping.get(key) for key in sent))
        lost = [
            money
            for (when, money), record in zip(sent.values(), records, strict=True)
            if not record or record["time"] < when
        ]
        if lost:
            worth = f", {sum(lost):,.4f} at most" if sum(lost) else ""
            self._listener.note(
                f"{len(lost):,} calls were cut off by a kill and may have been paid for{worth}"
            )
            self._counts.cut_off = len(lost)
        self._claims.clear_interrupted()


def spent_by(calls: Ledger, recipe: str) -> Spent:
    """What all calls that a recipe made in a ledger cost."""
    total = Spent()
    for _, record in calls.records():
        if record["recipe"] == recipe:
            total += spent_of(record)
    return total
