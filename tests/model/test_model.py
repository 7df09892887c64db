"""A real model behind a real server, used like any teacher. Run by `make test-model`."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from curator.teacher import Call, Request, TeacherSettings, parameters
from curator.teacher.client import CallLedgers, Teacher
from curator.teacher.replay.recordings import Recordings
from curator.teacher.replay.server import Replay
from curator.teacher.token_count import counter, prompt_tokens
from datastore.store import Store
from tests.model.serving import served, unpacked

# A server that learns its model on a busy machine takes its time.
pytestmark = [pytest.mark.model, pytest.mark.timeout(1200)]

ASKED = parameters({"temperature": 0.0, "max_tokens": 40})


@pytest.fixture(scope="session")
def endpoint() -> Iterator[tuple[str, str]]:
    with served() as address:
        yield address


def ask(
    store: Store, settings: TeacherSettings, requests: list[Request], base_url: str = ""
) -> list[Call]:
    async def run() -> list[Call]:
        calls, claims = store.ledger("calls"), store.claims("calls")
        how = settings.with_address(base_url) if base_url else settings
        async with Teacher(how, CallLedgers(calls, claims)) as teacher:
            return list(await asyncio.gather(*map(teacher.get_call, requests)))

    return asyncio.run(run())


def test_a_real_model_answers_once_and_its_calls_can_be_replayed(
    endpoint: tuple[str, str], tmp_path: Path
) -> None:
    address, model = endpoint
    settings = TeacherSettings(model=model, base_url=address, key_env="", concurrency=4)
    questions = ("What is the capital of France?", "What is 2 + 3? Reply with the number.")
    requests = [Request("local", model, (("user", text),), ASKED) for text in questions]
    with Store(tmp_path / "store") as store:
        calls = ask(store, settings, requests)
        assert [call.status for call in calls] == ["answered", "answered"]
        assert "Paris" in calls[0].text
        assert all(0 < call.completion_tokens <= 40 for call in calls)
        gone = TeacherSettings(model=model, base_url="http://127.0.0.1:9/v1", key_env="")
        assert ask(store, gone, requests) == calls, "from the ledger"
    assert len(Recordings(tmp_path / "store")) == 2
    with Replay(tmp_path / "store") as replayed, Store(tmp_path / "colleague") as store:
        again = ask(store, gone, requests, replayed)
    assert [call.text for call in again] == [call.text for call in calls]
    assert all(call.fingerprint.startswith("replay:") for call in again)


def test_tokens_of_a_prompt_are_estimated_close_to_what_the_model_counts(
    endpoint: tuple[str, str], tmp_path: Path
) -> None:
    address, model = endpoint
    settings = TeacherSettings(model=model, base_url=address, key_env="")
    text = "Natalia sold clips to 48 of her friends in April, and then half as many in May. " * 5
    messages = (("system", "Be brief."), ("user", text))
    with Store(tmp_path) as store:
        (call,) = ask(store, settings, [Request("local", model, messages, ASKED)])
    own = prompt_tokens(counter(unpacked() / "tokenizer.json"), messages)
    general = prompt_tokens(counter(), messages)
    assert abs(own - call.prompt_tokens) <= 5
    assert abs(general - call.prompt_tokens) <= 0.2 * call.prompt_tokens
