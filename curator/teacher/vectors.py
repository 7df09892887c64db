"""Reads the vectors in a reply of an `/embeddings` endpoint, and writes them as text.

In: the parsed body of a reply, which is not trusted. Out: a vector per text, or a Failure. A vector
is scaled to a length of about SCALE and rounded to integers: sums of their products are exact in
32-bit floats in any order, so that similarities do not depend on the machine. The error of a
cosine is about 0.0001.
"""

import base64
from typing import Any

import numpy as np

from curator.core.errors import to_one_line
from curator.core.json_text import parse_json
from curator.core.redaction import redact_all_keys
from curator.teacher.call import Call
from curator.teacher.response import Failure, read_usage

SCALE = 4_095
"""Length of a stored vector. The sum of products of two is below 2**24 then."""
MAX_DIMENSIONS = 16_384
MAX_VALUES = 5_000_000
"""Maximum number of values in a reply."""

Vector = np.ndarray[Any, np.dtype[np.int16]]


def read_embeddings(
    content_type: str, body: bytes, key: str, count: int, dimensions: int
) -> tuple[list[Call] | Failure, Any]:
    """Return the calls of a reply with status 200 to `count` texts, and its body as it is stored.

    The body is stored without the vectors, which are the texts of the calls. `dimensions` is as for
    `read_vectors`.
    """
    if "json" not in content_type.lower():
        return Failure("wrong content type", detail=to_one_line(content_type)), None
    try:
        parsed = parse_json(body, MAX_VALUES)
    except ValueError as error:
        return Failure("broken JSON", detail=to_one_line(str(error)), charged=True), None
    vectors = read_vectors(parsed, count, dimensions)
    stored = {
        name: redact_all_keys(parsed[name], key)
        for name in ("model", "usage")
        if isinstance(parsed, dict) and name in parsed
    }
    if isinstance(vectors, Failure):
        return vectors, stored
    tokens = share_tokens(read_usage(parsed.get("usage"))[0], count)
    return [
        Call("answered", write_vector(vector), prompt_tokens=own)
        for vector, own in zip(vectors, tokens, strict=True)
    ], stored


def read_vectors(body: Any, count: int, dimensions: int = 0) -> list[Vector] | Failure:
    """Return the vectors of `count` texts, in their order.

    `dimensions` is the number of numbers per vector; 0 if it is not known yet.
    """
    tokens = read_usage(body.get("usage") if isinstance(body, dict) else None)[0]

    def fail(reason: str, detail: str = "") -> Failure:
        return Failure(reason, detail=detail, charged=True, prompt_tokens=tokens)

    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, list):
        return fail("no vectors")
    indexed = [(each.get("index"), each) for each in data if isinstance(each, dict)]
    by_index = {index: each for index, each in indexed if isinstance(index, int)}
    if len(data) != count:
        return fail("wrong number of vectors", f"{len(data)} for {count} texts")
    if by_index.keys() != set(range(count)):
        return fail("wrong index", "expected each number from 0 once as `index`")
    vectors: list[Vector] = []
    for each in (by_index[number] for number in range(count)):
        vector = _scale(each.get("embedding"))
        if vector is None:
            return fail("invalid vector", "expected finite numbers that are not all 0")
        dimensions = dimensions or len(vector)
        if len(vector) != dimensions:
            return fail("wrong dimension", f"{len(vector)} numbers instead of {dimensions}")
        vectors.append(vector)
    return vectors


def _scale(values: object) -> Vector | None:
    if not isinstance(values, list) or not 0 < len(values) <= MAX_DIMENSIONS:
        return None
    if not all(type(value) in (int, float) for value in values):
        return None
    try:
        exact = np.array(values, np.float64)
    except OverflowError:
        return None
    most = np.abs(exact).max()
    if not np.isfinite(most) or most == 0:
        return None
    exact = exact / most
    scaled = np.trunc(exact * (SCALE / np.sqrt((exact * exact).sum()))).astype(np.int16)
    return scaled if scaled.any() else None


def write_vector(vector: Vector) -> str:
    """Return a vector as text."""
    return base64.b64encode(vector.astype("<i2").tobytes()).decode("ascii")


def read_vector(text: str) -> Vector:
    """Return the vector of a text. Raises ValueError if it is not one."""
    vector: Vector = np.frombuffer(base64.b64decode(text, validate=True), "<i2").astype(np.int16)
    return vector


def share_tokens(tokens: int, count: int) -> list[int]:
    """Return the tokens of a reply, divided among its texts."""
    each, rest = divmod(tokens, count)
    return [each + (number < rest) for number in range(count)]
