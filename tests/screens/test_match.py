"""Questions are read as words, numbers and answers, and aligned token by token."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator.screens.match import align, compare_golds
from curator.screens.question import read_gold, read_question


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("twenty-five boys and 1,000 girls", [25, 1000]),
        (r"\frac{3}{4} of 12.50 and 3/4", [Fraction(3, 4), Fraction(25, 2), Fraction(3, 4)]),
        ("half of two dozen", [Fraction(1, 2), 2, 12]),
        ("three hundred and 40%", [300, Fraction(2, 5)]),
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
