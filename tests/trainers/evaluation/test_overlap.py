"""Evaluation problems that a release holds are found; others are not."""

from curator.core.samples import SampledProblem
from trainers.evaluation.overlap import seen

LONG = (
    "A tank holds 90 litres and loses 4 litres an hour through a crack in its floor. "
    "How many litres are left in it after 7 hours?"
)
SHORT = "What is 2 plus 3?"
PROBLEMS = [
    SampledProblem("gsm8k", "long", LONG, "62"),
    SampledProblem("gsm8k", "short", SHORT, "5"),
]


def test_a_run_of_thirteen_words_is_enough() -> None:
    release = [f"Think: {LONG.upper()} Answer Choices: (A) 62", "Another question altogether."]
    assert seen(PROBLEMS, release) == {("gsm8k", "long")}


def test_twelve_words_are_not() -> None:
    assert seen(PROBLEMS, [" ".join(LONG.split()[:12])]) == set()


def test_a_short_question_is_compared_whole() -> None:
    assert seen(PROBLEMS, ["what is 2 plus 3"]) == {("gsm8k", "short")}
    assert seen(PROBLEMS, ["Tell me: what is 2 plus 3? Then add 4."]) == set()


def test_a_question_without_words_is_in_nothing() -> None:
    assert seen([SampledProblem("s", "none", "?!", "1")], ["?!", ""]) == set()


def test_problems_of_two_sets_with_one_id_are_two() -> None:
    some = [SampledProblem("gsm8k", "1", LONG, "62"), SampledProblem("svamp", "1", SHORT, "5")]
    assert seen(some, [LONG]) == {("gsm8k", "1")}
