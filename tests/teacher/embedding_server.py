"""A server of `/v1/embeddings` on a loopback socket, whose model counts words.

Words of the same meaning count as one, so that rewordings have near vectors.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

DIMENSIONS = 64
SAME = {"acquires": "buys", "purchases": "buys", "fruits": "apples", "total": "altogether"}

Reply = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""


class EmbeddingServer:
    """A context that serves from threads. `limit` is the number of texts to answer; later requests
    wait."""

    def __init__(self, reply: Callable[[dict[str, Any], int], Reply | None] | None = None) -> None:
        self.reply = reply
        """Returns the reply to a request from its body and the number of requests before it; None
        for the usual one."""
        self.texts: Counter[str] = Counter()
        """Texts with a valid reply, by how often."""
        self.requests = 0
        self.limit = float("inf")
        self.heads: list[str] = []
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Self:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert self.path == "/v1/embeddings", self.path
                server.heads.append(str(self.headers))
                status, headers, content = server.answer(body)
                self.send_response(status)
                fields = {"Content-Type": "application/json", **headers}
                for name, value in {**fields, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.limit = float("inf")
        self._server.shutdown()
        self._server.server_close()

    def answer(self, body: dict[str, Any]) -> Reply:
        texts = body["input"]
        with self._lock:
            number, self.requests = self.requests, self.requests + 1
        while self.texts.total() >= self.limit:
            threading.Event().wait(0.01)
        if self.reply and (reply := self.reply(body, number)):
            return reply
        with self._lock:
            self.texts.update(texts)
        return 200, {}, json.dumps(vectors(texts, body.get("dimensions", DIMENSIONS))).encode()


def vectors(texts: list[str], dimensions: int = DIMENSIONS) -> dict[str, Any]:
    """The body of a valid reply; the vectors are in no order."""
    data = [
        {"object": "embedding", "index": index, "embedding": vector(text, dimensions)}
        for index, text in enumerate(texts)
    ]
    tokens = sum(len(text.split()) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data[::-1], "model": "words", "usage": usage}


def vector(text: str, dimensions: int) -> list[float]:
    numbers = [0.0] * dimensions
    for word in text.lower().replace("?", "").replace(".", "").split():
        digest = sha256(SAME.get(word, word).encode()).digest()
        for place in range(4):
            numbers[int.from_bytes(digest[3 * place : 3 * place + 2]) % dimensions] += (
                1.0 if digest[3 * place + 2] % 2 else -1.0
            )
    numbers[0] += 0.001
    return numbers
