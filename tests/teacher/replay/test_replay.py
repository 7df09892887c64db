"""`curator replay`: an HTTP server that answers with recorded replies and nothing else."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from typing import Any

import openai
import pytest

from curator.core.errors import UsageError
from curator.teacher.budget import Cost
from curator.teacher.call import Call, Request
from curator.teacher.call_record import Tries, make_record
from curator.teacher.replay.recordings import Recordings, export
from curator.teacher.replay.server import Replay, Server
from datastore.store import Store
from tests.paths import DATA

INVALID = json.loads((DATA / "teacher/invalid_lines.json").read_text(encoding="utf-8"))
ASK: list[Any] = [{"role": "user", "content": "1 + 1?"}]


def write_calls(folder: Path, *lines: dict[str, Any]) -> Path:
    path = folder / "calls.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def call(question: str, reply: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [["user", question]], "reply": reply, **more}


@contextmanager
def client(path: Path) -> Iterator[openai.OpenAI]:
    with (
        Replay(path) as address,
        openai.OpenAI(base_url=address, api_key="none", max_retries=0) as opened,
    ):
        yield opened


def ask(to: openai.OpenAI, messages: list[Any] = ASK, sample: int = 0, **more: Any) -> Any:
    header = {"X-Curator-Sample": str(sample)}
    return to.chat.completions.create(model="m", messages=messages, extra_headers=header, **more)


def ask_text(to: openai.OpenAI, messages: list[Any] = ASK, sample: int = 0, **more: Any) -> str:
    return str(ask(to, messages, sample, **more).choices[0].message.content)


def test_a_recorded_reply_is_served_as_a_whole_response(tmp_path: Path) -> None:
    with client(write_calls(tmp_path, call("1 + 1?", "2", finish_reason="length"))) as to:
        answer = ask(to)
    assert answer.choices[0].message.content == "2"
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.prompt_tokens == 5 + 4 + 3
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 1
    assert answer.model == "m"
    assert answer.id.startswith("chatcmpl-")


def test_usage_of_the_line_replaces_counted_tokens(tmp_path: Path) -> None:
    usage = {"prompt_tokens": 70, "completion_tokens": 3, "total_tokens": 73}
    with client(write_calls(tmp_path, call("1 + 1?", "2", usage=usage))) as to:
        assert ask(to).usage.model_dump(exclude_none=True) == usage


def test_a_recorded_body_is_served_with_the_fingerprint_of_the_replay(tmp_path: Path) -> None:
    body = {"id": "x", "choices": [], "usage": None, "system_fingerprint": "fp_1", "odd": [1]}
    line = {"model": "m", "messages": ASK, "response": body}
    path = write_calls(tmp_path, line)
    with client(path) as to:
        answer = ask(to).model_dump()
    assert {**answer, "system_fingerprint": "fp_1"}.items() >= body.items()
    assert answer["system_fingerprint"] == Recordings(path).fingerprint
    assert len(answer["system_fingerprint"]) == len("replay:") + 12


def test_the_fingerprint_depends_on_the_content_of_the_file(tmp_path: Path) -> None:
    one = Recordings(write_calls(tmp_path, call("q", "a"))).fingerprint
    assert Recordings(write_calls(tmp_path, call("q", "a"))).fingerprint == one
    assert Recordings(write_calls(tmp_path, call("q", "b"))).fingerprint != one


def test_the_longest_matching_end_of_a_conversation_wins(tmp_path: Path) -> None:
    talk = [["user", "1 + 1?"], ["assistant", "3"], ["user", "Again."]]
    path = write_calls(
        tmp_path,
        {"model": "m", "messages": talk[2:], "reply": "short"},
        {"model": "m", "messages": talk, "reply": "long"},
        {"model": "m", "messages": talk[1:], "reply": "middle"},
    )
    conversation = [{"role": role, "content": text} for role, text in talk]
    with client(path) as to:
        system = {"role": "system", "content": "Be brief."}
        assert ask_text(to, [system, *conversation]) == "long"
        assert ask_text(to, conversation[1:]) == "middle"
        assert ask_text(to, [*conversation[:1], *conversation[2:]]) == "short"
        with pytest.raises(openai.NotFoundError):
            ask_text(to, [*conversation, system])


def test_a_line_that_names_the_sample_or_the_parameters_wins(tmp_path: Path) -> None:
    path = write_calls(
        tmp_path,
        call("1 + 1?", "any"),
        call("1 + 1?", "third", sample=2),
        call("1 + 1?", "cold", parameters={"temperature": 0.0, "max_tokens": 9}),
        call("1 + 1?", "third and cold", sample=2, parameters={"temperature": 0.0}),
    )
    with client(path) as to:
        assert [ask_text(to, sample=n) for n in range(4)] == ["any", "any", "third", "any"]
        assert ask_text(to, max_tokens=9, temperature=0.0) == "cold"
        assert ask_text(to, sample=2, max_tokens=9, temperature=0.0) == "third"
        assert ask_text(to, sample=2, temperature=0.0) == "third and cold"
        assert ask_text(to, temperature=0.5) == "any"


def test_several_choices_are_the_next_samples_and_count_the_prompt_once(tmp_path: Path) -> None:
    lines = [call("1 + 1?", f"reply {n}", sample=n) for n in range(5)]
    with client(write_calls(tmp_path, *lines)) as to:
        answer = ask(to, sample=1, n=3)
        assert [choice.message.content for choice in answer.choices] == [
            "reply 1",
            "reply 2",
            "reply 3",
        ]
        assert [choice.index for choice in answer.choices] == [0, 1, 2]
        one = ask(to, sample=1).usage
        assert answer.usage.prompt_tokens == one.prompt_tokens
        assert answer.usage.completion_tokens == 3 * one.completion_tokens
        with pytest.raises(openai.NotFoundError, match="as sample 5"):
            ask(to, sample=4, n=3)


def test_without_a_header_equal_requests_are_numbered(tmp_path: Path) -> None:
    lines = [call("1 + 1?", str(n), sample=n) for n in range(6)] + [call("2 + 2?", "4", sample=0)]
    with client(write_calls(tmp_path, *lines)) as to:
        create = to.chat.completions.create
        texts = [create(model="m", messages=ASK).choices[0].message.content for _ in range(2)]
        two = create(model="m", messages=ASK, n=2)
        texts += [choice.message.content for choice in two.choices]
        other: Any = [{"role": "user", "content": "2 + 2?"}]
        assert create(model="m", messages=other).choices[0].message.content == "4"
        texts.append(create(model="m", messages=ASK, n=1).choices[0].message.content)
    assert texts == ["0", "1", "2", "3", "4"]


def test_an_unknown_call_is_a_404_with_the_request(tmp_path: Path) -> None:
    with client(write_calls(tmp_path, call("q", "a"))) as to:
        question = [{"role": "user", "content": "What is\n" + "7 + " * 100}]
        with pytest.raises(openai.NotFoundError) as raised:
            to.chat.completions.create(model="mm", messages=question)  # type: ignore[arg-type]
    message = raised.value.body["message"]  # type: ignore[index,call-overload]
    assert "'mm' (nearest: 'm') as sample 0" in message
    assert message.endswith(("What is " + "7 + " * 100)[:80])
    assert raised.value.code == "no_recording"


def test_models_and_health_are_served(tmp_path: Path) -> None:
    path = write_calls(tmp_path, call("q", "a"), {**call("q", "b"), "model": "another"})
    with client(path) as to:
        assert [model.id for model in to.models.list()] == ["another", "m"]
        health = str(to.base_url).replace("/v1/", "/health")
        with urllib.request.urlopen(health) as answer:
            assert json.load(answer) == {"status": "ok", "calls": 2}


def test_unusual_texts_are_served_unchanged(tmp_path: Path) -> None:
    texts = ["", "\ud83d\udca1 ∫ \u2028", "\0\r\n", "x" * 200_000, "</script>\\"]
    with client(write_calls(tmp_path, *(call(f"q{n}", t) for n, t in enumerate(texts)))) as to:
        served = [ask_text(to, [{"role": "user", "content": f"q{n}"}]) for n in range(len(texts))]
    assert served == json.loads(json.dumps(texts))


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        ("POST", "/v1/chat/completions", {}, b"{", 400),
        ("POST", "/v1/chat/completions", {}, b"[" * 100_000, 400),
        ("POST", "/v1/chat/completions", {}, b"[]", 400),
        ("POST", "/v1/chat/completions", {}, b'{"model": "m"}', 400),
        ("POST", "/v1/chat/completions", {}, b'{"model": "m", "messages": [1]}', 400),
        ("POST", "/v1/chat/completions", {"X-Curator-Sample": "-1"}, b'{"model": "m"}', 400),
        ("POST", "/v1/chat/completions", {"X-Curator-Sample": "9" * 99}, b'{"model": "m"}', 400),
        ("POST", "/v1/chat/completions", {"Content-Length": "x"}, b"{}", 411),
        ("POST", "/v1/chat/completions", {"Content-Length": str(10**12)}, b"{}", 411),
        ("POST", "/v1/completions", {}, b"{}", 404),
        ("GET", "/../../etc/passwd", {}, None, 404),
        ("DELETE", "/v1/models", {}, None, 501),
    ],
)
def test_an_invalid_request_is_answered_with_a_json_error(
    tmp_path: Path, method: str, path: str, headers: dict[str, str], body: Any, status: int
) -> None:
    with Replay(write_calls(tmp_path, call("q", "a"))) as address:
        connection = HTTPConnection(address.split("/")[2], timeout=600)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        assert answer.status == status
        assert answer.headers["Content-Type"] == "application/json"
        error = json.load(answer)["error"]
        assert error["message"]
        assert set(error) == {"message", "type", "param", "code"}
        connection.close()


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        *(("GET", {"Host": host}, 200) for host in ("localhost", "127.0.0.1:9", "[::1]:8000")),
        *(("GET", {"Host": host}, 403) for host in ("evil.example", "localhost.evil.example", "")),
        ("GET", {"Host": "10.0.0.7"}, 403),
        ("GET", {"Origin": "https://evil.example"}, 403),
        ("GET", {"Origin": "null"}, 403),
        *(("GET", {"Sec-Fetch-Site": site}, 403) for site in ("cross-site", "same-origin")),
        ("GET", {"Sec-Fetch-Site": "none"}, 200),
        ("OPTIONS", {"Access-Control-Request-Method": "POST"}, 501),
        ("OPTIONS", {"Origin": "https://evil.example"}, 403),
        ("POST", {"Host": "evil.example"}, 403),
        ("POST", {"Origin": "http://localhost:3000"}, 403),
        ("POST", {"Content-Type": "text/plain"}, 415),
        ("POST", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ("POST", {"Content-Type": "Application/JSON; charset=utf-8"}, 200),
    ],
)
def test_a_page_in_a_browser_gets_no_answer(
    tmp_path: Path, method: str, headers: dict[str, str], status: int
) -> None:
    body = json.dumps({"model": "m", "messages": ASK}) if method == "POST" else None
    path = "/v1/chat/completions" if method == "POST" else "/v1/models"
    with Replay(write_calls(tmp_path, call("1 + 1?", "2"))) as address:
        connection = HTTPConnection(address.split("/")[2], timeout=600)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
    assert answer.status == status
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    assert status == 200 or "error" in json.loads(text)


def test_a_request_with_two_hosts_or_none_gets_no_answer(tmp_path: Path) -> None:
    with Replay(write_calls(tmp_path, call("q", "a"))) as address:
        host, _, port = address.split("/")[2].partition(":")
        for lines in ("", "Host: localhost\r\nHost: evil.example\r\n"):
            with socket.create_connection((host, int(port))) as connection:
                request = f"GET /v1/models HTTP/1.1\r\n{lines}Connection: close\r\n\r\n"
                connection.sendall(request.encode())
                assert connection.makefile().readline() == "HTTP/1.1 403 Forbidden\n"


def test_an_address_that_the_user_chose_is_answered(tmp_path: Path) -> None:
    recordings = Recordings(write_calls(tmp_path, call("q", "a")))
    with Server(recordings, "0.0.0.0") as server:
        for host, answered in (("192.168.1.5:80", True), ("[fe80::1]", True), ("a.example", False)):
            headers = Message()
            headers["Host"] = host
            assert (server.explain_refusal(headers) == "") is answered


def test_an_ipv6_address_is_served(tmp_path: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    recordings = Recordings(write_calls(tmp_path, call("q", "a")))
    with Server(recordings, "::1") as server:
        assert re.fullmatch(r"http://\[::1\]:\d+/v1", server.address)
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        with urllib.request.urlopen(f"{server.address}/models") as answer:
            assert json.load(answer)["data"][0]["id"] == "m"
        server.shutdown()
        thread.join()


def test_streaming_and_invalid_numbers_of_choices_are_rejected(tmp_path: Path) -> None:
    with client(write_calls(tmp_path, call("1 + 1?", "2"))) as to:
        with pytest.raises(openai.BadRequestError, match="not streamed"):
            ask(to, stream=True)
        for n in (-1, 1000):
            with pytest.raises(openai.BadRequestError, match="n: expected 1 to 128"):
                ask(to, n=n)


@pytest.mark.parametrize(("line", "reason"), INVALID)
def test_an_invalid_line_is_reported_with_its_number(
    tmp_path: Path, line: str, reason: str
) -> None:
    path = write_calls(tmp_path, call("q", "a"))
    with path.open("a") as file:
        file.write(f"\n{line}\n")
    with pytest.raises(UsageError) as raised:
        Recordings(path)
    assert str(raised.value).startswith(f"{path}:3: ")
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)


def test_five_invalid_lines_are_shown_and_all_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_bytes(b"\xff\n" + b"[" * 100_000 + b"\n" + b"{}\n" * 1000)
    with pytest.raises(UsageError) as raised:
        Recordings(path)
    lines = str(raised.value).splitlines()
    assert [line.split(": ")[0] for line in lines[:5]] == [f"{path}:{n}" for n in range(1, 6)]
    assert lines[5:] == ["… and 997 more invalid lines"]


def test_an_endless_line_is_not_held_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    with path.open("wb") as file:
        file.write(b'"' + b"x" * 40_000_000 + b'"\n')
        file.write(json.dumps(call("q", "a")).encode() + b"\n{}")
    with pytest.raises(UsageError) as raised:
        Recordings(path)
    assert [line.split(": ", 1)[0] for line in str(raised.value).splitlines()] == [
        f"{path}:1",
        f"{path}:3",
    ]


def test_two_lines_for_one_request_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r":2: an earlier line answers the same request"):
        Recordings(write_calls(tmp_path, call("q", "a"), call("q", "b")))


def test_the_calls_of_a_store_are_served_and_exported(tmp_path: Path) -> None:
    def record(question: str, call: Call, response: Any, sample: int = 0) -> dict[bytes, Any]:
        request = Request("openai", "m", (("user", question),), '{"temperature":0.5}', sample)
        tries = Tries(response, Cost(), estimated=False, count=1, seconds=1)
        return {request.key: make_record(request, call, tries, recipe="r", when=1)}

    body = {"id": "1", "choices": [{"index": 0, "message": {"role": "assistant", "content": "2"}}]}
    answered = Call("answered", "2", finish="stop", prompt_tokens=7, completion_tokens=1)
    with Store(tmp_path / "store") as store:
        calls = store.ledger("calls")
        calls.put_many(record("1 + 1?", answered, body))
        calls.put_many(record("2 + 2?", answered, body, sample=1))
        calls.put_many(record("3 + 3?", Call("failed", reason="bad request"), {"error": {}}))
        calls.put_many(record("4 + 4?", answered, '{"choices": [{"mess'))
        with (tmp_path / "written.jsonl").open("wb") as file:
            assert export(calls, file) == 3
    for path in (tmp_path / "store", tmp_path / "written.jsonl"):
        with client(path) as to:
            assert ask_text(to, temperature=0.5) == "2"
            unknown: list[Any] = [
                {"temperature": 0.6},
                {"temperature": 0.5, "sample": 1},
                {"temperature": 0.5, "messages": [{"role": "user", "content": "3 + 3?"}]},
            ]
            for request in unknown:
                with pytest.raises(openai.NotFoundError):
                    ask_text(to, **request)
            long = ask(to, [{"role": "user", "content": "4 + 4?"}], temperature=0.5)
            assert long.choices[0].message.content == "2"
            assert long.usage.total_tokens == 8
    whole, written = Recordings(tmp_path / "store"), Recordings(tmp_path / "written.jsonl")
    assert whole.fingerprint == written.fingerprint


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Any]:
    started: list[subprocess.Popen[str]] = []

    def start(*words: object) -> subprocess.Popen[str]:
        line = [sys.executable, "-m", "curator", "replay", *map(str, words)]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(line, stdout=pipe, stderr=pipe, text=True, cwd=tmp_path))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_its_address_and_ends_cleanly(
    command: Any, tmp_path: Path, number: signal.Signals
) -> None:
    process = command("--calls", write_calls(tmp_path, call("1 + 1?", "2")))
    line = process.stdout.readline()
    address = line.split()[0]
    assert line == f"{address}  1 call of m\n"
    with openai.OpenAI(base_url=address, api_key="x") as to:
        assert ask_text(to) == "2"
        process.send_signal(number)
        out, err = process.communicate()
    assert (process.returncode, out, err) == (0, "", "")


def test_the_command_prints_json(command: Any, tmp_path: Path) -> None:
    path = write_calls(tmp_path, call("1 + 1?", "2"))
    process = command("--calls", path, "--json")
    served = json.loads(process.stdout.readline())
    assert served["fingerprint"] == Recordings(path).fingerprint
    assert (served["calls"], served["models"]) == (1, ["m"])
    health = served["address"].replace("/v1", "/health")
    with urllib.request.urlopen(health) as answer:
        assert json.load(answer)["calls"] == 1


def test_the_command_writes_the_calls_of_a_store_once(command: Any, tmp_path: Path) -> None:
    path = write_calls(tmp_path, call("1 + 1?", "2"))
    process = command("--calls", path, "--write", tmp_path / "copy.jsonl")
    assert process.communicate() == (f"Wrote 1 call to {tmp_path}/copy.jsonl\n", "")
    assert (tmp_path / "copy.jsonl").read_bytes() == path.read_bytes()
    again = command("--calls", path, "--write", tmp_path / "copy.jsonl")
    assert "File exists. Choose a new file." in again.communicate()[1]
    assert again.returncode == 2


def test_an_error_of_the_command_is_reported_in_one_line(command: Any, tmp_path: Path) -> None:
    path = write_calls(tmp_path, call("1 + 1?", "2"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = command("--calls", path, "--port", port)
        err = process.communicate()[1]
    assert process.returncode == 2
    assert err.startswith(f"Cannot serve at 127.0.0.1:{port}: ")
    assert err.count("\n") == 1
    (tmp_path / "empty").mkdir()
    assert command("--calls", tmp_path / "empty").communicate()[1].count("\n") == 1


def test_concurrent_clients_get_their_own_replies(command: Any, tmp_path: Path) -> None:
    lines = [call(f"{n} + 0?", str(n)) for n in range(500)]
    process = command("--calls", write_calls(tmp_path, *lines))
    address = process.stdout.readline().split()[0]

    async def send_all() -> list[str | None]:
        gate = asyncio.Semaphore(64)
        async with openai.AsyncOpenAI(base_url=address, api_key="x", max_retries=0) as to:

            async def one(number: int) -> str | None:
                messages: Any = [{"role": "user", "content": f"{number} + 0?"}]
                async with gate:
                    answer = await to.chat.completions.create(model="m", messages=messages)
                return answer.choices[0].message.content

            return await asyncio.gather(*map(one, range(len(lines))))

    assert asyncio.run(send_all()) == [str(n) for n in range(len(lines))]


def test_many_lines_are_not_held_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    with path.open("w") as file:
        for n in range(60_000):
            file.write(json.dumps(call(f"{n} + 0?", "x" * 1000)) + "\n")
    code = f"""
import resource
from pathlib import Path
from curator.teacher.replay.recordings import Recordings
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
recordings = Recordings(Path({str(path)!r}))
assert recordings.find("m", [("user", "59999 + 0?")], {{}}, 0)["reply"] == "x" * 1000
print(len(recordings), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    lines, megabytes = map(int, run.stdout.split())
    assert lines == 60_000
    assert megabytes < 50
