"""A trained verifier beats a vote that is misled, and its scores are those of brute force."""

from collections import defaultdict
from pathlib import Path

import pytest

from curator.answers import Grader
from curator.core.samples import Sample, SampledProblem
from curator.sandbox import Sandbox
from tests.trainers.sums import MOST, OFF_BY, sums, words, written
from tests.trainers.tiny import tiny_model
from trainers.evaluation.evaluate import evaluate
from trainers.evaluation.grade import grade
from trainers.evaluation.metrics import difference
from trainers.recipe import Verifier

pytest.importorskip("torch", reason="the extra train is not installed")
pytest.importorskip("trl", reason="the extra train is not installed")
# Training shares few cores with the other tests.
pytestmark = pytest.mark.timeout(600)


def unseen(problem: SampledProblem) -> bool:
    """One problem in five is kept from the verifier."""
    a, b = map(int, problem.id.split("-"))
    return (a + 3 * b) % 5 == 0


def misled(problem: SampledProblem) -> SampledProblem:
    """Eight samples: in every second problem five of them err alike."""
    a, b = map(int, problem.id.split("-"))
    wrong = a + b + OFF_BY + 2 if a + b < MOST else a + b - OFF_BY - 2
    right = 3 if a % 2 else 6
    said = [a + b] * right + [wrong] * (8 - right)
    texts = [f"a {'abcde'[n % 5]} The answer is {value}." for n, value in enumerate(said)]
    return SampledProblem(
        "sums", problem.id, problem.question, problem.gold,
        samples=tuple(Sample("CoT", text) for text in texts),
    )  # fmt: skip


def test_a_verifier_beats_a_misled_vote_and_the_numbers_are_those_of_brute_force(
    tmp_path: Path,
) -> None:
    from trainers.apply_verifier import Scorer, scored
    from trainers.verifier import train_verifier

    problems = sums()
    samples = written(tmp_path / "samples.jsonl", [each for each in problems if not unseen(each)])
    tests = [misled(each) for each in problems if unseen(each)]
    tiny_model(tmp_path / "model", words(problems))
    recipe = Verifier.model_validate(
        {
            "train": "verifier",
            "name": "tiny",
            "about": "A test",
            "model": str(tmp_path / "model"),
            "samples": str(samples),
            "loss": "cross-entropy",
            "learning_rate": 3e-4,
            "steps": 350,
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
    ranked = list(scored(tests, Scorer(tmp_path / "run" / "model")))
    with Sandbox(workers=1) as box, Grader(workers=1) as grader:
        result = evaluate(grade(ranked, box, grader), "verifier")
    scores = {score.metric: score.share for score in result.scores}
    by_hand = [brute_force(problem) for problem in ranked]
    for rule in ("Maj1", "RR.All", "W.RR"):
        assert scores[f"{rule}@8"] == pytest.approx(
            sum(rights[rule] for rights in by_hand) / len(by_hand)
        ), rule
    votes, reranked = (
        [row["values"][f"{rule}@8"] for row in result.problems] for rule in ("Maj1", "RR.All")
    )
    gap, p = difference(reranked, votes)
    assert gap.low > 0 and p < 0.05
    assert scores["W.RR@8"] > scores["Maj1@8"]
    assert not any("RR.All is no better" in note for note in result.notes)


def brute_force(problem: SampledProblem) -> dict[str, bool]:
    """The three rules by a dictionary, with the answers read off the texts."""
    counts: dict[str, int] = defaultdict(int)
    totals: dict[str, float] = defaultdict(float)
    best = ("", -1.0)
    for sample in problem.samples:
        said = sample.text.rpartition(" ")[2].rstrip(".")
        assert sample.score is not None
        counts[said] += 1
        totals[said] += sample.score
        if sample.score > best[1]:
            best = (said, sample.score)
    most = max(counts, key=lambda each: counts[each])
    heaviest = max(totals, key=lambda each: totals[each])
    return {
        "Maj1": most == problem.gold,
        "RR.All": best[0] == problem.gold,
        "W.RR": heaviest == problem.gold,
    }
