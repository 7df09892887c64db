"""Verifiers on a CPU: with each loss, a model learns to distinguish right and wrong sums."""

import gzip
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from curator.answers import Grader
from curator.checks.grade_samples import grade
from curator.cli.app import app
from curator.core.errors import UsageError
from curator.core.samples import Sample, SampledProblem, read_samples
from curator.sandbox import Sandbox
from tests.trainers.sums import prompt_texts, sums, write_problems
from tests.trainers.tiny import tiny_model
from trainers.graded import load_graded
from trainers.pairs import SolutionSet, collect_solutions, format_question, make_pairs, split
from trainers.recipe import Verifier

pytest.importorskip("torch", reason="the extra train is not installed")
pytest.importorskip("trl", reason="the extra train is not installed")


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and samples."""
    folder = tmp_path_factory.mktemp("verifier")
    problems = sums()
    write_problems(folder / "samples.jsonl", problems)
    tiny_model(folder / "model", prompt_texts(problems), width=128, layers=2)
    return folder


def recipe(base: Path, **keys: object) -> Verifier:
    values = {
        "train": "verifier",
        "name": "tiny",
        "about": "A test",
        "model": str(base / "model"),
        "samples": str(base / "samples.jsonl"),
        "loss": "cross-entropy",
        "learning_rate": 1e-3,
        "steps": 250,
        "batch": 16,
        "micro_batch": 16,
        "max_length": 128,
        "per_problem": 40,
        "held_out": 0.2,
        "precision": "fp32",
        "seed": 1,
    }
    return Verifier.model_validate({**values, **keys})


SETTINGS = {
    "cross-entropy": {},
    "margin": {"margin": 2.0, "steps": 240},
    "pairwise": {"steps": 120},
}


@pytest.mark.parametrize("loss", SETTINGS)
def test_a_verifier_learns_to_score_held_out_problems(
    base: Path, tmp_path: Path, loss: str
) -> None:
    from trainers.apply_verifier import Scorer, score_samples
    from trainers.verifier import train_verifier

    lines: list[str] = []
    settings = recipe(base, loss=loss, output=str(tmp_path / "run"), **SETTINGS[loss])
    record = train_verifier(settings, lines.append)
    measures = record["measures"]
    assert measures["auc"] >= 0.9
    assert measures["pair_accuracy"] >= 0.9
    assert (measures["problems"], record["examples"]["problems"]) == (20, 80)
    assert sum(each["solutions"] for each in measures["bins"]) == measures["solutions"]
    assert 0 <= measures["calibration_error"] <= 1
    assert any("held out: auc" in line for line in lines)
    model = tmp_path / "run" / "model"
    assert f"| auc | {measures['auc']:.3f} |" in (model / "README.md").read_text()

    some = list(read_samples(base / "samples.jsonl"))[:5]
    scorer = Scorer(model)
    whole = list(score_samples(some, scorer))
    assert [replace(s, score=None) for p in whole for s in p.samples] == [
        s for p in some for s in p.samples
    ]
    assert all(0 <= s.score <= 1 for p in whole for s in p.samples if s.score is not None)
    one = some[3].samples[7]
    assert whole[3].samples[7].score == pytest.approx(
        scorer.score([(some[3].question, one.text)])[0], abs=1e-5
    )
    assert scorer.score([("1 + 1?", "a " * 500)]) == [0.0]
    assert scorer.too_long == 1
    broken, plain = scorer.score([(some[3].question, f"{sign} {one.text}") for sign in "\ud800?"])
    assert broken == pytest.approx(plain, abs=1e-5)

    few, out = write_problems(tmp_path / "few.jsonl", some), tmp_path / "scored.jsonl"
    words_ = ["score", str(few), "--verifier", str(model), "-o", str(out)]
    done = CliRunner().invoke(app, words_, catch_exceptions=False)
    assert "Wrote the scores of 5 problems" in done.output
    assert list(read_samples(out)) == whole
    assert list(read_samples(few)) == some


def test_the_margin_loss_equals_that_of_the_paper() -> None:
    import torch

    from trainers.verifier import margin_loss

    def score(correct: float, incorrect: float) -> float:
        return math.exp(correct) / (math.exp(correct) + math.exp(incorrect))

    correct, incorrect = [1.0, 0.5, -2.0, 3.0], [0.0, 0.7, 1.0, -1.0]
    s = [score(*each) for each in zip(correct, incorrect, strict=True)]
    for margin in (0.1, 1.0, 4.0):
        expected = sum(
            max(0.0, math.log(s[wrong]) - math.log(s[right]) + margin)
            for right, wrong in ((0, 1), (2, 3))
        )
        found = margin_loss(torch.tensor(correct), torch.tensor(incorrect), margin)
        assert float(found) == pytest.approx(expected, rel=1e-5)


def test_scores_are_the_probability_of_correct_among_the_two_words(base: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from trainers.apply_verifier import Scorer, encode_prompts, verdict_tokens
    from trainers.models import load_tokenizer

    texts = [("1 + 2?", "a a The answer is 3."), ("1 + 2?", "b c The answer is 12.")]
    found = Scorer(base / "model", "margin", 128).score(texts)
    tokenizer = load_tokenizer(str(base / "model"))
    model = AutoModelForCausalLM.from_pretrained(base / "model")
    correct, incorrect = verdict_tokens(tokenizer)
    assert [tokenizer.decode([each]) for each in (correct, incorrect)] == [" correct", " incorrect"]
    for score, ids in zip(found, encode_prompts(tokenizer, texts), strict=True):
        probabilities = torch.softmax(model(torch.tensor([ids])).logits[0, -1], dim=-1)
        expected = probabilities[correct] / (probabilities[correct] + probabilities[incorrect])
        assert score == pytest.approx(expected.item(), abs=1e-5)


def test_the_batch_of_a_verifier_has_labels_on_the_verdict_only() -> None:
    from array import array

    from trainers.tokenize import Row
    from trainers.verifier import pad_batch

    rows = [
        Row(array("i", [5, 6, 7]), array("i", [1])),
        Row(array("i", [5]), array("i", [2])),
    ]
    batch = pad_batch(rows, pad=9)
    assert batch["input_ids"].tolist() == [[5, 6, 7, 1], [5, 2, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert batch["labels"].tolist() == [[-100, -100, -100, 1], [-100, 2, -100, -100]]


TEXTS = st.lists(st.text("abc", min_size=1, max_size=3), unique=True, max_size=6).map(tuple)
PROBLEMS = st.lists(
    st.builds(SolutionSet, st.text("xyz 12", min_size=1, max_size=6), TEXTS, TEXTS),
    min_size=2,
    max_size=12,
    unique_by=lambda each: " ".join(each.question.split()),
)


@given(PROBLEMS, st.integers(2, 8), st.integers(0, 9))
def test_pairs_are_balanced_and_no_solution_is_used_twice(
    problems: list[SolutionSet], most: int, seed: int
) -> None:
    found = make_pairs(problems, most, seed)
    for each in problems:
        mine = [(right, wrong) for question, right, wrong in found if question == each.question]
        assert len(mine) == min(most // 2, len(each.right), len(each.wrong))
        for side, texts in zip(zip(*mine, strict=True), (each.right, each.wrong), strict=False):
            assert len(set(side)) == len(side)
            assert set(side) <= set(texts)


@given(PROBLEMS, st.floats(0.05, 0.6), st.integers(0, 9))
def test_a_problem_is_on_one_side_of_the_split(
    problems: list[SolutionSet], share: float, seed: int
) -> None:
    try:
        trained, held_out = split(problems, share, seed)
    except UsageError:
        return
    assert len(trained) + len(held_out) == len(problems)
    assert not {each.question for each in trained} & {each.question for each in held_out}
    assert split(problems[::-1], share, seed) == (trained, held_out)


def test_a_question_in_two_sets_is_one_problem_and_undecided_samples_are_ignored() -> None:
    def problem(name: str, text: str, *answers: str) -> SampledProblem:
        samples = tuple(Sample("CoT", f"The answer is {each}.") for each in answers)
        return SampledProblem(name, "1", text, "4", samples=samples)

    some = [problem("a", "2 + 2?", "4", "5", "5"), problem("b", " 2  + 2? ", "4", "6")]
    some.append(
        SampledProblem("c", "2", "Say it", "x^2 + 1", samples=(Sample("CoT", "I do not know"),))
    )
    with Sandbox(workers=1, wall_s=600) as box, Grader(wall_s=600) as grader:
        graded = list(grade(some, box.map, grader.map))
        assert not any((each.right & each.wrong).any() for each in graded)
        undecided = replace(graded[0], wrong=np.zeros(3, np.bool_))
        (one, two), (none,) = collect_solutions(graded), collect_solutions([undecided])
    assert one.right == ("The answer is 4.",)
    assert one.wrong == ("The answer is 5.", "The answer is 6.")
    assert (two.right, two.wrong) == ((), ("I do not know",))
    assert none.wrong == ()


def test_a_question_includes_its_choices() -> None:
    assert format_question("Which?", ("2 ", "4")) == "Which?\nAnswer Choices: (A) 2 (B) 4"


@pytest.mark.parametrize("right", [True, False])
def test_samples_without_right_and_wrong_solutions_are_an_error(
    base: Path, tmp_path: Path, right: bool
) -> None:
    from trainers.verifier import train_verifier

    some = [replace(p, samples=p.samples[0 if right else 1 :: 2]) for p in sums(4)]
    path = write_problems(tmp_path / "s.jsonl", some)
    with pytest.raises(UsageError, match="has a right and a wrong solution"):
        train_verifier(recipe(base, samples=str(path)), print)


def test_samples_are_graded_from_any_file_that_evaluate_reads(base: Path, tmp_path: Path) -> None:
    some = [replace(each, question=f"How much is {each.question}") for each in sums(4)[:3]]
    plain = write_problems(tmp_path / "s.jsonl", some)
    packed = tmp_path / "s.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    rows = [
        {
            "question": each.question,
            "gold": each.gold,
            "generations": [s.text for s in each.samples],
        }
        for each in some
    ]
    other = tmp_path / "other.jsonl"
    other.write_text("".join(json.dumps(row) + "\n" for row in rows))
    one, *others = (
        load_graded(recipe(base, samples=str(path), output=str(tmp_path / "run")), path.name)
        for path in (plain, packed, other)
    )
    assert len(one) == 3
    assert others == [one, one]


def test_a_folder_that_is_not_a_verifier_is_an_error(base: Path, tmp_path: Path) -> None:
    from trainers.apply_verifier import Scorer

    for text in ("", "{}", '{"recipe": {"train": "sft"}}', "[1]"):
        (tmp_path / "training.json").write_text(text)
        with pytest.raises(UsageError, match="is not a verifier"):
            Scorer(tmp_path)
