"""Many calls to an endpoint that breaks every fifth reply."""

from pathlib import Path

import pytest

from curator.teacher import Call, endpoint
from tests.teacher.faults import FAULTS, HARMLESS, Server
from tests.teacher.helpers import ask, requests, settings

CALLS = 1_000
WITHOUT_END = ("hang", "drip")
"""Faults that only a timeout ends."""
PAID = {"broken JSON", "reply too long", "no choices", "no content"}
"""Reasons of replies that cannot be read: they were paid for, and no later run sends them again."""


@pytest.fixture(autouse=True)
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "REPLY_BYTES", 100_000)


def test_every_call_ends_answered_or_failed_and_no_reply_is_requested_twice(
    tmp_path: Path,
) -> None:
    to_send = requests(CALLS)
    faults = [fault for fault in FAULTS if fault not in WITHOUT_END]
    with Server(share=0.2, faults=faults) as server:
        calls, counts = ask(settings(server), tmp_path, to_send)
        again, repeated = ask(settings(server), tmp_path, to_send)
    print(f"{counts}, {server.faults_served}")
    assert set(server.faults_served) == {*faults, *HARMLESS}
    assert counts.made == CALLS == counts.answered + counts.failed
    assert counts.retried > CALLS / 10
    for request, call in zip(to_send, calls, strict=True):
        assert isinstance(call, Call)
        name = f"{request.messages[0][1]}#0"
        if call.status == "answered":
            assert call.text == name
            assert server.served[name] == 1
        else:
            assert call.reason and call.final == (call.reason in PAID)
    assert max(server.served.values()) == 1
    # Another run takes replies from the ledger and retries temporary failures.
    paid = sum(isinstance(each, Call) and each.reason in PAID for each in calls)
    assert repeated.cached == counts.answered + paid
    assert repeated.made == counts.failed - paid
    assert [call.text for call in again if isinstance(call, Call) and call.status == "answered"]


def test_every_call_ends_although_some_replies_never_do(tmp_path: Path) -> None:
    # On a busy machine valid replies may come too late, too; those are requested again.
    to_send = requests(200)
    with Server(share=0.3) as server:
        calls, counts = ask(settings(server, timeout_s=0.3, tries=3), tmp_path, to_send)
    assert {*WITHOUT_END} < set(server.faults_served)
    assert counts.made == len(to_send) == counts.answered + counts.failed
    for request, call in zip(to_send, calls, strict=True):
        assert isinstance(call, Call)
        if call.status == "answered":
            assert call.text == f"{request.messages[0][1]}#0"
        else:
            assert call.reason and call.final == (call.reason in PAID)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_call_that_always_meets_a_fault_fails_with_the_reason(fault: str, tmp_path: Path) -> None:
    reasons = {
        "429": "rate limit",
        "429 retry": "rate limit",
        "500": "server error",
        "hang": "timeout",
        "drip": "timeout",
        "disconnect": "disconnected",
        "no HTTP": "disconnected",
        "truncated": "broken JSON",
        "endless": "reply too long",
        "invalid": "broken JSON",
        "html": "wrong content type",
    }
    timeout_s = 0.5 if fault in WITHOUT_END else 600.0
    with Server(share=1.0, faults=[fault] * 100) as server:
        [call], counts = ask(settings(server, timeout_s=timeout_s, tries=2), tmp_path, requests(1))
    assert isinstance(call, Call)
    reason = reasons.get(fault, fault)
    assert (call.status, call.reason, call.final) == ("failed", reason, reason in PAID)
    assert (counts.failed, counts.retried) == (1, 1)
    # A busy machine may not send the request before a short timeout.
    assert fault in WITHOUT_END or server.tries.total() == 2
