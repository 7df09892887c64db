"""Batches of a provider: asked once, found again after a kill, whatever goes wrong in between."""

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from curator.core.errors import BudgetReached, TeacherError
from curator.teacher import Budget, Call, Prices, Request, TeacherSettings
from curator.teacher.batch import api, files
from curator.teacher.batch import client as module
from curator.teacher.batch.client import Batches
from curator.teacher.call_store import CallStore
from curator.teacher.client import CallLedgers, Counts, Teacher
from curator.teacher.endpoint import Endpoint
from datastore.claims import Claims
from datastore.ledger import Ledger
from tests.paths import ROOT
from tests.teacher.batch.batch_server import KEY, BatchServer, Lines, answer, completed, error
from tests.teacher.worlds import Notes, records, requests, stored


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.05)
    monkeypatch.setattr(module, "FIRST_WAIT_S", 0.02)
    monkeypatch.setattr(module, "LONGEST_WAIT_S", 0.05)
    monkeypatch.setattr(api, "backoff_s", lambda tries: 0.01)
    monkeypatch.setattr("curator.teacher.dispatch.backoff_s", lambda tries: 0.01)
    monkeypatch.setenv("BATCH_KEY", KEY)


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with BatchServer() as started:
        yield started


def settings(server: BatchServer, **more: Any) -> TeacherSettings:
    known = {"model": "m", "base_url": server.url, "key_env": "BATCH_KEY", "batch": True}
    return TeacherSettings(**{**known, **more})


def ask(
    server: BatchServer,
    store: Path,
    asked: Sequence[Request],
    listener: Notes | None = None,
    **more: Any,
) -> tuple[list[Call], Counts]:
    """The calls of a run of its own."""

    async def run() -> tuple[list[Call], Counts]:
        how = settings(server, **more)
        async with Teacher(
            how, CallLedgers(calls, claims, batches), listener=listener, recipe="r"
        ) as teacher:
            return list(await asyncio.gather(*map(teacher.ask, asked))), teacher.counts

    with (
        Ledger(store / "calls") as calls,
        Ledger(store / "batches") as batches,
        Claims(store / "claims") as claims,
    ):
        return asyncio.run(run())


async def together(tasks: Sequence[asyncio.Task[Call]]) -> list[Call | BaseException]:
    return await asyncio.gather(*tasks, return_exceptions=True)


def texts(asked: Sequence[Request]) -> list[str]:
    return [f"answer to {request.messages[-1][1]}" for request in asked]


def test_many_requests_become_one_batch_and_each_gets_its_answer(
    server: BatchServer, tmp_path: Path
) -> None:
    asked = requests(300)
    prices = Prices(input=1_000_000, output=2_000_000)
    calls, counts = ask(server, tmp_path, asked, prices=prices)
    assert [call.text for call in calls] == texts(asked)
    assert len(server.batches) == 1
    assert (counts.answered, counts.failed, counts.money) == (300, 0, 300 * (11 + 2 * 5))
    assert server.keys == {f"Bearer {KEY}"}
    again, counted = ask(server, tmp_path, asked)
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
    assert uploaded == files.input_line(request)


def test_samples_of_one_content_are_requests_of_their_own(
    server: BatchServer, tmp_path: Path
) -> None:
    asked = [Request("f", "m", (("user", "q"),), "{}", sample) for sample in range(5)]
    calls, _ = ask(server, tmp_path, asked)
    assert [call.text for call in calls] == ["answer to q"] * 5
    assert len(server.accepted) == 5


@pytest.mark.parametrize(
    ("limit", "value", "batches"), [("MOST_REQUESTS", 10, 3), ("MOST_BYTES", 2_000, 2)]
)
def test_what_is_too_much_for_one_batch_becomes_several(
    server: BatchServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    value: int,
    batches: int,
) -> None:
    monkeypatch.setattr(files, limit, value)
    asked = requests(25)
    calls, _ = ask(server, tmp_path, asked)
    assert [call.text for call in calls] == texts(asked)
    sizes = [
        (data.count(b"\n"), len(data)) for name, data in server.files.items() if "file-" in name
    ]
    assert len(server.batches) >= batches
    assert sum(many for many, _ in sizes) == 25
    assert all(many <= 10 or size <= 2_000 for many, size in sizes)


def test_each_model_has_a_batch_of_its_own(server: BatchServer, tmp_path: Path) -> None:
    asked = [Request("f", model, (("user", f"{n}"),)) for n in range(5) for model in ("a", "b")]
    calls, _ = ask(server, tmp_path, asked)
    assert [call.text for call in calls] == texts(asked)
    assert len(server.batches) == 2


def partly(lines: Lines) -> dict[str, Any]:
    """Of 9 lines: an error of the request, one of the moment, one of the batch, nothing, a broken
    line, an error and an answer, two answers, an unknown id, an answer."""
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


def test_what_failed_in_a_batch_is_asked_again_or_failed_and_nothing_else(
    server: BatchServer, tmp_path: Path
) -> None:
    server.endings = [partly]
    asked, heard = requests(9), Notes()
    calls, counts = ask(server, tmp_path, asked, heard)
    assert calls[0].status == "failed"
    assert calls[0].final
    assert [call.text for call in calls[1:]] == texts(asked)[1:]
    assert (counts.answered, counts.failed) == (8, 1)
    times = [server.accepted[request.key.hex()] for request in asked]
    assert times == [1, 2, 2, 2, 2, 1, 1, 2, 1]
    assert any("4 of 10 lines of batch batch_0 are broken" in text for text in heard.texts)
    assert KEY.encode() not in stored(tmp_path)


def test_what_a_batch_had_not_answered_when_it_expired_is_asked_again(
    server: BatchServer, tmp_path: Path
) -> None:
    server.endings = [
        lambda lines: {
            "status": "expired",
            "output": [answer(line) for line in lines[:30]],
            "error": [error(line, "batch_expired") for line in lines[30:80]],
        }
    ]
    asked = requests(100)
    calls, _ = ask(server, tmp_path, asked)
    assert [call.text for call in calls] == texts(asked)
    assert sorted(server.accepted.values()) == [1] * 30 + [2] * 70


def test_a_request_that_a_provider_refuses_does_not_keep_back_the_others(
    server: BatchServer, tmp_path: Path
) -> None:
    refusal = {"code": "invalid_json", "message": "bad", "line": 3, "param": None}
    absurd = {**refusal, "line": 99}
    server.endings = [lambda _: {"status": "failed", "errors": [refusal, absurd]}]
    asked = requests(6)
    calls, _ = ask(server, tmp_path, asked)
    refused = next(n for n, call in enumerate(calls) if call.status == "failed")
    assert calls[refused].final
    assert server.files["file-0"].splitlines()[2] in files.input_line(asked[refused])
    assert [c.text for n, c in enumerate(calls) if n != refused] == [
        text for n, text in enumerate(texts(asked)) if n != refused
    ]


def test_a_batch_that_is_refused_as_a_whole_stops_with_the_reason(
    server: BatchServer, tmp_path: Path
) -> None:
    full = {
        "code": "token_limit_exceeded",
        "message": f"Enqueued token limit for Bearer {KEY}",
        "line": None,
        "param": None,
    }
    server.endings = [lambda _: {"status": "failed", "errors": [full]}]
    with pytest.raises(TeacherError, match="its batch was refused: token_limit_exceeded") as told:
        ask(server, tmp_path, requests(3))
    assert KEY not in str(told.value)
    assert "\n" not in str(told.value)
    calls, _ = ask(server, tmp_path, requests(3))
    assert [call.text for call in calls] == texts(requests(3)), "the next run submits them again"


def test_a_batch_cancelled_at_the_provider_keeps_its_answers_and_is_not_sent_again_unasked(
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
    asked = requests(10)

    async def run() -> int:
        endpoint = Endpoint(settings(server))
        keeping = CallStore(calls)
        batches = Batches(endpoint, keeping, about, Notes())
        tasks = [asyncio.create_task(batches.ask(request)) for request in asked]
        while not server.batches:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        cancelled = await batches.cancel()
        tries = await asyncio.gather(*tasks)
        assert sum(isinstance(tried.found, Call) for tried in tries) == 5
        assert await batches.cancel() == 0
        await batches.close()
        await endpoint.close()
        await keeping.close()
        return cancelled

    with Ledger(tmp_path / "calls") as calls, Ledger(tmp_path / "batches") as about:
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
def test_a_step_that_fails_is_tried_again_and_a_batch_is_created_once(
    server: BatchServer, tmp_path: Path, path: str
) -> None:
    server.faults = {path: list(FAULTS[path])}
    if path == "GET /batches":
        server.faults["POST /batches"] = ["lost"]
    calls, _ = ask(server, tmp_path, requests(20))
    assert [call.text for call in calls] == texts(requests(20))
    assert server.faults[path] == []
    assert len(server.batches) == 1


@pytest.mark.parametrize(
    ("path", "status", "why"),
    [("POST /files", 401, "key refused"), ("POST /files", 404, "no such model or address")],
)
def test_an_endpoint_that_takes_no_batches_is_told_at_once(
    server: BatchServer, tmp_path: Path, path: str, status: int, why: str
) -> None:
    told = {"error": {"message": f"no, {KEY}", "code": None}}
    server.faults = {path: [(status, {}, told)]}
    with pytest.raises(TeacherError, match=why) as raised:
        ask(server, tmp_path, requests(3))
    assert KEY not in str(raised.value)
    assert server.faults[path] == []
    assert len(server.seen) == 1


def test_a_batch_that_the_provider_no_longer_has_is_asked_again(
    server: BatchServer, tmp_path: Path
) -> None:
    server.endings = [lambda lines: {**completed(lines), "output": [answer(lines[0])]}]
    gone = (404, {}, {"error": {"message": "gone", "code": None}})
    server.faults = {"GET /files/output-batch_0/content": [gone]}
    calls, _ = ask(server, tmp_path, requests(3))
    assert [call.text for call in calls] == texts(requests(3))
    assert len(server.batches) == 2


def test_calls_that_a_batch_elsewhere_holds_are_not_paid_twice(
    server: BatchServer, tmp_path: Path
) -> None:
    server.after_s = None
    with script(server, tmp_path, 5) as process:
        wait_until(lambda: "GET /batches/batch_0" in server.seen)
        process.kill()
    with BatchServer() as other:
        with pytest.raises(TeacherError, match=f"asked elsewhere: .* at {server.url} holds"):
            ask(other, tmp_path, requests(5))
        assert other.seen == []


def test_a_budget_bounds_what_goes_into_batches(server: BatchServer, tmp_path: Path) -> None:
    with pytest.raises(BudgetReached):
        ask(server, tmp_path, requests(10), budget=Budget(calls=6))
    assert sum(server.accepted.values()) == 6
    assert len(records(tmp_path)) == 6


SCRIPT = """
import asyncio, sys
import aiohttp, openai.resources.batches, openai.resources.files  # so that kills meet the protocol
from pathlib import Path
from curator.teacher import TeacherSettings
from curator.teacher.batch import client as module
from curator.teacher.client import CallLedgers, Teacher
from datastore.claims import Claims
from datastore.ledger import Ledger
from tests.teacher.worlds import requests
module.IDLE_S, module.FIRST_WAIT_S, module.LONGEST_WAIT_S = 0.05, 0.02, 0.05
store, url, first, many = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
how = TeacherSettings(model="m", base_url=url, key_env="BATCH_KEY", batch=True)
class Notes:
    def progress(self, what, done, total): pass
    def note(self, text): print(text, flush=True)
async def run(calls, batches, claims):
    print("asking", flush=True)
    async with Teacher(how, CallLedgers(calls, claims, batches), listener=Notes()) as teacher:
        made = await asyncio.gather(*map(teacher.ask, requests(many, first=first)))
        assert all(call.status == "answered" for call in made)
        print("done", teacher.counts.answered, flush=True)
with Ledger(store / "calls") as calls, Ledger(store / "batches") as batches:
    with Claims(store / "claims") as claims:
        asyncio.run(run(calls, batches, claims))
"""


class script:
    """A process that asks; killed, if it still lives, when the block ends."""

    def __init__(self, server: BatchServer, store: Path, many: int, first: int = 0) -> None:
        words = [sys.executable, "-c", SCRIPT, str(store), server.url, str(first), str(many)]
        root = str(ROOT)
        self.process = subprocess.Popen(
            words,
            env={**os.environ, "PYTHONPATH": root},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self) -> subprocess.Popen[str]:
        return self.process

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def wait_until(true: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.005)


def test_a_killed_process_finds_its_batch_again_by_id(server: BatchServer, tmp_path: Path) -> None:
    server.after_s = None
    with script(server, tmp_path, 200) as process:
        wait_until(lambda: server.seen.count("GET /batches/batch_0") >= 2)
        process.kill()
    server.go = True
    heard = Notes()
    calls, counts = ask(server, tmp_path, requests(200), heard)
    assert [call.text for call in calls] == texts(requests(200))
    assert set(server.accepted.values()) == {1}
    assert len(server.files) == 2, "one input, one output"
    assert counts.answered == 200
    assert heard.texts == ["Batch batch_0 of 200 calls was begun by an earlier run."]


@pytest.mark.parametrize("path", ["POST /files", "POST /batches"])
def test_a_kill_before_the_reply_of_a_step_submits_nothing_twice(
    server: BatchServer, tmp_path: Path, path: str
) -> None:
    with script(server, tmp_path, 50) as process:
        server.hang = path
        wait_until(lambda: path in server.seen)
        time.sleep(0.1)
        process.kill()
    server.hang = ""
    heard = Notes()
    calls, _ = ask(server, tmp_path, requests(50), heard)
    assert [call.text for call in calls] == texts(requests(50))
    assert len(server.batches) == 1
    if path == "POST /files":
        assert heard.texts[0] == "A kill cut off the submission of a batch of 50 calls."


def test_kills_at_any_moment_submit_nothing_twice(tmp_path: Path) -> None:
    moments, rounds, each = random.Random(5), 12, 40
    with BatchServer(after_s=0.4) as server:
        killed = 0
        for n in range(rounds):
            with script(server, tmp_path, each, first=n * each) as process:
                assert process.stdout
                assert process.stdout.readline() == "asking\n"
                time.sleep(moments.uniform(0.0, 0.6))
                killed += process.poll() is None
                process.kill()
        asked = requests(rounds * each)
        calls, _ = ask(server, tmp_path, asked)
        assert [call.text for call in calls] == texts(asked)
        assert killed == rounds
        assert 1 < len(server.batches) < 2 * rounds
        assert len(server.accepted) == rounds * each
        assert set(server.accepted.values()) == {1}


def test_answers_that_nobody_asks_for_any_more_are_kept_for_who_will(
    server: BatchServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Those that are asked again come first in the results, and the run that asked them ends while
    # the others are still being read.
    monkeypatch.setattr(module, "TURN", 1)
    server.after_s = None
    with script(server, tmp_path, 60) as process:
        wait_until(lambda: "GET /batches/batch_0" in server.seen)
        process.kill()
    server.go = True
    ask(server, tmp_path, requests(20, first=40))
    server.files.clear()
    server.batches.clear()
    seen = len(server.seen)
    calls, _ = ask(server, tmp_path, requests(60))
    assert [call.text for call in calls] == texts(requests(60))
    assert len(server.seen) == seen, "nothing more was asked of the provider"


def test_requests_that_come_while_a_batch_runs_go_into_another(
    server: BatchServer, tmp_path: Path
) -> None:
    server.after_s = None

    async def run() -> list[Call]:
        how = settings(server)
        async with Teacher(how, CallLedgers(calls, claims, batches)) as teacher:
            early = [asyncio.create_task(teacher.ask(request)) for request in requests(5)]
            while len(server.batches) < 1:
                await asyncio.sleep(0.01)
            late = [asyncio.create_task(teacher.ask(each)) for each in requests(5, first=5)]
            while len(server.batches) < 2:
                await asyncio.sleep(0.01)
            server.go = True
            return list(await asyncio.gather(*early, *late))

    with (
        Ledger(tmp_path / "calls") as calls,
        Ledger(tmp_path / "batches") as batches,
        Claims(tmp_path / "claims") as claims,
    ):
        made = asyncio.run(run())
    assert [call.text for call in made] == texts(requests(10))
    assert set(server.accepted.values()) == {1}


def test_leaving_does_not_wait_for_a_batch(server: BatchServer, tmp_path: Path) -> None:
    server.after_s = None
    asked = requests(5)

    async def run() -> float:
        async with Teacher(settings(server), CallLedgers(calls, claims, batches)) as teacher:
            tasks = [asyncio.create_task(teacher.ask(request)) for request in asked]
            while "GET /batches/batch_0" not in server.seen:
                await asyncio.sleep(0.01)
            start = time.monotonic()
        assert not any(isinstance(made, Call) for made in await together(tasks))
        return time.monotonic() - start

    with (
        Ledger(tmp_path / "calls") as calls,
        Ledger(tmp_path / "batches") as batches,
        Claims(tmp_path / "claims") as claims,
    ):
        assert asyncio.run(run()) < 1
    server.go = True
    calls_, _ = ask(server, tmp_path, asked)
    assert [call.text for call in calls_] == texts(asked)
    assert set(server.accepted.values()) == {1}
