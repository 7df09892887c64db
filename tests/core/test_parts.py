"""The parts of a rationale that terminal, report and comparison show."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator.core.model import Kind, LabelledStep
from curator.core.parts import Part, leaves, split_rationale
from curator.core.turns import find_turns

TOOL = "```python\nprint(1)\n```\n```output\n1\n```"


def shown(parts: Sequence[Part]) -> list[tuple[str, str]]:
    return [(part.kind, part.text) for part in parts]


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("CoT", "It is 5.", [("text", "It is 5.")]),
        ("CoT", "", []),
        ("PoT", "print(5)", [("program", "print(5)")]),
        ("CoT", "<think>3 + 2</think>It is 5.", [("thought", "3 + 2"), ("answer", "It is 5.")]),
        ("CoT", "3 + 2</think>It is 5.", [("thought", "3 + 2"), ("answer", "It is 5.")]),
        ("CoT", "<think>3 + 2", [("thought", "3 + 2")]),
        (
            "CoT",
            "Well. <think>a</think>b<think>c</think>d",
            [("text", "Well."), ("thought", "a</think>b<think>c"), ("answer", "d")],
        ),
        (
            "TIR",
            f"Add.\n{TOOL}\nIt is 1.",
            [("text", "Add."), ("program", "print(1)"), ("output", "1"), ("answer", "It is 1.")],
        ),
        ("TIR", "No program.", [("text", "No program.")]),
        # A text with programs and outputs is one, whatever its subset calls it.
        ("CoT", TOOL, [("program", "print(1)"), ("output", "1")]),
    ],
)
def test_a_rationale_is_split_into_its_parts(
    kind: Kind, text: str, expected: list[tuple[str, str]]
) -> None:
    assert shown(split_rationale(kind, text)) == expected


def test_a_fault_of_a_thought_is_noted() -> None:
    (thought,) = split_rationale("CoT", "<think>3 + 2")
    assert thought.note == "unclosed thought"
    assert split_rationale("CoT", "<think>a</think>b")[0].note == ""


def test_programs_in_a_thought_and_behind_it_are_numbered_together() -> None:
    text = f"<think>Try.\n{TOOL}\nFine.</think>\n{TOOL}\nIt is 1."
    parts = split_rationale("TIR", text, results=["equal", "different"])
    assert [part.kind for part in parts] == ["thought", "program", "output", "answer"]
    assert [part.kind for part in parts[0].parts] == ["text", "program", "output", "text"]
    found = [(p.kind, p.number, p.note) for p in leaves(parts) if p.kind in ("program", "output")]
    assert found == [
        ("program", 1, "equal"),
        ("output", 1, ""),
        ("program", 2, "different"),
        ("output", 2, ""),
    ]


def test_marks_of_thoughts_that_a_program_prints_are_no_parts() -> None:
    printed = "```python\nprint('<think>')\n```\n```output\n<think>\n```\n"
    parts = split_rationale("TIR", f"{printed}It is 3.", results=["equal"])
    assert [(part.kind, part.note) for part in parts] == [
        ("program", "equal"), ("output", ""), ("answer", ""),
    ]  # fmt: skip


def test_an_output_without_a_program_has_no_number() -> None:
    parts = split_rationale("TIR", f"```output\n1\n```\n{TOOL}")
    assert [(part.kind, part.number) for part in parts] == [
        ("output", 0),
        ("program", 1),
        ("output", 1),
    ]


def test_results_of_another_number_of_programs_are_ignored() -> None:
    assert [part.note for part in split_rationale("TIR", TOOL, results=["equal"] * 2)] == ["", ""]


STEPS = (
    LabelledStep(1, "3 + 2 is 5.", "right"),
    LabelledStep(2, "So it is 6.", "wrong"),
    LabelledStep(2, "So it is 5.", "", chosen=False),
)


@pytest.mark.parametrize(
    ("text", "before", "behind"),
    [
        ("3 + 2 is 5.\nSo it is 6.", [], []),
        ("3 + 2 is 5.\nSo it is 6.\nThe answer is 6", [], [("answer", "The answer is 6")]),
        ("Another text.", [("text", "Another text.")], []),
    ],
)
def test_each_labelled_step_is_a_part(
    text: str, before: list[tuple[str, str]], behind: list[tuple[str, str]]
) -> None:
    parts = split_rationale("CoT", text, STEPS)
    steps = [part for part in parts if part.kind == "step"]
    assert [(p.number, p.text, p.note, p.chosen) for p in steps] == [
        (1, "3 + 2 is 5.", "right", True),
        (2, "So it is 6.", "wrong", True),
        (2, "So it is 5.", "no label", False),
    ]
    assert shown(parts) == [*before, *shown(steps), *behind]


PIECES = st.sampled_from(
    ["<think>", "</think>", "a b\n", TOOL, "\n```python\n", "\n```\n", "<code>", "</code>", "x"]
)


@given(st.lists(PIECES, max_size=12).map("".join), st.sampled_from(["CoT", "TIR"]))
def test_no_word_of_a_text_is_lost(text: str, kind: Kind) -> None:
    parts = "".join(part.text for part in leaves(split_rationale(kind, text)))
    for character in "abx":
        assert parts.count(character) == text.count(character)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_results_belong_to_the_programs_that_are_replayed(text: str) -> None:
    programs = [turn.text for turn in find_turns(text) if turn.kind == "program"]
    parts = split_rationale("TIR", text, results=programs)
    assert all(part.note in ("", part.text) for part in leaves(parts) if part.kind == "program")
