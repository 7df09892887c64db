"""An OpenAI-compatible endpoint: one try of one request, through the official client.

In: a request. Out: what came back, read but not judged: an answer or a fault, the body as it is
kept, and how long the endpoint wants to be left alone. Nothing is tried twice here.

The client's `post` is used, over aiohttp: it takes a third of the CPU time that its typed methods
take over its default transport (0.7 against 2.0 ms a call), whose checks of our own parameters and
of the reply's types we would have to repeat, since many servers break them.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from curator.errors import TeacherError
from curator.teacher.call import Call, Request
from curator.teacher.flow import retry_after
from curator.teacher.reading import Fault, read_refusal, read_response
from curator.teacher.redaction import one_line, without_keys
from curator.teacher.settings import TeacherSettings

if TYPE_CHECKING:
    from openai import AsyncOpenAI

CONNECT_S = 30.0
"""Seconds that a connection may take to come about."""
REPLY_BYTES = 16_000_000
"""A longer reply is a fault; it is never held whole. Not covered: what a compressed one becomes."""


class TooLong(ValueError):
    """A reply is longer than that."""


@dataclass(frozen=True, slots=True)
class Try:
    """What one try brought."""

    found: Call | Fault
    body: Any = None
    """Body of the reply, JSON or text, without keys; None if none came."""
    retry_after_s: float | None = None


class Endpoint:
    """The endpoint of the settings, or a keyless one at `base_url` in its stead.

    The key is read from the environment when the first request is made; TeacherError if it is
    missing. A key goes to whatever address a recipe names: read `base_url` and `key_env` before you
    build somebody else's recipe.
    """

    def __init__(self, settings: TeacherSettings, base_url: str = "") -> None:
        self.base_url = base_url or settings.base_url
        self._key_env = "" if base_url else settings.key_env
        self._timeout_s = settings.timeout_s
        self._most = settings.concurrency
        self._key = ""
        self._client: AsyncOpenAI | None = None

    @property
    def place(self) -> str:
        """The address for people, without what may be secret in it."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    @property
    def client(self) -> "AsyncOpenAI":
        """The official client, made at first use."""
        if self._client is None:
            import httpx2

            self._key = key_of(self._key_env)
            try:
                self._client = _client(self.base_url, self._key, self._timeout_s, self._most)
            except (ValueError, OSError, httpx2.InvalidURL) as error:  # of a proxy, of certificates
                raise self.unusable(str(error)) from None
        return self._client

    @property
    def key(self) -> str:
        """The key in use, to be taken out of whatever comes back."""
        return self._key

    async def ask(self, request: Request) -> Try:
        """Sends the request once."""
        import aiohttp
        import httpx2
        import openai

        client = self.client  # made before the clock starts
        try:
            async with asyncio.timeout(self._timeout_s):
                reply = await client.post(
                    "/chat/completions",
                    body=request.body(),
                    options={"headers": {"X-Curator-Sample": str(request.sample)}},
                    cast_to=httpx2.Response,
                )
        except openai.APIStatusError as error:
            fault, body = read_refusal(error.status_code, error.response.content, self._key)
            return Try(fault, body, retry_after(error.response.headers))
        except openai.APIConnectionError as error:
            return Try(_broken(error.__cause__ or error))
        except TimeoutError:
            return Try(Fault("timeout", busy=True))
        except (openai.OpenAIError, httpx2.HTTPError, aiohttp.ClientError, OSError) as error:
            return Try(_broken(error))
        except TooLong:
            return Try(Fault("reply too long"))
        except ValueError as error:  # of the client: an address or a header that cannot be sent
            return Try(Fault("not to be sent", "nobody", detail=self.redacted(str(error))))
        found, body = read_response(reply.headers.get("content-type", ""), reply.content, self._key)
        return Try(found, body)

    def unusable(self, why: str) -> TeacherError:
        """What people are told where nothing more can be asked."""
        return TeacherError(self.redacted(f"The teacher at {self.place} cannot be used: {why}"))

    def redacted(self, text: str) -> str:
        """The text on one line, without keys."""
        return one_line(without_keys(text, self._key))

    async def close(self) -> None:
        """Closes the connections."""
        if self._client:
            await self._client.close()


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


def _client(base_url: str, key: str, timeout_s: float, most: int) -> "AsyncOpenAI":
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
                    raise TooLong(f"the reply has more than {REPLY_BYTES:,} bytes")
                yield part

        async def aclose(self) -> None:
            await self._whole.aclose()

    async def bound(response: httpx2.Response) -> None:
        # Files of batches, which may be long, go to the disk as they come.
        if not response.request.url.path.endswith("/content"):
            assert isinstance(response.stream, httpx2.AsyncByteStream)
            response.stream = Bounded(response.stream)

    timeout = httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s))
    limits = httpx2.Limits(max_connections=most, max_keepalive_connections=most)
    return openai.AsyncOpenAI(
        base_url=base_url,
        api_key=key or "none",
        max_retries=0,
        timeout=timeout,
        http_client=openai.DefaultAioHttpClient(
            base_url=base_url,
            timeout=timeout,
            limits=limits,
            follow_redirects=False,
            event_hooks={"response": [bound]},
        ),
    )


def _broken(error: BaseException) -> Fault:
    """The fault behind an error of the client or of its transport."""
    import aiohttp

    chain: list[BaseException] = []
    while error and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    if any(isinstance(e, aiohttp.ClientConnectorError | ConnectionRefusedError) for e in chain):
        return Fault("no connection", busy=True)
    if any(isinstance(e, TimeoutError) for e in chain):
        return Fault("timeout", busy=True)
    return Fault("disconnected", busy=True)
