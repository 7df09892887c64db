"""A server of recorded calls: an OpenAI-compatible endpoint over real HTTP, without model or key.

In: a file of recorded calls or a store. Out: POST /v1/chat/completions, GET /v1/models, GET
/health. What is asked decides the answer, and the number of the sample: the header
`X-Curator-Sample`, or else how often the same was asked before.
"""

import json
import sys
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from curator.core.errors import UsageError
from curator.core.model import content_id
from curator.teacher.replay.recordings import Recordings, as_messages
from curator.teacher.token_count import counter, prompt_tokens

BODY_BYTES = 16_000_000
"""A longer request is refused."""

_OURS = ("model", "messages", "n", "stream")
"""Keys of a request's body that are no sampling parameters."""


class Server(ThreadingHTTPServer):
    """Serves recordings at `host`:`port`; port 0 takes a free one. Raises UsageError if taken."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, recordings: Recordings, host: str = "127.0.0.1", port: int = 0) -> None:
        self.recordings = recordings
        self._asked: Counter[bytes] = Counter()
        self._lock = Lock()
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            recordings.close()
            raise UsageError(f"Cannot serve at {host}:{port}: {error}") from None

    @property
    def address(self) -> str:
        """What a client takes as its base URL."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}/v1"

    def next_sample(self, body: dict[str, Any], many: int) -> int:
        """The number of the first of `many` samples for a request that does not say it."""
        asked = {name: value for name, value in body.items() if name not in ("n", "stream")}
        key = content_id("asked", json.dumps(asked, sort_keys=True))
        with self._lock:
            self._asked[key] += many
            return self._asked[key] - many

    def server_close(self) -> None:
        """Stop listening, and close the recordings."""
        super().server_close()
        self.recordings.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class Replay:
    """`with Replay(path) as address:` serves the calls at `path` from a thread meanwhile."""

    def __init__(self, path: Path) -> None:
        self._server = Server(Recordings(path))
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        return self._server.address

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Refused(Exception):
    """A request that cannot be answered: status and message."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def completion(server: Server, body: Any, sample: int | None) -> dict[str, Any]:
    """The body that answers a chat completion; raises Refused."""
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        raise Refused(400, "expected a JSON object with model and messages")
    many = body.get("n") or 1
    if type(many) is not int or not 1 <= many <= 128:
        raise Refused(400, f"n: expected 1 to 128, found {many!r:.60}")
    if body.get("stream"):
        raise Refused(400, "stream: recorded calls are not streamed")
    try:
        messages = as_messages(body.get("messages"))
    except ValueError as error:
        raise Refused(400, str(error)) from None
    asked = {name: value for name, value in body.items() if name not in _OURS}
    first = server.next_sample(body, many) if sample is None else sample
    found = []
    for number in range(first, first + many):
        line = server.recordings.find(body["model"], messages, asked, number)
        if line is None:
            missing = server.recordings.missing(body["model"], messages, number)
            raise Refused(404, missing, "no_recording")
        found.append(_response(line, messages, number))
    return {**_joined(found), "system_fingerprint": server.recordings.fingerprint}


def _response(line: dict[str, Any], messages: Any, number: int) -> dict[str, Any]:
    if "response" in line:
        response: dict[str, Any] = line["response"]
        return response
    usage = line.get("usage")
    if usage is None:
        asked, said = prompt_tokens(counter(), messages), counter()(line["reply"])
        usage = {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}
    name = content_id("replay", line["model"], json.dumps(messages), str(number)).hex()
    return {
        "id": f"chatcmpl-{name}",
        "object": "chat.completion",
        "created": 0,
        "model": line["model"],
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": line["reply"]},
                "finish_reason": line.get("finish_reason", "stop"),
            }
        ],
        "usage": usage,
    }


def _joined(found: list[dict[str, Any]]) -> dict[str, Any]:
    """One response with the choices of several; the prompt counts once."""
    if len(found) == 1:
        return found[0]
    choices = [choice for response in found for choice in response.get("choices") or []]
    choices = [{**choice, "index": index} for index, choice in enumerate(choices)]
    usage = [response.get("usage") or {} for response in found]
    asked = int(usage[0].get("prompt_tokens") or 0)
    said = sum(int(each.get("completion_tokens") or 0) for each in usage)
    counts = {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}
    return {**found[0], "choices": choices, "usage": counts}


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 300  # of a connection on which nothing comes
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave as one packet
    server_version, sys_version = "curator-replay", ""

    def do_GET(self) -> None:
        known = self.server.recordings
        match self.path.rstrip("/"):
            case "/health":
                self._reply(200, {"status": "ok", "calls": len(known)})
            case "/v1/models":
                of = {"object": "model", "created": 0, "owned_by": "replay"}
                data = [{"id": name, **of} for name in known.models]
                self._reply(200, {"object": "list", "data": data})
            case _:
                self.send_error(404, f"nothing at {self.path[:80]}")

    def do_POST(self) -> None:
        try:
            body = self._body()
            if self.path.rstrip("/") != "/v1/chat/completions":
                raise Refused(404, f"nothing at {self.path[:80]}")
            self._reply(200, completion(self.server, body, self._sample()))
        except Refused as refused:
            self._reply(refused.status, _error(str(refused), refused.status, refused.code))
        except (ValueError, TypeError, AttributeError) as error:  # the file changed meanwhile
            self._reply(500, _error(f"cannot serve the recorded call: {error}", 500))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """As JSON; after a request that is no HTTP the connection is closed."""
        self.close_connection = self.close_connection or code != 404
        self._reply(code, _error(message or explain or "bad request", code))

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged: they may hold keys."""

    def _sample(self) -> int | None:
        said = self.headers.get("X-Curator-Sample")
        if said is None:
            return None
        if not (said.isascii() and said.isdigit() and len(said) < 10):
            raise Refused(400, f"X-Curator-Sample: expected a number, found {said[:40]!r}")
        return int(said)

    def _body(self) -> Any:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or int(length) > BODY_BYTES:
            self.close_connection = True
            raise Refused(411, f"expected Content-Length of at most {BODY_BYTES:,}")
        try:
            return json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError) as error:
            raise Refused(400, f"the body is no JSON: {error}") from None

    def _reply(self, status: int, value: dict[str, Any]) -> None:
        data = json.dumps(value).encode("ascii")
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)


def _error(message: str, status: int, code: str | None = None) -> dict[str, Any]:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}
