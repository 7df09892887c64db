"""Published samples of real models get the published scores."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curator.answers import Grader
from curator.checks.grade_samples import grade
from curator.core.samples import Sample, SampledProblem
from curator.sandbox import Sandbox
from trainers.evaluation.evaluate import evaluate
from trainers.evaluation.metrics import pass_at_k


def records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the records of a published file with line numbers; prompts before them are skipped."""
    for number, line in enumerate(path.read_text("utf-8").split("\n"), 1):
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if "question" in record:
            yield number, record


def scores(problems: list[SampledProblem]) -> dict[str, float]:
    with Sandbox(workers=2, wall_s=600) as box, Grader(workers=2) as grader:
        result = evaluate(grade(problems, box.map, grader.map), "published")
    return {score.metric: score.share for score in result.scores}


def test_tora_70b_gets_the_published_score_on_gsm8k(shared: Path) -> None:
    problems = [
        SampledProblem(
            "gsm8k", str(number), row["question"], row["gt"], samples=(Sample("CoT", text),)
        )
        for number, row in records(shared / "outputs/tora/tora-70b-gsm8k.jsonl")
        for text in row["code"][:1]
    ]
    assert len(problems) == 1319
    assert scores(problems)["Pass@1"] == pytest.approx(0.843, abs=0.001)


def test_four_models_get_the_scores_of_the_published_labels_on_gsm8k(shared: Path) -> None:
    path = shared / "outputs/gsm8k_model_solutions/example_model_solutions.jsonl"
    rows = list(records(path))
    models = [name for name in rows[0][1] if name.startswith(("6b", "175b"))]
    assert len(models) == 4
    for model in models:
        problems = [
            SampledProblem(
                "gsm8k",
                str(number),
                row["question"],
                row["ground_truth"].rpartition("\nA:")[2].strip(),
                samples=(Sample("CoT", row[model]["solution"]),),
            )
            for number, row in rows
        ]
        labelled = sum(row[model]["is_correct"] for _, row in rows) / len(rows)
        assert scores(problems)["Pass@1"] == pytest.approx(labelled, abs=0.001), model


def test_pass_at_k_of_codex_on_aqua_equals_the_formula(shared: Path) -> None:
    path = next((shared / "outputs/pot").glob("aqua_sc*.jsonl"))
    problems = [
        SampledProblem(
            "aqua_rat",
            str(number),
            row["question"],
            row["answer"],
            tuple(option.partition(")")[2].strip() for option in row["options"]),
            samples=tuple(Sample("PoT", text) for text in row["generated"]),
        )
        for number, row in list(records(path))[:16]
    ]
    with Sandbox(workers=2, wall_s=600) as box, Grader(workers=2) as grader:
        graded = list(grade(problems, box.map, grader.map))
        found = {score.metric: score.share for score in evaluate(graded, "codex").scores}
    rights = [int(one.right.sum()) for one in graded]
    assert sum(rights) > 80 and {len(one.clusters) for one in graded} == {30}
    for k in (1, 8, 30):
        by_hand = sum(pass_at_k(30, right, k) for right in rights) / len(rights)
        assert found[f"Pass@{k}"] == pytest.approx(by_hand)
    assert found["Pass@1"] < found["Maj1@30"] < found["Pass@30"]
