"""Samples are graded, clustered by equivalence, scored and compared."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from statistics import mean, variance

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curator.answers import Grader
from curator.checks.check import ComparePairs, RunPrograms
from curator.checks.grade_samples import GradedProblem, grade
from curator.core.errors import UsageError
from curator.core.samples import (
    EXAMPLE,
    FIELDS,
    Sample,
    SampledProblem,
    read_samples,
    write_samples,
)
from curator.sandbox import Sandbox
from tests.worlds import curator
from trainers.evaluation.evaluate import (
    Result,
    compare,
    evaluate,
    metric_name,
    read_result,
    write_result,
)

HALF = SampledProblem(
    "math",
    "half",
    "What is one half?",
    r"\frac{1}{2}",
    samples=(
        Sample("CoT", "It is a half.\nThe answer is 0.5", 0.9),
        Sample("PoT", "print(1 / 2)", 0.8),
        Sample("CoT", r"So we get $\boxed{\frac{2}{4}}$.", 0.7),
        Sample("PoT", "print(3)", 0.2),
        Sample("CoT", "The answer is three", 0.1),
        Sample("PoT", "print(1 / 0)", 0.0),
    ),
)
CHOICE = SampledProblem(
    "aqua_rat",
    "choice",
    "How far is it?",
    "B",
    ("10 km", "20 km", "30 km"),
    samples=(
        Sample("PoT", "print(20)", 0.4),
        Sample("CoT", "The answer is (B)", 0.3),
        Sample("PoT", "print(26)", 0.6),
        Sample("CoT", "No idea.", 0.5),
    ),
)


@pytest.fixture(scope="module")
def tools() -> Iterator[tuple[RunPrograms, ComparePairs]]:
    with Sandbox(workers=2, wall_s=600) as box, Grader(workers=2, wall_s=600) as grader:
        yield box.map, grader.map


@pytest.fixture(scope="module")
def graded(tools: tuple[RunPrograms, ComparePairs]) -> list[GradedProblem]:
    return list(grade([HALF, CHOICE], *tools))


def with_flags(number: int, right: list[bool]) -> GradedProblem:
    """Return a problem whose samples are right or wrong as stated."""
    flags, places = np.array(right, np.bool_), np.arange(len(right))
    samples = tuple(Sample("CoT", "text") for _ in right)
    problem = SampledProblem("aime25", str(number), "question", "1", samples=samples)
    return GradedProblem(problem, places, flags, 0, flags, places, ~flags)


@settings(max_examples=20)
@given(st.data(), st.integers(1, 5), st.integers(2, 6))
def test_pass_at_1_of_k_samples_is_avg_at_k(data: st.DataObject, problems: int, k: int) -> None:
    row = st.lists(st.booleans(), min_size=k, max_size=k)
    right = data.draw(st.lists(row, min_size=problems, max_size=problems))
    result = evaluate(map(with_flags, range(problems), right), "m")
    [score] = [each for each in result.scores if each.metric == "Pass@1"]
    runs = [mean(each[run] for each in right) for run in range(k)]
    assert score.share == pytest.approx(mean(runs))
    assert metric_name(score.metric, score.samples) == f"Pass@1 = avg@{k}"
    spread = sum(variance(map(float, each)) / k for each in right)
    assert score.standard_error == pytest.approx(spread**0.5 / problems)
    others = [each for each in result.scores if not each.metric.startswith("Pass@1")]
    assert others and all(each.standard_error is None for each in others)


def test_avg_at_k_needs_as_many_samples_of_each_problem() -> None:
    uneven = evaluate([with_flags(0, [True, False]), with_flags(1, [True, False, True])], "m")
    single = evaluate([with_flags(0, [True]), with_flags(1, [False])], "m")
    assert {each.samples for each in uneven.scores} == {0}
    assert metric_name("Pass@1", 0) == metric_name("Pass@1", 1) == "Pass@1"
    assert {each.standard_error for each in single.scores} == {None}
    [score] = [each for each in uneven.scores if each.metric == "Pass@1"]
    assert score.standard_error is not None and score.standard_error > 0


def test_the_example_of_the_reference_is_a_file_of_samples(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text(EXAMPLE + "\n")
    [problem] = read_samples(tmp_path / "one.jsonl")
    assert set(json.loads(EXAMPLE)) <= set(FIELDS)
    assert {field.name for field in fields(SampledProblem)} == set(FIELDS)
    assert [sample.kind for sample in problem.samples] == ["CoT", "PoT"]


def test_equal_answers_in_different_notations_are_one_cluster(graded: list[GradedProblem]) -> None:
    half, choice = graded
    assert half.clusters.tolist() == [0, 0, 0, 1, 1, -1]
    assert half.right.tolist() == [True, True, True, False, False, False]
    assert choice.clusters.tolist() == [0, 0, 1, -1]
    assert choice.right.tolist() == [True, True, False, False]


def test_a_value_that_is_no_choice_is_undecided_but_nearest_under_the_published_rule(
    graded: list[GradedProblem],
) -> None:
    _, choice = graded
    assert choice.undecided == 1
    assert choice.published.tolist() == [True, True, False, False]
    assert choice.published_clusters.tolist() == [0, 0, 1, -1]


def test_published_rounding_accepts_answers_that_ours_rejects(
    tools: tuple[RunPrograms, ComparePairs],
) -> None:
    problem = SampledProblem("math", "x", "?", "3", samples=(Sample("CoT", "The answer is 3.4"),))
    [found] = grade([problem], *tools)
    assert found.published.tolist() == [True] and found.right.tolist() == [False]


def test_long_numbers_stay_distinct_in_a_vote_under_the_published_rule(
    tools: tuple[RunPrograms, ComparePairs],
) -> None:
    answers = ("1234567", "1234567.0", "1,234,568", "0", "-0")
    samples = tuple(Sample("CoT", f"The answer is {each}") for each in answers)
    [found] = grade([SampledProblem("math", "x", "?", "1234567", samples=samples)], *tools)
    assert found.published_clusters.tolist() == [0, 0, 1, 2, 2]


def test_scores_equal_those_computed_by_hand(graded: list[GradedProblem]) -> None:
    result = evaluate(graded, "model")
    scores = {(score.group, score.metric): score.share for score in result.scores}
    assert scores["math", "Pass@1"] == pytest.approx(1 / 2)
    assert scores["math", "Pass@6"] == 1.0
    # Two of six, both wrong: C(3, 2) of C(6, 2).
    assert scores["math", "Pass@2"] == pytest.approx(1 - 3 / 15)
    assert scores["math", "Maj1@6"] == scores["aqua_rat", "Maj1@4"] == 1.0
    # In AQuA, the sample with the best score has a wrong answer.
    assert scores["aqua_rat", "RR.All@4"] == 0.0
    assert scores["aqua_rat", "W.RR@4"] == 1.0
    # Limited to the largest cluster, it is the vote; limited to all four samples, RR.All.
    assert scores["aqua_rat", "RR.Top-1@4"] == scores["aqua_rat", "Maj1@4"]
    assert scores["aqua_rat", "RR.Top-4@4"] == scores["aqua_rat", "RR.All@4"]
    assert scores["aqua_rat", "Maj1.Top1@4"] == 0.0


def test_a_verifier_that_does_not_beat_the_vote_is_reported(graded: list[GradedProblem]) -> None:
    notes = evaluate(graded, "model").notes
    assert any(
        note.startswith("aqua_rat: RR.All is no better than majority voting (-100.0%")
        for note in notes
    )


def test_problems_that_repeat_a_question_are_reported(graded: list[GradedProblem]) -> None:
    half = graded[0]
    copies = [replace(half, problem=replace(half.problem, id=each)) for each in ("b", "c")]
    other_gold = replace(half, problem=replace(half.problem, id="d", gold="3"))
    notes = evaluate([*graded, *copies, other_gold], "model").notes
    assert notes[0] == (
        "math: 2 of 4 problems repeat the question, gold answer and choices of another one. If "
        "they are its samples, give them its id: as problems they make the intervals too narrow."
    )
    assert not any("repeat" in note for note in evaluate(graded, "model").notes)


def test_without_scores_there_is_no_reranking(tools: tuple[RunPrograms, ComparePairs]) -> None:
    plain = SampledProblem("s", "1", "?", "3", samples=(Sample("CoT", "The answer is 3"),) * 2)
    result = evaluate(grade([plain], *tools), "model")
    assert {score.metric for score in result.scores} == {
        "Pass@1",
        "Pass@2",
        "Pass@1 published",
        "Maj1@2",
        "Maj1@2 published",
    }
    assert result.notes == ()


def test_a_problem_without_samples_is_unsolved_by_both_rules(
    tools: tuple[RunPrograms, ComparePairs],
) -> None:
    one = SampledProblem("s", "1", "?", "3", samples=(Sample("CoT", "The answer is 3"),))
    result = evaluate(grade([one, SampledProblem("s", "2", "?", "3")], *tools), "model")
    assert {(s.metric, s.problems, s.share) for s in result.scores} == {
        ("Pass@1", 2, 0.5),
        ("Pass@1 published", 2, 0.5),
    }


def test_two_models_are_compared_on_common_problems(graded: list[GradedProblem]) -> None:
    half, choice = graded
    one, other = evaluate([half, choice], "one"), evaluate([half], "other")
    found = {(row["group"], row["metric"]): row for row in compare(one, other)}
    assert {group for group, _ in found} == {"math"}
    assert found["math", "Pass@1"]["gap"] == 0 and found["math", "Pass@1"]["p"] == 1.0


def test_the_same_samples_give_an_identical_result(graded: list[GradedProblem]) -> None:
    assert json.dumps(evaluate(graded, "m").plain()) == json.dumps(evaluate(graded, "m").plain())
    assert isinstance(evaluate(graded, "m"), Result)


def test_samples_are_unchanged_after_a_round_trip_through_a_file(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    assert write_samples([HALF, CHOICE], path) == 2
    assert list(read_samples(path)) == [HALF, CHOICE]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"id": "1", "question": "?", "gold": "3"}',
        '{"id": "1", "question": "?", "gold": 3, "samples": []}',
        '{"id": "1", "question": "?", "gold": "3", "samples": [{"kind": "XoT", "text": ""}]}',
        '{"id":"1","question":"?","gold":"3","samples":[{"kind":"CoT","text":"","score":NaN}]}',
        f'{{"id":"1","question":"?","gold":"3","samples":[{{"kind":"CoT","text":"","score":{10**400}}}]}}',
        "[" * 100_000,
    ],
)
def test_an_invalid_line_of_samples_is_reported_with_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "samples.jsonl"
    write_samples([HALF], path)
    with path.open("a") as file:
        file.write(line)
    with pytest.raises(UsageError, match=r"samples.jsonl:2: expected a problem"):
        list(read_samples(path))


@pytest.mark.parametrize("value", ["{}", "null", str(10**400)])
def test_a_file_that_is_not_a_result_is_an_error(tmp_path: Path, value: str) -> None:
    path = tmp_path / "result.json"
    row = f'{{"set": "s", "id": "1", "values": {{"Pass@1": {value}}}}}'
    path.write_text(f'{{"format": 1, "name": "x", "scores": [], "notes": [], "problems": [{row}]}}')
    with pytest.raises(UsageError, match="is not a result of 'curator evaluate -o'"):
        read_result(path)


@pytest.mark.parametrize(
    "changed",
    [{"share": "x"}, {"share": 10**400}, {"low": True}, {"group": 5}, {"problems": "1"},
     {"standard_error": []}, {"more": 1}],
)  # fmt: skip
def test_a_score_with_a_value_of_another_kind_is_an_error(
    graded: list[GradedProblem], tmp_path: Path, changed: dict[str, object]
) -> None:
    path = tmp_path / "result.json"
    write_result(evaluate(graded, "model"), path)
    assert read_result(path).scores
    values = json.loads(path.read_text())
    values["scores"][0] |= changed
    path.write_text(json.dumps(values))
    with pytest.raises(UsageError, match="is not a result of 'curator evaluate -o'"):
        read_result(path)


def test_seen_problems_are_flagged_and_excluded_from_a_second_score(
    graded: list[GradedProblem],
) -> None:
    result = evaluate(graded, "model", seen={("math", "half")})
    assert [row["seen"] for row in result.problems] == [True, False]
    assert {score.group for score in result.scores} == {"math", "aqua_rat", "aqua_rat, unseen"}


def test_the_order_of_samples_changes_no_vote_and_the_rule_is_named(
    graded: list[GradedProblem], tmp_path: Path
) -> None:
    turned = [
        replace(
            one,
            **{
                name: getattr(one, name)[::-1]
                for name in ("clusters", "right", "published", "published_clusters")
            },
        )
        for one in graded
    ]
    votes = [
        {s.metric: s.share for s in evaluate(each, "m").scores if s.metric.startswith("Maj1@")}
        for each in (graded, turned)
    ]
    assert votes[0] == pytest.approx(votes[1])
    rows = [
        SampledProblem(
            "s",
            str(n),
            "?",
            "5",
            samples=tuple(Sample("CoT", f"The answer is {a}") for a in (5, 4, 3, 2)),
        )
        for n in range(3)
    ]
    write_samples(rows, tmp_path / "s.jsonl")
    printed = curator("evaluate", tmp_path / "s.jsonl").stdout
    assert re.search(r"^s +Maj1@4 +3 +25.0% ", printed, re.MULTILINE)
    assert re.search(r"^s +Maj1@4 \(MAmmoTH\) +3 +25.0% ", printed, re.MULTILINE)
    assert "published" not in printed
