"""Where the thought and the answer of a text are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator.core.thoughts import join_thought, read_trace, split_thought

MARKS = (
    ("<think>", "</think>"),
    ("<THINK>\n", "\n</THINK>\n\n"),
    ("<|begin_of_thought|>\n\n", "\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\n"),
    ("◁think▷", "◁/think▷"),
    ("[THINK]", "[/THINK]"),
    (
        "<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|channel|>final<|message|>",
    ),
    ("", "</think>"),  # the template of the model writes the opening mark
)
words = st.text("ab 1\n", min_size=1).map(str.strip).filter(bool)


@pytest.mark.parametrize("marks", MARKS)
def test_thought_and_answer_are_split_whatever_the_marks(marks: tuple[str, str]) -> None:
    opening, closing = marks
    text = f"{opening}3 + 2 is 5.{closing}It is 5.<|end_of_solution|>\n"
    assert split_thought(text) == ("3 + 2 is 5.", "It is 5.")


@pytest.mark.parametrize(
    ("text", "fault", "place"),
    [
        ("<think>It is 5.", "unclosed thought", 0),
        ("<think>a</think><think>It is 5.", "unclosed thought", 16),
        ("<think>a</think>b</think>c", "doubled thought", 8),
        ("<think>a<think>b</think>c", "doubled thought", 8),
        ("<think>a</think>b<think>c</think>d", "doubled thought", 8),
        ("It is 5. <think>a</think>b", "doubled thought", 9),
        ("<think> \n</think>b", "empty thought", 0),
        ("</think>b", "empty thought", 0),
        ("<think>a</think> \n", "no answer", 16),
        ("<|begin_of_thought|>a<|end_of_thought|><|begin_of_solution|>", "no answer", 39),
        ("<think>a</thinking>b", "unclosed thought", 0),
        ("<think>a[/THINK]b", "unclosed thought", 0),
        ("<think>a</think>b</thinking>c", "doubled thought", 8),
    ],
)
def test_a_text_with_broken_marks_is_not_split(text: str, fault: str, place: int) -> None:
    trace = read_trace(text)
    assert trace and (trace.fault, trace.place) == (fault, place)
    assert split_thought(text) == ("", text)


def test_a_thought_may_name_marks_that_close_others() -> None:
    assert split_thought("<think>Not </thinking>.</think>5") == ("Not </thinking>.", "5")


def test_a_text_without_marks_is_all_answer() -> None:
    text = "I think that the reasoning is sound: 5 < think."
    assert read_trace(text) is None and split_thought(text) == ("", text)


@given(words, words)
def test_a_thought_that_was_joined_is_split_again(thought: str, answer: str) -> None:
    assert split_thought(join_thought(thought, answer)) == (thought, answer)
    assert join_thought("", answer) == answer
