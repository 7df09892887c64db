"""Columns are compared as rows are, and plain numbers fast."""

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curator.answers import Grader, compare_by_rules, compare_columns, equivalent
from curator.answers.compare import columns, rules

NUMERALS = st.from_regex(r"\A[-+]?[0-9,]{0,9}\.?[0-9]{0,4}(?:[eE][-+]?[0-9]{1,3})?\Z")
SPACED = st.sampled_from(
    ["", " ", "\n", "\x1c", "\u00a0", "none", "NaN", "?", "-0", "+00.0", "1,000"]
)
TEXTS = NUMERALS | st.tuples(SPACED, NUMERALS, SPACED).map("".join) | st.text(max_size=8)


@settings(max_examples=300)
@given(st.lists(st.tuples(TEXTS, TEXTS, st.lists(TEXTS, max_size=3)), max_size=8))
def test_columns_are_compared_as_their_rows_are(rows: list[tuple[str, str, list[str]]]) -> None:
    rows += [(gold, gold, choices) for gold, _, choices in rows]
    golds, answers, choices = ([row[at] for row in rows] for at in range(3))
    assert compare_columns(golds, answers, choices) == [compare_by_rules(*row) for row in rows]  # type: ignore[arg-type]
    assert compare_columns(golds, answers) == [
        compare_by_rules(gold, answer) for gold, answer, _ in rows
    ]


def test_columns_may_be_arrow_arrays_or_polars_columns() -> None:
    golds, answers = ["1,000", "1/2", "x", "A"], ["1000.0", "0.5", "y", "36"]
    choices = [[], [], [], ["36 km/h", "40 km/h"]]
    expected = compare_columns(golds, answers, choices)
    assert [result and result.outcome for result in expected] == [
        "equal",
        "equal",
        "undecided",
        "equal",
    ]
    assert compare_columns(pl.Series(golds), pl.Series(answers), choices) == expected
    arrays = pa.array(golds), pa.array(answers), pa.array(choices, pa.list_(pa.string()))
    assert compare_columns(arrays[0], arrays[1], arrays[2].to_pylist()) == expected
    with pytest.raises(ValueError, match="2 golds, 1 answers"):
        compare_columns(["1", "2"], ["1"])


def test_half_a_character_is_compared() -> None:
    assert compare_columns(["\ud800", "5"], ["\ud800", "5.0"]) == [
        compare_by_rules("\ud800", "\ud800"),
        compare_by_rules("5", "5.0"),
    ]


def test_columns_of_numbers_are_compared_without_being_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def parse(text: str) -> None:
        raise AssertionError(text)

    golds = [f"{n * 37 % 10_007:,}" if n % 5 else f"{n / 8}" for n in range(5_000)]
    answers = [gold.replace(",", "") if n % 3 else str(n) for n, gold in enumerate(golds)]
    expected = compare_columns(golds, answers)
    monkeypatch.setattr(rules, "read", parse)
    assert compare_columns(golds, answers) == expected
    assert {result and result.outcome for result in expected} == {"equal", "different"}


def test_a_row_that_repeats_is_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[str, str]] = []

    def compare(gold: str, answer: str, *rest: object) -> None:
        compared.append((gold, answer))

    monkeypatch.setattr(columns, "compare_by_rules", compare)
    assert compare_columns(["1", "2", "1"], ["1", "1", "1"]) == [None] * 3
    assert compared == [("1", "1"), ("2", "1")]


def test_the_minimum_number_of_digits_of_a_rounding_can_be_raised() -> None:
    cases = [("2/3", "0.6667"), ("2/3", "0.6666"), ("0.66666667", "0.6667"), (r"\pi", "3.14159")]
    strict = ["undecided", "undecided", "undecided", "equal"]
    assert [equivalent(*case).outcome for case in cases] == ["equal"] * 4
    assert [equivalent(*case, digits=6).outcome for case in cases] == strict
    golds, answers = map(list, zip(*cases, strict=True))
    results = compare_columns(golds, answers, digits=6)
    assert [result and result.outcome for result in results] == strict
    with Grader(digits=6) as grader:
        pairs = [(gold, answer, ()) for gold, answer in cases]
        assert [result.outcome for result in grader.map(pairs)] == strict
    assert equivalent("2/3", "0.67").outcome == "undecided"
    assert equivalent("2/3", "0.67", digits=3).outcome == "equal"
