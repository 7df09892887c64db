"""The hard cases in tests/data/answers: pairs to compare, texts to read, outputs of programs."""

import json
from collections import Counter
from typing import Any

import pytest

from curator.answers import Grader, compare_by_rules, extract, extract_output
from tests.paths import DATA, ROOT

Pair = tuple[str, str, tuple[str, ...]]

FAULTS = ROOT.parent / "shared" / "faults"
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
    with Grader(workers=2, wall_s=600) as grader:
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


def decided(pairs: list[Pair]) -> list[str]:
    """Return the outcome of each pair; `undecided` where the two directions differ."""
    with Grader(workers=2, wall_s=5) as grader:
        there = [verdict.outcome for verdict in grader.map(pairs)]
        back = [verdict.outcome for verdict in grader.map([(b, a, c) for a, b, c in pairs])]
    return [x if x == y else "undecided" for x, y in zip(there, back, strict=True)]


def test_pairs_made_to_break_equivalence_are_never_wrongly_equal() -> None:
    if not FAULTS.is_dir():
        pytest.skip(f"no pairs at {FAULTS}")
    cases = json.loads((FAULTS / "answers/pairs.json").read_text("utf-8"))
    small = json.loads((FAULTS / "small-pairs.json").read_text("utf-8"))
    cases += [{**case, "right": case["want"]} for case in small]
    outcomes = decided([(case["gold"], case["answer"], ()) for case in cases])
    wrong = [
        (case["gold"], case["answer"], case["right"], outcome)
        for case, outcome in zip(cases, outcomes, strict=True)
        if outcome not in case["right"]
        and not (case["right"] == "different" and outcome == "undecided")
    ]
    assert [pair for pair in wrong if pair[-1] == "equal"] == []
    assert len(wrong) <= len(cases) // 50, wrong


def test_printed_values_equal_their_latex_form_and_drawings_are_no_values() -> None:
    for gold, printed in (
        (r"[2,\infty)", "Interval(2, oo)"),
        (r"\pm 3i", "[-3*I, 3*I]"),
        (r"\{1\} \cup (2,3)", "Union({1}, Interval.open(2, 3))"),
        (r"\frac{1\pm\sqrt5}{2}", "[1/2 - sqrt(5)/2, 1/2 + sqrt(5)/2]"),
    ):
        answer = extract_output(printed)
        assert answer is not None
        result = compare_by_rules(gold, answer)
        assert result is not None and result.outcome == "equal", printed
    drawings = ("√2\n──\n2 \n", " 2    \nx  + 1\n", "1\n-\n2\n", "  ___\n\\/ 3 \n")
    assert [extract_output(text) for text in drawings] == [None] * 4
    for text in ("Result\n------\n5", "    5\n   12", "total\n  5"):
        assert extract_output(text) is not None, text


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
