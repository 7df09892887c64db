"""A provider's batch API over real HTTP: files, batches, results, and faults on demand.

In: `endings`, the results of the first batch, the second, and so on; `faults`, replies to the next
requests for a path. Out: the uploaded files and the created batches, counted.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.teacher.faults import completion

Lines = list[dict[str, Any]]
Ending = Callable[[Lines], dict[str, Any]]
"""Returns status, output and error lines (also as text) and errors for the input lines."""

KEY = "sk-a-key-that-must-not-be-seen"


def answer(line: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The line of an output file for a line of input."""
    reply = f"answer to {line['body']['messages'][-1]['content']}"
    body = completion(reply, line["body"]["model"], f"chatcmpl-{line['custom_id'][:8]}")
    usage = {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}
    body |= {"system_fingerprint": "fp_batch", "usage": usage}
    response = {"status_code": 200, "request_id": "r", "body": {**body, **more}}
    return {
        "id": "batch_req_1",
        "custom_id": line["custom_id"],
        "response": response,
        "error": None,
    }


def error(line: dict[str, Any], code: str, status: int | None = None) -> dict[str, Any]:
    """The line of an error file: with a status an error of the endpoint, otherwise of the batch."""
    details = {"code": code, "message": f"{code} with Bearer {KEY}", "type": "t", "param": None}
    response = {"status_code": status, "request_id": "r", "body": {"error": details}}
    names = {"id": "batch_req_1", "custom_id": line["custom_id"]}
    if status:
        return {**names, "response": response, "error": None}
    return {**names, "response": None, "error": details}


def completed(lines: Lines) -> dict[str, Any]:
    """All requests answered, in reverse order."""
    return {"status": "completed", "output": [answer(line) for line in reversed(lines)]}


class BatchServer:
    """A context that serves at `url`.

    Batches end `after_s` seconds after their creation, or, if that is None, when `go` is set.
    """

    def __init__(self, endings: Iterable[Ending] = (), after_s: float | None = 0.05) -> None:
        self.endings = list(endings)
        self.after_s, self.go = after_s, False
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.accepted: Counter[str] = Counter()
        """Number of created batches that contain each custom_id."""
        self.faults: dict[str, list[Any]] = {}
        """By `METHOD /path`: status, headers and body, or `lost` (done, but without a reply)."""
        self.hang = ""
        """A `METHOD /path` that is done and then hangs until this changes."""
        self.seen: list[str] = []
        self.keys: set[str] = set()
        self._lock = Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.batch_server = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> "BatchServer":
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def upload(self, data: bytes, name: str) -> dict[str, Any]:
        with self._lock:
            file_id = f"file-{len(self.files)}"
            self.files[file_id] = data
        return {
            "id": file_id,
            "object": "file",
            "bytes": len(data),
            "created_at": 1,
            "filename": name,
            "purpose": "batch",
            "status": "processed",
        }

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        lines = [json.loads(line) for line in self.files[body["input_file_id"]].splitlines()]
        assert body["endpoint"] == "/v1/chat/completions"
        assert body["completion_window"] == "24h"
        assert len({line["body"]["model"] for line in lines}) == 1, "a batch has one model"
        assert all(line["method"] == "POST" and line["url"] == body["endpoint"] for line in lines)
        with self._lock:
            batch_id = f"batch_{len(self.batches)}"
            ending = self.endings.pop(0) if self.endings else completed
            self.accepted.update(line["custom_id"] for line in lines)
            self.batches[batch_id] = {
                "created": time.monotonic(),
                "ending": ending,
                "lines": lines,
                "state": {
                    "id": batch_id,
                    "object": "batch",
                    "created_at": int(time.time()),
                    "completion_window": "24h",
                    "endpoint": body["endpoint"],
                    "input_file_id": body["input_file_id"],
                    "metadata": body.get("metadata"),
                    "status": "validating",
                    "output_file_id": None,
                    "error_file_id": None,
                    "request_counts": {"total": len(lines), "completed": 0, "failed": 0},
                },
            }
            return dict(self.batches[batch_id]["state"])

    def show(self, batch_id: str) -> dict[str, Any] | None:
        with self._lock:
            if not (batch := self.batches.get(batch_id)):
                return None
            state: dict[str, Any] = batch["state"]
            age = time.monotonic() - batch["created"]
            if self.after_s is not None:
                share = age / self.after_s
            else:
                share = 1.0 if self.go else min(age, 0.6)
            if state["status"] in ("validating", "in_progress", "finalizing"):
                if share >= 1:
                    self._end(batch, batch["ending"](batch["lines"]))
                else:
                    steps = ("validating", "in_progress", "finalizing")
                    state["status"] = steps[int(share * 3)]
            elif state["status"] == "cancelling":
                half = batch["lines"][: len(batch["lines"]) // 2]
                self._end(batch, {"status": "cancelled", "output": [answer(line) for line in half]})
            return dict(state)

    def cancel(self, batch_id: str) -> dict[str, Any] | None:
        self.show(batch_id)
        with self._lock:
            if not (batch := self.batches.get(batch_id)):
                return None
            if batch["state"]["status"] in ("validating", "in_progress", "finalizing"):
                batch["state"]["status"] = "cancelling"
            return dict(batch["state"])

    def _end(self, batch: dict[str, Any], results: dict[str, Any]) -> None:
        state = batch["state"]
        state["status"] = results["status"]
        for kind in ("output", "error"):
            if lines := results.get(kind):
                file_id = f"{kind}-{state['id']}"
                texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
                self.files[file_id] = "".join(text + "\n" for text in texts).encode()
                state[f"{kind}_file_id"] = file_id
        if "errors" in results:
            state["errors"] = {"object": "list", "data": results["errors"]}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    @property
    def api(self) -> BatchServer:
        return self.server.batch_server  # type: ignore[attr-defined,no-any-return]

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _serve(self) -> None:
        url = urlsplit(self.path)
        body = self._body()
        what = f"{self.command} {url.path.removeprefix('/v1')}"
        self.api.keys.add(self.headers.get("Authorization", ""))
        faults = self.api.faults.get(what, [])
        fault = faults.pop(0) if faults else None
        if isinstance(fault, tuple):
            status, headers, value = fault
            self.api.seen.append(what)
            self._reply(status, value, headers)
            return
        value = self._route(what, body, parse_qs(url.query))
        self.api.seen.append(what)
        if self.api.hang == what:
            while self.api.hang == what:
                time.sleep(0.01)
            self.close_connection = True
            return
        if fault == "lost":
            self.close_connection = True
            return
        if isinstance(value, bytes):
            self._send(200, value, {"Content-Type": "application/octet-stream"})
        elif value is None:
            message = {"message": f"nothing at {what}", "type": "invalid_request_error"}
            self._reply(404, {"error": {**message, "code": None, "param": None}}, {})
        else:
            self._reply(200, value, {})

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            data = b""
            while size := int(self.rfile.readline(), 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _route(self, what: str, body: bytes, query: dict[str, list[str]]) -> Any:
        match what.split(" ", 1)[0], *what.split(" ", 1)[1].strip("/").split("/"):
            case "POST", "files":
                return self._upload(body)
            case "GET", "files", file_id, "content":
                return self.api.files.get(file_id)
            case "POST", "batches":
                return self.api.create(json.loads(body))
            case "GET", "batches", batch_id:
                return self.api.show(batch_id)
            case "POST", "batches", batch_id, "cancel":
                return self.api.cancel(batch_id)
            case "GET", "batches":
                names = list(self.api.batches)[::-1]
                start = names.index(query["after"][0]) + 1 if "after" in query else 0
                page = names[start : start + 2]
                return {
                    "object": "list",
                    "data": [self.api.batches[name]["state"] for name in page],
                    "has_more": start + 2 < len(names),
                    "last_id": page[-1] if page else None,
                }
        return None

    def _upload(self, body: bytes) -> dict[str, Any]:
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts = BytesParser(policy=HTTP).parsebytes(head + body)
        fields = {
            part.get_param("name", header="Content-Disposition"): part
            for part in parts.iter_parts()  # type: ignore[attr-defined]
        }
        assert fields["purpose"].get_payload(decode=True).strip() == b"batch"
        file = fields["file"]
        return self.api.upload(file.get_payload(decode=True), file.get_filename())

    def _reply(self, status: int, value: Any, headers: dict[str, str]) -> None:
        data = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        self._send(status, data, {"Content-Type": "application/json", **headers})

    def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
