"""Serves recorded calls as an OpenAI-compatible endpoint over HTTP, without a model or a key.

In: a file of recorded calls or a store. Out: POST /v1/chat/completions, GET /v1/models, GET
/health. The content of a request and its sample number select the reply. The sample number is in
the header `X-Curator-Sample`; without it, equal requests are numbered as they arrive.

Pages in a browser get no answer: neither by a name that resolves to this machine (DNS rebinding)
nor by a request to its address from another site. Not covered: other programs that can reach the
address.
"""

import json
import re
import socket
import sys
from collections import Counter
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from curator.core.errors import MALFORMED, UsageError
from curator.core.json_text import parse_json
from curator.core.model import content_id
from curator.teacher.replay.recordings import Recordings, read_messages
from curator.teacher.token_count import counter, prompt_tokens

BODY_BYTES = 16_000_000
"""Maximum bytes of a request's body."""

_NOT_PARAMETERS = ("model", "messages", "n", "stream")
"""Keys of a request's body that are not sampling parameters."""


JSON = "application/json"
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
"""Names in the header Host that are always answered."""


class Server(ThreadingHTTPServer):
    """Serves recordings at `host`:`port`; 0 chooses a free port.

    Raises UsageError if the port is in use.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, recordings: Recordings, host: str = "127.0.0.1", port: int = 0) -> None:
        self.recordings, self._host = recordings, host.lower()
        self._counts: Counter[bytes] = Counter()
        self._lock = Lock()
        if ":" in host:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            recordings.close()
            raise UsageError(f"Cannot serve at {host}:{port}: {error}") from None

    @property
    def address(self) -> str:
        """The base URL for clients."""
        host, port = self.server_address[:2]
        name = f"[{host!s}]" if self.address_family == socket.AF_INET6 else host
        return f"http://{name!s}:{port}/v1"

    def explain_refusal(self, headers: Message) -> str:
        """Return why a request gets no answer: it may come from a page in a browser."""
        hosts = headers.get_all("Host", [])
        name = re.sub(r":\d{0,5}$", "", hosts[0].strip().lower()) if len(hosts) == 1 else ""
        if name not in LOOPBACK and not self._listens_at(name):
            return f"expected a header Host with one of {', '.join(LOOPBACK)}"
        # A page's plain GET has no Origin; an address that a person typed comes from no site.
        if "Origin" in headers or headers.get("Sec-Fetch-Site", "none") != "none":
            return "expected no header Origin or Sec-Fetch-Site: pages in a browser get no answer"
        return ""

    def _listens_at(self, name: str) -> bool:
        """Return whether the user chose this name; it is an IP address if all were chosen.

        An address cannot be rebound.
        """
        name = name.removeprefix("[").removesuffix("]")
        if self._host in ("", "0.0.0.0", "::"):
            return is_ip_address(name)
        return name == self._host

    def next_sample(self, body: dict[str, Any], count: int) -> int:
        """Return the number of the first of `count` samples for a request without a number."""
        content = {name: value for name, value in body.items() if name not in ("n", "stream")}
        key = content_id("request", json.dumps(content, sort_keys=True))
        with self._lock:
            self._counts[key] += count
            return self._counts[key] - count

    def server_close(self) -> None:
        """Stop listening and close the recordings."""
        super().server_close()
        self.recordings.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that close the connection."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class Replay:
    """A context that serves the calls at `path` from a thread: `with Replay(path) as address:`."""

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


class HttpError(Exception):
    """A request that cannot be answered, with the status and the code of the reply."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def is_ip_address(name: str) -> bool:
    """Return whether a host is an IP address instead of a name."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def make_completion(server: Server, body: Any, sample: int | None) -> dict[str, Any]:
    """Return the body that answers a chat completion. Raises HttpError."""
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        raise HttpError(400, "expected a JSON object with model and messages")
    count = body.get("n") or 1
    if type(count) is not int or not 1 <= count <= 128:
        raise HttpError(400, f"n: expected 1 to 128, found {count!r:.60}")
    if body.get("stream"):
        raise HttpError(400, "stream: recorded calls are not streamed")
    try:
        messages = read_messages(body.get("messages"))
    except ValueError as error:
        raise HttpError(400, str(error)) from None
    parameters = {name: value for name, value in body.items() if name not in _NOT_PARAMETERS}
    first = server.next_sample(body, count) if sample is None else sample
    responses = []
    for number in range(first, first + count):
        line = server.recordings.find(body["model"], messages, parameters, number)
        if line is None:
            missing = server.recordings.explain_missing(body["model"], messages, number)
            raise HttpError(404, missing, "no_recording")
        responses.append(_make_response(line, messages, number))
    return {**_merge(responses), "system_fingerprint": server.recordings.fingerprint}


def _make_response(line: dict[str, Any], messages: Any, number: int) -> dict[str, Any]:
    if "response" in line:
        response: dict[str, Any] = line["response"]
        return response
    usage = line.get("usage")
    if usage is None:
        usage = _make_usage(prompt_tokens(counter(), messages), counter()(line["reply"]))
    message = {"role": "assistant", "content": line["reply"]}
    if reasoning := line.get("reasoning"):
        message["reasoning_content"] = reasoning
    if calls := line.get("tool_calls"):
        message["tool_calls"] = calls
    name = content_id("replay", line["model"], json.dumps(messages), str(number)).hex()
    return {
        "id": f"chatcmpl-{name}",
        "object": "chat.completion",
        "created": 0,
        "model": line["model"],
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": line.get("finish_reason", "stop"),
            }
        ],
        "usage": usage,
    }


def _make_usage(prompt: int, completion: int) -> dict[str, int]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def _merge(responses: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one response with the choices of all; the tokens of the prompt count once."""
    if len(responses) == 1:
        return responses[0]
    choices = [choice for response in responses for choice in response.get("choices") or []]
    choices = [{**choice, "index": index} for index, choice in enumerate(choices)]
    usages = [response.get("usage") or {} for response in responses]
    usage = _make_usage(
        int(usages[0].get("prompt_tokens") or 0),
        sum(int(each.get("completion_tokens") or 0) for each in usages),
    )
    return {**responses[0], "choices": choices, "usage": usage}


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 300  # closes an idle connection
    disable_nagle_algorithm = True
    wbufsize = -1  # sends headers and body as one packet
    server_version, sys_version = "curator-replay", ""

    def parse_request(self) -> bool:
        """Read the head of a request; answer one that may come from a page with an error."""
        if not super().parse_request():
            return False
        if why := self.server.explain_refusal(self.headers):
            self.send_error(403, why)
        return not why

    def do_GET(self) -> None:
        recordings = self.server.recordings
        match self.path.rstrip("/"):
            case "/health":
                self._reply(200, {"status": "ok", "calls": len(recordings)})
            case "/v1/models":
                fields = {"object": "model", "created": 0, "owned_by": "replay"}
                data = [{"id": name, **fields} for name in recordings.models]
                self._reply(200, {"object": "list", "data": data})
            case _:
                self.send_error(404, f"unknown path: {self.path[:80]}")

    def do_POST(self) -> None:
        try:
            body = self._read_body()
            if self.path.rstrip("/") != "/v1/chat/completions":
                raise HttpError(404, f"unknown path: {self.path[:80]}")
            self._reply(200, make_completion(self.server, body, self._read_sample()))
        except HttpError as error:
            self._reply(error.status, _make_error(str(error), error.status, error.code))
        except MALFORMED as error:  # the file has changed
            self._reply(500, _make_error(f"cannot serve the recorded call: {error}", 500))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Send the error as JSON; close the connection after a request that is not valid HTTP."""
        self.close_connection = self.close_connection or code != 404
        self._reply(code, _make_error(message or explain or "bad request", code))

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: requests may contain keys."""

    def _read_sample(self) -> int | None:
        value = self.headers.get("X-Curator-Sample")
        if value is None:
            return None
        if not (value.isascii() and value.isdigit() and len(value) < 10):
            raise HttpError(400, f"X-Curator-Sample: expected a number, found {value[:40]!r}")
        return int(value)

    def _read_body(self) -> Any:
        kind = self.headers.get("Content-Type", JSON)
        if kind.partition(";")[0].strip().lower() != JSON:  # a browser sends others to any site
            self.close_connection = True
            raise HttpError(415, f"expected the header Content-Type: {JSON}")
        length = self.headers.get("Content-Length", "")
        is_number = length.isascii() and length.isdigit() and len(length) < 10
        if not is_number or int(length) > BODY_BYTES:
            self.close_connection = True
            raise HttpError(411, f"expected a Content-Length of no more than {BODY_BYTES:,}")
        try:
            return parse_json(self.rfile.read(int(length)))
        except ValueError as error:
            raise HttpError(400, f"the body is not valid JSON: {error}") from None

    def _reply(self, status: int, value: dict[str, Any]) -> None:
        data = json.dumps(value).encode("ascii")
        self.send_response(status)
        self.send_header("Content-Type", JSON)
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)


def _make_error(message: str, status: int, code: str | None = None) -> dict[str, Any]:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}
