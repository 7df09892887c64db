"""How a request travels: under the official client's head, through proxies, TLS and compression."""

import asyncio
import gzip
import json
import shutil
import ssl
import subprocess
from pathlib import Path

import openai
import pytest

from curator.errors import TeacherError
from curator.teacher import Call, Request, TeacherSettings, connecting
from tests.teacher.faults import Server, completion
from tests.teacher.worlds import ask, requests, settings

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def fields(head: str) -> dict[str, str]:
    """The headers of a request by name, and its first line."""
    first, *lines = head.strip().split("\r\n")
    pairs = (line.split(": ", 1) for line in lines)
    return {"": first} | {name.lower(): value for name, value in pairs}


def test_a_request_has_the_head_of_the_official_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_KEY", "sk-a-key-of-this-test")
    monkeypatch.setenv("OPENAI_ORG_ID", "an-organisation")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "a-project")

    async def officially() -> None:
        async with openai.AsyncOpenAI(base_url=server.url, api_key="sk-a-key-of-this-test") as it:
            await it.chat.completions.create(
                model="m",
                messages=[{"role": "user", "content": "q"}],
                extra_headers={"X-Curator-Sample": "0"},
            )

    with Server() as server:
        ask(settings(server, key_env="TEST_KEY"), tmp_path, [Request("t", "m", (("user", "q"),))])
        asyncio.run(officially())
    ours, official = map(fields, server.headers)
    of_transport = {"accept-encoding", "connection", "content-length"}
    of_retries = {"x-stainless-retry-count", "x-stainless-read-timeout"}
    assert official.keys() - ours.keys() <= of_transport | of_retries
    assert {name: official.get(name) for name in ours.keys() - of_transport} == {
        name: value for name, value in ours.items() if name not in of_transport
    }
    assert ours["openai-organization"] == "an-organisation"


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_used(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server() as proxy:
        monkeypatch.setenv(variable, f"me:secret@127.0.0.1:{proxy.port}")
        how = TeacherSettings(model="m", base_url="http://nowhere.invalid/v1", key_env="")
        [call], _ = ask(how, tmp_path, requests(1))
    assert isinstance(call, Call) and call.status == "answered"
    head = fields(proxy.headers[-1])
    assert head[""] == "POST http://nowhere.invalid/v1/chat/completions HTTP/1.1"
    assert head["proxy-authorization"] == "Basic bWU6c2VjcmV0"


def test_an_address_that_is_excepted_needs_no_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://nowhere.invalid:3128")
    monkeypatch.setenv("NO_PROXY", "example.org,127.0.0.1")
    with Server() as server:
        [call], _ = ask(settings(server), tmp_path, requests(1))
    assert isinstance(call, Call) and call.status == "answered"


def test_a_certificate_that_nobody_trusts_is_told_and_a_trusted_one_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shutil.which("openssl"):
        pytest.skip("openssl, which makes a certificate, is not there")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    made += ["-subj", "/CN=here", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key)]
    subprocess.run([*made, "-out", str(certificate)], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with Server(tls=tls) as server:
        [refused], _ = ask(settings(server, tries=1), tmp_path / "a", requests(1))
        assert not server.headers
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        [call], _ = ask(settings(server), tmp_path / "b", requests(1))
    assert isinstance(refused, TeacherError) and "certificate" in str(refused).lower()
    assert isinstance(call, Call) and call.status == "answered"


def test_a_compressed_reply_is_read_and_bounded_by_what_it_becomes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "REPLY_BYTES", 1_000_000)
    headers = {"content-encoding": "gzip"}
    good = gzip.compress(json.dumps(completion("short")).encode())
    bomb = gzip.compress(b" " * 100_000_000)
    with Server(reply=lambda asked, number: (200, headers, good)) as server:
        [call], _ = ask(settings(server), tmp_path, requests(1))
    with Server(reply=lambda asked, number: (200, headers, bomb)) as server:
        [failed], _ = ask(settings(server, tries=1), tmp_path, requests(1, first=1))
    assert isinstance(call, Call) and call.text == "short"
    assert isinstance(failed, Call) and failed.reason == "reply too long"
