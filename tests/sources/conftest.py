"""A small HTTP server that imitates the Hugging Face Hub and raw GitHub.

Fixture `serving`: a context manager that serves repositories and yields the address and requests.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml

COMMIT = "c0ffee00" * 5

Repositories = Mapping[str, Mapping[str, bytes]]
"""Content by dataset id (or GitHub owner/name) and path, all at one commit."""


class _Handler(BaseHTTPRequestHandler):
    repositories: Repositories
    gated: frozenset[str]
    seen: list[str]

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.seen.append(f"{self.command} {path}")
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "datasets"]:
            self._api("/".join(parts[2:4]), parts[4:])
        elif parts[0] == "datasets":
            self._file("/".join(parts[1:3]), parts[4], "/".join(parts[5:]))
        elif len(parts) < 3:
            self._send(404, b"{}")
        else:
            self._raw("/".join(parts[:2]), parts[2], "/".join(parts[3:]))

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_error(self, name: str, revision: str) -> bool:
        if name not in self.repositories:
            self._send(404, b"{}", X_Error_Code="RepoNotFound")
        elif revision not in ("main", COMMIT):
            self._send(404, b"{}", X_Error_Code="RevisionNotFound")
        else:
            return False
        return True

    def _api(self, name: str, rest: list[str]) -> None:
        if self._send_error(name, rest[1] if len(rest) > 1 else "main"):
            return
        if name in self.gated and rest == ["auth-check"]:
            self._send(403, b"{}", X_Error_Code="GatedRepo")
            return
        files = self.repositories[name]
        response: Any = {
            "id": name,
            "sha": COMMIT,
            "private": False,
            "gated": "auto" if name in self.gated else False,
            "tags": [],
            "downloads": 0,
            "likes": 0,
            "siblings": [{"rfilename": path} for path in files],
        }
        if "README.md" in files:
            response["cardData"] = yaml.safe_load(files["README.md"].split(b"---")[1])
        if rest[:1] == ["tree"]:
            response = _tree(files, "/".join(rest[2:]))
        self._send(200, json.dumps(response).encode(), Content_Type="application/json")

    def _file(self, name: str, revision: str, path: str) -> None:
        if self._send_error(name, revision):
            return
        if name in self.gated:
            self._send(403, b"{}", X_Error_Code="GatedRepo")
            return
        content = self.repositories[name].get(path)
        if content is None:
            self._send(404, b"{}", X_Error_Code="EntryNotFound", X_Repo_Commit=COMMIT)
            return
        etag = f'"{hashlib.sha1(content).hexdigest()}"'
        self._send(200, content, X_Repo_Commit=COMMIT, ETag=etag)

    def _raw(self, name: str, revision: str, path: str) -> None:
        content = self.repositories.get(name, {}).get(path)
        self._send(*((404, b"404: Not Found") if content is None else (200, content)))


def _tree(files: Mapping[str, bytes], folder: str) -> list[dict[str, object]]:
    """Return the files and folders directly in a folder, as the Hub lists them."""
    entries: dict[str, dict[str, object]] = {}
    prefix = f"{folder}/" if folder else ""
    for path, content in files.items():
        if not path.startswith(prefix):
            continue
        head, slash, _ = path.removeprefix(prefix).partition("/")
        oid = hashlib.sha1(content).hexdigest()
        kind = "directory" if slash else "file"
        size = 0 if slash else len(content)
        entries[head] = {"type": kind, "path": prefix + head, "size": size, "oid": oid}
    return list(entries.values())


@pytest.fixture
def serving() -> Callable[..., AbstractContextManager[tuple[str, list[str]]]]:
    """Serves repositories on 127.0.0.1 while its context is open, all at commit `c0ffee00…`."""
    return _serve


@contextmanager
def _serve(
    repositories: Repositories, gated: frozenset[str] = frozenset()
) -> Iterator[tuple[str, list[str]]]:
    """Yield the address of a running server and the list of requests that it receives."""
    seen: list[str] = []
    members = {"repositories": repositories, "gated": gated, "seen": seen}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), members))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
