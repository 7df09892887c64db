"""An OpenAI-compatible endpoint: one try of one request, and the official client for all else.

In: a request. Out: what came back, read but not judged: an answer or a fault, the body as it is
kept, and how long the endpoint wants to be left alone. Nothing is tried twice here.

The official client says the address and writes the head (key, organisation, project); each request
is sent with it over aiohttp. Sending is not left to the client because it costs four times the CPU
time (`bench/teacher.py`), and a million calls would be bound by it. Files and batches go through
the client.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from curator.core.errors import TeacherError
from curator.teacher.call import Call, Request
from curator.teacher.config import TeacherSettings
from curator.teacher.rate_limit import retry_after
from curator.teacher.redaction import one_line, without_keys
from curator.teacher.response import Fault, read_refusal, read_response
from curator.teacher.transport import (
    TooLong,
    head,
    key_of,
    official_client,
    proxy_for,
    session,
    whole,
)

if TYPE_CHECKING:
    from aiohttp import ClientSession
    from openai import AsyncOpenAI


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
        self._most = settings.concurrency
        self._key = ""
        self._client: AsyncOpenAI | None = None
        self._session: ClientSession | None = None

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
            with self._told():
                self._trust = httpx2.create_ssl_context()  # takes a tenth of a second: once
                self._client = official_client(
                    self.base_url, self._key, self._timeout_s, self._trust
                )
        return self._client

    @property
    def key(self) -> str:
        """The key in use, to be taken out of whatever comes back."""
        return self._key

    def open(self) -> None:
        """Makes what sends, at first use; raises TeacherError where nothing can be sent."""
        if self._session is None:
            with self._told():
                proxy = proxy_for(self.base_url)  # first, as the client would advise otherwise
                self._head = head(self.client)
            self._url = f"{self.client.base_url}chat/completions"
            self._session = session(proxy, self._timeout_s, self._most, self._trust)

    async def ask(self, request: Request) -> Try:
        """Sends the request once; the endpoint must be open."""
        import aiohttp

        assert self._session
        headers = {**self._head, "X-Curator-Sample": str(request.sample)}
        try:
            async with self._session.post(
                self._url, data=request.data(), headers=headers, allow_redirects=False
            ) as reply:
                body = await whole(reply)
        except TimeoutError:  # also of connecting
            return Try(Fault("timeout", busy=True))
        except aiohttp.ClientConnectorError as error:
            return Try(Fault("no connection", busy=True, detail=self.redacted(str(error))))
        except TooLong:
            return Try(Fault("reply too long"))
        except ValueError as error:  # an address, a proxy or a header that cannot be used
            return Try(Fault("not to be sent", "nobody", detail=self.redacted(str(error))))
        except (aiohttp.ClientError, OSError):
            return Try(Fault("disconnected", busy=True))
        if not 200 <= reply.status < 300:
            fault, kept = read_refusal(reply.status, body, self._key)
            return Try(fault, kept, retry_after(reply.headers))
        found, kept = read_response(reply.headers.get("Content-Type", ""), body, self._key)
        return Try(found, kept)

    def unusable(self, why: str) -> TeacherError:
        """What people are told where nothing more can be asked."""
        return TeacherError(self.redacted(f"The teacher at {self.place} cannot be used: {why}"))

    def redacted(self, text: str) -> str:
        """The text on one line, without keys."""
        return one_line(without_keys(text, self._key))

    async def close(self) -> None:
        """Closes the connections."""
        if self._session:
            await self._session.close()
        if self._client:
            await self._client.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, OSError, ImportError) as error:  # of a proxy, of certificates
            raise self.unusable(str(error)) from None
