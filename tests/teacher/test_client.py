"""What is sent, stored, retried, rejected and reported, over real sockets."""

import asyncio
import json
import math
import os
import threading
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from curator.core.errors import TeacherError
from curator.teacher import Call, Request, TeacherSettings
from curator.teacher.call_record import read_call
from curator.teacher.client import CallLedgers, Teacher
from datastore.claims import Claims
from datastore.ledger import Ledger
from tests.paths import DATA
from tests.teacher.faults import Reply, Server, completion, error
from tests.teacher.helpers import Notes, ask, records, requests, settings, stored

CASES = json.loads((DATA / "teacher/replies.json").read_text(encoding="utf-8"))
KEY = "sk-proj-4Zq9-secret_of.this.test"


def always(status: int, content: bytes, headers: dict[str, str] | None = None) -> Any:
    """An endpoint that always sends this reply."""
    return lambda body, number: (status, headers or {}, content)


def test_a_call_is_stored_whole_and_sent_once(tmp_path: Path) -> None:
    [request] = requests(1, '{"max_tokens":5,"temperature":0.5}')
    started = time.time()
    with Server() as server:
        [call], first = ask(settings(server), tmp_path, [request])
        [again], second = ask(settings(server), tmp_path, [request])
    assert again == call == Call("answered", "question 0#0", "", "", True, "stop", 11, 7, "fp_1")
    assert (first.made, first.cached, second.made, second.cached) == (1, 0, 0, 1)
    assert server.tries.total() == 1
    record = records(tmp_path)["question 0"]
    assert read_call(record) == call
    assert record["request"] == {
        "family": "test",
        "model": "m",
        "messages": [["user", "question 0"]],
        "parameters": '{"max_tokens":5,"temperature":0.5}',
        "sample": 0,
    }
    assert record["response"] == completion("question 0#0", id="question 0#0")
    assert (record["recipe"], record["tries"], record["tokens"]) == ("r", 1, 18)
    assert not record["estimated"]
    assert record["seconds"] > 0
    assert started <= record["time"] <= time.time()


def test_equal_requests_are_sent_once_and_each_sample_separately(tmp_path: Path) -> None:
    samples = [Request("test", "m", (("user", "q"),), sample=n) for n in (0, 1, 0, 0, 1)]
    with Server() as server:
        calls, counts = ask(settings(server), tmp_path, samples)
    assert [call.text for call in calls if isinstance(call, Call)] == [
        f"q#{each.sample}" for each in samples
    ]
    assert server.tries == {"q#0": 1, "q#1": 1}
    assert counts.made == 2


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["case"]))
def test_each_kind_of_reply_is_recognised(case: dict[str, Any], tmp_path: Path) -> None:
    body = case.get(
        "body",
        {
            **completion("x"),
            "choices": [
                {"finish_reason": case.get("finish", "stop"), "message": case.get("message")}
            ],
        },
    )
    data = case["text"] * case.get("times", 1) if "text" in case else json.dumps(body)
    with Server(reply=always(case.get("status", 200), data.encode())) as server:
        [call], _ = ask(settings(server, tries=2), tmp_path, requests(1))
    assert isinstance(call, Call)
    assert {name: getattr(call, name) for name in case["call"]} == case["call"]
    unreadable = call.reason.startswith(("no content", "no choices", "broken JSON"))
    assert server.tries.total() == (1 if call.final and not unreadable else 2)


def test_a_final_failure_is_not_retried_and_a_temporary_one_is(tmp_path: Path) -> None:
    def reply(body: dict[str, Any], number: int) -> Reply | None:
        if body["messages"][-1]["content"] == "question 0":
            return 400, {}, error("no")
        return (500, {}, b"") if number == 0 else None

    with Server(reply=reply) as server:
        single = settings(server, tries=1)
        first, _ = ask(single, tmp_path, requests(2))
        second, counts = ask(single, tmp_path, requests(2))
    assert [call.status for call in first if isinstance(call, Call)] == ["failed", "failed"]
    assert [call.status for call in second if isinstance(call, Call)] == ["failed", "answered"]
    assert server.tries == {"question 0#0": 1, "question 1#0": 2}
    assert (counts.cached, counts.answered) == (1, 1)


@pytest.mark.parametrize("content", [None, "", [{"type": "image_url"}], {"text": "x"}])
def test_a_reply_that_cannot_be_read_is_not_paid_for_again(content: Any, tmp_path: Path) -> None:
    body = completion("x")
    body["choices"][0]["message"]["content"] = content
    with Server(reply=always(200, json.dumps(body).encode())) as server:
        [first], paid = ask(settings(server, tries=2), tmp_path, requests(1))
        [second], again = ask(settings(server, tries=2), tmp_path, requests(1))
    assert isinstance(first, Call) and first == second and first.reason.startswith("no content")
    assert server.tries.total() == 2
    assert (paid.failed, again.made, again.cached) == (1, 0, 1)
    assert records(tmp_path)["question 0"]["tokens"] == paid.tokens == 36


def test_advice_of_a_provider_is_shown_whole_and_ends_the_calls(tmp_path: Path) -> None:
    advice = "Unsupported parameter: 'max_tokens' is not supported with this model. " + "So, " * 50
    advice += "use 'max_completion_tokens' instead."
    with Server(reply=always(400, error(advice, "unsupported_parameter"))) as server:
        [failed], _ = ask(settings(server), tmp_path, requests(1))
    assert isinstance(failed, TeacherError)
    assert str(failed).endswith(advice)


@pytest.mark.parametrize("status", [200, 400])
def test_the_words_of_an_error_are_reported_once(status: int, tmp_path: Path) -> None:
    words = "The prompt has a word that nobody knows. " * 20 + "Leave it out."
    notes = Notes()
    with Server(reply=always(status, error(words, "odd_word"))) as server:
        calls, _ = ask(settings(server, tries=1), tmp_path, requests(5), listener=notes)
    what = "error in the reply" if status == 200 else "bad request"
    assert {call.reason for call in calls if isinstance(call, Call)} == {f"{what}: odd_word"}
    assert notes.texts.count(f"A call failed: {what}: odd_word: {words}") == 1


def test_no_credit_in_a_good_reply_ends_the_calls(tmp_path: Path) -> None:
    body = {"error": {"message": "This request requires more credits", "code": 402}}
    with Server(reply=always(200, json.dumps(body).encode())) as server:
        [failed], _ = ask(settings(server), tmp_path, requests(1))
    assert isinstance(failed, TeacherError)
    assert str(failed).endswith("no credit left: This request requires more credits")
    assert server.tries.total() == 1


def test_a_failed_call_is_not_retried_in_the_same_run(tmp_path: Path) -> None:
    async def run(ledger: Ledger, claims: Claims) -> None:
        async with Teacher(settings(server, tries=1), CallLedgers(ledger, claims)) as teacher:
            [request] = requests(1)
            assert await teacher.get_call(request) == await teacher.get_call(request)

    with Server(reply=always(500, b"")) as server, Ledger(tmp_path / "l") as ledger:
        with Claims(tmp_path / "c") as claims:
            asyncio.run(run(ledger, claims))
        assert server.tries.total() == 1


def test_tokens_that_a_reply_does_not_report_are_estimated(tmp_path: Path) -> None:
    body = {**completion("three words here"), "usage": {"prompt_tokens": "many"}}
    with Server(reply=always(200, json.dumps(body).encode())) as server:
        [call], counts = ask(settings(server), tmp_path, requests(1))
    assert isinstance(call, Call)
    assert call.prompt_tokens > 0 and call.completion_tokens == 3
    record = records(tmp_path)["question 0"]
    assert record["estimated"]
    assert record["tokens"] == call.prompt_tokens + 3 == counts.tokens


def test_the_beginning_of_a_huge_reply_is_stored_with_its_whole_text(tmp_path: Path) -> None:
    with Server(reply=always(200, json.dumps(completion("9" * 300_000)).encode())) as server:
        [call], _ = ask(settings(server), tmp_path, requests(1))
        [again], _ = ask(settings(server), tmp_path, requests(1))
    assert isinstance(call, Call) and call == again
    assert call.text == "9" * 300_000
    assert len(records(tmp_path)["question 0"]["response"]) == 100_000


ECHOES = [
    (200, json.dumps(completion(f"your key is {KEY}")).replace("sk-", "\\u0073k-").encode()),
    (200, f"<b>{KEY}</b>".encode()),
    (400, error(f"Bad. You sent Authorization: Bearer {KEY}")),
    (400, f"Authorization: Bearer {KEY}\nno".encode()),
    (401, error(f"Incorrect API key provided: {KEY}.")),
    (500, json.dumps({"headers": {"Authorization": f"Bearer {KEY}", KEY: [KEY]}}).encode()),
]


@pytest.mark.parametrize(("status", "body"), ECHOES)
def test_a_key_that_a_server_echoes_appears_nowhere(
    status: int,
    body: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("TEST_KEY", f" {KEY}\n")
    caplog.set_level("DEBUG")
    notes = Notes()
    with Server(reply=always(status, body)) as server:
        with_key = settings(server, key_env="TEST_KEY", tries=1)
        [result], _ = ask(with_key, tmp_path, requests(1), listener=notes)
        assert f"Bearer {KEY}\r\n" in server.heads[-1]
    texts = [repr(result), *notes.texts, *capfd.readouterr(), caplog.text, repr(records(tmp_path))]
    assert not [text for text in texts if KEY in text]
    assert KEY.encode() not in stored(tmp_path)
    assert (status == 401) == isinstance(result, TeacherError)


def test_other_keys_are_removed_from_errors_and_not_from_replies(tmp_path: Path) -> None:
    other = "sk-someone.elses-key1234"
    with Server(reply=always(400, error(f"{other} is not allowed"))) as server:
        [refused], _ = ask(settings(server), tmp_path, requests(1))
    with Server(reply=always(200, json.dumps(completion(other)).encode())) as server:
        [answered], _ = ask(settings(server), tmp_path, requests(1, first=1))
    assert isinstance(refused, Call) and refused.reason == "bad request: [key] is not allowed"
    assert isinstance(answered, Call) and answered.text == other


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "Set the environment variable TEST_KEY"),
        ("two words", "TEST_KEY does not contain a valid API key"),
    ],
)
def test_a_missing_key_is_reported_in_one_line_before_any_call(
    value: str | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if value:
        monkeypatch.setenv("TEST_KEY", value)
    with Server() as server:
        ask(settings(server), tmp_path, requests(1))
        with_key = settings(server, key_env="TEST_KEY")
        [cached, error], _ = ask(with_key, tmp_path, requests(2))
    assert isinstance(cached, Call), "a cached call needs no key"
    assert isinstance(error, TeacherError)
    assert message in str(error) and "\n" not in str(error)
    assert "two words" not in str(error)
    assert server.tries.total() == 1


STOPS = [
    (401, "no such key", "", "key refused: no such key"),
    (403, "not yours", "", "key refused: not yours"),
    (404, "The model m does not exist", "model_not_found", "The model m does not exist"),
    (429, "You exceeded your quota", "insufficient_quota", "no credit left"),
    (307, "", "", "moved elsewhere"),
]


@pytest.mark.parametrize(("status", "message", "code", "expected"), STOPS)
def test_an_error_that_every_call_would_meet_stops_the_run_with_one_line(
    status: int, message: str, code: str, expected: str, tmp_path: Path
) -> None:
    with Server(reply=always(status, error(message, code), {"location": "/elsewhere"})) as server:
        errors, _ = ask(settings(server), tmp_path, requests(100))
    assert all(isinstance(each, TeacherError) for each in errors)
    text = str(errors[0])
    assert expected in text and server.url in text and "\n" not in text
    assert server.tries.total() <= 8
    assert records(tmp_path) == {}


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:99999/v1",
        "http://localhost:0/v1",
        "http://localhost:abc/v1",
        "http://[::1/v1",
        "http://:80/v1",
        "http://a b/v1",
        "http://a\0b/v1",
        "http://me:secret@localhost/v1",
    ],
)
def test_an_invalid_base_url_is_rejected(address: str) -> None:
    with pytest.raises(ValidationError, match=r"expected (an address such as|no user name or)"):
        TeacherSettings(model="m", base_url=address)


@pytest.mark.parametrize(
    ("variable", "value", "address"),
    [
        ("HTTP_PROXY", "foo://bar", "http://localhost:9/v1"),
        ("SSL_CERT_FILE", "/none", "https://localhost:9/v1"),
        ("OPENAI_ORG_ID", "ü", "http://localhost:9/v1"),
        ("X", "", "http://..../v1"),
    ],
)
def test_a_request_that_cannot_be_sent_stops_the_run_with_one_line(
    variable: str, value: str, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    unusable = TeacherSettings(model="m", base_url=address, key_env="")
    errors, _ = ask(unusable, tmp_path, requests(3))
    assert all(isinstance(each, TeacherError) for each in errors)
    assert f"The teacher at {address} cannot be used: " in str(errors[0])
    assert "\n" not in str(errors[0])


def test_a_refused_connection_stops_the_run(tmp_path: Path) -> None:
    with Server() as server:
        stopped = settings(server, tries=2)
    errors, _ = ask(stopped, tmp_path, requests(20))
    assert all(isinstance(each, TeacherError) for each in errors)
    assert "no connection: Cannot connect to host 127.0.0.1" in str(errors[0])
    assert "is the server running?" in str(errors[0])


def test_an_unknown_host_stops_the_run_with_its_name(tmp_path: Path) -> None:
    unknown = TeacherSettings(model="m", base_url="http://nowhere.invalid/v1", key_env="", tries=1)
    [stopped], _ = ask(unknown, tmp_path, requests(1))
    assert isinstance(stopped, TeacherError)
    assert "no connection: Cannot connect to host nowhere.invalid:80" in str(stopped)


def test_an_endpoint_that_fails_many_calls_in_a_row_is_given_up(tmp_path: Path) -> None:
    with Server(reply=always(500, b"")) as server:
        errors, counts = ask(settings(server, tries=1), tmp_path, requests(500))
    assert sum(isinstance(each, Call) for each in errors) == counts.failed == len(records(tmp_path))
    assert 32 <= counts.failed < 50
    assert "32 calls failed in a row, the last with 'server error'" in str(errors[-1])


def time_with_pause(server: Server, headers: dict[str, str], store: Path) -> float:
    """Seconds for ten calls, of which the first meets a rate limit with these headers."""
    server.reply = lambda body, number: (
        (429, headers, error("wait")) if not number and "0" in str(body["messages"]) else None
    )
    server.tries.clear()
    start = time.monotonic()
    calls, _ = ask(settings(server), store, requests(10))
    assert all(isinstance(call, Call) and call.status == "answered" for call in calls)
    return time.monotonic() - start


def test_retry_after_is_respected_in_seconds_milliseconds_and_as_a_date(tmp_path: Path) -> None:
    with Server() as server:
        assert time_with_pause(server, {"retry-after": "1"}, tmp_path / "a") >= 1.0
        both = {"retry-after-ms": "700", "retry-after": "86400"}  # a day would end the run
        assert time_with_pause(server, both, tmp_path / "b") >= 0.7
        until = math.ceil(time.time()) + 1
        date = formatdate(until, usegmt=True)
        time_with_pause(server, {"retry-after": date}, tmp_path / "c")
        assert time.time() >= until


def test_a_retry_waits_longer_after_each_failed_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[int] = []
    monkeypatch.setattr(
        "curator.teacher.dispatch.backoff_s", lambda tries: waits.append(tries) or 0.2
    )
    with Server(reply=always(500, b"")) as server:
        start = time.monotonic()
        ask(settings(server, tries=4), tmp_path, requests(1))
    assert waits == [1, 2, 3]
    assert time.monotonic() - start >= 3 * 0.2


def test_retry_after_pauses_all_calls(tmp_path: Path) -> None:
    concurrency = 8
    arrivals: list[float] = []

    def reply(body: dict[str, Any], number: int) -> Reply | None:
        arrivals.append(time.monotonic())
        return (429, {"retry-after": "1"}, b"{}") if len(arrivals) == 20 else None

    with Server(reply=reply) as server:
        ask(settings(server, concurrency=concurrency), tmp_path, requests(200))
    # Some calls were in flight, and some were sent before the reply was read.
    meanwhile = [each for each in arrivals[20:] if each < arrivals[19] + 1]
    assert len(meanwhile) <= 2 * concurrency


def test_a_pause_that_is_too_long_stops_the_run(tmp_path: Path) -> None:
    with Server(reply=always(429, error("daily limit"), {"retry-after": "86400"})) as server:
        errors, _ = ask(settings(server), tmp_path, requests(3))
    assert "a pause of 86,400 s. Rerun the command after that" in str(errors[0])


def test_a_call_in_flight_is_stored_though_its_caller_is_cancelled(tmp_path: Path) -> None:
    async def run(ledger: Ledger, claims: Claims) -> None:
        narrow = settings(server, concurrency=2)
        async with Teacher(narrow, CallLedgers(ledger, claims), listener=notes) as teacher:
            tasks = [asyncio.create_task(teacher.get_call(each)) for each in requests(10)]
            while server.tries.total() < 2:
                await asyncio.sleep(0.01)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            server.limit = 2

    notes = Notes()
    with Server() as server, Ledger(tmp_path / "calls") as ledger:
        server.limit = 0  # no reply before the callers are cancelled
        with Claims(tmp_path / "claims") as claims:
            asyncio.run(run(ledger, claims))
        assert server.tries.total() == 2
    assert len(records(tmp_path)) == 2
    assert notes.texts[1:] == ["Waiting for 2 calls in flight."]


def test_leaving_without_waiting_ends_the_use_of_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncing, cancelled = threading.Event(), threading.Event()

    def slow(_: int) -> None:
        if threading.current_thread().name.startswith("ledger"):
            syncing.set()
            cancelled.wait()

    async def leave(ledger: Ledger, claims: Claims) -> None:
        async with Teacher(
            settings(server), CallLedgers(ledger, claims), listener=notes
        ) as teacher:
            asyncio.create_task(teacher.get_call(requests(1)[0]))  # noqa: RUF006
            while not syncing.is_set():
                await asyncio.sleep(0.01)

    async def run(ledger: Ledger, claims: Claims) -> None:
        leaving = asyncio.create_task(leave(ledger, claims))
        while not notes.texts and not leaving.done():
            await asyncio.sleep(0.01)
        leaving.cancel()
        asyncio.get_running_loop().call_later(0.1, cancelled.set)
        await asyncio.gather(leaving, return_exceptions=True)
        assert leaving.cancelled()
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("ledger")]

    notes = Notes()
    monkeypatch.setattr(os, "fsync", slow)
    with (
        Server() as server,
        Ledger(tmp_path / "calls") as ledger,
        Claims(tmp_path / "claims") as claims,
    ):
        asyncio.run(run(ledger, claims))
    assert len(records(tmp_path)) == 1


def test_the_endpoint_gets_the_body_and_the_sample_number(tmp_path: Path) -> None:
    bodies: list[dict[str, Any]] = []
    messages = (("system", "Be brief."), ("user", "q\ud800"))
    request = Request("test", "m", messages, '{"seed":1,"stop":["\\n"]}', sample=3)

    def reply(body: dict[str, Any], number: int) -> None:
        bodies.append(body)

    with Server(reply=reply) as server:
        [call], _ = ask(settings(server), tmp_path, [request])
    assert isinstance(call, Call) and call.text == "q?#3"
    assert bodies == [request.body()]


@pytest.mark.parametrize("depth", [101, 330, 900, 100_000])
def test_a_deeply_nested_reply_is_stored_as_a_failed_call(tmp_path: Path, depth: int) -> None:
    body = json.dumps(completion("42"))[:-1] + ', "x": ' + "[" * depth + "]" * depth + "}"
    with Server(reply=always(200, body.encode(), {"content-type": "application/json"})) as server:
        calls, _ = ask(settings(server, tries=1), tmp_path, requests(1))
    assert calls == [Call("failed", reason="broken JSON", final=True)]
    assert body[:1_000] in records(tmp_path)["question 0"]["response"]
