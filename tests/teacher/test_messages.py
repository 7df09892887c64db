"""Messages with tool calls, and the keys of calls, which must never change."""

import pytest

from curator.teacher import Request
from curator.teacher.messages import (
    ToolCall,
    encode_calls,
    read_message,
    read_tool_calls,
    write_message,
)

MESSAGES = (("system", "You solve."), ("user", "1 + 1?"))


def test_the_key_of_a_request_without_tools_is_the_one_of_earlier_releases() -> None:
    """Another key would pay for every cached call again."""
    request = Request("openai", "m", MESSAGES, '{"max_tokens":100}', 3)
    assert request.key.hex() == "9aa3e1aaa383845c92d648451e06e771"
    assert request.body() == {
        "model": "m",
        "max_tokens": 100,
        "messages": [
            {"role": "system", "content": "You solve."},
            {"role": "user", "content": "1 + 1?"},
        ],
    }


def test_tools_ids_and_arguments_are_part_of_the_key() -> None:
    def key(id_: str = "a", arguments: str = "{}", tools: str = "") -> bytes:
        calls = encode_calls([ToolCall(id_, "python", arguments)])
        messages = (*MESSAGES, ("assistant", "", calls), ("tool", "2", id_))
        return Request("openai", "m", messages, f"{{{tools}}}").key

    others = [key("b"), key(arguments='{"code":"1"}'), key(tools='"tools":[{}]')]
    assert len({key(), *others}) == 4
    assert key() == key()


@pytest.mark.parametrize("message", [
    ("user", "1 + 1?"),
    ("tool", "2", "a"),
    ("assistant", "", encode_calls([ToolCall("a", "python", '{"code": "1"}')])),
    ("assistant", "Look.", encode_calls([ToolCall("a", "x", "no JSON"), ToolCall("b", "y", "[]")])),
])  # fmt: skip
def test_a_message_is_the_same_after_it_was_sent(message: tuple[str, ...]) -> None:
    assert read_message(write_message(message)) == message  # type: ignore[arg-type]
    assert read_message(list(message)) == message


@pytest.mark.parametrize("calls", [None, {}, "x", [1], [{}], [{"function": []}], [[["a"]]]])
def test_tool_calls_of_another_form_are_none(calls: object) -> None:
    assert read_tool_calls({"tool_calls": calls}) == ()


def test_a_lone_surrogate_in_arguments_can_be_sent() -> None:
    (call,) = read_tool_calls(
        {"tool_calls": [{"function": {"name": "python", "arguments": "\ud800"}}]}
    )
    assert write_message(("assistant", "\ud800", encode_calls([call])))["content"] == "?"
