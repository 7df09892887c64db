"""JSON from outside: strict, and bounded in depth and number of values."""

import json

import pytest

from curator.core.json_text import MAX_DEPTH, MAX_VALUES, parse_json

INVALID = {
    "no JSON": ("{", "Expecting"),
    "empty": ("", "Expecting"),
    "NaN": ("[NaN]", "NaN is not valid JSON"),
    "infinity": ("[-Infinity]", "-Infinity is not valid JSON"),
    "a float that is infinite": ("[1e999]", "a number is too large"),
    "a long integer": ("1" * 5_000, "Exceeds the limit"),
    "lists in lists": ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "nested too deeply"),
    "objects in objects": ('{"a":' * 400 + "1" + "}" * 400, "nested too deeply"),
    "deeper than the stack": ("[" * 100_000, "nested too deeply"),
    "many lists": ("[" + "[]," * MAX_VALUES + "1]", f"expected at most {MAX_VALUES:,} values"),
    "not UTF-8": (b'["\xff"]', "not UTF-8: invalid byte at offset 2"),
}


@pytest.mark.parametrize("case", INVALID)
def test_what_is_no_plain_json_is_a_value_error_with_a_short_reason(case: str) -> None:
    text, reason = INVALID[case]
    with pytest.raises(ValueError, match=reason) as caught:
        parse_json(text)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", [None, 1.5, "\ud800", {"a": [1, {"b": []}]}, 10**100])
def test_plain_json_is_read_like_by_the_standard_library(value: object) -> None:
    text = json.dumps(value)
    for data in (text, text.encode(), text.encode("utf-16")):
        assert parse_json(data) == value


def test_nesting_up_to_the_limit_is_read() -> None:
    text = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert json.dumps(parse_json(text)) == text
    wide = "[" + ",".join(["[[]]"] * 1_000) + "]"
    assert json.dumps(parse_json(wide), separators=(",", ":")) == wide
