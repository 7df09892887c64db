"""How many calls are under way at once, and when the next may go."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from curator.teacher import Call
from curator.teacher.rate_limit import CUT, START, RateLimiter, retry_after
from tests.teacher.faults import Reply, Server, error
from tests.teacher.worlds import ask, records, requests, settings


async def rounds(flow: RateLimiter, count: int, *, busy: bool = False) -> None:
    """So many round trips of as many calls as may go at once."""
    for _ in range(count):
        entered = [await flow.enter(0) for _ in range(int(flow.window))]
        for when in entered:
            flow.leave(when, answered=not busy, busy=busy)


def test_calls_at_once_double_a_round_trip_until_the_first_push_back() -> None:
    async def run() -> None:
        flow = RateLimiter(1_000)
        assert flow.window == START
        await rounds(flow, 3)
        assert flow.window == START * 8
        await rounds(flow, 1, busy=True)
        assert flow.window == pytest.approx(START * 8 * CUT), "once a round trip"
        before = flow.window
        await rounds(flow, 3)
        assert before + 2 < flow.window < before + 4
        await rounds(flow, 40, busy=True)
        assert flow.window == 1

    asyncio.run(run())


def test_there_are_never_more_than_the_settings_allow() -> None:
    async def run() -> None:
        flow = RateLimiter(20)
        await rounds(flow, 10)
        assert flow.window == 20
        for _ in range(20):
            await flow.enter(0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(flow.enter(0), 0.05)

    asyncio.run(run())


def test_who_is_cancelled_in_line_or_just_let_in_keeps_nobody_out() -> None:
    async def run() -> None:
        flow = RateLimiter(1, tokens_per_minute=6_000)  # 600 at once, then 100 a second
        first = await flow.enter(300)
        waiting = [asyncio.create_task(flow.enter(300)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        flow.leave(first, answered=True)
        waiting[1].cancel()  # it was let in, and does not know it yet
        await asyncio.wait_for(waiting[2], 2)
        assert waiting[0].cancelled() and waiting[1].cancelled()
        assert flow.under_way == 1

    asyncio.run(run())


def test_an_endpoint_that_is_not_filled_does_not_raise_the_number() -> None:
    async def run() -> None:
        flow = RateLimiter(1_000)
        for _ in range(100):
            flow.leave(await flow.enter(0), answered=True)
        assert flow.window == START

    asyncio.run(run())


def test_lost_connections_do_not_bring_it_down_to_one() -> None:
    async def run() -> None:
        flow = RateLimiter(1_000)
        await rounds(flow, 2)
        for _ in range(100):
            flow.shaken(await flow.enter(0))
        assert flow.window == START
        await rounds(flow, 1, busy=True)
        flow.shaken(await flow.enter(0))
        assert flow.window < START

    asyncio.run(run())


def test_an_endpoint_that_bears_few_calls_at_once_gets_few(tmp_path: Path) -> None:
    at_once = 20
    over: list[int] = []

    def reply(body: dict[str, Any], number: int) -> Reply | None:
        over.append(server.at_once > at_once)
        return (429, {}, error("too many")) if over[-1] else None

    with Server(latency_s=0.05, reply=reply) as server:
        start = time.monotonic()
        calls, _ = ask(settings(server), tmp_path, requests(1_500))
        seconds = time.monotonic() - start
    assert all(isinstance(call, Call) and call.status == "answered" for call in calls)
    assert set(server.served.values()) == {1}
    assert sum(over) < 0.1 * len(over), f"{sum(over)} of {len(over)} were pushed back"
    assert seconds < 3 * 1_500 / at_once * 0.05


def test_a_limit_of_requests_a_minute_is_kept(tmp_path: Path) -> None:
    with Server() as server:
        start = time.monotonic()
        ask(settings(server, requests_per_minute=600), tmp_path, requests(80))
        seconds = time.monotonic() - start
    # Six seconds' worth may go at once, then ten a second.
    assert 2.0 <= seconds < 4.0
    assert len(records(tmp_path)) == 80


def test_a_limit_of_tokens_a_minute_counts_what_was_used_and_not_what_might_have_been(
    tmp_path: Path,
) -> None:
    with Server() as server:
        # 900 may go at once; each reserves some 110 and uses 18: 50 use as much.
        how = settings(server, tokens_per_minute=9_000)
        start = time.monotonic()
        ask(how, tmp_path, requests(70, '{"max_tokens":100}'))
        seconds = time.monotonic() - start
    # The 20 beyond those, 360 tokens at 150 a second, and what is reserved at the end.
    assert 2.0 <= seconds < 5.0


def test_a_call_that_needs_more_than_a_burst_of_tokens_goes_all_the_same() -> None:
    async def run() -> float:
        flow = RateLimiter(10, tokens_per_minute=600)
        start = time.monotonic()
        await flow.enter(75)
        await asyncio.wait_for(flow.enter(5), 3)
        return time.monotonic() - start

    assert 1.9 < asyncio.run(run()) < 3


def test_a_call_is_pushed_back_without_end_while_others_are_answered(tmp_path: Path) -> None:
    def reply(body: dict[str, Any], number: int) -> Reply | None:
        slow = body["messages"][-1]["content"] == "question 0" and number < 8
        return (429, {"retry-after-ms": "10"}, b"") if slow else None

    with Server(reply=reply, latency_s=0.05) as server:
        calls, _ = ask(settings(server, tries=3), tmp_path, requests(2_000))
    assert isinstance(calls[0], Call) and calls[0].status == "answered"
    assert records(tmp_path)["question 0"]["tries"] == 9


@pytest.mark.parametrize("odd", ["soon", "-5", "nan", "1e999", "", "0", "99999999999999999999:x"])
def test_a_retry_after_that_makes_no_sense_is_none(odd: str) -> None:
    assert retry_after({"retry-after": odd}) is None
    assert retry_after({"retry-after-ms": odd, "retry-after": "Wed, 99 Foo 2026"}) is None
    assert retry_after({}) is None
