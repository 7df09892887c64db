"""Two thousand calls to an endpoint that breaks every fifth reply."""

import time
from pathlib import Path

import pytest

from curator.teacher import Call, endpoint
from tests.teacher.faults import FAULTS, HARMLESS, Server
from tests.teacher.helpers import ask, requests, settings

CALLS = 2_000


@pytest.fixture(autouse=True)
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "REPLY_BYTES", 100_000)


def test_every_call_ends_answered_or_failed_and_no_reply_is_requested_twice(
    tmp_path: Path,
) -> None:
    to_send = requests(CALLS)
    with Server(share=0.2) as server:
        faulty = settings(server, timeout_s=0.5)
        start = time.monotonic()
        calls, counts = ask(faulty, tmp_path, to_send)
        seconds = time.monotonic() - start
        again, repeated = ask(faulty, tmp_path, to_send)
    print(f"{seconds:.1f} s, {counts}, {server.faults_served}")
    assert set(server.faults_served) == {*FAULTS, *HARMLESS}
    assert counts.made == CALLS == counts.answered + counts.failed
    assert counts.retried > CALLS / 10
    for request, call in zip(to_send, calls, strict=True):
        assert isinstance(call, Call)
        name = f"{request.messages[0][1]}#0"
        if call.status == "answered":
            assert call.text == name
            assert server.served[name] == 1
        else:
            assert call.reason and not call.final
    assert max(server.served.values()) == 1
    # Another run takes replies from the ledger and retries temporary failures.
    assert repeated.cached == counts.answered
    assert repeated.made == counts.failed
    assert [call.text for call in again if isinstance(call, Call) and call.status == "answered"]
    assert seconds < 20


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
    # Long enough for a busy machine to send the request.
    timeout_s = 1.5 if fault in ("hang", "drip") else 20.0
    with Server(share=1.0, faults=[fault] * 100) as server:
        [call], counts = ask(settings(server, timeout_s=timeout_s, tries=2), tmp_path, requests(1))
    assert isinstance(call, Call)
    assert (call.status, call.reason, call.final) == ("failed", reasons.get(fault, fault), False)
    assert (counts.failed, counts.retried, server.tries.total()) == (1, 1, 2)
