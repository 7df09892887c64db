"""Hinted rows: claims are balanced, false claims are false, and the solution is unchanged."""

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curator.answers import compare_by_rules, equivalent, extract
from curator.core.model import Problem, Rationale
from curator.sandbox import Sandbox
from curator.writers.hinted import (
    AGREEMENTS,
    DISAGREEMENTS,
    STEP_CLAIMS,
    VALUE_CLAIMS,
    add_hint,
    choose_claim,
)
from curator.writers.instruction import build_instruction

SOLUTION = "A third of 36 is 36/3 = 12.\nThat makes 36 + 12 = 48 plums."
GOLDS = (
    "48", "1,000", "-11", "0.125", "\\frac{4}{11}", "11\\sqrt{2}", "3/4", "$60", "True", "no",
    "[1, 3]", "x^2 - 9", "(1, 2)", "2n + 1", "1/36", "12.5%",
)  # fmt: skip


def make_row(
    gold: str, number: int = 0, choices: tuple[str, ...] = ()
) -> tuple[Problem, Rationale]:
    problem = Problem("test", f"Question {number}: what is -x?", gold, choices, SOLUTION)
    text = f"{SOLUTION}\nThe answer is {gold}"
    return problem, Rationale(problem.id, "cot", "CoT", build_instruction(problem, "CoT"), text)


def claimed_value(phrases: tuple[str, ...], line: str) -> str:
    """Return the value that a line states in one of the phrases; empty if it matches none."""
    for phrase in phrases:
        front, back = phrase.split("{}")
        if line.startswith(front) and line.endswith(back):
            return line[len(front) : len(line) - len(back)]
    return ""


def test_claims_are_balanced() -> None:
    rows = [make_row("48", number) for number in range(3_000)]
    claims = Counter(choose_claim(rationale, 0) for _, rationale in rows)
    assert set(claims) == {"none", "true", "false"}
    assert all(900 < count < 1_100 for count in claims.values())


def test_true_and_false_claims_use_every_phrase_equally_often() -> None:
    seen: dict[str, Counter[str]] = {"true": Counter(), "false": Counter()}
    for number in range(3_000):
        problem, rationale = make_row("48", number)
        claim = choose_claim(rationale, 0)
        row = add_hint(problem, rationale, 0)
        assert row is not None
        if claim != "none":
            line = row.instruction.split("\n")[0]
            for phrase in (*VALUE_CLAIMS, *STEP_CLAIMS):
                if claimed_value((phrase,), line):
                    seen[claim][phrase] += 1
                    break
    assert set(seen["true"]) == set(seen["false"]) == {*VALUE_CLAIMS, *STEP_CLAIMS}
    for phrase in VALUE_CLAIMS:
        assert 0.6 < seen["true"][phrase] / seen["false"][phrase] < 1.7


@settings(deadline=None)
@given(st.sampled_from(GOLDS) | st.integers(-(10**6), 10**6).map(str), st.integers(0, 10**6))
def test_a_claim_is_true_if_and_only_if_it_is_labelled_true(gold: str, number: int) -> None:
    problem, rationale = make_row(gold, number)
    row = add_hint(problem, rationale, 0)
    if row is None:
        return
    claim = choose_claim(rationale, 0)
    assert row.writer == "hinted" and row.problem_id == problem.id
    assert row.text.endswith(rationale.text)
    assert row.instruction.endswith(rationale.instruction)
    if claim == "none":
        assert (row.text, row.instruction) == (rationale.text, rationale.instruction)
        return
    line = row.instruction[: -len(rationale.instruction) - 1]
    reply = row.text[: -len(rationale.text) - 1]
    assert reply in (AGREEMENTS if claim == "true" else DISAGREEMENTS)
    step = claimed_value(STEP_CLAIMS, line)
    if step and re.fullmatch(r"[\d.]+ . [\d.]+ = [\d.]+", step):
        left, _, right = step.partition(" = ")
        found = compare_by_rules(left, right)
    else:
        found = compare_by_rules(gold, claimed_value(VALUE_CLAIMS, line))
    assert found is not None
    assert found.outcome == ("equal" if claim == "true" else "different")


@pytest.mark.parametrize("gold", GOLDS)
def test_every_kind_of_answer_gets_false_values_that_graders_reject(gold: str) -> None:
    values = set()
    for number in range(40):
        problem, rationale = make_row(gold, number)
        row = add_hint(problem, rationale, 0)
        assert row is not None
        if choose_claim(rationale, 0) == "false":
            values.add(claimed_value(VALUE_CLAIMS, row.instruction.split("\n")[0]))
    values -= {""}
    assert values
    for value in values:
        assert equivalent(gold, value).outcome != "equal", value


def test_a_claim_about_a_choice_states_letter_and_text() -> None:
    choices = ("15", "16", "18", "18.0", "20")
    claims: dict[str, set[str]] = {"true": set(), "false": set()}
    for number in range(200):
        problem, rationale = make_row("C", number, choices)
        row = add_hint(problem, rationale, 0)
        assert row is not None
        if (claim := choose_claim(rationale, 0)) != "none":
            line = row.instruction.split("\n")[0]
            claims[claim].add(claimed_value(VALUE_CLAIMS, line))
    assert claims["true"] - {""} == {"(C) 18"}
    # D has the same value as C, so it is not a false claim.
    assert claims["false"] - {""} == {"(A) 15", "(B) 16", "(E) 20"}


def test_a_hinted_program_still_runs_and_prints_its_answer() -> None:
    program = "plums = 36\nprint(plums + plums // 3)"
    texts = set()
    for number in range(60):
        problem = Problem("test", f"Question {number}?", "48")
        rationale = Rationale(problem.id, "pot", "PoT", build_instruction(problem, "PoT"), program)
        row = add_hint(problem, rationale, 0)
        assert row is not None and row.kind == "PoT"
        assert row.instruction.endswith(rationale.instruction)
        texts.add(row.text)
    assert len(texts) == 1 + len(AGREEMENTS) + len(DISAGREEMENTS)
    with Sandbox(workers=1, wall_s=600) as box:
        assert {run.value for run in box.map(sorted(texts))} == {"48"}


def test_the_answer_of_a_hinted_solution_is_still_extracted() -> None:
    for number in range(60):
        problem, rationale = make_row("48", number)
        row = add_hint(problem, rationale, 0)
        assert row is not None
        found = extract(row.text)
        assert found is not None and found.text == "48"


@pytest.mark.parametrize("gold", ["", "\\pi", "a+b", "Saturday"])
def test_a_problem_without_a_provably_false_value_gets_no_hinted_row(gold: str) -> None:
    assert all(add_hint(*make_row(gold, number), 0) is None for number in range(20))


def test_a_minus_does_not_reveal_a_false_claim() -> None:
    for number in range(200):
        problem = Problem("test", f"Two-digit question {number} about plums?", "48")
        rationale = Rationale(problem.id, "cot", "CoT", problem.question, SOLUTION)
        row = add_hint(problem, rationale, 0)
        assert row is not None and "-48" not in row.instruction


def test_hints_are_determined_by_the_seed_and_differ_between_seeds() -> None:
    rows = [make_row("48", number) for number in range(60)]
    one = [add_hint(*row, 0) for row in rows]
    assert one == [add_hint(*row, 0) for row in rows]
    assert sum(a != b for a, b in zip(one, [add_hint(*row, 1) for row in rows], strict=True)) > 30
