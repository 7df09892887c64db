"""The files of a provider's batch: requests as JSON lines, and what each line of a result says.

In: requests. Out: input files within the provider's limits; and from the bytes of its output and
error files, which are taken on trust in nothing, the key of each request with what it brought.
"""

import json
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final

from curator.teacher.bounded_lines import lines
from curator.teacher.call import Request
from curator.teacher.endpoint import Try
from curator.teacher.redaction import one_line, without_keys
from curator.teacher.response import Fault, read_refusal, read_response

MOST_REQUESTS = 50_000
MOST_BYTES = 200_000_000
LINE_BYTES = 64_000_000
"""A longer line of a result is broken."""
URL: Final = "/v1/chat/completions"


def input_files(requests: Iterable[Request]) -> Iterator[tuple[BinaryIO, list[Request]]]:
    """Files to upload, each with its requests: of one model, within the provider's limits."""
    file, inside = _new(), list[Request]()
    for request in sorted(requests, key=lambda request: request.model):
        line = input_line(request)
        full = len(inside) == MOST_REQUESTS or file.tell() + len(line) > MOST_BYTES
        if inside and (full or inside[-1].model != request.model):
            yield _rewound(file), inside
            file, inside = _new(), []
        file.write(line)
        inside.append(request)
    if inside:
        yield _rewound(file), inside


def input_line(request: Request) -> bytes:
    """One request as the provider's batch takes it, known by its key."""
    line = {
        "custom_id": request.key.hex(),
        "method": "POST",
        "url": URL,
        "body": request.body(),
    }
    return json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n"


def results(file: BinaryIO, key: str) -> Iterator[tuple[bytes | None, Try]]:
    """Each line's request by key, and what it brought; None for a line that is broken.

    Lines may come in any order and name unknown requests, or one of them twice. `key` is the
    endpoint's, to be taken out.
    """
    for _, _, text in lines(file, LINE_BYTES):
        try:
            line = json.loads(text)
            name = bytes.fromhex(line["custom_id"])
            if len(name) != 16:
                raise ValueError(name)
            found = _result(line, key)
        except (ValueError, KeyError, TypeError, RecursionError):
            yield None, Try(Fault("broken line in a batch"))
        else:
            yield name, found


def refused(file: BinaryIO, why: Iterable[tuple[int | None, str]]) -> dict[bytes, Try]:
    """The faults of an input file's lines that the provider refused, by key; `why` by number."""
    keys = [bytes.fromhex(json.loads(line)["custom_id"]) for line in file]
    return {
        keys[line - 1]: Try(Fault("refused in a batch", "never", detail=detail))
        for line, detail in why
        if line and 0 < line <= len(keys)
    }


def _result(line: dict[str, Any], key: str) -> Try:
    response, error = line.get("response"), line.get("error")
    if isinstance(response, dict) and type(response.get("status_code")) is int:
        body = json.dumps(response.get("body")).encode("ascii")
        if response["status_code"] == 200:
            return Try(*read_response("application/json", body, key))
        return Try(*read_refusal(response["status_code"], body, key))
    code, message = "", ""
    if isinstance(error, dict):
        code, message = (
            one_line(without_keys(str(error.get(name) or ""), key)) for name in ("code", "message")
        )
    if code == "batch_expired":
        return Try(Fault("expired in a batch"))
    return Try(Fault(f"error in a batch: {code or 'unknown'}", detail=message))


def _new() -> BinaryIO:
    return tempfile.TemporaryFile()  # closed with its upload


def _rewound(file: BinaryIO) -> BinaryIO:
    file.seek(0)
    return file
