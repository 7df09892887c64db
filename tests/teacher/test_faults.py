"""Two thousand calls at an endpoint of which every fifth reply is broken."""

import asyncio
import time
from pathlib import Path

import pytest

from curator.teacher import Call, Request, TeacherSettings
from curator.teacher.client import Counts, Teacher
from datastore.claims import Claims
from datastore.ledger import Ledger
from tests.teacher.faults import FAULTS, HARMLESS, Server

CALLS = 2_000


def requests(count: int) -> list[Request]:
    return [Request("test", "m", (("user", f"question {n}"),)) for n in range(count)]


async def ask_all(
    settings: TeacherSettings, store: Path, asked: list[Request]
) -> tuple[list[Call], Counts]:
    with Ledger(store / "calls") as ledger, Claims(store / "claims") as claims:
        async with Teacher(settings, ledger, claims=claims) as teacher:
            calls = await asyncio.gather(*map(teacher.ask, asked))
        return calls, teacher.counts


def test_every_call_ends_answered_or_failed_and_no_answer_is_asked_for_again(
    tmp_path: Path,
) -> None:
    asked = requests(CALLS)
    with Server(share=0.2) as server:
        settings = TeacherSettings(model="m", base_url=server.url, key_env="", timeout_s=0.5)
        start = time.monotonic()
        calls, counts = asyncio.run(ask_all(settings, tmp_path, asked))
        seconds = time.monotonic() - start
        again, repeated = asyncio.run(ask_all(settings, tmp_path, asked))
    print(f"{seconds:.1f} s, {counts}, {server.met}")
    assert set(server.met) == {*FAULTS, *HARMLESS}
    assert counts.asked == CALLS == counts.answered + counts.failed
    assert counts.retried > CALLS / 10
    for request, call in zip(asked, calls, strict=True):
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
    assert [call.text for call in again if call.status == "answered"]
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
        "truncated": "broken JSON",
        "invalid": "broken JSON",
        "html": "wrong content type",
    }
    with Server(share=1.0, faults=[fault] * 100) as server:
        settings = TeacherSettings(
            model="m", base_url=server.url, key_env="", timeout_s=0.3, tries=2
        )
        asked = [r for r in requests(9) if r][:1]
        [call], counts = asyncio.run(ask_all(settings, tmp_path, asked))
    assert (call.status, call.reason, call.final) == ("failed", reasons.get(fault, fault), False)
    assert (counts.failed, counts.retried, server.tries.total()) == (1, 1, 2)
