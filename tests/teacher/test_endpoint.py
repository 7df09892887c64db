"""How a request is sent: headers, proxies, TLS, compression, reuse of connections."""

import asyncio
import gzip
import json
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import openai
import pytest

from curator.core.errors import TeacherError
from curator.teacher import Call, Request, TeacherSettings, endpoint
from curator.teacher.endpoint import describe_teacher
from tests.teacher.faults import Server, completion
from tests.teacher.helpers import Notes, ask, requests, settings

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def fields(head: str) -> dict[str, str]:
    """The headers of a request by name; its first line under the empty name."""
    first, *lines = head.strip().split("\r\n")
    pairs = (line.split(": ", 1) for line in lines)
    return {"": first} | {name.lower(): value for name, value in pairs}


def test_the_address_and_the_variable_of_the_key_are_reported_before_the_first_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER_SECRET", "a-secret-of-this-test")
    notes, seen = Notes(), list[list[str]]()

    def answer(body: dict[str, Any], attempt: int) -> None:
        seen.append(list(notes.texts))

    with Server(reply=answer) as server:
        named = settings(server, key_env="OTHER_SECRET", model="m\x1b[31m\nx")
        ask(named, tmp_path, requests(2), listener=notes)
        line = f"Teacher: m [31m x at {server.url} (sends the value of OTHER_SECRET)."
    assert notes.texts.count(line) == 1
    assert all(line in before for before in seen)


def test_they_are_reported_once_if_the_key_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTHER_SECRET", raising=False)
    notes = Notes()
    with Server() as server:
        named = settings(server, key_env="OTHER_SECRET")
        errors, _ = ask(named, tmp_path, requests(3), listener=notes)
        assert all("OTHER_SECRET" in str(error) for error in errors)
        assert notes.texts == [f"Teacher: m at {server.url} (sends the value of OTHER_SECRET)."]
        assert not server.served


def test_a_teacher_without_a_key_and_a_replay_send_none() -> None:
    plain = TeacherSettings(model="m", base_url="http://localhost:8000/v1", key_env="")
    replayed = TeacherSettings(model="m", replay="calls.jsonl")
    assert describe_teacher(plain) == "Teacher: m at http://localhost:8000/v1 (sends no key)."
    assert describe_teacher(replayed) == "Teacher: m, replayed from calls.jsonl (sends no key)."


def test_a_request_has_the_headers_of_the_official_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_KEY", "sk-a-key-of-this-test")
    monkeypatch.setenv("OPENAI_ORG_ID", "an-organisation")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "a-project")

    async def send_officially() -> None:
        async with openai.AsyncOpenAI(
            base_url=server.url, api_key="sk-a-key-of-this-test", timeout=with_key.timeout_s
        ) as client:
            await client.chat.completions.create(
                model="m",
                messages=[{"role": "user", "content": "q"}],
                extra_headers={"X-Curator-Sample": "0"},
            )

    with Server() as server:
        with_key = settings(server, key_env="TEST_KEY")
        ask(with_key, tmp_path, [Request("t", "m", (("user", "q"),))])
        asyncio.run(send_officially())
    ours, official = map(fields, server.heads)
    transport_headers = {"accept-encoding", "connection", "content-length"}
    assert official.keys() - ours.keys() <= transport_headers
    assert {name: official.get(name) for name in ours.keys() - transport_headers} == {
        name: value for name, value in ours.items() if name not in transport_headers
    }
    assert ours["openai-organization"] == "an-organisation"


def test_the_query_of_an_address_is_kept_and_azure_reads_the_key_from_its_own_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_KEY", "a-key-of-this-test")
    with Server() as server:
        root = server.url.removesuffix("/v1")
        for query in ("?api-version=2024-06-01", "?region=eu&flag="):
            named = settings(
                server, base_url=f"{root}/openai/deployments/dep{query}", key_env="TEST_KEY"
            )
            ask(named, tmp_path / query[1:4], requests(1))
    azure, other = map(fields, server.heads)
    path = "/openai/deployments/dep/chat/completions"
    assert azure[""] == f"POST {path}?api-version=2024-06-01 HTTP/1.1"
    assert azure["api-key"] == "a-key-of-this-test" and "authorization" not in azure
    assert other[""] == f"POST {path}?region=eu&flag= HTTP/1.1"
    assert other["authorization"] == "Bearer a-key-of-this-test" and "api-key" not in other


@pytest.mark.parametrize("query", ["key=abcd1234", "api_key=abcd1234", "code=abcd1234"])
def test_a_key_in_the_query_of_an_address_is_refused(query: str) -> None:
    with pytest.raises(ValueError, match="expected no key or password in the URL"):
        TeacherSettings(model="m", base_url=f"http://localhost:1/v1?api-version=1&{query}")


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize(
    ("user", "authorization"), [("", None), ("me:secret@", "Basic bWU6c2VjcmV0")]
)
def test_a_proxy_of_the_environment_is_used(
    user: str,
    authorization: str | None,
    variable: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Server() as proxy:
        monkeypatch.setenv(variable, f"{user}127.0.0.1:{proxy.port}")
        unknown = TeacherSettings(model="m", base_url="http://nowhere.invalid/v1", key_env="")
        [call], _ = ask(unknown, tmp_path, requests(1))
    assert isinstance(call, Call) and call.status == "answered"
    head = fields(proxy.heads[-1])
    assert head[""] == "POST http://nowhere.invalid/v1/chat/completions HTTP/1.1"
    assert head["authorization"] == "Bearer none"
    assert head.get("proxy-authorization") == authorization


def test_a_host_in_no_proxy_is_reached_directly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://nowhere.invalid:3128")
    monkeypatch.setenv("NO_PROXY", "example.org,127.0.0.1")
    with Server() as server:
        [call], _ = ask(settings(server), tmp_path, requests(1))
    assert isinstance(call, Call) and call.status == "answered"


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
def test_an_unsupported_proxy_is_reported_without_its_password(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "socks5://me:secret@127.0.0.1:1080")
    socks = TeacherSettings(model="m", base_url="https://127.0.0.1:9/v1", key_env="")
    [error], _ = ask(socks, tmp_path, requests(1))
    assert isinstance(error, TeacherError)
    assert "socks5://" in str(error) and "NO_PROXY" in str(error)
    assert "secret" not in str(error)


@pytest.fixture(scope="session")
def certified(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate for this machine, and a context that serves with it."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=here", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key)]
    subprocess.run([*command, "-out", str(certificate)], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    return certificate, tls


class Tunnels(socketserver.StreamRequestHandler):
    """A proxy that opens tunnels and records the requests for them."""

    heads: ClassVar[list[str]] = []

    def handle(self) -> None:
        head = "".join(iter(lambda: self.rfile.readline().decode(), "\r\n"))
        self.heads.append(head)
        host, _, port = head.split()[1].rpartition(":")
        with socket.create_connection((host, int(port))) as target:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            threading.Thread(target=self._copy, args=(target, self.connection)).start()
            self._copy(self.connection, target)

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("user", ["", "me:secret@"])
def test_a_tunnel_through_a_proxy_shows_it_no_key(
    user: str,
    certified: tuple[Path, ssl.SSLContext],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEST_KEY", "sk-a-key-of-this-test")
    monkeypatch.setenv("SSL_CERT_FILE", str(certified[0]))
    Tunnels.heads.clear()
    with (
        Server(tls=certified[1]) as server,
        socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tunnels) as proxy,
    ):
        threading.Thread(target=proxy.serve_forever).start()
        monkeypatch.setenv("HTTPS_PROXY", f"http://{user}127.0.0.1:{proxy.server_address[1]}")
        [call], _ = ask(settings(server, key_env="TEST_KEY"), tmp_path, requests(1))
        proxy.shutdown()
    assert isinstance(call, Call) and call.status == "answered"
    assert "sk-a-key-of-this-test" in server.heads[-1]
    [head] = Tunnels.heads
    assert head.startswith(f"CONNECT 127.0.0.1:{server.port} ")
    assert "sk-a-key" not in head and "Bearer" not in head
    assert ("Proxy-Authorization: Basic bWU6c2VjcmV0" in head) == bool(user)


def test_an_untrusted_certificate_is_reported_and_a_trusted_one_is_accepted(
    certified: tuple[Path, ssl.SSLContext], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(tls=certified[1]) as server:
        [refused], _ = ask(settings(server, tries=1), tmp_path / "a", requests(1))
        assert not server.heads
        monkeypatch.setenv("SSL_CERT_FILE", str(certified[0]))
        [call], _ = ask(settings(server), tmp_path / "b", requests(1))
    assert isinstance(refused, TeacherError) and "certificate" in str(refused).lower()
    assert isinstance(call, Call) and call.status == "answered"


def test_connections_are_reused_after_replies_and_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "IDLE_S", 600.0)  # longer than any wait of a busy machine
    with Server(share=0.3, faults=["500", "truncated", "no choices"]) as server:
        ask(settings(server, concurrency=4), tmp_path, requests(200))
    assert server.tries.total() > 200
    assert server.connections <= 4


def test_a_compressed_reply_is_read_and_bounded_by_its_decompressed_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "REPLY_BYTES", 1_000_000)
    headers = {"content-encoding": "gzip"}
    valid = gzip.compress(json.dumps(completion("short")).encode())
    bomb = gzip.compress(b" " * 100_000_000)
    with Server(reply=lambda body, number: (200, headers, valid)) as server:
        [call], _ = ask(settings(server), tmp_path, requests(1))
    with Server(reply=lambda body, number: (200, headers, bomb)) as server:
        [failed], _ = ask(settings(server, tries=1), tmp_path, requests(1, first=1))
    assert isinstance(call, Call) and call.text == "short"
    assert isinstance(failed, Call) and failed.reason == "reply too long"
