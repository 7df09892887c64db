"""Recorded calls: which one answers a request.

In: JSON lines, one call each, or the ledger `calls` of a store, which is written as such lines:
{"model": "m", "messages": [["user", "1 + 1?"]], "sample": 0, "reply": "2"}
Out: the line that answers, read when it is asked for: only places are held, 0.2 KB a line.

Keys of a line: `model`, `messages` (pairs of role and text, or objects with `role` and `content`),
`reply` (text) or `response` (a whole body), and if wanted `sample`, `parameters`, `usage`,
`finish_reason`. What `sample` or `parameters` leaves open, any request matches.
"""

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from hashlib import sha256
from itertools import product
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

from curator.core.errors import UsageError
from curator.core.model import content_id
from curator.teacher.bounded_lines import lines
from curator.teacher.call import Message, parameters
from datastore.ledger import Ledger
from datastore.store import Store

LINE_BYTES = 16_000_000
"""A longer line is a fault; it is never held whole."""

_SHOWN = 5
_KEYS = {
    "model": str,
    "messages": list,
    "sample": int,
    "parameters": dict,
    "reply": str,
    "response": dict,
    "usage": dict,
    "finish_reason": str,
}


class Recordings:
    """The calls in the file or store at `path`; for use by several threads.

    Raises UsageError if a line is faulty, naming the first five; nothing in a file is executed.
    """

    def __init__(self, path: Path) -> None:
        self._file = _opened(path)
        self._places: dict[bytes, int] = {}
        self._lengths: set[int] = set()
        self._lock = Lock()
        models: set[str] = set()
        hashed, faults, many = sha256(), list[str](), 0
        for number, place, text in lines(self._file, LINE_BYTES):
            hashed.update(text)
            try:
                line = read_line(text)
                messages = as_messages(line["messages"])
                key = _key(line["model"], messages, line.get("sample"), line.get("parameters"))
                if key in self._places:
                    raise ValueError("an earlier line answers the same request")
                self._places[key] = place
                self._lengths.add(len(messages))
                models.add(line["model"])
            except (ValueError, RecursionError) as error:
                many += 1
                if len(faults) < _SHOWN:
                    faults.append(f"{path}:{number}: {' '.join(str(error).split())[:200]}")
        if many:
            more = [f"… and {many - _SHOWN:,} more faulty lines"] if many > _SHOWN else []
            self.close()
            raise UsageError("\n".join([*faults, *more]))
        self.models = tuple(sorted(models))
        """Names of the models, sorted."""
        self.fingerprint = f"replay:{hashed.hexdigest()[:12]}"
        """Names the content of the file."""

    def __len__(self) -> int:
        return len(self._places)

    def find(
        self, model: str, messages: Sequence[Message], asked: Mapping[str, Any], sample: int
    ) -> dict[str, Any] | None:
        """The line for a request whose parameters are `asked`; None if there is none.

        A line answers if the request ends with its messages. The longest one wins, then one that
        names the sample, then one that names the parameters.
        """
        for length in sorted(self._lengths, reverse=True):
            if length > len(messages):
                continue
            end = messages[-length:]
            for number, known in product((sample, None), (asked, None)):
                place = self._places.get(_key(model, end, number, known))
                if place is not None:
                    with self._lock:
                        self._file.seek(place)
                        return read_line(self._file.readline(LINE_BYTES))
        return None

    def missing(self, model: str, messages: Sequence[Message], sample: int) -> str:
        """One line about a request that nothing answers."""
        said = [text for role, text in messages if role == "user"]
        shown = " ".join(said[-1].split())[:80] if said else ""
        near = get_close_matches(model, self.models, n=1, cutoff=0)
        nearest = f" (nearest: {near[0]!r})" if near and near[0] != model else ""
        return f"No recorded call of model {model!r}{nearest} as sample {sample} for: {shown}"

    def copy(self, path: Path) -> None:
        """Write all lines to a new file; raises UsageError if it exists or cannot be written."""
        try:
            with path.open("xb") as target:
                self._file.seek(0)
                shutil.copyfileobj(self._file, target)
        except OSError as error:
            raise UsageError(f"Cannot write {path}: {error.strerror}; choose a new file") from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_line(text: bytes) -> dict[str, Any]:
    """A line's object, checked; raises ValueError that says what is wrong."""
    if len(text) >= LINE_BYTES:
        raise ValueError(f"longer than {LINE_BYTES:,} bytes")
    line = json.loads(text.decode("utf-8"), parse_constant=_no_constant)
    if not isinstance(line, dict):
        raise ValueError(f"expected an object, found {type(line).__name__}")
    for key, value in line.items():
        if key not in _KEYS:
            raise ValueError(f"unknown key {key!r}; known: {', '.join(_KEYS)}")
        if not isinstance(value, _KEYS[key]) or value is True or value is False:
            raise ValueError(f"{key}: expected {_KEYS[key].__name__}, found {value!r:.60}")
    if not line.get("model") or not line.get("messages"):
        raise ValueError("a call needs model and messages")
    if ("reply" in line) == ("response" in line):
        raise ValueError("a call needs either reply or response")
    if line.get("sample", 0) < 0:
        raise ValueError("sample: expected 0 or more")
    as_messages(line["messages"])
    return line


def as_messages(values: Any) -> tuple[Message, ...]:
    """Messages of a line or of a request's body; a content that is no text as JSON."""
    if not isinstance(values, list) or not values:
        raise ValueError("messages: expected a list of one or more")
    return tuple(map(_message, values))


def _message(value: Any) -> Message:
    match value:
        case [str(role), str(text)]:
            return role, text
        case {"role": str(role), "content": str(text)}:
            return role, text
        case {"role": str(role), "content": content}:
            return role, json.dumps(content, sort_keys=True)
    raise ValueError(f"messages: expected [role, text], found {value!r:.60}")


def export(ledger: Ledger, file: BinaryIO) -> int:
    """Write the answered calls of the ledger `calls` as lines, by key; how many they are."""
    written = 0
    for _, record in ledger.records():
        request, call, response = record["request"], record["call"], record["response"]
        if call["status"] != "answered":
            continue  # asking again may bring an answer
        line = {name: request[name] for name in ("model", "messages", "sample")}
        line["parameters"] = json.loads(request["parameters"])
        if isinstance(response, dict):
            line["response"] = response
        else:  # too long to be kept whole
            usage = {name: call[name] for name in ("prompt_tokens", "completion_tokens")}
            usage["total_tokens"] = sum(usage.values())
            line |= {"reply": call["text"], "usage": usage, "finish_reason": call["finish"]}
        file.write(json.dumps(line).encode("ascii") + b"\n")
        written += 1
    return written


def _opened(path: Path) -> BinaryIO:
    if path.is_dir():
        file = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the recordings)
        with Store(path, readonly=True) as store:
            export(store.ledger("calls"), file)
        file.seek(0)
        return file
    try:
        return path.open("rb")
    except OSError as error:
        raise UsageError(f"Cannot read the calls in {path}: {error.strerror}") from None


def _key(
    model: str, messages: Sequence[Message], sample: int | None, asked: Mapping[str, Any] | None
) -> bytes:
    said = json.dumps([list(message) for message in messages])
    known = "" if asked is None else parameters(asked)
    return content_id("recorded", model, said, "" if sample is None else str(sample), known)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
