"""Evaluation problems that a release contains are found; others are not."""

from collections.abc import Iterable, Sequence

import pytest

from curator.core.model import Problem
from curator.core.samples import SampledProblem
from trainers.evaluation.overlap import Key, find_seen, to_problem
from trainers.release import Example, Message

LONG = (
    "A tank holds 90 litres and loses 4 litres an hour through a crack in its floor. "
    "How many litres are left in it after 7 hours?"
)
SHORT = "What is 2 plus 3?"
PROBLEMS = [
    SampledProblem("gsm8k", "long", LONG, "62"),
    SampledProblem("gsm8k", "short", SHORT, "5"),
]


def seen_by(problems: Iterable[SampledProblem], questions: Sequence[str]) -> set[Key]:
    return find_seen(problems, [Problem("", question, "") for question in questions])


def test_a_question_inside_other_text_is_seen() -> None:
    release = [f"Think: {LONG.upper()} Answer Choices: (A) 62", "Another question altogether."]
    assert seen_by(PROBLEMS, release) == {("gsm8k", "long")}


def test_a_part_of_a_question_is_not_enough() -> None:
    assert seen_by(PROBLEMS, [" ".join(LONG.split()[:6])]) == set()


def test_most_of_the_facts_of_a_question_are_enough() -> None:
    assert seen_by(PROBLEMS, [LONG.split(". ")[0]]) == {("gsm8k", "long")}


def test_a_question_with_other_numbers_is_not_seen() -> None:
    assert seen_by(PROBLEMS, [LONG.replace("90", "81").replace("7", "6")]) == set()


def test_a_reworded_question_is_seen() -> None:
    reworded = (
        "Through a crack in its floor, a tank that holds 90 litres loses 4 litres each hour. "
        "After 7 hours, how many litres are left?"
    )
    subjects = [
        "hens",
        "maps",
        "taxes",
        "lamps",
        "rivers",
        "buses",
        "cakes",
        "coins",
        "pens",
        "trees",
        "cows",
        "tents",
    ]
    others = [
        SampledProblem("gsm8k", f"{thing} {count}", f"How many {thing} cost {count} dollars?", "1")
        for thing in subjects
        for count in range(3, 9)
    ]
    assert seen_by([*PROBLEMS, *others], [reworded]) == {("gsm8k", "long")}


def test_a_short_question_with_a_prompt_is_seen_but_not_one_with_more_numbers() -> None:
    assert seen_by(PROBLEMS, ["Think step by step: what is 2 plus 3"]) == {("gsm8k", "short")}
    assert seen_by(PROBLEMS, ["Tell me: what is 2 plus 3? Then add 4."]) == set()


def test_all_problems_that_a_question_repeats_are_seen() -> None:
    some = [SampledProblem("gsm8k", "1", LONG, "62"), SampledProblem("mine", "2", LONG, "62")]
    assert seen_by(some, [LONG]) == {("gsm8k", "1"), ("mine", "2")}


def test_text_that_no_file_can_hold_is_compared_all_the_same() -> None:
    assert seen_by(PROBLEMS, ["\ud800", f"\0 {LONG} \ud800"]) == {("gsm8k", "long")}


def test_a_question_without_words_overlaps_with_nothing() -> None:
    assert seen_by([SampledProblem("s", "none", "?!", "1")], ["?!", ""]) == set()


def test_problems_with_the_same_id_in_two_sets_are_distinct() -> None:
    some = [SampledProblem("gsm8k", "1", LONG, "62"), SampledProblem("svamp", "1", SHORT, "5")]
    assert seen_by(some, [LONG]) == {("gsm8k", "1")}


LOAN = "Find the constant A for which the loan of 84 dollars at 7 percent and 12 percent is repaid."
LOANS = LOAN.replace("constant A", "constants A and B of a firm, after 2 years,")


@pytest.mark.parametrize(
    ("row", "answer", "seen"),
    [
        ("", "I do not know.", True),
        ("5", "The answer is $5$.", True),
        ("9", "The answer is 9.", False),
        ("", "The answer is 9.", False),
        ("", "The answer is $\\sqrt{9}x$.", False),
        ("", "The answer is B.", True),
        ("", "print(9)", True),
    ],
)
def test_the_gold_answer_of_a_release_decides_as_it_does_in_a_build(
    row: str, answer: str, seen: bool
) -> None:
    question = Example((Message("user", LOANS),), answer, "", "row 1", row)
    problems = [SampledProblem("math", "1", LOAN, "5")]
    assert find_seen(problems, [to_problem(question)]) == ({("math", "1")} if seen else set())


def test_a_letter_of_a_release_is_compared_as_its_choice() -> None:
    choices = ("4", "9")
    question = Example((Message("user", LOANS),), "The answer is B.", "", "row 1", "B", choices)
    problems = [SampledProblem("math", "1", LOAN, "5")]
    assert find_seen(problems, [to_problem(question)]) == set()
