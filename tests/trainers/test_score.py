"""Scoring: the logits of the last tokens alone, several devices, and a kill in between."""

import gzip
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from curator.core.samples import SampledProblem, read_samples
from tests.paths import ROOT
from tests.trainers.sums import prompt_texts, sums, write_problems
from tests.trainers.tiny import ONE_THREAD, tiny_model
from tests.worlds import curator

pytest.importorskip("torch", reason="the extra train is not installed")
pytest.importorskip("transformers", reason="the extra train is not installed")


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A verifier that was not trained, whose scores are as good as any for these tests."""
    folder = tmp_path_factory.mktemp("score") / "model"
    tiny_model(folder, prompt_texts(problems()), width=64, layers=2)
    recipe = {"train": "verifier", "loss": "margin", "max_length": 60}
    (folder / "training.json").write_text(json.dumps({"recipe": recipe}))
    return folder


def problems() -> list[SampledProblem]:
    """Return 200 problems, in three calls of the scorer; some solutions are too long."""
    first = [replace(each, id=f"{n}-{each.id}") for n in range(4) for each in sums(samples=3)]
    long = replace(first[0].samples[0], text="The answer is 1. " * 20)
    return [replace(each, samples=(*each.samples, long)) for each in first[:200]]


def test_logits_of_the_last_tokens_give_the_scores_of_all_logits(verifier: Path) -> None:
    import torch

    from trainers.apply_verifier import score_batch
    from trainers.models import load_causal

    model = load_causal(str(verifier)).eval()
    lengths = []
    model.lm_head.register_forward_hook(lambda _, given, __: lengths.append(given[0].shape[1]))
    draw = torch.Generator().manual_seed(0)
    rows = [
        torch.randint(3, 20, (length,), generator=draw).tolist() for length in (3, 9, 9, 30, 31)
    ]
    found = score_batch(model, rows, 2, (5, 6))

    class Plain(type(model)):  # type: ignore[misc]
        """The same model without the parameter."""

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return super().forward(input_ids=input_ids, attention_mask=attention_mask)

    model.__class__ = Plain
    assert score_batch(model, rows, 2, (5, 6)) == pytest.approx(found, abs=1e-6)
    alone = [score_batch(model, [row], 2, (5, 6))[0] for row in rows]
    assert alone == pytest.approx(found, abs=1e-5)
    assert lengths[:2] == [4, 31]


def test_two_devices_share_the_batches_and_give_the_same_scores(verifier: Path) -> None:
    from trainers.apply_verifier import Scorer, score_samples

    one, two = Scorer(verifier), Scorer(verifier, devices=("cpu", "cpu"))
    assert list(score_samples(problems(), one)) == list(score_samples(problems(), two))
    assert one.too_long == two.too_long == 200


def test_a_killed_process_resumes_with_the_scores_that_it_computed(
    verifier: Path, tmp_path: Path
) -> None:
    from trainers.apply_verifier import Scorer, journal_path, score_samples

    samples = write_problems(tmp_path / "samples.jsonl", problems())
    whole = list(score_samples(read_samples(samples), Scorer(verifier)))
    command = ["score", str(samples), "--verifier", str(verifier), "--json"]
    program = (
        "import os, sys\n"
        "from curator.cli import main\n"
        "from trainers.apply_verifier import Scorer\n"
        "score, kill, calls = Scorer.score, int(sys.argv.pop(1)), []\n"
        "def score_or_die(self, texts):\n"
        "    calls.append(texts)\n"
        "    print('call', len(calls), flush=True)\n"
        "    if len(calls) == kill: os.kill(os.getpid(), 9)\n"
        "    return score(self, texts)\n"
        "Scorer.score = score_or_die\n"
        "main()\n"
    )

    def run(kill: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program, str(kill), *command],
            cwd=ROOT, env=ONE_THREAD, capture_output=True, text=True,
        )  # fmt: skip

    assert run(3).returncode == -9
    journal = journal_path(samples, verifier)
    assert len(journal.read_text().split()) > 2
    journal.write_bytes(journal.read_bytes() + b'\n{"texts": "cut')
    done = run(0)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("call ") == 2
    assert list(read_samples(samples)) == whole
    assert json.loads(done.stdout[done.stdout.index("{") :])["too_long"] == 200
    assert not journal.exists()


def test_samples_are_scored_from_any_file_that_evaluate_reads(
    verifier: Path, tmp_path: Path
) -> None:
    plain = write_problems(tmp_path / "samples.jsonl", problems()[:2])
    (tmp_path / "samples.jsonl.gz").write_bytes(gzip.compress(plain.read_bytes()))
    other = {"question": "How much is 1 and 1?", "gold": "2", "generations": ["The answer is 2."]}
    (tmp_path / "other.jsonl").write_text(json.dumps(other) + "\n")
    for name, count in (("samples.jsonl.gz", 2), ("other.jsonl", 1)):
        before = (tmp_path / name).read_bytes()
        words = ("score", name, "--verifier", verifier)
        refused = curator(*words, cwd=tmp_path)
        assert refused.returncode == 2
        assert f"{name} is not a file of 'curator sample'" in " ".join(refused.stderr.split())
        assert (tmp_path / name).read_bytes() == before
        done = curator(*words, "-o", "out.jsonl", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        found = list(read_samples(tmp_path / "out.jsonl"))
        assert len(found) == count
        assert all(s.score is not None for each in found for s in each.samples)
