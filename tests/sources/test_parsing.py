"""Parsing inside rows, over a table of hard cases."""

import json

import pytest

from curator.sources import fields
from curator.sources.datasets import aqua_rat, math, mathqa
from curator.sources.fields import Unreadable
from tests.paths import DATA

CASES = json.loads((DATA / "sources/parsing.json").read_text())


@pytest.mark.parametrize(("solution", "expected"), CASES["boxes"])
def test_boxes_may_contain_nested_braces(solution: str, expected: list[str]) -> None:
    assert math.boxes(solution) == expected


@pytest.mark.parametrize(("cell", "expected"), CASES["options"])
def test_mathqa_choices_are_split_at_their_labels(cell: str, expected: list[str] | None) -> None:
    if expected is None:
        with pytest.raises(Unreadable, match="options are not a to e"):
            mathqa.parse_choices(cell)
    else:
        assert mathqa.parse_choices(cell) == tuple(expected)


@pytest.mark.parametrize(("rationale", "gold", "choices", "expected"), CASES["stated"])
def test_an_ending_that_only_states_the_answer_is_removed(
    rationale: str, gold: str, choices: list[str], expected: str
) -> None:
    assert aqua_rat.strip_answer(rationale, gold, tuple(choices)) == expected


@pytest.mark.parametrize(("question", "head", "choices"), CASES["inline"])
def test_choices_inside_a_question_are_split_off(
    question: str, head: str, choices: list[str]
) -> None:
    assert fields.split_choices(question) == (head, tuple(choices))


@pytest.mark.parametrize(
    ("number", "expected"),
    [("51.0", "51"), ("-3.00", "-3"), ("5.10", "5.10"), ("x", "x"), (".0", ".0")],
)
def test_an_integer_loses_its_zero_decimals(number: str, expected: str) -> None:
    assert fields.strip_zero_decimals(number) == expected
