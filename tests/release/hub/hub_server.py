"""A local server with the API of the Hugging Face Hub, for the real clients to publish to.

In: tokens with their permissions, faults to inject. Out: repositories with commits, tags and
uploaded files. Large files go by LFS. Xet is not supported, so clients run with it off.
"""

import base64
import hashlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

Files = dict[str, bytes]


@dataclass
class Commit:
    """A commit with all files of the repository after it."""

    oid: str
    message: str
    files: Files


@dataclass
class Repo:
    """A dataset or a model; the last commit is the newest."""

    private: bool
    commits: list[Commit]
    kind: Literal["dataset", "model"] = "dataset"
    tags: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, message: str, files: Files) -> Commit:
        """Add a commit on top."""
        seed = f"{len(self.commits)}{message}{self.commits[-1].oid if self.commits else ''}"
        commit = Commit(hashlib.sha1(seed.encode()).hexdigest(), message, files)
        self.commits.append(commit)
        return commit

    def at(self, revision: str) -> Commit | None:
        """Return the commit of a branch, tag or id."""
        if revision in ("main", "refs/heads/main"):
            return self.commits[-1]
        oid = self.tags.get(revision, revision)
        return next((each for each in self.commits if each.oid == oid), None)


@dataclass
class Fault:
    """An error that the next matching requests get."""

    pattern: str
    """Regular expression for `METHOD /path`."""
    status: int = 500
    """0 breaks the connection; half of an upload is read before it breaks."""
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    when: Literal["before", "after"] = "before"
    """`after`: the request is carried out, but its response is lost."""
    do: Callable[[], object] = lambda: None
    """Called at that moment."""


@dataclass
class Hub:
    """The state of the server."""

    url: str = ""
    tokens: dict[str, Literal["write", "read"]] = field(default_factory=dict)
    repos: dict[str, Repo] = field(default_factory=dict)
    stored: Files = field(default_factory=dict)
    """Large files by their sha256."""
    faults: list[Fault] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    """`METHOD /path` of every request."""

    def count(self, pattern: str) -> int:
        """Return the number of requests that match."""
        return sum(1 for each in self.seen if re.search(pattern, each))

    def next_fault(self, request: str, when: str) -> Fault | None:
        """Return the fault for a request, if any, and use it up."""
        for fault in self.faults:
            if fault.times and fault.when == when and re.search(fault.pattern, request):
                fault.times -= 1
                fault.do()
                return fault
        return None


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # otherwise responses in two parts take 40 ms

    def log_message(self, *_: object) -> None:
        pass

    def _handle(self) -> None:
        path = unquote(urlsplit(self.path).path)
        request = f"{self.command} {path}"
        self.hub.seen.append(request)
        if fault := self.hub.next_fault(request, "before"):
            length = int(self.headers.get("Content-Length") or 0)
            if fault.status == 0:
                self.rfile.read(min(length // 2, 10_000))
                self._break()
                return
            self.rfile.read(length)
            self._send(fault.status, b"fault: " + self._token().encode(), **fault.headers)
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        lost = self.hub.next_fault(request, "after")
        self._mute = lost is not None
        self._route(path.strip("/").split("/"), body)
        if lost:
            self._break()

    do_GET = do_HEAD = do_POST = do_PUT = _handle

    def _break(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _token(self) -> str:
        return str(self.headers.get("Authorization") or "").removeprefix("Bearer ")

    def _send(self, status: int, body: bytes = b"", **headers: str) -> None:
        if getattr(self, "_mute", False):
            return
        self.send_response(status)
        if "Content_Length" not in headers:
            headers["Content_Length"] = str(len(body))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _json(self, value: object, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode(), Content_Type="application/json")

    def _route(self, parts: list[str], body: bytes) -> None:
        token = self._token()
        if token and token not in self.hub.tokens:
            message = "Invalid credentials in Authorization header"
            self._send(401, token.encode(), X_Error_Message=message)
            return
        match parts:
            case ["api", "validate-yaml"]:
                self._json({"errors": [], "warnings": []})
            case ["api", "repos", "create"]:
                self._create(json.loads(body))
            case ["api", "datasets" | "models", org, name, *rest]:
                self._with(f"{org}/{name}", rest, body, self._api)
            case ["datasets", org, name, "info", "lfs", "objects", "batch"]:
                self._with(f"{org}/{name.removesuffix('.git')}", [], body, self._batch)
            case [org, name, "info", "lfs", "objects", "batch"]:
                self._with(f"{org}/{name.removesuffix('.git')}", [], body, self._batch)
            case ["lfs", oid]:
                self._store(oid, body)
            case ["verify"]:
                self._json({})
            case ["datasets", org, name, "resolve", revision, *path]:
                self._with(f"{org}/{name}", [revision, "/".join(path)], body, self._file)
            case [org, name, "resolve", revision, *path]:
                self._with(f"{org}/{name}", [revision, "/".join(path)], body, self._file)
            case _:
                self._send(404)

    def _with(
        self,
        name: str,
        rest: list[str],
        body: bytes,
        call: Callable[[str, Repo, list[str], bytes], None],
    ) -> None:
        repo = self.hub.repos.get(name)
        if repo is None or (repo.private and not self._token()):
            self._send(404 if self._token() else 401, X_Error_Code="RepoNotFound")
        else:
            call(name, repo, rest, body)

    def _may_write(self) -> bool:
        if self.hub.tokens.get(self._token()) == "write":
            return True
        self._send(403, X_Error_Message="You don't have the rights")
        return False

    def _create(self, request: dict[str, Any]) -> None:
        name = f"{request['organization']}/{request['name']}"
        if not self._may_write():
            return
        url = {"url": f"{self.hub.url}/datasets/{name}"}
        if name in self.hub.repos:
            self._json(url, 409)
            return
        kind = request.get("type") or "model"
        private = request.get("visibility") == "private"
        repo = self.hub.repos[name] = Repo(private, [], kind)
        repo.add("initial commit", {".gitattributes": b"*.parquet filter=lfs\n"})
        self._json(url)

    def _api(self, name: str, repo: Repo, rest: list[str], body: bytes) -> None:
        match rest:
            case ["refs"]:
                branch = {
                    "name": "main",
                    "ref": "refs/heads/main",
                    "targetCommit": repo.commits[-1].oid,
                }
                tags = [
                    {"name": tag, "ref": f"refs/tags/{tag}", "targetCommit": oid}
                    for tag, oid in repo.tags.items()
                ]
                self._json({"branches": [branch], "converts": [], "tags": tags})
            case ["settings"]:
                if self._may_write():
                    repo.private = json.loads(body)["visibility"] == "private"
                    self._json({})
            case ["preupload", _]:
                if self._may_write():
                    self._json({"files": [self._mode(repo, f) for f in json.loads(body)["files"]]})
            case ["commit", _]:
                if self._may_write():
                    self._commit(name, repo, [json.loads(line) for line in body.splitlines()])
            case ["tag", revision]:
                if self._may_write():
                    self._tag(repo, revision, json.loads(body)["tag"])
            case [] | ["revision", _] | ["tree" | "paths-info", *_]:
                revision, *folder = rest[1:] or ["main"]
                if (commit := repo.at(revision)) is None:
                    self._send(404, X_Error_Code="RevisionNotFound")
                elif rest[:1] == ["tree"]:
                    self._json(tree(commit.files, "/".join(folder)))
                elif rest[:1] == ["paths-info"]:
                    paths = [path for path in _paths(body) if path in commit.files]
                    self._json([entry(path, commit.files[path]) for path in paths])
                else:
                    self._json(_info(name, repo, commit))
            case _:
                self._send(404)

    def _mode(self, repo: Repo, file: dict[str, Any]) -> dict[str, Any]:
        path = file["path"]
        existing = repo.commits[-1].files.get(path)
        large = path.endswith((".parquet", ".safetensors")) or file["size"] > 1_000_000
        return {
            "path": path,
            "uploadMode": "lfs" if large else "regular",
            "shouldIgnore": False,
            "oid": _oid(existing, large) if existing is not None else None,
        }

    def _batch(self, name: str, repo: Repo, rest: list[str], body: bytes) -> None:
        if not self._may_write():
            return
        objects = []
        for each in json.loads(body)["objects"]:
            entry = {"oid": each["oid"], "size": each["size"]}
            upload = {"href": f"{self.hub.url}/lfs/{each['oid']}"}
            verify = {"href": f"{self.hub.url}/verify"}
            new = each["oid"] not in self.hub.stored
            objects.append(
                entry | ({"actions": {"upload": upload, "verify": verify}} if new else {})
            )
        self._json({"transfer": "basic", "objects": objects})

    def _store(self, oid: str, body: bytes) -> None:
        if hashlib.sha256(body).hexdigest() != oid:
            self._send(400)
            return
        self.hub.stored[oid] = body
        self._send(200)

    def _commit(self, name: str, repo: Repo, lines: list[dict[str, Any]]) -> None:
        header = lines[0]["value"]
        with repo.lock:
            if header.get("parentCommit") not in (None, repo.commits[-1].oid):
                self._json({"error": "The parent commit is not the head"}, 412)
                return
            files = dict(repo.commits[-1].files)
            for line in lines[1:]:
                path = line["value"]["path"]
                match line["key"]:
                    case "file":
                        files[path] = base64.b64decode(line["value"]["content"])
                    case "lfsFile":
                        files[path] = self.hub.stored[line["value"]["oid"]]
                    case "deletedFile":
                        del files[path]
            commit = repo.add(header["summary"], files)
        url = f"{self.hub.url}/datasets/{name}/commit/{commit.oid}"
        self._json({"commitUrl": url, "commitOid": commit.oid})

    def _tag(self, repo: Repo, revision: str, tag: str) -> None:
        if tag in repo.tags:
            self._json({"error": "Tag exists"}, 409)
            return
        commit = repo.at(revision)
        assert commit
        repo.tags[tag] = commit.oid
        self._json({})

    def _file(self, name: str, repo: Repo, rest: list[str], body: bytes) -> None:
        revision, path = rest
        if (commit := repo.at(revision)) is None:
            self._send(404, X_Error_Code="RevisionNotFound")
        elif path not in commit.files:
            self._send(404, X_Error_Code="EntryNotFound", X_Repo_Commit=commit.oid)
        else:
            content = commit.files[path]
            headers = {"X_Repo_Commit": commit.oid, "ETag": f'"{_oid(content, True)}"'}
            match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
            if not match:
                length = str(len(content))
                self._send(200, content, Accept_Ranges="bytes", Content_Length=length, **headers)
                return
            start, end = int(match[1]), int(match[2] or len(content) - 1) + 1
            part = content[start:end]
            headers["Content_Range"] = f"bytes {start}-{start + len(part) - 1}/{len(content)}"
            self._send(206, part, **headers)


def _paths(body: bytes) -> list[str]:
    """Return the paths of a request: a form of `paths=…` or JSON."""
    text = body.decode()
    if text.startswith("{"):
        paths = json.loads(text)["paths"]
        return [paths] if isinstance(paths, str) else list(paths)
    return [unquote(value.replace("+", " ")) for value in re.findall(r"paths=([^&]*)", text)]


def _oid(content: bytes, large: bool) -> str:
    if large:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def entry(path: str, content: bytes) -> dict[str, Any]:
    """Return a file as the Hub lists it."""
    return {"type": "file", "path": path, "size": len(content), "oid": _oid(content, False)}


def tree(files: Files, folder: str) -> list[dict[str, Any]]:
    """Return every file below a folder, and the folders between."""
    prefix = f"{folder}/" if folder else ""
    below = {path: content for path, content in files.items() if path.startswith(prefix)}
    folders = {
        "/".join(path.split("/")[:depth])
        for path in below
        for depth in range(prefix.count("/") + 1, path.count("/") + 1)
    }
    listing = [{"type": "directory", "path": path, "size": 0, "oid": "0" * 40} for path in folders]
    return [*listing, *(entry(path, content) for path, content in below.items())]


def _info(name: str, repo: Repo, commit: Commit) -> dict[str, Any]:
    return {
        "id": name,
        "sha": commit.oid,
        "private": repo.private,
        "gated": False,
        "tags": [],
        "downloads": 0,
        "likes": 0,
        "siblings": [{"rfilename": p, "size": len(c)} for p, c in commit.files.items()],
    }


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve a hub on 127.0.0.1 while the context lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
