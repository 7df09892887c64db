"""The hard cases in tests/data/answers: pairs to compare, texts to read, outputs of programs."""

import json
from collections import Counter
from typing import Any

import pytest

from curator.answers import Grader, compare_by_rules, extract, extract_output
from tests.paths import DATA

TABLES = DATA / "answers"


def table(name: str) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads((TABLES / f"{name}.json").read_text("utf-8"))
    return cases


def reason(case: dict[str, Any]) -> str:
    return str(case.get("reason", ""))


def test_every_hard_pair_is_decided_as_labelled_in_both_directions() -> None:
    cases = table("pairs")
    pairs = [(case["gold"], case["answer"], tuple(case.get("choices", ()))) for case in cases]
    reversed_pairs = [(answer, gold, choices) for gold, answer, choices in pairs]
    with Grader(workers=2, wall_s=5) as grader:
        outcomes = [verdict.outcome for verdict in grader.map(pairs)]
        reversed_outcomes = [verdict.outcome for verdict in grader.map(reversed_pairs)]
    wrong = [
        (case["gold"], case["answer"], case["outcome"], outcome, reversed_outcome)
        for case, outcome, reversed_outcome in zip(cases, outcomes, reversed_outcomes, strict=True)
        if {outcome, reversed_outcome} != {case["outcome"]}
    ]
    counts = Counter(case["outcome"] for case in cases)
    assert len(cases) >= 800 and min(counts.values()) >= 100
    assert wrong == []


def test_the_rules_alone_decide_nearly_all_hard_pairs() -> None:
    cases = table("pairs")
    undecided = [
        case
        for case in cases
        if compare_by_rules(case["gold"], case["answer"], tuple(case.get("choices", ()))) is None
    ]
    assert len(undecided) <= len(cases) // 50


@pytest.mark.parametrize("case", table("texts"), ids=reason)
def test_the_stated_answer_of_a_text_is_found(case: dict[str, Any]) -> None:
    answer = extract(case["text"], tuple(case.get("choices", ())))
    assert (answer.text if answer else "") == case["expected"]
    if answer is not None:
        assert answer.unit == case.get("unit", "")
        assert answer.kind == case.get("kind", answer.kind)
        assert answer.stated and answer.stated == case.get("stated", answer.stated)
        assert answer.span is not None and case["text"][slice(*answer.span)].strip()


@pytest.mark.parametrize("case", table("outputs"), ids=reason)
def test_the_value_that_a_program_printed_is_found(case: dict[str, Any]) -> None:
    answer = extract_output(case["text"])
    assert (answer.text if answer else "") == case["expected"]
    if answer is not None:
        assert answer.unit == case.get("unit", "")
        assert answer.stated == "printed"
