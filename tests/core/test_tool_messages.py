"""Messages with tool calls, made of texts and read again."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator.core.tool_messages import write_messages
from curator.core.turns import TurnKind, find_turns, join_turns
from curator.sources.chat_columns import last_reply
from tests.core.test_turns import FORMS, TORA, programs, texts

CALL = {
    "role": "assistant",
    "content": "We add.",
    "tool_calls": [
        {
            "id": "call_1",
            "type": "function",
            "function": {"name": "python", "arguments": {"code": "print(1 + 1)"}},
        }
    ],
}
OUTPUT = {"role": "tool", "tool_call_id": "call_1", "name": "python", "content": "2"}
FINAL = {"role": "assistant", "content": "It is $\\boxed{2}$."}


@pytest.mark.parametrize("form", FORMS)
def test_programs_are_tool_calls_whatever_their_marks(form: str) -> None:
    assert write_messages(FORMS[form]) == [CALL, OUTPUT, FINAL]


@pytest.mark.parametrize("text", ["It is 2.", "", TORA.rpartition("It is")[0]])
def test_a_text_that_ends_without_an_answer_is_one_message(text: str) -> None:
    assert write_messages(text) == [{"role": "assistant", "content": text}]


def test_a_program_without_an_output_and_an_output_without_a_program_stay_in_the_text() -> None:
    text = f"```output\n1\n```\n```python\nprint(0)\n```\nHm.\n{TORA}"
    first, *rest = write_messages(text)
    assert first["content"] == "```output\n1\n```\n```python\nprint(0)\n```\nHm.\nWe add."
    assert rest == [OUTPUT, FINAL]


pairs = st.lists(st.tuples(programs, programs), min_size=1)
plain = texts.filter(lambda text: not {"`", "<", "~"} & set(text))


@given(plain, pairs, plain)
def test_messages_that_were_written_are_read_again(
    first: str, blocks: list[tuple[str, str]], last: str
) -> None:
    turns: list[tuple[TurnKind, str]] = [("text", first)]
    for program, output in blocks:
        turns += [("program", program), ("output", output)]
    text = join_turns([*turns, ("text", last)])
    chat = [{"role": "user", "content": "How many?"}, *write_messages(text)]
    again = last_reply(json.loads(json.dumps(chat)), "chat")
    assert again == text
    assert [(turn.kind, turn.text) for turn in find_turns(text)] == [*turns, ("text", last)]
