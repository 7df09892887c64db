"""The files of a provider's batch: requests as JSON Lines, and the results read from such lines.

In: requests. Out: input files within the provider's limits. In: the provider's output and error
files, none of which is trusted. Out: the key of each request with its attempt.
"""

import json
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final

from curator.core.errors import MALFORMED, to_one_line
from curator.core.json_text import parse_json
from curator.core.redaction import redact_all_keys
from curator.teacher.bounded_lines import read_lines
from curator.teacher.call import Request
from curator.teacher.endpoint import REPLY_BYTES, Attempt
from curator.teacher.response import Failure, read_error_response, read_response

MAX_REQUESTS = 50_000
"""Maximum requests per input file."""
MAX_BYTES = 200_000_000
"""Maximum bytes per input file."""
LINE_BYTES = 2 * REPLY_BYTES
"""A longer line of a result is invalid."""
URL: Final = "/v1/chat/completions"


def write_input_files(requests: Iterable[Request]) -> Iterator[tuple[BinaryIO, list[Request]]]:
    """Yield files to upload, each with its requests: of one model, within the provider's limits."""
    file, group = _new_file(), list[Request]()
    for request in sorted(requests, key=lambda request: request.model):
        line = format_line(request)
        full = len(group) == MAX_REQUESTS or file.tell() + len(line) > MAX_BYTES
        if group and (full or group[-1].model != request.model):
            yield _rewind(file), group
            file, group = _new_file(), []
        file.write(line)
        group.append(request)
    if group:
        yield _rewind(file), group


def format_line(request: Request) -> bytes:
    """Return one request as a line of an input file, identified by its key."""
    line = {
        "custom_id": request.key.hex(),
        "method": "POST",
        "url": URL,
        "body": request.body(),
    }
    return json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n"


def read_results(file: BinaryIO, key: str) -> Iterator[tuple[bytes | None, Attempt]]:
    """Yield the request's key and the attempt for each line; the key is None if a line is invalid.

    Lines may come in any order and name unknown requests, or one request twice. `key` is the API
    key to be removed.
    """
    for _, _, text in read_lines(file, LINE_BYTES):
        try:
            line = parse_json(text)
            request_key = bytes.fromhex(line["custom_id"])
            if len(request_key) != 16:
                raise ValueError(request_key)
            attempt = _read_result(line, key)
        except MALFORMED:
            yield None, Attempt(Failure("broken line in a batch"))
        else:
            yield request_key, attempt


def read_rejections(
    file: BinaryIO, errors: Iterable[tuple[int | None, str]]
) -> dict[bytes, Attempt]:
    """Return the attempts for rejected lines of an input file, by the request's key.

    `errors` are pairs of line number and message.
    """
    refused = {line: message for line, message in errors if line}
    attempts = {}
    for number, _, text in read_lines(file, LINE_BYTES):
        if number in refused:
            try:
                key = bytes.fromhex(parse_json(text)["custom_id"])
            except MALFORMED:
                continue
            failure = Failure("refused in a batch", "never", detail=refused[number])
            attempts[key] = Attempt(failure)
    return attempts


def _read_result(line: dict[str, Any], key: str) -> Attempt:
    response, error = line.get("response"), line.get("error")
    if isinstance(response, dict) and type(response.get("status_code")) is int:
        body = json.dumps(response.get("body")).encode("ascii")
        if response["status_code"] == 200:
            return Attempt(*read_response("application/json", body, key))
        return Attempt(*read_error_response(response["status_code"], body, key))
    code, message = "", ""
    if isinstance(error, dict):
        code, message = (
            to_one_line(redact_all_keys(str(error.get(name) or ""), key))
            for name in ("code", "message")
        )
    if code == "batch_expired":
        return Attempt(Failure("expired in a batch"))
    return Attempt(Failure(f"error in a batch: {code or 'unknown'}", detail=message))


def _new_file() -> BinaryIO:
    return tempfile.TemporaryFile()  # closed after its upload


def _rewind(file: BinaryIO) -> BinaryIO:
    file.seek(0)
    return file
