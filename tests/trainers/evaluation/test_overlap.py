"""Evaluation problems that a release contains are found; others are not."""

from curator.core.samples import SampledProblem
from trainers.evaluation.overlap import find_seen

LONG = (
    "A tank holds 90 litres and loses 4 litres an hour through a crack in its floor. "
    "How many litres are left in it after 7 hours?"
)
SHORT = "What is 2 plus 3?"
PROBLEMS = [
    SampledProblem("gsm8k", "long", LONG, "62"),
    SampledProblem("gsm8k", "short", SHORT, "5"),
]


def test_thirteen_common_words_are_an_overlap() -> None:
    release = [f"Think: {LONG.upper()} Answer Choices: (A) 62", "Another question altogether."]
    assert find_seen(PROBLEMS, release) == {("gsm8k", "long")}


def test_twelve_common_words_are_not_an_overlap() -> None:
    assert find_seen(PROBLEMS, [" ".join(LONG.split()[:12])]) == set()


def test_a_short_question_is_compared_whole() -> None:
    assert find_seen(PROBLEMS, ["what is 2 plus 3"]) == {("gsm8k", "short")}
    assert find_seen(PROBLEMS, ["Tell me: what is 2 plus 3? Then add 4."]) == set()


def test_a_question_without_words_overlaps_with_nothing() -> None:
    assert find_seen([SampledProblem("s", "none", "?!", "1")], ["?!", ""]) == set()


def test_problems_with_the_same_id_in_two_sets_are_distinct() -> None:
    some = [SampledProblem("gsm8k", "1", LONG, "62"), SampledProblem("svamp", "1", SHORT, "5")]
    assert find_seen(some, [LONG]) == {("gsm8k", "1")}
