"""How many calls are in flight, and when the next one may start."""

import asyncio
import contextlib
import selectors
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest

from curator.teacher import Call, rate_limit
from curator.teacher.rate_limit import INITIAL_WINDOW, SHRINK_FACTOR, RateLimiter, parse_retry_after
from tests.teacher.faults import Reply, Server, error
from tests.teacher.helpers import ask, records, requests, settings


async def rounds(limiter: RateLimiter, count: int, *, overloaded: bool = False) -> None:
    """Run `count` round trips, each with as many calls as the window allows."""
    for _ in range(count):
        entered = [await limiter.enter(0) for _ in range(int(limiter.window))]
        for when in entered:
            limiter.leave(when, answered=not overloaded, overloaded=overloaded)


def test_the_window_doubles_per_round_trip_until_the_first_overload() -> None:
    async def run() -> None:
        limiter = RateLimiter(1_000)
        assert limiter.window == INITIAL_WINDOW
        await rounds(limiter, 3)
        assert limiter.window == INITIAL_WINDOW * 8
        await rounds(limiter, 1, overloaded=True)
        assert limiter.window == pytest.approx(INITIAL_WINDOW * 8 * SHRINK_FACTOR), (
            "once per round trip"
        )
        before = limiter.window
        await rounds(limiter, 3)
        assert before + 2 < limiter.window < before + 4
        await rounds(limiter, 40, overloaded=True)
        assert limiter.window == 1

    asyncio.run(run())


def test_calls_in_flight_never_exceed_the_setting() -> None:
    async def run() -> None:
        limiter = RateLimiter(20)
        await rounds(limiter, 10)
        assert limiter.window == 20
        for _ in range(20):
            await limiter.enter(0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(limiter.enter(0), 0.05)

    asyncio.run(run())


def test_a_cancelled_caller_blocks_no_other_before_or_after_admission() -> None:
    async def run() -> None:
        limiter = RateLimiter(1, tokens_per_minute=6_000)  # 600 at once, then 100 per second
        first = await limiter.enter(300)
        waiting = [asyncio.create_task(limiter.enter(300)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        limiter.leave(first, answered=True)
        waiting[1].cancel()  # it is admitted, but has not resumed yet
        await waiting[2]
        assert waiting[0].cancelled() and waiting[1].cancelled()
        assert limiter.in_flight == 1

    asyncio.run(run())


def test_the_window_does_not_grow_while_it_is_not_full() -> None:
    async def run() -> None:
        limiter = RateLimiter(1_000)
        for _ in range(100):
            limiter.leave(await limiter.enter(0), answered=True)
        assert limiter.window == INITIAL_WINDOW

    asyncio.run(run())


def test_lost_connections_do_not_shrink_the_window_to_one() -> None:
    async def run() -> None:
        limiter = RateLimiter(1_000)
        await rounds(limiter, 2)
        for _ in range(100):
            limiter.leave_broken(await limiter.enter(0))
        assert limiter.window == INITIAL_WINDOW
        await rounds(limiter, 1, overloaded=True)
        limiter.leave_broken(await limiter.enter(0))
        assert limiter.window < INITIAL_WINDOW

    asyncio.run(run())


def test_an_endpoint_with_little_capacity_gets_few_concurrent_calls(tmp_path: Path) -> None:
    capacity = 20
    in_progress: list[int] = []

    def reply(body: dict[str, Any], number: int) -> Reply | None:
        in_progress.append(server.in_progress)
        return (429, {}, error("too many")) if in_progress[-1] > capacity else None

    with Server(latency_s=0.05, reply=reply) as server:
        calls, _ = ask(settings(server), tmp_path, requests(800))
    overloaded = sum(each > capacity for each in in_progress)
    used = sum(each > capacity / 2 for each in in_progress)
    assert all(isinstance(call, Call) and call.status == "answered" for call in calls)
    assert set(server.served.values()) == {1}
    assert overloaded < 0.25 * len(in_progress), f"{overloaded} of {len(in_progress)}"
    assert used > 0.1 * len(in_progress), f"{used} of {len(in_progress)} use half the capacity"


class Clock:
    """A clock that moves on when an event loop would wait."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine that opens no files, in the time of this clock."""
        clock = self

        class Selector(selectors.DefaultSelector):
            def select(self, timeout: float | None = None) -> Any:
                clock.now += timeout or 1e-6
                return super().select(0)

        loop = asyncio.SelectorEventLoop(Selector())
        loop.time = self.monotonic  # type: ignore[method-assign]
        with contextlib.closing(loop):
            return loop.run_until_complete(coroutine)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(rate_limit, "time", clock)
    return clock


def admissions(clock: Clock, limiter: RateLimiter, amounts: Sequence[int]) -> list[float]:
    """Seconds until each call with these tokens may start."""

    async def run() -> list[float]:
        return [await limiter.enter(tokens) - start for tokens in amounts]

    start = clock.now
    found: list[float] = clock.run(run())
    return found


def test_a_burst_starts_at_once_and_then_the_rate_of_the_limit_holds(clock: Clock) -> None:
    limiter = RateLimiter(1_000, requests_per_minute=600)
    limiter.window = 1_000
    seconds = admissions(clock, limiter, [0] * 80)
    # Six seconds' worth may start at once, then ten per second.
    assert seconds[:60] == pytest.approx([0.0] * 60, abs=0.001)
    assert seconds[60:] == pytest.approx([(n + 1) / 10 for n in range(20)], abs=0.001)


def test_a_call_with_more_tokens_than_a_burst_is_sent_all_the_same(clock: Clock) -> None:
    # A burst is 60 tokens; the 15 beyond it are paid back before the next call.
    seconds = admissions(clock, RateLimiter(10, tokens_per_minute=600), [75, 5, 5])
    assert seconds == pytest.approx([0.0, 2.0, 2.5], abs=0.001)


def test_a_limit_of_requests_per_minute_holds(tmp_path: Path) -> None:
    arrivals: list[float] = []

    def reply(body: dict[str, Any], number: int) -> None:
        arrivals.append(time.monotonic())

    with Server(reply=reply) as server:
        start = time.monotonic()
        ask(settings(server, requests_per_minute=600), tmp_path, requests(68))
    assert len(arrivals) == 68 == len(records(tmp_path))
    assert all(at - start >= (n - 59) / 10 - 0.01 for n, at in enumerate(arrivals))


def test_a_limit_of_tokens_per_minute_counts_used_and_not_reserved_tokens(
    tmp_path: Path,
) -> None:
    with Server() as server:
        # 900 tokens may be used at once. Each call reserves about 110 and uses 18, so these are
        # 50 calls. The other 20 calls use 360 tokens at 150 per second; the last ones reserve more.
        limited = settings(server, tokens_per_minute=9_000)
        start = time.monotonic()
        ask(limited, tmp_path, requests(70, '{"max_tokens":100}'))
        seconds = time.monotonic() - start
    assert seconds >= 2.0


def test_tokens_that_were_reserved_and_not_used_are_returned(clock: Clock) -> None:
    limiter = RateLimiter(10, tokens_per_minute=600)
    assert admissions(clock, limiter, [60]) == pytest.approx([0.0], abs=0.001)
    limiter.settle(60, 20)
    assert admissions(clock, limiter, [40, 10]) == pytest.approx([0.0, 1.0], abs=0.001)


def test_rate_limits_are_no_attempts_while_other_calls_are_answered(
    tmp_path: Path,
) -> None:
    def reply(body: dict[str, Any], number: int) -> Reply | None:
        limited = body["messages"][-1]["content"] == "question 0" and number < 8
        return (429, {"retry-after-ms": "10"}, b"") if limited else None

    with Server(reply=reply, latency_s=0.02) as server:
        calls, _ = ask(settings(server, tries=3), tmp_path, requests(400))
    assert isinstance(calls[0], Call) and calls[0].status == "answered"
    assert records(tmp_path)["question 0"]["tries"] == 9


@pytest.mark.parametrize("value", ["soon", "-5", "nan", "1e999", "", "0", "99999999999999999999:x"])
def test_an_invalid_retry_after_is_ignored(value: str) -> None:
    assert parse_retry_after({"retry-after": value}) is None
    assert parse_retry_after({"retry-after-ms": value, "retry-after": "Wed, 99 Foo 2026"}) is None
    assert parse_retry_after({}) is None
