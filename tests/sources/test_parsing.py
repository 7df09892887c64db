"""The parts of rows that need parsing, over a table of hard cases."""

import json

import pytest

from curator.sources import fields
from curator.sources.datasets import aqua_rat, math, mathqa
from curator.sources.fields import Unreadable
from tests.paths import DATA

CASES = json.loads((DATA / "sources/parsing.json").read_text())


@pytest.mark.parametrize(("solution", "expected"), CASES["boxes"])
def test_boxes_are_read_with_nested_braces(solution: str, expected: list[str]) -> None:
    assert math.boxes(solution) == expected


@pytest.mark.parametrize(("words", "expected"), CASES["options"])
def test_mathqa_options_are_parted_by_their_labels(words: str, expected: list[str] | None) -> None:
    if expected is None:
        with pytest.raises(Unreadable, match="options are not a to e"):
            mathqa.options(words)
    else:
        assert mathqa.options(words) == tuple(expected)


@pytest.mark.parametrize(("rationale", "gold", "choices", "expected"), CASES["stated"])
def test_words_that_only_state_the_option_come_off(
    rationale: str, gold: str, choices: list[str], expected: str
) -> None:
    assert aqua_rat.without_answer(rationale, gold, tuple(choices)) == expected


@pytest.mark.parametrize(("question", "head", "choices"), CASES["inline"])
def test_choices_within_a_question_are_parted_from_it(
    question: str, head: str, choices: list[str]
) -> None:
    assert fields.inline_choices(question) == (head, tuple(choices))


@pytest.mark.parametrize(
    ("words", "expected"),
    [("51.0", "51"), ("-3.00", "-3"), ("5.10", "5.10"), ("x", "x"), (".0", ".0")],
)
def test_a_whole_number_loses_its_zeros(words: str, expected: str) -> None:
    assert fields.number(words) == expected
