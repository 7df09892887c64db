"""The teacher of one build, as its stages use it: thousands of conversations at once, in order.

In: items and a coroutine that works on one. Out: the results, in the order of the items. A stage is
plain code; the event loop runs while it waits for the next result. Programs and answers are judged
in a thread of their own, many at a time.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, Self, TypeVar

from curator.core.errors import BudgetReached, UsageError
from curator.core.model import Verdict
from curator.core.progress import Listener, counted
from curator.pipeline.checker import Checker, Claim
from curator.teacher import Budget, Call, Request, Sampling, TeacherSettings, parameters
from curator.teacher.client import Counts, Teacher
from curator.teacher.replay.server import Replay
from curator.teacher.token_count import Count, counter
from curator.writers.prompt_templates import Prompts
from datastore.store import Store

T = TypeVar("T")
R = TypeVar("R")

WINDOW = 4_096
"""Items under way at once; a slow one holds the others up only when it is so far behind."""
BATCH_WINDOW = 50_000
"""The same where a whole batch is collected before anything is answered."""
TELL_EVERY = 20
"""Items between two looks of the progress bar."""
AT_ONCE = 256
"""Rationales judged together at most."""


class TeacherSession:
    """A teacher as stages use it; the endpoint is reached when first asked.

    `name` is the recipe's, whose spending is counted together; paths of the settings start at
    `folder`.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        settings: TeacherSettings,
        store: Store,
        checker: Checker,
        listener: Listener,
        budget: Budget | None = None,
    ) -> None:
        self.settings = settings
        self.teacher: Teacher | None = None
        self._name, self._folder = name, folder
        self._store, self._listener = store, listener
        self._budget = budget or Budget()
        self._verifier = checker
        self._parameters = parameters(settings.parameters)
        self._open = ExitStack()
        self._prompts: dict[str, Prompts] = {}
        self._runner: asyncio.Runner | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="judge")
        self._waiting: list[tuple[Claim, Sequence[str], asyncio.Future[list[Verdict]]]] = []
        self._judging: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: Any) -> None:
        try:
            if self._runner and self.teacher:
                self._runner.run(self.teacher.__aexit__(*raised))
                if self.counts.asked or self.counts.cached:
                    self._listener.note(_told(self.counts))
        finally:
            self._thread.shutdown()
            self._open.close()

    @property
    def counts(self) -> Counts:
        """What was asked so far, by this build."""
        return self.teacher.counts if self.teacher else Counts()

    @property
    def count(self) -> Count:
        """The tokens of a text, by the recipe's tokenizer."""
        name = self.settings.tokenizer
        return counter(self._folder / name if name else None)

    def prompts(self, sampling: Sampling) -> Prompts:
        """The prompts of a subset."""
        if sampling.prompts not in self._prompts:
            folder = self._folder / sampling.prompts if sampling.prompts else None
            self._prompts[sampling.prompts] = Prompts(folder)
        return self._prompts[sampling.prompts]

    def check(self, samplings: Iterable[Sampling]) -> None:
        """Reads what the recipe names beside itself, before anything is asked or paid for."""
        for sampling in samplings:
            self.prompts(sampling)
        self._recorded()
        if self.settings.tokenizer:
            self.count("")

    def _recorded(self) -> Path | None:
        """Where the calls of a replay are; None if there is none."""
        if not self.settings.replay:
            return None
        path = self._folder / self.settings.replay
        if not path.exists():
            raise UsageError(f"No recorded calls at {path}; see teacher.replay")
        return path

    def request(self, messages: tuple[tuple[str, str], ...], sample: int) -> Request:
        """A request in the words of the recipe's teacher."""
        settings = self.settings
        return Request(settings.family, settings.model, messages, self._parameters, sample)

    async def ask(self, messages: tuple[tuple[str, str], ...], sample: int) -> Call:
        """The call of these messages, asked if it is not known."""
        assert self.teacher, "items are worked on by `each`"
        return await self.teacher.ask(self.request(messages, sample))

    async def judge(self, claim: Claim, checks: Sequence[str]) -> list[Verdict]:
        """What the checks find, programs run and answers graded."""
        future: asyncio.Future[list[Verdict]] = asyncio.get_running_loop().create_future()
        self._waiting.append((claim, checks, future))
        if self._judging is None:
            self._judging = asyncio.create_task(self._judge())
        return await future

    def each(
        self,
        items: Iterable[T],
        work: Callable[[T], Coroutine[Any, Any, R]],
        what: str,
        total: int | None,
    ) -> Iterator[R]:
        """`work` of each item, in order; lazily, thousands under way.

        `what` and `total` are told to people. What stops one item stops all; a BudgetReached says
        how many are done and left.
        """
        done = 0

        async def counting(item: T) -> R:
            nonlocal done
            result = await work(item)
            done += 1
            return result

        try:
            found = self._in_order(items, counting)
            yield from counted(found, self._listener, what, total, every=TELL_EVERY)
        except BudgetReached as reached:
            left = f" and {total - done:,} left" if total is not None else ""
            raise BudgetReached(
                f"{reached} {what}: {done:,} done{left}; all answers are kept. Go on with a larger "
                "budget by the same command"
            ) from None

    def _in_order(
        self, items: Iterable[T], work: Callable[[T], Coroutine[Any, Any, R]]
    ) -> Iterator[R]:
        runner = self._start()
        window = BATCH_WINDOW if self.settings.batch else WINDOW
        under_way: deque[asyncio.Task[R]] = deque()
        source = iter(items)
        try:
            while True:
                runner.run(_begin(under_way, islice(source, window - len(under_way)), work))
                if not under_way:
                    return
                yield from runner.run(_ended(under_way))
        except BaseException:
            # Calls that were sent are waited for, and kept, when the teacher is closed.
            runner.run(_cancel(under_way))
            raise

    def _start(self) -> asyncio.Runner:
        """The event loop, with the teacher in it."""
        if not self._runner:
            self._runner = self._open.enter_context(asyncio.Runner())
            path = self._recorded()
            address = self._open.enter_context(Replay(path)) if path else ""
            self.teacher = Teacher(
                self.settings,
                self._open.enter_context(self._store.ledger("calls")),
                claims=self._open.enter_context(self._store.claims("calls")),
                batches=self._open.enter_context(self._store.ledger("batches")),
                recipe=self._name,
                budget=self._budget,
                base_url=address,
                count=self.count,
                listener=self._listener,
            )
            self._runner.run(self.teacher.__aenter__())
        return self._runner

    async def _judge(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                checks = self._waiting[0][1]
                some = [each for each in self._waiting[:AT_ONCE] if each[1] == checks]
                self._waiting = self._waiting[len(some) :]
                claims = [claim for claim, _, _ in some]
                try:
                    found = await loop.run_in_executor(self._thread, self._judged, claims, checks)
                except Exception as error:  # raised to whoever waits for these verdicts
                    _fail([future for _, _, future in some], error)
                    continue
                for claim, _, future in some:
                    if not future.done():
                        future.set_result(found[claim.row_id])
        finally:
            self._judging = None

    def _judged(self, claims: Sequence[Claim], checks: Sequence[str]) -> dict[bytes, list[Verdict]]:
        found: dict[bytes, list[Verdict]] = {claim.row_id: [] for claim in claims}
        once = {claim.row_id: claim for claim in claims}
        for verdict in self._verifier.judge(once.values(), checks):
            found[verdict.row_id].append(verdict)
        return found


def _told(counts: Counts) -> str:
    cost = f", cost {counts.money:,.4f}" if counts.money else ""
    failed = f", {counts.failed:,} of them failed" if counts.failed else ""
    return (
        f"Teacher: {counts.asked:,} calls asked{failed}, {counts.cached:,} known already, "
        f"{counts.tokens:,} tokens{cost}."
    )


async def _begin(
    under_way: "deque[asyncio.Task[R]]",
    items: Iterable[T],
    work: Callable[[T], Coroutine[Any, Any, R]],
) -> None:
    under_way.extend(asyncio.create_task(work(item)) for item in items)


async def _ended(under_way: "deque[asyncio.Task[R]]") -> list[R]:
    """The results of the first item and of those after it that have ended, too."""
    results = [await under_way[0]]
    under_way.popleft()
    while under_way and under_way[0].done():
        results.append(under_way.popleft().result())
    return results


async def _cancel(under_way: "deque[asyncio.Task[R]]") -> None:
    for task in under_way:
        task.cancel()
    await asyncio.gather(*under_way, return_exceptions=True)


def _fail(futures: Sequence[asyncio.Future[Any]], error: BaseException) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
