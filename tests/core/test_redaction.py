"""Error messages contain no key and no password, whatever library wrote them."""

import pytest

from curator.core.errors import CuratorError
from curator.core.redaction import redact_all_keys, redact_secrets
from tests.hostile import Hostile, growth


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("http://user:secret@127.0.0.1:99999/x", "http://[key]@127.0.0.1:99999/x"),
        ("https://ghp_0123456789abcdef@github.com/a", "https://[key]@github.com/a"),
        ("nonnumeric port: 'user:secret@host'", "nonnumeric port: '[key]@host'"),
        ("https://a/b?x=1&sig=Ab%3D&y=2", "https://a/b?x=1&sig=[key]&y=2"),
        ("https://a/b?key=ab&api_key=cd", "https://a/b?key=[key]&api_key=[key]"),
        ("https://a/b?X-Amz-Signature=12ab", "https://a/b?X-Amz-Signature=[key]"),
        ("Proxy-Authorization: Basic dXNlcjpwYXNz", "Proxy-Authorization: Basic [key]"),
        ("Headers({'x-api-key': 'abcdef'})", "Headers({'x-api-key': '[key]'})"),
        ("Config(password='abcdef', n=1)", "Config(password='[key]', n=1)"),
        ("token hf_0123456789abcdefghij", "token [key]"),
        ("max_tokens=4096 is too large", "max_tokens=4096 is too large"),
        ("No version 'mine@3'. Versions: mine@1", "No version 'mine@3'. Versions: mine@1"),
        ("git@github.com:org/repo.git", "git@github.com:org/repo.git"),
    ],
)
def test_what_looks_like_a_secret_is_removed(text: str, redacted: str) -> None:
    assert redact_secrets(text) == redacted
    assert str(CuratorError(text)) == redacted


def test_secrets_of_the_environment_are_removed_wherever_they_stand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("https_proxy", "http://me:p%40ss/word@proxy:1")
    monkeypatch.setenv("ALL_PROXY", "me:another@proxy:1")
    monkeypatch.setenv("MY_API_KEY", "0123-4567-89")
    quoted = "p@ss/word, p%40ss/word, bWU6cEBzcy93b3Jk, another, 0123-4567-89"
    assert redact_secrets(quoted) == ", ".join(["[key]"] * 5)
    assert redact_secrets("another1 is another word") == "another1 is [key] word"


KEY = "ab/cd+Ef=0123"


@pytest.mark.parametrize(
    "form",
    [KEY, "ab%2Fcd%2BEf%3D0123", "ab%2fcd%2bEf%3d0123", "ab\\/cd+Ef=0123", "YWIvY2QrRWY9MDEyMw"],
)
def test_a_key_is_removed_in_every_form_that_servers_send_it_back(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert redact_all_keys({"a": [f"no '{form}'"]}, KEY) == {"a": ["no '[key]'"]}
    monkeypatch.setenv("MY_TOKEN", KEY)
    assert redact_secrets(f"no '{form}'") == "no '[key]'"


def test_a_secret_is_removed_by_its_name_and_nothing_else_is_changed() -> None:
    value = {"api_key": "x", "logit_bias": {50256: -100}, "n": [1, "a"], "token": 3}
    assert redact_all_keys(value) == value | {"api_key": "[key]"}


@pytest.mark.parametrize("part", ["a.", "#", "a:", "a-b+", "?a", "://a", "secret.", "@a:b", "_"])
def test_a_long_text_is_read_in_linear_time(part: str) -> None:
    assert growth(redact_secrets, Hostile(part), 160_000) is None
