"""A trained verifier beats a misled majority vote, and the metrics equal those of brute force."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from curator.answers import Grader
from curator.checks.grade_samples import grade
from curator.core.samples import Sample, SampledProblem
from curator.sandbox import Sandbox
from tests.trainers.sums import MOST, OFF_BY, prompt_texts, sums, write_problems
from tests.trainers.tiny import tiny_model
from trainers.evaluation.evaluate import evaluate
from trainers.evaluation.metrics import paired_differences
from trainers.recipe import Verifier

pytest.importorskip("torch", reason="the extra train is not installed")
pytest.importorskip("trl", reason="the extra train is not installed")


def is_held_out(problem: SampledProblem) -> bool:
    """Return whether a problem is held out from the verifier; one in five is."""
    a, b = map(int, problem.id.split("-"))
    return (a + 3 * b) % 5 == 0


def with_misled_vote(problem: SampledProblem) -> SampledProblem:
    """Return eight samples; in every second problem, five of them share a wrong answer."""
    a, b = map(int, problem.id.split("-"))
    wrong = a + b + OFF_BY + 1 if a + b < MOST else a + b - OFF_BY - 1
    right = 3 if a % 2 else 6
    values = [a + b] * right + [wrong] * (8 - right)
    texts = [f"a {'abcde'[n % 5]} The answer is {value}." for n, value in enumerate(values)]
    return SampledProblem(
        "sums", problem.id, problem.question, problem.gold,
        samples=tuple(Sample("CoT", text) for text in texts),
    )  # fmt: skip


def test_a_verifier_beats_a_misled_vote_and_the_metrics_equal_those_of_brute_force(
    tmp_path: Path,
) -> None:
    from trainers.apply_verifier import Scorer, score_samples
    from trainers.verifier import train_verifier

    problems = sums()
    samples = write_problems(
        tmp_path / "samples.jsonl", [each for each in problems if not is_held_out(each)]
    )
    tests = [with_misled_vote(each) for each in problems if is_held_out(each)]
    tiny_model(tmp_path / "model", prompt_texts(problems), width=128, layers=2)
    recipe = Verifier.model_validate(
        {
            "train": "verifier",
            "name": "tiny",
            "about": "A test",
            "model": str(tmp_path / "model"),
            "samples": str(samples),
            "loss": "cross-entropy",
            "learning_rate": 1e-3,
            "steps": 600,
            "batch": 16,
            "micro_batch": 16,
            "max_length": 128,
            "per_problem": 40,
            "precision": "fp32",
            "seed": 1,
            "output": str(tmp_path / "run"),
        }
    )
    train_verifier(recipe, lambda line: None)
    ranked = list(score_samples(tests, Scorer(tmp_path / "run" / "model")))
    with Sandbox(workers=1, wall_s=600) as box, Grader(workers=1, wall_s=600) as grader:
        result = evaluate(grade(ranked, box.map, grader.map), "verifier")
    scores = {score.metric: score.share for score in result.scores}
    by_hand = [brute_force(problem) for problem in ranked]
    for rule in ("Maj1", "RR.All", "W.RR"):
        assert scores[f"{rule}@8"] == pytest.approx(
            sum(rights[rule] for rights in by_hand) / len(by_hand)
        ), rule
    votes, reranked = (
        [row["values"][f"{rule}@8"] for row in result.problems] for rule in ("Maj1", "RR.All")
    )
    ((gap, p),) = paired_differences(np.array([reranked]).T, np.array([votes]).T)
    assert gap.low > 0 and p < 0.05
    assert scores["W.RR@8"] > scores["Maj1@8"]
    assert not any("RR.All is no better" in note for note in result.notes)


def brute_force(problem: SampledProblem) -> dict[str, bool]:
    """Apply the three rules with dictionaries, on answers read from the texts."""
    counts: dict[str, int] = defaultdict(int)
    totals: dict[str, float] = defaultdict(float)
    best = ("", -1.0)
    for sample in problem.samples:
        answer = sample.text.rpartition(" ")[2].rstrip(".")
        assert sample.score is not None
        counts[answer] += 1
        totals[answer] += sample.score
        if sample.score > best[1]:
            best = (answer, sample.score)
    most = max(counts, key=lambda each: counts[each])
    heaviest = max(totals, key=lambda each: totals[each])
    return {
        "Maj1": most == problem.gold,
        "RR.All": best[0] == problem.gold,
        "W.RR": heaviest == problem.gold,
    }
