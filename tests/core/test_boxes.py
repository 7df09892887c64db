r"""Boxes: what `\boxed{…}` contains, and what is not a box."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator.core.boxes import box_spans

PIECES = [r"\boxed", r"\fbox", "{", "}", r"\{", r"\}", r"\\", " ", "$", "5", ".", r"\%", r"\frac"]


def contents(text: str, nested: bool = False) -> list[str]:
    return [text[start:end] for start, end in box_spans(text, nested)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"$\boxed{5}$ and \fbox {6}", ["5", "6"]),
        (r"\boxed{\frac{1}{\sqrt{2}}}", [r"\frac{1}{\sqrt{2}}"]),
        (r"\boxed{\{1, 2\}}", [r"\{1, 2\}"]),
        (r"so $\boxed 3$.", ["3"]),
        (r"so \boxed 3.", ["3"]),
        (r"so $\boxed 2\%$", [r"2\%"]),
        (r"\boxed\frac{1}{2}", [r"\frac{1}{2}"]),
        (r"{\boxed 5}", ["5"]),
        (r"so $\boxed \{1,2\}$.", [r"\{1,2\}"]),
        (r"\boxed{}", [""]),
        (r"\boxed{9", []),
        (r"\boxedness{9}", []),
        (r"2^{\max\{a,c\}}", []),
        (r"\framebox{204} minutes", ["204"]),
        (r"Result: \\boxed{-3}", ["-3"]),
        (r"1 \\\boxed{3} \\", ["3"]),
        (r"I have put it in \boxed as usual.", []),
        (r"so \boxed x", ["x"]),
    ],
)
def test_a_box_contains_its_braces_or_the_next_word(text: str, expected: list[str]) -> None:
    assert contents(text) == expected


def test_a_box_inside_a_box_counts_only_if_nested_boxes_are_requested() -> None:
    text = r"\boxed{a \boxed{5} b} and \boxed{\fbox 6}"
    assert contents(text) == [r"a \boxed{5} b", r"\fbox 6"]
    assert contents(text, nested=True) == [r"a \boxed{5} b", "5", r"\fbox 6", "6"]


@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
def test_boxes_of_any_text_lie_in_it_in_order_and_apart(text: str) -> None:
    spans = box_spans(text)
    assert all(0 <= start <= end <= len(text) for start, end in spans)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
    assert set(spans) <= set(box_spans(text, nested=True))
