"""Questions are read as words, numbers and answers, and aligned token by token."""

import json
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curator.screens.alignment import align
from curator.screens.frequencies import count_tokens, size
from curator.screens.golds import compare_golds, read_gold
from curator.screens.match import Matcher
from curator.screens.question import Question, read_question
from tests.paths import DATA


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("twenty-five boys and 1,000 girls", [25, 1000]),
        (r"\frac{3}{4} of 12.50 and 3/4", [Fraction(3, 4), Fraction(25, 2), Fraction(3, 4)]),
        ("half of two dozen", [Fraction(1, 2), 2, 12]),
        ("three hundred and 40%", [300, Fraction(2, 5)]),
        ("12{,}500, twelve thousand five hundred", [12500, 12500]),
        ("one hundred and fifty thousand two hundred and three", [150203]),
        ("one hundred, two hundred or 2, two thousand, three thousand", [100, 200, 2, 2000, 3000]),
        ("two hundred and 5, 5 apples and a thousand pears", [200, 5, 5, 1000]),
        ("half a million of the twelve hundred, 2.5 million", [500_000, 1200, 2_500_000]),
        ("75 percent, .5 and 0.50", [Fraction(3, 4), Fraction(1, 2), Fraction(1, 2)]),
    ],
)
def test_numbers_are_read_however_they_are_written(text: str, numbers: list[Fraction]) -> None:
    assert list(read_question(text).numbers) == numbers


@pytest.mark.parametrize(
    ("one", "other", "result"),
    [
        ("1,000", "$1000", "equal"),
        (r"\frac{1}{2}", "0.5", "equal"),
        ("12.5 m", "12.5 metre", "equal"),
        (r"8\text{ meals}", "16", "different"),
        ("50", "0.5", "not compared"),
        ("14k", "14", "not compared"),
        (r"\text{(C)}", "C", "not compared"),
        ("", "5", "unknown"),
    ],
)
def test_gold_answers_are_equal_different_or_not_comparable(
    one: str, other: str, result: str
) -> None:
    assert compare_golds(read_gold(one), read_gold(other)) == result
    assert compare_golds(read_gold(other), read_gold(one)) == result


def test_a_letter_is_read_as_its_option() -> None:
    assert read_gold("B", ("3", "4 m")) == 4


@given(st.lists(st.integers(0, 4), max_size=12), st.lists(st.integers(0, 4), max_size=12))
def test_an_alignment_is_a_longest_common_subsequence(one: list[int], other: list[int]) -> None:
    pairs = align(one, other)
    assert all(one[a] == other[b] for a, b in pairs)
    assert all(x[0] < y[0] and x[1] < y[1] for x, y in pairwise(pairs))
    lengths = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for a, x in enumerate(one):
        for b, y in enumerate(other):
            best = max(lengths[a][b + 1], lengths[a + 1][b])
            lengths[a + 1][b + 1] = lengths[a][b] + 1 if x == y else best
    assert len(pairs) == lengths[-1][-1]


FIRM = (
    "what does a firm pay per month if it employs 12,500 people, gives half of them a raise of 20% "
    "and pays each of the others 1,200 dollars?"
)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("12,500", "twelve thousand five hundred"),
        ("12,500", "12.5 thousand"),
        ("half", "1/2"),
        ("half", "0.5"),
        ("20%", "twenty percent"),
        ("20%", "0.2"),
    ],
)
def test_a_number_written_otherwise_is_not_another_number(old: str, new: str) -> None:
    item, question = read_question(FIRM), read_question(FIRM.replace(old, new))
    match = Matcher([item]).match(question, item)
    assert match and match.level == "reworded"
    other = Matcher([item]).match(read_question(FIRM.replace(old, "7")), item)
    assert other and other.level == "same template"


@pytest.mark.parametrize("new", ["2", "two", "1/2"])
def test_a_changed_one_makes_a_template(new: str) -> None:
    text = "find the value of the real number x for which x + 1 equals the square root of x + 7"
    item, question = read_question(text), read_question(text.replace("+ 1 ", f"+ {new} "))
    match = Matcher([item]).match(question, item)
    assert match and match.level == "same template"


OPPOSITES = json.loads((DATA / "opposites.json").read_text("utf-8"))


@pytest.mark.parametrize("case", OPPOSITES, ids=[case["why"] for case in OPPOSITES])
def test_a_negation_or_an_opposite_makes_another_question(case: dict[str, Any]) -> None:
    golds = case.get("golds", ["", ""])
    item = read_question(case["eval"].lower(), golds[0])
    question = read_question(case["row"].lower(), golds[1])
    match = Matcher([item]).match(question, item)
    assert match and match.level == case["level"]


def test_the_level_of_a_match_hardly_depends_on_the_other_questions() -> None:
    """The measured table outweighs the set, so that a small set has no stock phrases of its own."""
    case = OPPOSITES[-1]
    item, question = (read_question(case[key].lower()) for key in ("eval", "row"))
    others = [read_question(f"natalia sold {n} clips to her friends in april") for n in range(200)]
    alone, among = (Matcher(items).match(question, item) for items in ([item], [item, *others]))
    assert alone and among
    assert alone.level == among.level == "reworded"
    assert abs(alone.score - among.score) < 0.2


def test_every_word_of_the_table_of_frequencies_is_read_as_one_token() -> None:
    words = {word: count for word, count in count_tokens(str).items() if word.isalpha()}
    assert 3_000 < len(words) < 8_000
    assert words["the"] > words["how"] > words["marble"]
    assert all(read_question(word).tokens == (word,) for word in words)
    assert max(words.values()) <= size()


class Thorough(Matcher):
    """Compares all questions in full."""

    def _may_match(self, question: Question, item: Question) -> bool:
        return True


TEXTS = st.lists(
    st.sampled_from(["#", "5", "6", "1/2", "%", "one", "two", "sum", "pears", "marbles", "evenly"]),
    max_size=12,
).map(" ".join)


@given(TEXTS, TEXTS)
@example("what is 7 9 8 ?", "what is 5 # 6 ?")
def test_the_quick_comparison_rejects_no_match(one: str, other: str) -> None:
    question, item = read_question(one), read_question(other)
    assert Matcher([item]).match(question, item) == Thorough([item]).match(question, item)
