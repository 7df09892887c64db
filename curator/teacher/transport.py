"""How an endpoint is reached: by the official client, and by a session that sends with its head.

In: an address, a key, a time. Out: the client, whose replies are bounded; the headers that it
writes; and an aiohttp session with its certificates and the environment's proxy.
"""

import os
import ssl
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from curator.core.errors import TeacherError

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession
    from openai import AsyncOpenAI

CONNECT_S = 30.0
"""Seconds that a connection may take to come about."""
IDLE_S = 4.0
"""Seconds after which an idle connection is given up: before servers (uvicorn: 5) close theirs."""
REPLY_BYTES = 16_000_000
"""A longer reply is a fault; it is never held whole."""


class TooLong(ValueError):
    """A reply is longer than that."""

    def __init__(self) -> None:
        super().__init__(f"the reply has more than {REPLY_BYTES:,} bytes")


def key_of(variable: str) -> str:
    """The key in the environment variable; empty where none is needed. Raises TeacherError."""
    if not variable:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise TeacherError(
            f"The teacher's key is missing: set the environment variable {variable}, "
            "or teacher.key_env to the one that holds it, empty if the endpoint needs none."
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise TeacherError(
            f"The environment variable {variable} holds no key: it has blanks or ‘…’."
        )
    return key


def official_client(
    base_url: str, key: str, timeout_s: float, trust: ssl.SSLContext
) -> "AsyncOpenAI":
    """The client, which tries nothing twice. Raises ValueError or OSError for what it cannot use:
    a proxy of the environment, an address."""
    import httpx2
    import openai

    class Bounded(httpx2.AsyncByteStream):
        def __init__(self, whole: httpx2.AsyncByteStream) -> None:
            self._whole = whole

        async def __aiter__(self) -> AsyncIterator[bytes]:
            left = REPLY_BYTES
            async for part in self._whole:
                left -= len(part)
                if left < 0:
                    raise TooLong
                yield part

        async def aclose(self) -> None:
            await self._whole.aclose()

    async def bound(response: httpx2.Response) -> None:
        # Files of batches, which may be long, go to the disk as they come.
        if not response.request.url.path.endswith("/content"):
            assert isinstance(response.stream, httpx2.AsyncByteStream)
            response.stream = Bounded(response.stream)

    timeout = httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s))
    try:
        return openai.AsyncOpenAI(
            base_url=base_url,
            api_key=key or "none",
            max_retries=0,
            timeout=timeout,
            http_client=openai.DefaultAsyncHttpxClient(
                base_url=base_url,
                timeout=timeout,
                verify=trust,
                follow_redirects=False,
                event_hooks={"response": [bound]},
            ),
        )
    except httpx2.InvalidURL as error:
        raise ValueError(str(error)) from None


def head(client: "AsyncOpenAI") -> dict[str, str]:
    """The headers that the client writes, the key among them. Raises ValueError for what is none.

    They are for each request, never for a session: that would show them to a proxy.
    """
    written = {**client.auth_headers, **client.default_headers}
    fields = {name: value for name, value in written.items() if isinstance(value, str)}
    "".join(fields.values()).encode("ascii")  # as the client: nothing else is read as it was meant
    return fields


def session(
    proxy: str | None, timeout_s: float, most: int, trust: ssl.SSLContext
) -> "ClientSession":
    """What sends, `most` calls at once. It keeps no cookies and reads no password of a netrc."""
    import aiohttp

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=most, keepalive_timeout=IDLE_S, ssl=trust),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(timeout_s, sock_connect=min(CONNECT_S, timeout_s)),
        proxy=proxy,
    )


def proxy_for(address: str) -> str | None:
    """The proxy that the environment names for an address. Raises ValueError for one of SOCKS.

    By itself aiohttp would pass over ALL_PROXY, and look for each request.
    """
    parts = urlsplit(address)
    if proxy_bypass(parts.hostname or ""):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy:
        return None
    scheme, sign, rest = proxy.rpartition("://")
    if scheme not in ("", "http", "https"):
        raise ValueError(
            f"the environment names a proxy {scheme}://…; expected http://, or the host in NO_PROXY"
        )
    return proxy if sign else f"http://{rest}"


async def whole(reply: "ClientResponse") -> bytes:
    """The body of a reply, decompressed. Raises TooLong as soon as it is."""
    parts, left = [], REPLY_BYTES
    async for part in reply.content.iter_any():
        left -= len(part)
        if left < 0:
            raise TooLong
        parts.append(part)
    return b"".join(parts)
