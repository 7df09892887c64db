"""Two thousand calls at an endpoint of which every fifth reply is broken."""

import time
from pathlib import Path

import pytest

from curator.teacher import Call, endpoint
from tests.teacher.faults import FAULTS, HARMLESS, Server
from tests.teacher.worlds import ask, requests, settings

CALLS = 2_000


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "REPLY_BYTES", 100_000)


def test_every_call_ends_answered_or_failed_and_no_answer_is_asked_for_again(
    tmp_path: Path,
) -> None:
    asked = requests(CALLS)
    with Server(share=0.2) as server:
        how = settings(server, timeout_s=0.5)
        start = time.monotonic()
        calls, counts = ask(how, tmp_path, asked)
        seconds = time.monotonic() - start
        again, repeated = ask(how, tmp_path, asked)
    print(f"{seconds:.1f} s, {counts}, {server.met}")
    assert set(server.met) == {*FAULTS, *HARMLESS}
    assert counts.asked == CALLS == counts.answered + counts.failed
    assert counts.retried > CALLS / 10
    for request, call in zip(asked, calls, strict=True):
        assert isinstance(call, Call)
        name = f"{request.messages[0][1]}#0"
        if call.status == "answered":
            assert call.text == name
            assert server.served[name] == 1
        else:
            assert call.reason and not call.final
    assert max(server.served.values()) == 1
    # Another run takes answers from the ledger and asks what failed for a while.
    assert repeated.cached == counts.answered
    assert repeated.asked == counts.failed
    assert [call.text for call in again if isinstance(call, Call) and call.status == "answered"]
    assert seconds < 20


@pytest.mark.parametrize("fault", FAULTS)
def test_a_call_that_always_meets_a_fault_fails_with_its_reason(fault: str, tmp_path: Path) -> None:
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
