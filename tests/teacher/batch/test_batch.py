"""Batches of a provider: sent once and found again after a kill, in spite of faults."""

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest

from curator.core.errors import BudgetReached, TeacherError
from curator.teacher import Budget, Call, Prices, Request, TeacherSettings
from curator.teacher.batch import client as module
from curator.teacher.batch import files
from curator.teacher.batch.client import Batches
from curator.teacher.call_store import CallStore
from curator.teacher.client import CallLedgers, Counts, Teacher
from curator.teacher.endpoint import Endpoint
from datastore.claims import Claims
from datastore.ledger import Ledger
from tests.processes import start_fresh, wait_until
from tests.teacher.batch.batch_sender import send_in_batches
from tests.teacher.batch.batch_server import KEY, BatchServer, Lines, answer, completed, error
from tests.teacher.helpers import Notes, records, requests, stored


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.05)
    monkeypatch.setattr(module, "MIN_POLL_S", 0.02)
    monkeypatch.setattr(module, "MAX_POLL_S", 0.05)
    monkeypatch.setenv("BATCH_KEY", KEY)


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with BatchServer() as started:
        yield started


def settings(server: BatchServer, **more: Any) -> TeacherSettings:
    defaults = {"model": "m", "base_url": server.url, "key_env": "BATCH_KEY", "batch": True}
    return TeacherSettings(**{**defaults, **more})


def ask(
    server: BatchServer,
    store: Path,
    to_send: Sequence[Request],
    listener: Notes | None = None,
    **more: Any,
) -> tuple[list[Call], Counts]:
    """The calls of a separate run."""

    async def run() -> tuple[list[Call], Counts]:
        async with Teacher(
            settings(server, **more),
            CallLedgers(calls, claims, batches),
            listener=listener,
            recipe="r",
        ) as teacher:
            return list(await asyncio.gather(*map(teacher.get_call, to_send))), teacher.counts

    with (
        Ledger(store / "calls") as calls,
        Ledger(store / "batches") as batches,
        Claims(store / "claims") as claims,
    ):
        return asyncio.run(run())


async def gather(tasks: Sequence[asyncio.Task[Call]]) -> list[Call | BaseException]:
    return await asyncio.gather(*tasks, return_exceptions=True)


def expected_texts(to_send: Sequence[Request]) -> list[str]:
    return [f"answer to {request.messages[-1][1]}" for request in to_send]


def test_many_requests_become_one_batch_and_each_gets_its_reply(
    server: BatchServer, tmp_path: Path
) -> None:
    to_send = requests(300)
    prices = Prices(input=1_000_000, output=2_000_000)
    calls, counts = ask(server, tmp_path, to_send, prices=prices)
    assert [call.text for call in calls] == expected_texts(to_send)
    assert len(server.batches) == 1
    assert (counts.answered, counts.failed, counts.money) == (300, 0, 300 * (11 + 2 * 5))
    assert server.keys == {f"Bearer {KEY}"}
    again, counted = ask(server, tmp_path, to_send)
    assert (again, counted.cached) == (calls, 300)
    assert len(server.batches) == 1


def test_the_record_of_a_batch_is_that_of_a_single_call(
    server: BatchServer, tmp_path: Path
) -> None:
    (request,) = requests(1, '{"temperature":0.5}')
    ask(server, tmp_path, [request])
    (record,) = records(tmp_path).values()
    line = {"custom_id": request.key.hex(), "body": request.body()}
    assert record["response"] == answer(line)["response"]["body"]
    assert record["request"]["parameters"] == request.parameters
    assert record["call"]["fingerprint"] == "fp_batch"
    assert (record["tokens"], record["estimated"], record["tries"]) == (16, False, 1)
    uploaded = server.files["file-0"]
    assert uploaded == files.format_line(request)


def test_samples_of_one_content_are_separate_requests(server: BatchServer, tmp_path: Path) -> None:
    to_send = [Request("f", "m", (("user", "q"),), "{}", sample) for sample in range(5)]
    calls, _ = ask(server, tmp_path, to_send)
    assert [call.text for call in calls] == ["answer to q"] * 5
    assert len(server.accepted) == 5


@pytest.mark.parametrize(
    ("limit", "value", "batches"), [("MAX_REQUESTS", 10, 3), ("MAX_BYTES", 2_000, 2)]
)
def test_requests_beyond_the_limits_of_a_batch_become_several(
    server: BatchServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    value: int,
    batches: int,
) -> None:
    monkeypatch.setattr(files, limit, value)
    to_send = requests(25)
    calls, _ = ask(server, tmp_path, to_send)
    assert [call.text for call in calls] == expected_texts(to_send)
    sizes = [
        (data.count(b"\n"), len(data)) for name, data in server.files.items() if "file-" in name
    ]
    assert len(server.batches) >= batches
    assert sum(count for count, _ in sizes) == 25
    assert all(count <= 10 or size <= 2_000 for count, size in sizes)


def test_each_model_has_a_separate_batch(server: BatchServer, tmp_path: Path) -> None:
    to_send = [Request("f", model, (("user", f"{n}"),)) for n in range(5) for model in ("a", "b")]
    calls, _ = ask(server, tmp_path, to_send)
    assert [call.text for call in calls] == expected_texts(to_send)
    assert len(server.batches) == 2


def mixed_results(lines: Lines) -> dict[str, Any]:
    """Results of 9 lines: a final error, a temporary one, an error of the batch, no result, an
    invalid line, an error and a reply, two replies, an unknown id, a reply."""
    stranger = {**answer(lines[0]), "custom_id": "ab" * 16}
    return {
        "status": "completed",
        "output": [
            stranger,
            answer(lines[8]),
            answer(lines[5]),
            answer(lines[6]),
            answer({**lines[6], "body": {**lines[6]["body"], "messages": [{"content": "no"}]}}),
            '{"custom_id": "' + lines[4]["custom_id"] + '", "response": {"status',
            "[" * 50_000,
            {**stranger, "custom_id": "../../etc"},
            {"custom_id": 3},
            {**answer(lines[7]), "response": None},
        ],
        "error": [
            error(lines[0], "invalid_value", 400),
            error(lines[1], "rate_limit_exceeded", 429),
            error(lines[2], "server_error"),
            error(lines[5], "server_error", 500),
        ],
    }


def test_temporary_failures_in_a_batch_are_retried_and_nothing_else(
    server: BatchServer, tmp_path: Path
) -> None:
    server.endings = [mixed_results]
    to_send, notes = requests(9), Notes()
    calls, counts = ask(server, tmp_path, to_send, notes)
    assert calls[0].status == "failed"
    assert calls[0].final
    assert [call.text for call in calls[1:]] == expected_texts(to_send)[1:]
    assert (counts.answered, counts.failed) == (8, 1)
    times = [server.accepted[request.key.hex()] for request in to_send]
    assert times == [1, 2, 2, 2, 2, 1, 1, 2, 1]
    assert any("4 of 10 lines of batch batch_0 are invalid" in text for text in notes.texts)
    assert KEY.encode() not in stored(tmp_path)


def test_requests_that_an_expired_batch_left_open_are_sent_again(
    server: BatchServer, tmp_path: Path
) -> None:
    server.endings = [
        lambda lines: {
            "status": "expired",
            "output": [answer(line) for line in lines[:30]],
            "error": [error(line, "batch_expired") for line in lines[30:80]],
        }
    ]
    to_send = requests(100)
    calls, _ = ask(server, tmp_path, to_send)
    assert [call.text for call in calls] == expected_texts(to_send)
    assert sorted(server.accepted.values()) == [1] * 30 + [2] * 70


def test_a_request_that_the_provider_rejects_does_not_block_the_others(
    server: BatchServer, tmp_path: Path
) -> None:
    refusal = {"code": "invalid_json", "message": "bad", "line": 3, "param": None}
    absurd = {**refusal, "line": 99}
    server.endings = [lambda _: {"status": "failed", "errors": [refusal, absurd]}]
    to_send = requests(6)
    calls, _ = ask(server, tmp_path, to_send)
    refused = next(n for n, call in enumerate(calls) if call.status == "failed")
    assert calls[refused].final
    assert server.files["file-0"].splitlines()[2] in files.format_line(to_send[refused])
    assert [c.text for n, c in enumerate(calls) if n != refused] == [
        text for n, text in enumerate(expected_texts(to_send)) if n != refused
    ]


def test_a_batch_that_is_rejected_as_a_whole_stops_the_run_with_the_reason(
    server: BatchServer, tmp_path: Path
) -> None:
    full = {
        "code": "token_limit_exceeded",
        "message": f"Enqueued token limit for Bearer {KEY}",
        "line": None,
        "param": None,
    }
    server.endings = [lambda _: {"status": "failed", "errors": [full]}]
    with pytest.raises(TeacherError, match="its batch was refused: token_limit_exceeded") as raised:
        ask(server, tmp_path, requests(3))
    assert KEY not in str(raised.value)
    assert "\n" not in str(raised.value)
    calls, _ = ask(server, tmp_path, requests(3))
    assert [call.text for call in calls] == expected_texts(requests(3)), "submitted again"


def test_a_batch_cancelled_at_the_provider_keeps_its_replies_and_is_not_resubmitted_by_itself(
    server: BatchServer, tmp_path: Path
) -> None:
    server.endings = [
        lambda lines: {"status": "cancelled", "output": [answer(line) for line in lines[:4]]}
    ]
    with pytest.raises(TeacherError, match="its batch was cancelled: batch batch_0"):
        ask(server, tmp_path, requests(10))
    assert len(server.batches) == 1
    ask(server, tmp_path, requests(10))
    assert sorted(server.accepted.values()) == [1] * 4 + [2] * 6


def test_running_batches_are_cancelled_on_demand(server: BatchServer, tmp_path: Path) -> None:
    server.after_s = None
    to_send = requests(10)

    async def run() -> int:
        endpoint = Endpoint(settings(server))
        call_store = CallStore(calls)
        batches = Batches(endpoint, call_store, ledger, Notes())
        tasks = [asyncio.create_task(batches.send(request)) for request in to_send]
        while "GET /batches/batch_0" not in server.seen:
            await asyncio.sleep(0.01)
        cancelled = await batches.cancel()
        attempts = await asyncio.gather(*tasks)
        assert sum(isinstance(attempt.result, Call) for attempt in attempts) == 5
        assert await batches.cancel() == 0
        await batches.close()
        await endpoint.close()
        await call_store.close()
        return cancelled

    with Ledger(tmp_path / "calls") as calls, Ledger(tmp_path / "batches") as ledger:
        assert asyncio.run(run()) == 1


FAULTS: dict[str, list[Any]] = {
    "POST /files": [(500, {}, {"error": {}}), "lost", (429, {"Retry-After": "0.01"}, {})],
    "POST /batches": [
        (503, {}, "<html>"),
        (500, {}, {}),
        (200, {}, {}),
        "lost",
    ],
    "GET /batches/batch_0": [
        (500, {}, {}),
        "lost",
        (200, {}, "not json"),
        (200, {}, {}),
        (200, {"Content-Type": "text/html"}, "<html>maintenance</html>"),
    ],
    "GET /files/output-batch_0/content": [(502, {}, "bad gateway"), "lost"],
    "GET /batches": [(500, {}, {}), "lost"],
}


@pytest.mark.parametrize("path", FAULTS)
def test_a_failed_step_is_retried_and_a_batch_is_created_once(
    server: BatchServer, tmp_path: Path, path: str
) -> None:
    server.faults = {path: list(FAULTS[path])}
    if path == "GET /batches":
        server.faults["POST /batches"] = ["lost"]
    calls, _ = ask(server, tmp_path, requests(20))
    assert [call.text for call in calls] == expected_texts(requests(20))
    assert server.faults[path] == []
    assert len(server.batches) == 1


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [("POST /files", 401, "key refused"), ("POST /files", 404, "no such model or address")],
)
def test_an_endpoint_without_a_batch_api_stops_the_run_at_once(
    server: BatchServer, tmp_path: Path, path: str, status: int, reason: str
) -> None:
    body = {"error": {"message": f"no, {KEY}", "code": None}}
    server.faults = {path: [(status, {}, body)]}
    with pytest.raises(TeacherError, match=reason) as raised:
        ask(server, tmp_path, requests(3))
    assert KEY not in str(raised.value)
    assert server.faults[path] == []
    assert len(server.seen) == 1


def test_a_batch_that_the_provider_has_lost_is_submitted_again(
    server: BatchServer, tmp_path: Path
) -> None:
    server.endings = [lambda lines: {**completed(lines), "output": [answer(lines[0])]}]
    gone = (404, {}, {"error": {"message": "gone", "code": None}})
    server.faults = {"GET /files/output-batch_0/content": [gone]}
    calls, _ = ask(server, tmp_path, requests(3))
    assert [call.text for call in calls] == expected_texts(requests(3))
    assert len(server.batches) == 2


def test_calls_in_a_batch_at_another_endpoint_are_not_paid_twice(
    server: BatchServer, tmp_path: Path
) -> None:
    server.after_s = None
    with sender(server, tmp_path, 5) as process:
        wait_for(server, process, "GET /batches/batch_0")
    with BatchServer() as other:
        with pytest.raises(TeacherError, match=f"submitted elsewhere: .* at {server.url} contains"):
            ask(other, tmp_path, requests(5))
        assert other.seen == []


def test_a_budget_limits_the_requests_in_batches(server: BatchServer, tmp_path: Path) -> None:
    with pytest.raises(BudgetReached):
        ask(server, tmp_path, requests(10), budget=Budget(calls=6))
    assert sum(server.accepted.values()) == 6
    assert len(records(tmp_path)) == 6


@contextmanager
def sender(
    server: BatchServer, store: Path, count: int, first: int = 0
) -> Iterator[ForkServerProcess]:
    """A process that sends requests; killed at the end of the context if it still runs."""
    process = start_fresh(send_in_batches, store, server.url, first, count)
    try:
        yield process
    finally:
        process.kill()
        process.join()


def wait_for(server: BatchServer, process: ForkServerProcess, request: str, count: int = 1) -> None:
    """Wait until the server has seen a request of the process this many times."""
    wait_until(lambda: server.seen.count(request) >= count, process.is_alive)


def test_the_batch_of_a_killed_process_is_found_by_id(server: BatchServer, tmp_path: Path) -> None:
    server.after_s = None
    with sender(server, tmp_path, 200) as process:
        wait_for(server, process, "GET /batches/batch_0", 2)
    server.go = True
    notes = Notes()
    calls, counts = ask(server, tmp_path, requests(200), notes)
    assert [call.text for call in calls] == expected_texts(requests(200))
    assert set(server.accepted.values()) == {1}
    assert len(server.files) == 2, "one input, one output"
    assert counts.answered == 200
    assert notes.texts[:1] == ["Batch batch_0 of 200 calls was submitted by an earlier run."]


@pytest.mark.parametrize("path", ["POST /files", "POST /batches"])
def test_a_kill_before_the_reply_of_a_step_submits_nothing_twice(
    server: BatchServer, tmp_path: Path, path: str
) -> None:
    server.hang = path
    with sender(server, tmp_path, 50) as process:
        wait_for(server, process, path)
    server.hang = ""
    notes = Notes()
    calls, _ = ask(server, tmp_path, requests(50), notes)
    assert [call.text for call in calls] == expected_texts(requests(50))
    assert len(server.batches) == 1
    if path == "POST /files":
        assert notes.texts[0] == "A kill interrupted the submission of a batch of 50 calls."


STEPS = ["", "POST /files", "POST /batches", "GET /batches/{}", "GET /files/output-{}/content"]
"""The requests of one run; the first is its start."""


def test_kills_at_any_moment_submit_nothing_twice(tmp_path: Path) -> None:
    moments, each = random.Random(5), 40
    steps = STEPS * 3
    with BatchServer(after_s=None) as server:
        for n, step in enumerate(steps):
            request = step.format(f"batch_{len(server.batches)}")
            count = server.seen.count(request) + bool(request)
            # The batch ends only for a kill while its results are read; that reading never ends.
            server.go = "output" in step
            server.hang = request if server.go else ""
            with sender(server, tmp_path, each, first=n * each) as process:
                wait_for(server, process, request, count)
                time.sleep(moments.uniform(0.0, 0.05))
                assert process.is_alive()
        server.go, server.hang = True, ""
        to_send = requests(len(steps) * each)
        calls, _ = ask(server, tmp_path, to_send)
        assert [call.text for call in calls] == expected_texts(to_send)
        assert 1 < len(server.batches) < 2 * len(steps)
        assert len(server.accepted) == len(to_send)
        assert set(server.accepted.values()) == {1}


def test_replies_that_no_caller_waits_for_are_stored_for_later_runs(
    server: BatchServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The requests of the second run come first in the results, and that run ends while the others
    # are still being read.
    monkeypatch.setattr(module, "LINES_PER_TURN", 1)
    server.after_s = None
    with sender(server, tmp_path, 24) as process:
        wait_for(server, process, "GET /batches/batch_0")
    server.go = True
    ask(server, tmp_path, requests(8, first=16))
    server.files.clear()
    server.batches.clear()
    seen = len(server.seen)
    calls, _ = ask(server, tmp_path, requests(24))
    assert [call.text for call in calls] == expected_texts(requests(24))
    assert len(server.seen) == seen, "no further request to the provider"


def test_requests_that_arrive_while_a_batch_runs_form_another(
    server: BatchServer, tmp_path: Path
) -> None:
    server.after_s = None

    async def run() -> list[Call]:
        async with Teacher(settings(server), CallLedgers(calls, claims, batches)) as teacher:
            early = [asyncio.create_task(teacher.get_call(request)) for request in requests(5)]
            while len(server.batches) < 1:
                await asyncio.sleep(0.01)
            late = [asyncio.create_task(teacher.get_call(each)) for each in requests(5, first=5)]
            while len(server.batches) < 2:
                await asyncio.sleep(0.01)
            server.go = True
            return list(await asyncio.gather(*early, *late))

    with (
        Ledger(tmp_path / "calls") as calls,
        Ledger(tmp_path / "batches") as batches,
        Claims(tmp_path / "claims") as claims,
    ):
        results = asyncio.run(run())
    assert [call.text for call in results] == expected_texts(requests(10))
    assert set(server.accepted.values()) == {1}


def test_leaving_does_not_wait_for_a_batch(server: BatchServer, tmp_path: Path) -> None:
    server.after_s = None  # this batch never ends
    to_send = requests(5)

    async def run() -> None:
        async with Teacher(settings(server), CallLedgers(calls, claims, batches)) as teacher:
            tasks = [asyncio.create_task(teacher.get_call(request)) for request in to_send]
            while "GET /batches/batch_0" not in server.seen:
                await asyncio.sleep(0.01)
        assert not any(isinstance(result, Call) for result in await gather(tasks))

    with (
        Ledger(tmp_path / "calls") as calls,
        Ledger(tmp_path / "batches") as batches,
        Claims(tmp_path / "claims") as claims,
    ):
        asyncio.run(run())
    server.go = True
    later, _ = ask(server, tmp_path, to_send)
    assert [call.text for call in later] == expected_texts(to_send)
    assert set(server.accepted.values()) == {1}
