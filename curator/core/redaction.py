"""Removes API keys and passwords from what servers send and from error messages.

In: texts and parsed JSON. Out: the same without the key in use, without the secrets of the
environment (keys, tokens, logins of proxies and endpoints), each as it is and as addresses, JSON
and base64 write it, and without anything that looks like a key: logins and signed queries of
addresses, headers, keys of known providers.
"""

import os
import re
from base64 import b64encode
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote

PLACEHOLDER = "[key]"
MIN_KEY_LENGTH = 8
"""Shorter keys, such as the `EMPTY` of local servers, are ordinary words and are not removed."""
MIN_PASSWORD_LENGTH = 4
"""Shorter passwords of the environment are removed as part of an address only."""

_SECRET_NAME = r"(?:apikey|[-_ ]key|signature|token|secret|password|passwd|credential)"
_HEADER = r"(?:proxy-)?authorization"
# Repetitions in front of a fixed text have bounds: long texts of a server take linear time.
_LIKE_A_KEY = re.compile(
    r"(?P<before>\bBearer\s+"
    rf"|\b{_HEADER}\b[\"']?\s*[:=]\s*[\"']?(?:Bearer\s+|Basic\s+)?"
    r"|\bapi[-_ ]?key\b[\"']?\s*(?:[:=]|provided:)\s*[\"']?"
    rf"|{_SECRET_NAME}(?:[\"']?=[\"']?|[\"']\s*:\s*[\"']))[^\s\"',;&<>\\]{{4,}}"
    # The query of an address, and its login.
    rf"|(?P<query>{_SECRET_NAME}=|(?<=[?&;])(?:key|auth|sig|pwd|code)=)[^\s\"'&#<>]+"
    r"|(?P<scheme>\b[a-z][a-z0-9+.-]{0,20}://)[^\s/?#\"'<>]*@"
    r"|(?<![\w@/.:-])[^\s:/@\"'<>()]{1,100}:[^\s/@\"'<>()]{1,200}@(?=[\w\[])"
    # What some providers issue.
    r"|\bsk-[\w*.-]{8,}|\bhf_[A-Za-z0-9]{16,}|\bgh[opsur]_\w{16,}|\bgithub_pat_\w{16,}",
    re.IGNORECASE,
)
_NAMES_A_SECRET = re.compile(rf".{{0,40}}{_SECRET_NAME}|{_HEADER}|key", re.IGNORECASE)
_VARIABLE_OF_A_SECRET = re.compile(
    r".*(?:key|token|secret|password|passwd|credentials?)", re.IGNORECASE
)


def redact_key(value: Any, key: str) -> Any:
    """Return parsed JSON without `key` in its strings and names; nothing else is changed."""
    if len(key) < MIN_KEY_LENGTH:
        return value
    match value:
        case str():
            for form in _forms(key):
                if form in value:
                    value = value.replace(form, PLACEHOLDER)
            return value
        case list():
            return [redact_key(item, key) for item in value]
        case dict():
            return {redact_key(n, key): redact_key(item, key) for n, item in value.items()}
    return value


@lru_cache(maxsize=1_000)
def _forms(secret: str) -> tuple[str, ...]:
    """Return a secret as it is and as an address, a JSON text and base64 have it; longest first."""
    quoted = {quote(secret, safe="", errors="replace"), quote(secret, errors="replace")}
    forms = {secret, secret.replace("/", "\\/"), *quoted}
    forms |= {re.sub("%..", lambda match: match[0].lower(), form) for form in quoted}
    forms.add(b64encode(secret.encode("utf-8", "replace")).decode().rstrip("="))
    return tuple(sorted(forms, key=lambda form: (-len(form), form)))


def redact_all_keys(value: Any, key: str = "") -> Any:
    """Return parsed JSON without `key` and without anything that looks like a key.

    For errors only: a reply may contain such text.
    """
    match redact_key(value, key):
        case str() as text:
            return redact_secrets(text)
        case list() as items:
            return [redact_all_keys(item, key) for item in items]
        case dict() as items:
            return {_redact_name(name): _redact_item(name, item) for name, item in items.items()}
        case other:
            return other


def _redact_name(name: Any) -> Any:
    return redact_secrets(name) if isinstance(name, str) else name


def _redact_item(name: Any, item: Any) -> Any:
    is_secret = isinstance(item, str) and item and _NAMES_A_SECRET.fullmatch(str(name))
    return PLACEHOLDER if is_secret else redact_all_keys(item)


def redact_secrets(text: str) -> str:
    """Return a message without the secrets of the environment and what looks like a key."""
    for secret in _environment_secrets():
        for form in _forms(secret):
            text = _replace_word(text, form)
    return _LIKE_A_KEY.sub(_replace, text)


def _replace_word(text: str, secret: str) -> str:
    """Return the text with PLACEHOLDER in place of a secret that is not a part of a word."""
    first, *rest = text.split(secret)
    for part in rest:
        inside = _is_word(first[-1:]) or _is_word(part[:1])
        first += (secret if inside else PLACEHOLDER) + part
    return first


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _replace(match: re.Match[str]) -> str:
    if match[0].endswith("@"):
        return f"{match['scheme'] or ''}{PLACEHOLDER}@"
    return f"{match['before'] or match['query'] or ''}{PLACEHOLDER}"


def _environment_secrets() -> list[str]:
    """Return the keys and passwords in environment variables, the longest ones first."""
    secrets = set()
    for name, value in os.environ.items():
        if _VARIABLE_OF_A_SECRET.fullmatch(name) and len(value.strip()) >= MIN_KEY_LENGTH:
            secrets.add(value.strip())
        address = value.partition("://")[2] or (value if name.lower().endswith("_proxy") else "")
        login, at, _ = address.rpartition("@")
        if not at or " " in login:
            continue
        for form in (login, unquote(login)):
            secrets |= {form, form.partition(":")[2], b64encode(form.encode()).decode()}
    return sorted(
        (each for each in secrets if len(each) >= MIN_PASSWORD_LENGTH),
        key=lambda each: (-len(each), each),
    )
