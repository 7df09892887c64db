"""The turns of a text with programs and outputs, whatever their marks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator.core.turns import (
    MAX_BLOCKS,
    TurnKind,
    find_final_text,
    find_turns,
    has_outputs,
    join_turns,
)

TORA = "We add.\n```python\nprint(1 + 1)\n```\n```output\n2\n```\nIt is $\\boxed{2}$."
FORMS = {
    "ToRA": TORA,
    "a blank before the name": TORA.replace("```", "``` "),
    "longer fences": TORA.replace("```", "`````"),
    "tildes": TORA.replace("```", "~~~"),
    "Windows": TORA.replace("\n", "\r\n"),
    "MathCoder": "<|text|>We add.<|endofblock|><|code|>print(1 + 1)<|endofblock|><|execution|>2"
    "<|endofblock|><|text|>It is $\\boxed{2}$.<|endofblock|><|endofmessage|>",
    "OpenMathInstruct": "We add.\n<llm-code>\nprint(1 + 1)\n</llm-code>\n<llm-code-output>\n2\n"
    "</llm-code-output>\nIt is $\\boxed{2}$.",
    "OpenMathReasoning": "We add.\n<tool_call>\nprint(1 + 1)\n</tool_call>\n```output\n2\n```\n"
    "It is $\\boxed{2}$.",
    "ReTool": "We add. <code>print(1 + 1)</code><interpreter>2</interpreter>It is $\\boxed{2}$.",
    "ReTool with fences": "We add.\n<code>\n```python\nprint(1 + 1)\n```\n</code>\n<interpreter>\n"
    "2\n</interpreter>\n\nIt is $\\boxed{2}$.",
    "Hermes": 'We add.\n<tool_call>\n{"name": "python", "arguments": {"code": "print(1 + 1)"}}\n'
    "</tool_call>\n<tool_response>\n2\n</tool_response>\nIt is $\\boxed{2}$.",
    "a program without its end": TORA.replace(")\n```\n", ")\n"),
}


def turns_of(text: str) -> list[tuple[TurnKind, str]]:
    return [(turn.kind, turn.text) for turn in find_turns(text)]


@pytest.mark.parametrize("form", FORMS)
def test_turns_are_found_in_every_form(form: str) -> None:
    assert turns_of(FORMS[form]) == [
        ("text", "We add."),
        ("program", "print(1 + 1)"),
        ("output", "2"),
        ("text", "It is $\\boxed{2}$."),
    ]
    assert has_outputs(FORMS[form])
    assert find_final_text(find_turns(FORMS[form])) == "It is $\\boxed{2}$."


@pytest.mark.parametrize("form", FORMS)
def test_offsets_state_where_a_turn_and_its_content_are(form: str) -> None:
    text = FORMS[form]
    turns = find_turns(text)
    for turn in turns:
        assert turn.start <= turn.inner <= turn.end
        assert turn.text.splitlines()[0] in text[turn.inner : turn.end]
    assert [turn.start for turn in turns[1:]] >= [turn.end for turn in turns[:-1]]


@pytest.mark.parametrize("text", [
    "It is 2.",
    "x < 5 and y > 3",
    "```\nprint(1)\n```\n1",
    "```python\nprint(1)\n```\nThe answer is 1.",
    "```sage\nprint(1)\n```\n```output\n1\n```",
    "```text\n```python\nprint(1)\n```\n```",
    "Here is ```python print(1)``` and ```output 1```",
    "<p>print(1)</p>",
    "",
])  # fmt: skip
def test_a_text_without_a_program_and_its_output_is_not_tool_integrated(text: str) -> None:
    assert not has_outputs(text)


@pytest.mark.parametrize("program", [
    "{1: 2}",
    '{"a": 2}',
    '{"arguments": 2}',
    '{"arguments": {"lines": 2}}',
    '{"arguments": {"code": "\\ud800"}}',
    "[" * 9_000,
    "{" * 9_000,
    "```python\nprint(1)",
    "```sage\nprint(1)\n```",
    "```",
    "print('```')\n```",
])  # fmt: skip
def test_a_program_between_tags_that_is_no_fence_and_no_call_is_read_as_it_is(program: str) -> None:
    assert turns_of(f"<code>{program}</code>") == [("program", program)]


def test_a_block_without_an_end_goes_on_to_the_end_of_the_text() -> None:
    (text, program) = find_turns("Now:\n```python\nprint(1)\n``` 1")
    assert (program.text, program.is_closed) == ("print(1)\n``` 1", False)
    assert not find_turns("<code>x = 1")[0].is_closed
    assert not find_final_text([text, program])


def test_a_fence_inside_a_longer_fence_belongs_to_the_program() -> None:
    program = '"""\n```output\n2\n```\n"""'
    assert turns_of(f"````python\n{program}\n````") == [("program", program)]


def test_there_is_a_maximum_number_of_blocks() -> None:
    turns = find_turns("<code>1</code>" * (MAX_BLOCKS + 5))
    assert len(turns) == MAX_BLOCKS + 1
    assert turns[-1].text == "<code>1</code>" * 5


texts = st.text("ab `<>\n|", min_size=1).map(str.strip).filter(bool)
programs = st.text("ab `~\n", min_size=1).map(lambda text: text.strip("\n")).filter(bool)
traces = st.lists(st.tuples(st.sampled_from(["program", "output"]), programs))


@given(texts.filter(lambda text: "```" not in text), traces)
def test_turns_that_were_joined_are_found_again(
    first: str, blocks: list[tuple[TurnKind, str]]
) -> None:
    turns: list[tuple[TurnKind, str]] = [("text", first), *blocks]
    assert turns_of(join_turns(turns)) == turns


@given(st.text("`~<code>/output|execution|python\n "))
def test_any_text_is_divided_without_gaps_of_content(text: str) -> None:
    place = 0
    for turn in find_turns(text):
        assert turn.start >= place and turn.end >= turn.inner >= turn.start
        place = turn.end
    assert place <= len(text)
