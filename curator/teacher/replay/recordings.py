"""Recorded calls, and which of them answers a request.

In: JSON Lines, one call per line, or the ledger `calls` of a store, exported as such lines:
{"model": "m", "messages": [["user", "1 + 1?"]], "sample": 0, "reply": "2"}
Out: the line that answers a request, read on demand: memory holds only offsets, 0.2 KB per line.

Keys of a line: `model`, `messages` (pairs of role and text, or objects with `role` and `content`),
`reply` (text) or `response` (a whole body); optional: `tool_calls` (as in a body), `sample`,
`parameters`, `usage`, `finish_reason`. A line without `sample` or `parameters` answers requests
with any value of it.
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

from curator.core.errors import MAX_KNOWN, MAX_NAME, UsageError, to_one_line
from curator.core.json_text import parse_json
from curator.core.model import content_id
from curator.teacher.bounded_lines import read_lines
from curator.teacher.call import parameters
from curator.teacher.messages import Message, ToolCall, read_message, write_calls
from datastore.ledger import Ledger
from datastore.store import Store

LINE_BYTES = 16_000_000
"""A longer line is invalid; it is never held whole."""

_MAX_REPORTED = 5
_KEYS = {
    "model": str,
    "messages": list,
    "sample": int,
    "parameters": dict,
    "reply": str,
    "reasoning": str,
    "tool_calls": list,
    "response": dict,
    "usage": dict,
    "finish_reason": str,
}


class Recordings:
    """The calls in the file or store at `path`; thread-safe.

    Raises UsageError with the first five errors if lines are invalid. Nothing in a file is
    executed.
    """

    def __init__(self, path: Path) -> None:
        self._file = _open(path)
        self._offsets: dict[bytes, int] = {}
        self._lengths: set[int] = set()
        self._lock = Lock()
        models: set[str] = set()
        digest, errors, error_count = sha256(), list[str](), 0
        for number, offset, text in read_lines(self._file, LINE_BYTES):
            digest.update(text)
            try:
                line = read_line(text)
                messages = read_messages(line["messages"])
                key = _key(line["model"], messages, line.get("sample"), line.get("parameters"))
                if key in self._offsets:
                    raise ValueError("an earlier line answers the same request")
                self._offsets[key] = offset
                self._lengths.add(len(messages))
                models.add(line["model"])
            except ValueError as error:
                error_count += 1
                if len(errors) < _MAX_REPORTED:
                    errors.append(f"{path}:{number}: {to_one_line(str(error))}")
        if error_count:
            if error_count > _MAX_REPORTED:
                errors.append(f"… and {error_count - _MAX_REPORTED:,} more invalid lines")
            self.close()
            raise UsageError("\n".join(errors))
        self.models = tuple(sorted(models))
        """Names of the models, sorted."""
        self.fingerprint = f"replay:{digest.hexdigest()[:12]}"
        """Identifies the content of the file."""

    def __len__(self) -> int:
        return len(self._offsets)

    def find(
        self,
        model: str,
        messages: Sequence[Message],
        request_parameters: Mapping[str, Any],
        sample: int,
    ) -> dict[str, Any] | None:
        """Return the line that answers a request; None if no line does.

        A line answers if the request ends with its messages. The longest match wins, then a line
        that names the sample, then one that names the parameters.
        """
        for length in sorted(self._lengths, reverse=True):
            if length > len(messages):
                continue
            end = messages[-length:]
            for line_sample, line_parameters in product((sample, None), (request_parameters, None)):
                offset = self._offsets.get(_key(model, end, line_sample, line_parameters))
                if offset is not None:
                    with self._lock:
                        self._file.seek(offset)
                        return read_line(self._file.readline(LINE_BYTES))
        return None

    def explain_missing(self, model: str, messages: Sequence[Message], sample: int) -> str:
        """Return one line about a request that no recorded call answers."""
        questions = [text for role, text, *_ in messages if role == "user"]
        question = " ".join(questions[-1].split())[:80] if questions else ""
        models = self.models[:MAX_KNOWN] if len(model) <= MAX_NAME else ()
        near = get_close_matches(model, [m for m in models if len(m) <= MAX_NAME], n=1, cutoff=0)
        nearest = f" (nearest: {near[0]!r})" if near and near[0] != model else ""
        called = f"{to_one_line(model)!r}{nearest} as sample {sample}"
        return f"No recorded call of model {called} for: {question}"

    def copy(self, path: Path) -> None:
        """Write all lines to a new file. Raises UsageError if it exists or cannot be written."""
        try:
            with path.open("xb") as target:
                self._file.seek(0)
                shutil.copyfileobj(self._file, target)
        except OSError as error:
            raise UsageError(f"Cannot write {path}: {error.strerror}. Choose a new file.") from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_line(text: bytes) -> dict[str, Any]:
    """Parse and check one line. Raises ValueError with the reason if it is invalid."""
    if len(text) >= LINE_BYTES:
        raise ValueError(f"longer than {LINE_BYTES:,} bytes")
    line = parse_json(text)
    if not isinstance(line, dict):
        raise ValueError(f"expected an object, found {type(line).__name__}")
    for key, value in line.items():
        if key not in _KEYS:
            raise ValueError(f"unknown key {key!r}; valid keys: {', '.join(_KEYS)}")
        if not isinstance(value, _KEYS[key]) or value is True or value is False:
            raise ValueError(f"{key}: expected {_KEYS[key].__name__}, found {value!r:.60}")
    if not line.get("model") or not line.get("messages"):
        raise ValueError("a call needs model and messages")
    if ("reply" in line) == ("response" in line):
        raise ValueError("a call needs either reply or response")
    if line.get("sample", 0) < 0:
        raise ValueError("sample: expected 0 or more")
    read_messages(line["messages"])
    return line


def read_messages(values: Any) -> tuple[Message, ...]:
    """Return the messages of a line or of a request's body; content other than text as JSON.

    Raises ValueError if they are invalid.
    """
    if not isinstance(values, list) or not values:
        raise ValueError("messages: expected a list of one or more")
    return tuple(map(read_message, values))


def export(ledger: Ledger, file: BinaryIO) -> int:
    """Write the answered calls of the ledger `calls` as lines, by key; return how many."""
    count = 0
    for _, record in ledger.records():
        request, call, response = record["request"], record["call"], record["response"]
        if call["status"] != "answered":
            continue  # a retry may bring a reply
        line = {name: request[name] for name in ("model", "messages", "sample")}
        line["parameters"] = json.loads(request["parameters"])
        if isinstance(response, dict):
            line["response"] = response
        else:  # the body was too long to be stored whole
            usage = {name: call[name] for name in ("prompt_tokens", "completion_tokens")}
            usage["total_tokens"] = sum(usage.values())
            line |= {"reply": call["text"], "usage": usage, "finish_reason": call["finish"]}
            if reasoning := call.get("reasoning"):
                line["reasoning"] = reasoning
            if calls := call.get("tool_calls"):
                line["tool_calls"] = write_calls(ToolCall(*each) for each in calls)
        file.write(json.dumps(line).encode("ascii") + b"\n")
        count += 1
    return count


def _open(path: Path) -> BinaryIO:
    if path.is_dir():
        file = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the recordings)
        with Store(path, readonly=True) as store:
            export(store.ledger("calls"), file)
        file.seek(0)
        return file
    try:
        return path.open("rb")
    except OSError as error:
        raise UsageError(f"Cannot read the calls in {path}: {error.strerror}.") from None


def _key(
    model: str,
    messages: Sequence[Message],
    sample: int | None,
    line_parameters: Mapping[str, Any] | None,
) -> bytes:
    sample_text = "" if sample is None else str(sample)
    parameter_text = "" if line_parameters is None else parameters(line_parameters)
    message_text = json.dumps([list(message) for message in messages])
    return content_id("recorded", model, message_text, sample_text, parameter_text)
