"""The teacher of one build, as its stages use it: thousands of concurrent conversations, in order.

In: items and a coroutine that works on one. Out: the results, in the order of the items. A stage is
synchronous code; the event loop runs while the stage waits for the next result. Candidates are
checked in a separate thread, in batches.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, Self, TypeVar

from curator.checks import Candidate
from curator.core.errors import BudgetReached, UsageError
from curator.core.model import Verdict
from curator.core.progress import Listener, TeacherListener, TeacherProgress, track_progress
from curator.core.thoughts import Pair, rewrite_marks
from curator.core.tool_messages import TOOLS
from curator.pipeline.checker import Checker
from curator.pipeline.run_options import RunOptions
from curator.teacher import (
    Call,
    EmbeddingRequest,
    Message,
    Request,
    Sampling,
    TeacherSettings,
    parameters,
)
from curator.teacher.client import CallLedgers, Counts, Teacher
from curator.teacher.replay.server import Replay
from curator.teacher.token_count import Count, counter
from curator.writers.prompt_templates import Prompts
from datastore.store import Store

T = TypeVar("T")
R = TypeVar("R")

WINDOW = 4_096
"""Maximum number of items in progress. A slow item blocks the others only once they are this far
ahead of it."""
BATCH_WINDOW = 50_000
"""The same for a batch API, which answers nothing before a whole batch is collected."""
TICK_S = 0.5
"""Seconds between two reports of how far the teacher is."""
PROGRESS_INTERVAL = 20
"""Items between two updates of the progress bar."""
CHECK_BATCH = 256
"""Maximum number of candidates checked together."""


class TeacherSession:
    """A teacher as stages use it. The endpoint is contacted on the first request.

    `name` is the name of the recipe: spending is counted per name. Relative paths in the settings
    start at `folder`.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        settings: TeacherSettings,
        store: Store,
        checker: Checker,
        options: RunOptions,
    ) -> None:
        self.settings = settings
        self.teacher: Teacher | None = None
        self.ledger = "calls"
        """Name of the ledger and the claims of its calls."""
        self.thoughts: Sequence[Pair] = ()
        """Further marks of thoughts in its replies."""
        self._name, self._folder = name, folder
        self._store, self._listener = store, options.listener
        self._budget = options.budget
        self._checker = checker
        self._parameters = parameters(settings.parameters)
        self._open, self._working = ExitStack(), ExitStack()
        self._prompts: dict[str, Prompts] = {}
        self._runner: asyncio.Runner | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checks")
        self._queue: list[tuple[Candidate, Sequence[str], asyncio.Future[list[Verdict]]]] = []
        self._checking: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: Any) -> None:
        try:
            # A stage that fails leaves its results in the middle.
            self._working.close()
            if self._runner and self.teacher:
                self._runner.run(self.teacher.__aexit__(*raised))
                if self.counts.made or self.counts.cached:
                    self._listener.note(_summary(self.settings.role, self.counts))
        finally:
            self._thread.shutdown()
            self._open.close()

    @property
    def counts(self) -> Counts:
        """The calls that this build has made so far."""
        return self.teacher.counts if self.teacher else Counts()

    @property
    def last_failure(self) -> str:
        """The endpoint's words on the last call of this build that failed; may be empty."""
        return self.teacher.last_failure if self.teacher else ""

    @property
    def count(self) -> Count:
        """The function that counts the tokens of a text with the recipe's tokenizer."""
        name = self.settings.tokenizer
        return counter(self._folder / name if name else None)

    def prompts(self, sampling: Sampling) -> Prompts:
        """Return the prompts of a subset, read once per folder."""
        if sampling.prompts not in self._prompts:
            folder = self._folder / sampling.prompts if sampling.prompts else None
            self._prompts[sampling.prompts] = Prompts(folder)
        return self._prompts[sampling.prompts]

    def check(self, samplings: Iterable[Sampling]) -> None:
        """Read all files that the settings name, so that errors appear before any request is paid.

        Raises UsageError and RecipeError.
        """
        for sampling in samplings:
            self.prompts(sampling)
        self._find_recordings()
        if self.settings.tokenizer:
            self.count("")

    def _find_recordings(self) -> Path | None:
        """Return the path of the recorded calls; None if the recipe replays none."""
        if not self.settings.replay:
            return None
        path = self._folder / self.settings.replay
        if not path.exists():
            raise UsageError(f"There are no recorded calls at {path}. Check teacher.replay.")
        return path

    def request(self, messages: tuple[Message, ...], sample: int, tools: bool = False) -> Request:
        """Return the request with the model and the parameters of the settings.

        With `tools`, the model may call the tool `python`.
        """
        settings, values = self.settings, self._parameters
        if tools:
            values = parameters({**settings.parameters, "tools": TOOLS})
        return Request(settings.family, settings.model, messages, values, sample)

    async def get_call(
        self, messages: tuple[Message, ...], sample: int, tools: bool = False
    ) -> Call:
        """Return the call for these messages; send the request if no call is cached.

        Its text has Curator's marks of thoughts; the cached one is as the teacher wrote it.
        """
        assert self.teacher, "only work that `each` runs may make calls"
        call = await self.teacher.get_call(self.request(messages, sample, tools))
        return (
            replace(call, text=rewrite_marks(call.text, self.thoughts)) if self.thoughts else call
        )

    async def get_vector(self, text: str) -> Call:
        """Return the call for the vector of a text; send the request if no call is cached."""
        assert self.teacher, "only work that `each` runs may make calls"
        return await self.teacher.get_call(self.embedding_request(text))

    def embedding_request(self, text: str) -> EmbeddingRequest:
        """Return the request for the vector of a text."""
        return EmbeddingRequest(self.settings.family, self.settings.model, text, self._parameters)

    async def check_candidate(self, candidate: Candidate, checks: Sequence[str]) -> list[Verdict]:
        """Return the verdicts of the named checks, after running programs and grading answers."""
        future: asyncio.Future[list[Verdict]] = asyncio.get_running_loop().create_future()
        self._queue.append((candidate, checks, future))
        if self._checking is None:
            self._checking = asyncio.create_task(self._check_queue())
        return await future

    async def run_session(self, programs: Sequence[str]) -> str:
        """Return what the last one of the programs of a conversation prints."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._checker.run_session, programs)

    def each(
        self,
        items: Iterable[T],
        work: Callable[[T], Coroutine[Any, Any, R]],
        what: str,
        total: int | None,
    ) -> Iterator[R]:
        """Yield the result of `work` for each item, in order, with thousands in progress.

        The progress bar shows `what` and `total`. An exception of one item ends all; BudgetReached
        states how many items are done and how many are left.
        """
        done = 0

        async def work_and_count(item: T) -> R:
            nonlocal done
            result = await work(item)
            done += 1
            return result

        def state() -> TeacherProgress:
            counts = self.counts
            return TeacherProgress(
                what=what,
                done=done,
                total=total,
                calls=counts.made - before.made,
                seconds=time.monotonic() - started,
                in_flight=counts.in_flight,
                refused=counts.refused - before.refused,
                failed=counts.failed - before.failed,
                tokens=counts.tokens - before.tokens,
                money=counts.money - before.money,
            )

        self._start()
        before, started = self.counts, time.monotonic()
        results = self._in_order(items, work_and_count, state)
        self._working.callback(results.close)
        try:
            yield from track_progress(results, self._listener, what, total, every=PROGRESS_INTERVAL)
        except BudgetReached as reached:
            left = f" and {total - done:,} left" if total is not None else ""
            raise BudgetReached(
                f"{reached} {what}: {done:,} done{left}. All replies are cached. Rerun the command "
                "with a larger budget to resume."
            ) from None

    def _in_order(
        self,
        items: Iterable[T],
        work: Callable[[T], Coroutine[Any, Any, R]],
        state: Callable[[], TeacherProgress],
    ) -> Generator[R, None, None]:
        runner = self._start()
        ticker = runner.run(_start_ticker(self._listener, state))
        window = BATCH_WINDOW if self.settings.batch else WINDOW
        tasks: deque[asyncio.Task[R]] = deque()
        source = iter(items)
        try:
            while True:
                runner.run(_start_tasks(tasks, islice(source, window - len(tasks)), work))
                if not tasks:
                    return
                yield from runner.run(_take_results(tasks))
        except BaseException:
            # The teacher waits for calls already sent, and caches them, when it is closed.
            runner.run(_cancel(tasks))
            raise
        finally:
            ticker.cancel()

    def _start(self) -> asyncio.Runner:
        """Return the event loop; start it and the teacher first if necessary."""
        if not self._runner:
            self._runner = self._open.enter_context(asyncio.Runner())
            path = self._find_recordings()
            settings = self.settings
            if path:
                settings = settings.with_address(self._open.enter_context(Replay(path)))
            ledgers = CallLedgers(
                self._open.enter_context(self._store.ledger(self.ledger)),
                self._open.enter_context(self._store.claims(self.ledger)),
                self._open.enter_context(self._store.ledger("batches")),
            )
            self.teacher = Teacher(
                settings,
                ledgers,
                recipe=self._name,
                budget=self._budget,
                count=self.count,
                listener=self._listener,
            )
            self._runner.run(self.teacher.__aenter__())
        return self._runner

    async def _check_queue(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._queue:
                checks, group = next(groupby(self._queue[:CHECK_BATCH], key=itemgetter(1)))
                batch = list(group)
                self._queue = self._queue[len(batch) :]
                candidates = [candidate for candidate, _, _ in batch]
                try:
                    verdicts = await loop.run_in_executor(
                        self._thread, self._check_batch, candidates, checks
                    )
                except Exception as error:  # raised where these verdicts are awaited
                    _fail([future for _, _, future in batch], error)
                    continue
                for candidate, _, future in batch:
                    if not future.done():
                        future.set_result(verdicts[candidate.row_id])
        finally:
            self._checking = None

    def _check_batch(
        self, candidates: Sequence[Candidate], checks: Sequence[str]
    ) -> dict[bytes, list[Verdict]]:
        distinct = {candidate.row_id: candidate for candidate in candidates}
        verdicts: dict[bytes, list[Verdict]] = {row_id: [] for row_id in distinct}
        for verdict in self._checker.check(distinct.values(), checks):
            verdicts[verdict.row_id].append(verdict)
        return verdicts


def _summary(role: str, counts: Counts) -> str:
    cost = f", cost {counts.money:,.4f}" if counts.money else ""
    failed = f" ({counts.failed:,} failed)" if counts.failed else ""
    made = f"{counts.made:,} call{'s' * (counts.made != 1)} made{failed}"
    return f"{role}: {made}, {counts.cached:,} cached, {counts.tokens:,} tokens{cost}."


async def gather_all(work: Iterable[Coroutine[Any, Any, R]]) -> list[R]:
    """Return the results in order, all computed at the same time; an error of one ends the rest."""
    tasks = deque(asyncio.create_task(each) for each in work)
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        await _cancel(tasks)
        raise


async def _start_ticker(
    listener: Listener, state: Callable[[], TeacherProgress]
) -> "asyncio.Task[None]":
    """Return a task that reports the state now and then until it is cancelled."""

    async def tick() -> None:
        while isinstance(listener, TeacherListener):
            listener.teacher(state())
            await asyncio.sleep(TICK_S)

    return asyncio.create_task(tick())


async def _start_tasks(
    tasks: "deque[asyncio.Task[R]]",
    items: Iterable[T],
    work: Callable[[T], Coroutine[Any, Any, R]],
) -> None:
    tasks.extend(asyncio.create_task(work(item)) for item in items)


async def _take_results(tasks: "deque[asyncio.Task[R]]") -> list[R]:
    """Wait for the first task; return its result and those of the finished tasks after it."""
    results = [await tasks[0]]
    tasks.popleft()
    while tasks and tasks[0].done():
        results.append(tasks.popleft().result())
    return results


async def _cancel(tasks: "deque[asyncio.Task[R]]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _fail(futures: Sequence[asyncio.Future[Any]], error: BaseException) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
