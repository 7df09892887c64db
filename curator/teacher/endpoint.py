"""An OpenAI-compatible endpoint, reached through the official client over its aiohttp transport.

In: a request. Out: the result of one attempt: a call or a failure, the body as it is stored, and
the pause that the endpoint demands. Nothing is retried here.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from curator.core.errors import TeacherError
from curator.teacher.call import Call, Request
from curator.teacher.config import TeacherSettings
from curator.teacher.rate_limit import retry_after
from curator.teacher.redaction import one_line, without_keys
from curator.teacher.response import Fault, read_refusal, read_response

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

CONNECT_S = 30.0
"""Maximum seconds to open a connection."""
IDLE_S = 4.0
"""Seconds after which an idle connection is closed: before servers (uvicorn: 5) close it."""
REPLY_BYTES = 16_000_000
"""A longer reply, decompressed, is an error; it is never held whole."""


class ReplyTooLong(ValueError):
    """A reply has more than REPLY_BYTES bytes."""

    def __init__(self) -> None:
        super().__init__(f"the reply has more than {REPLY_BYTES:,} bytes")


@dataclass(frozen=True, slots=True)
class Try:
    """What one try brought."""

    found: Call | Fault
    body: Any = None
    """Body of the reply, JSON or text, without keys; None if none came."""
    retry_after_s: float | None = None


class Endpoint:
    """The endpoint of the settings.

    The key is read from the environment when the first request is made; TeacherError if it is
    missing. A key goes to whatever address a recipe names: read `base_url` and `key_env` before you
    build somebody else's recipe.
    """

    def __init__(self, settings: TeacherSettings) -> None:
        self.settings = settings
        self.base_url = settings.base_url
        self._key_env = settings.key_env
        self._timeout_s = settings.timeout_s
        self._concurrency = settings.concurrency
        self._key = ""
        self._client: AsyncOpenAI | None = None

    @property
    def place(self) -> str:
        """The address for people, without what may be secret in it."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    @property
    def client(self) -> "AsyncOpenAI":
        """The official client, made on first use. Raises TeacherError if that is impossible."""
        if self._client is None:
            self._key = read_key(self._key_env)
            with self._wrap_errors():
                check_proxy(self.base_url)
                self._client = make_client(
                    self.base_url, self._key, self._timeout_s, self._concurrency
                )
        return self._client

    @property
    def key(self) -> str:
        """The key in use, to be removed from everything that the endpoint returns."""
        return self._key

    def open(self) -> None:
        """Make the client. Raises TeacherError if that is impossible."""
        _ = self.client

    async def ask(self, request: Request) -> Try:
        """Send the request once."""
        import aiohttp
        import httpx2
        import openai

        try:
            # The transport's own limits are per read: a reply that drips would never end.
            async with asyncio.timeout(self._timeout_s):
                response = await self.client.post(
                    "/chat/completions",
                    content=request.data(),
                    cast_to=httpx2.Response,
                    options={"headers": {"X-Curator-Sample": str(request.sample)}},
                )
        except openai.APIStatusError as error:
            response = error.response
            fault, kept = read_refusal(response.status_code, response.content, self._key)
            return Try(fault, kept, retry_after(response.headers))
        except ReplyTooLong:
            return Try(Fault("reply too long"))
        except (openai.APIConnectionError, aiohttp.ClientError, OSError, ValueError) as error:
            return Try(self._connection_fault(error))
        content_type = response.headers.get("Content-Type", "")
        found, kept = read_response(content_type, response.content, self._key)
        return Try(found, kept)

    def unusable(self, why: str) -> TeacherError:
        """What people are told where nothing more can be asked."""
        return TeacherError(self.redacted(f"The teacher at {self.place} cannot be used: {why}"))

    def redacted(self, text: str) -> str:
        """The text on one line, without keys."""
        return one_line(without_keys(text, self._key))

    async def close(self) -> None:
        """Close the connections."""
        if self._client:
            await self._client.close()

    def _connection_fault(self, error: Exception) -> Fault:
        import aiohttp

        cause = transport_error(error)
        if isinstance(cause, TimeoutError):
            return Fault("timeout", busy=True)
        if isinstance(cause, aiohttp.ClientConnectorError):
            return Fault("no connection", busy=True, detail=self.redacted(str(cause)))
        if isinstance(cause, ValueError):  # an address or a header that cannot be sent
            return Fault("not to be sent", "nobody", detail=self.redacted(str(cause)))
        return Fault("disconnected", busy=True)

    @contextmanager
    def _wrap_errors(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, OSError, ImportError) as error:  # a proxy, a certificate
            raise self.unusable(str(error)) from None


def read_key(variable: str) -> str:
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


def check_proxy(address: str) -> None:
    """Raise ValueError if the environment names a SOCKS proxy for an address: aiohttp has none."""
    parts = urlsplit(address)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    scheme = proxy.partition("://")[0]
    if scheme.startswith("socks") and not proxy_bypass(parts.hostname or ""):
        raise ValueError(
            f"the environment names a proxy {scheme}://…; expected http://, or the host in NO_PROXY"
        )


def make_client(base_url: str, key: str, timeout_s: float, concurrency: int) -> "AsyncOpenAI":
    """Make the official client, which retries nothing and bounds replies.

    Raises ValueError or OSError if an address, a proxy or a certificate cannot be used.
    """
    import httpx2
    import openai

    class BoundedHttpClient(openai.DefaultAioHttpClient):
        async def send(
            self, request: httpx2.Request, *, stream: bool = False, **options: Any
        ) -> httpx2.Response:
            response = await super().send(request, stream=True, **options)
            if stream and response.is_success:  # a file, which goes to the disk piece by piece
                return response
            return await read_whole(response)

    timeout = httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s))
    limits = httpx2.Limits(max_connections=concurrency, keepalive_expiry=IDLE_S)
    try:
        return openai.AsyncOpenAI(
            base_url=base_url,
            api_key=key or "none",
            max_retries=0,
            timeout=timeout,
            http_client=BoundedHttpClient(
                base_url=base_url,
                timeout=timeout,
                limits=limits,
                verify=httpx2.create_ssl_context(),  # takes 0.1 s: made once for all proxies
                follow_redirects=False,
            ),
        )
    except httpx2.InvalidURL as error:
        raise ValueError(str(error)) from None


def transport_error(error: BaseException) -> BaseException:
    """The exception of aiohttp behind an error of the client, otherwise the error itself.

    The client reports refused and lost connections as timeouts, too.
    """
    import aiohttp

    cause: BaseException | None = error
    while cause and not isinstance(cause, aiohttp.ClientError):
        cause = cause.__cause__
    return cause or error


async def read_whole(response: "httpx2.Response") -> "httpx2.Response":
    """Read the body of a streamed response, decompressed. Raises ReplyTooLong as early as it can.

    The client itself reads a body of any length.
    """
    import httpx2

    parts, left = [], REPLY_BYTES
    try:
        async for part in response.aiter_bytes():
            left -= len(part)
            if left < 0:
                raise ReplyTooLong
            parts.append(part)
    finally:
        await response.aclose()
    headers = response.headers.copy()
    headers.pop("Content-Encoding", None)
    return httpx2.Response(
        response.status_code, headers=headers, content=b"".join(parts), request=response.request
    )
