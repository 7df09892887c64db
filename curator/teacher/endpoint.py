"""An OpenAI-compatible endpoint, reached through the official client over its aiohttp transport.

In: a request. Out: the result of one attempt: a call or a failure, the body as it is stored, and
the pause that the endpoint demands. Nothing is retried here. Batches use the same client.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit
from urllib.request import getproxies, proxy_bypass

from curator.core.errors import TeacherError, to_one_line
from curator.core.progress import Listener, SilentListener
from curator.core.redaction import redact_all_keys
from curator.teacher.call import AnyRequest, Call, EmbeddingRequest, encode_embeddings
from curator.teacher.config import TeacherSettings
from curator.teacher.grouping import Grouping
from curator.teacher.rate_limit import parse_retry_after
from curator.teacher.response import MAX_WORDS, Failure, read_error_response, read_response
from curator.teacher.vectors import read_embeddings, read_vector, share_tokens

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

CONNECT_S = 30.0
"""Maximum seconds to open a connection."""
IDLE_S = 4.0
"""Seconds after which an idle connection is closed: before servers (uvicorn: 5) close it."""
REPLY_BYTES = 16_000_000
"""Maximum bytes of a reply after decompression. A longer one is never read to its end."""

AZURE_QUERY = "api-version"
"""Name in the query of an address that only Azure's endpoints have."""


class ReplyTooLong(ValueError):
    """A reply has more than REPLY_BYTES bytes."""

    def __init__(self) -> None:
        super().__init__(f"the reply has more than {REPLY_BYTES:,} bytes")


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of sending a request once."""

    result: Call | Failure
    body: Any = None
    """Body of the reply, JSON or text, without keys; None if no reply arrived."""
    retry_after_s: float | None = None
    """Seconds to wait that the endpoint demands."""


class Endpoint:
    """The endpoint of the settings.

    The key is read from the environment on the first request; TeacherError if it is missing. It
    goes to the address that the recipe names, and a recipe may name any variable: before the first
    request, `listener` receives a note with both.
    """

    def __init__(self, settings: TeacherSettings, listener: Listener | None = None) -> None:
        self.settings = settings
        self._listener = listener or SilentListener()
        self._key = ""
        self._noted = False
        self._client: AsyncOpenAI | None = None
        self._dimensions = int(settings.parameters.get("dimensions", 0))
        self._embeddings = Grouping(self._send_texts, settings.texts_per_request)

    @property
    def address(self) -> str:
        """The URL for messages, without anything that may be secret."""
        return _address(self.settings)

    @property
    def client(self) -> "AsyncOpenAI":
        """The official client, made on first use. Raises TeacherError if that fails."""
        if self._client is None:
            if not self._noted:  # without a key, every call tries again
                self._listener.note(describe_teacher(self.settings))
                self._noted = True
            self._key = read_key(self.settings.key_env)
            try:
                check_proxy(self.settings.base_url)
                self._client = make_client(self.settings, self._key)
            except (ValueError, OSError) as error:  # a proxy, a certificate
                raise self.make_error(str(error)) from None
        return self._client

    @property
    def key(self) -> str:
        """The key in use, to be removed from everything that the endpoint returns."""
        return self._key

    def open(self) -> None:
        """Make the client. Raises TeacherError if that fails."""
        _ = self.client

    async def send(self, request: AnyRequest) -> Attempt:
        """Send the request once; texts to embed in one request with others."""
        if isinstance(request, EmbeddingRequest):
            return await self._embeddings.send(request)
        response = await self._post("/chat/completions", request.encode(), request.sample)
        if isinstance(response, Attempt):
            return response
        content_type = response.headers.get("Content-Type", "")
        return Attempt(*read_response(content_type, response.content, self._key))

    async def _send_texts(self, requests: Sequence[EmbeddingRequest]) -> list[Attempt]:
        response = await self._post("/embeddings", encode_embeddings(requests))
        if not isinstance(response, Attempt):
            content_type = response.headers.get("Content-Type", "")
            read = read_embeddings(
                content_type, response.content, self._key, len(requests), self._dimensions
            )
            calls, body = read
            if not isinstance(calls, Failure):
                self._dimensions = len(read_vector(calls[0].text))
                return [Attempt(call, body) for call in calls]
            response = Attempt(calls, body)
        failure = response.result
        assert isinstance(failure, Failure)
        if failure.retry == "never" and len(requests) > 1:  # the fault may be that of one text
            return [(await self._send_texts([each]))[0] for each in requests]
        shares = share_tokens(failure.prompt_tokens, len(requests))
        return [
            replace(response, result=replace(failure, prompt_tokens=tokens)) for tokens in shares
        ]

    async def _post(
        self, path: str, content: bytes, sample: int = 0
    ) -> "httpx2.Response | Attempt":
        """Return the response with status 200, or the failed attempt."""
        import aiohttp
        import httpx2
        import openai

        try:
            # The timeouts of the transport are per read: a reply that drips would never end.
            async with asyncio.timeout(self.settings.timeout_s):
                return await self.client.post(
                    path,
                    content=content,
                    cast_to=httpx2.Response,
                    options={"headers": {"X-Curator-Sample": str(sample)}},
                )
        except openai.APIStatusError as error:
            response = error.response
            failure, body = read_error_response(response.status_code, response.content, self._key)
            return Attempt(failure, body, parse_retry_after(response.headers))
        except ReplyTooLong:
            return Attempt(Failure("reply too long", charged=True))
        except (openai.APIConnectionError, aiohttp.ClientError, OSError, ValueError) as error:
            return Attempt(self._classify(error))

    def make_error(self, reason: str) -> TeacherError:
        """Return the error that ends all calls to this endpoint."""
        subject = _subject(self.settings)
        return TeacherError(self.redact(f"{subject} at {self.address} cannot be used: {reason}"))

    def redact(self, text: str) -> str:
        """Return the text on one line, without keys."""
        return to_one_line(redact_all_keys(text, self._key), 2 * MAX_WORDS)

    async def close(self) -> None:
        """Close the connections."""
        if self._client:
            await self._client.close()

    def _classify(self, error: Exception) -> Failure:
        import aiohttp

        cause = transport_error(error)
        if isinstance(cause, TimeoutError):
            return Failure("timeout", busy=True)
        if isinstance(cause, aiohttp.ClientConnectorError):
            return Failure("no connection", busy=True, detail=self.redact(str(cause)))
        if isinstance(cause, ValueError):
            return Failure("invalid address or header", "stop", detail=self.redact(str(cause)))
        return Failure("disconnected", busy=True)


def describe_teacher(settings: TeacherSettings) -> str:
    """Return one line: the model, where its requests go, and which variable's value goes there."""
    model, key = to_one_line(settings.model, 100), to_one_line(settings.key_env, 100)
    if settings.replay:
        file = to_one_line(settings.replay)
        return f"{settings.role}: {model}, replayed from {file} (sends no key)."
    sent = f"sends the value of {key}" if key else "sends no key"
    return f"{settings.role}: {model} at {to_one_line(_address(settings))} ({sent})."


def _subject(settings: TeacherSettings) -> str:
    """Return the subject of a sentence about the endpoint."""
    return "The teacher" if settings.role == "Teacher" else "The embedding model"


def _address(settings: TeacherSettings) -> str:
    parts = urlsplit(settings.base_url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def read_key(variable: str) -> str:
    """Return the key in an environment variable; an empty name means that none is needed.

    Raises TeacherError if the variable contains no valid key.
    """
    if not variable:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise TeacherError(
            f"The teacher's key is missing. Set the environment variable {variable}, or set "
            "teacher.key_env to the variable that contains it (empty if the endpoint needs no key)."
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise TeacherError(
            f"Environment variable {variable} does not contain a valid API key (it has spaces or "
            "characters outside ASCII)."
        )
    return key


def check_proxy(address: str) -> None:
    """Raise ValueError if the environment sets a SOCKS proxy for an address.

    aiohttp does not support them.
    """
    parts = urlsplit(address)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    scheme = proxy.partition("://")[0]
    if scheme.startswith("socks") and not proxy_bypass(parts.hostname or ""):
        raise ValueError(
            f"the environment sets the proxy {scheme}://…; set an http:// proxy or add the host "
            "to NO_PROXY"
        )


def make_client(settings: TeacherSettings, key: str) -> "AsyncOpenAI":
    """Make the official client, without retries and with bounded replies.

    Raises ValueError or OSError if an address, a proxy or a certificate is not usable.
    """
    import httpx2
    import openai

    address, query = split_query(settings.base_url)

    class BoundedHttpClient(openai.DefaultAioHttpClient):
        async def send(
            self, request: httpx2.Request, *, stream: bool = False, **options: Any
        ) -> httpx2.Response:
            if AZURE_QUERY in query and key:  # Azure reads a key from no other header
                del request.headers["Authorization"]
                request.headers["api-key"] = key
            response = await super().send(request, stream=True, **options)
            if stream and response.is_success:  # a file, which is written to the disk in pieces
                return response
            return await read_whole(response)

    timeout = httpx2.Timeout(settings.timeout_s, connect=min(CONNECT_S, settings.timeout_s))
    limits = httpx2.Limits(max_connections=settings.concurrency, keepalive_expiry=IDLE_S)
    try:
        return openai.AsyncOpenAI(
            base_url=address,
            api_key=key or "none",
            default_query=query,
            max_retries=0,
            timeout=timeout,
            http_client=BoundedHttpClient(
                base_url=address,
                timeout=timeout,
                limits=limits,
                verify=httpx2.create_ssl_context(),  # takes 0.1 s: made once for all proxies
                follow_redirects=False,
            ),
        )
    except httpx2.InvalidURL as error:
        raise ValueError(str(error)) from None


def split_query(base_url: str) -> tuple[str, dict[str, object]]:
    """Return an address without its query, and the query as names and values."""
    parts = urlsplit(base_url)
    query: dict[str, object] = dict(parse_qsl(parts.query, keep_blank_values=True))
    return parts._replace(query="").geturl(), query


def transport_error(error: BaseException) -> BaseException:
    """Return the exception of aiohttp that caused an error of the client, or the error itself.

    The client reports refused and lost connections as timeouts, so its own exceptions do not tell
    them apart.
    """
    import aiohttp

    cause: BaseException | None = error
    while cause and not isinstance(cause, aiohttp.ClientError):
        cause = cause.__cause__
    return cause or error


async def read_whole(response: "httpx2.Response") -> "httpx2.Response":
    """Read and decompress the body of a streamed response.

    Raises ReplyTooLong as soon as the body has more than REPLY_BYTES bytes; the client itself would
    read a body of any length.
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
