"""A study trains, samples and scores each mixture, and resumes where it stopped."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from curator import RunOptions
from curator.cli.study import MixtureResult, StudyRequest, recipes_in, study
from curator.pipeline.sample import SampleRequest
from tests.teacher.faults import Server, completion
from tests.trainers.tiny import tiny_model
from tests.worlds import curator
from trainers.tokenize import ALPACA

pytest.importorskip("torch", reason="the extra train is not installed")
pytest.importorskip("trl", reason="the extra train is not installed")

RECIPE = """\
name: NAME
about: sums
subsets:
  sums:
    source: {file: rows.jsonl, columns: {question: q, gold: a, solution: s}, licence: MIT}
    kind: CoT
screens: {contamination: null}
mixture: {rows: ROWS}
"""
TRAINING = """\
train: sft
name: tiny
about: two steps of a tiny model
model: MODEL
release: set-by-the-study
learning_rate: 0.01
steps: 2
batch: 4
micro_batch: 4
max_length: 256
precision: fp32
"""


def reply(body: dict[str, Any], number: int) -> tuple[int, dict[str, str], bytes]:
    """Reply as a model that is right about small sums."""
    one, other = map(int, re.findall(r"\d+", body["messages"][-1]["content"])[:2])
    good = completion(f"The answer is {one + other if one < 3 else 0}", "m")
    return 200, {"content-type": "application/json"}, json.dumps(good).encode()


@pytest.fixture
def world(tmp_path: Path) -> Path:
    rows = [
        {"q": f"How much is {n} plus {n + 1}?", "a": str(2 * n + 1), "s": f"{n} + {n + 1}."}
        for n in range(40)
    ]
    recipes, evals = tmp_path / "recipes", tmp_path / "mirror" / "evals" / "gsm8k"
    recipes.mkdir()
    evals.mkdir(parents=True)
    (recipes / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for name, count in (("few", 8), ("many", 30)):
        text = RECIPE.replace("NAME", name).replace("ROWS", str(count))
        (recipes / f"{name}.yaml").write_text(text)
    tests = [
        json.dumps({"question": f"What is {n} plus 2?", "answer": f"So.\n#### {n + 2}"})
        for n in range(6)
    ]
    (evals / "test.jsonl").write_text("\n".join(tests))
    tiny_model(
        tmp_path / "model", [ALPACA, *(f"{row['q']} {row['s']} The answer is" for row in rows)]
    )
    training = TRAINING.replace("MODEL", str(tmp_path / "model"))
    (tmp_path / "tiny.yaml").write_text(training)
    return tmp_path


def run(world: Path, served: list[str], server: Server) -> list[MixtureResult]:
    @contextmanager
    def serving(model: str) -> Iterator[str]:
        assert (Path(model) / "config.json").exists()
        served.append(model)
        yield server.url

    request = StudyRequest(
        recipes_in(str(world / "recipes")),
        str(world / "tiny.yaml"),
        SampleRequest(("gsm8k",), how="CoT"),
        parameters={"temperature": 0.0, "max_tokens": 50},
    )
    options = RunOptions(mirror=world / "mirror")
    return study(request, world / "study", world / "store", serving, options)


def test_each_mixture_is_trained_and_scored_once(world: Path) -> None:
    served: list[str] = []
    with Server(reply=reply) as server:
        first = run(world, served, server)
        assert [(one.recipe, one.rows) for one in first] == [("few", 8), ("many", 30)]
        for one in first:
            [score] = [s for s in one.result.scores if (s.group, s.metric) == ("gsm8k", "Pass@1")]
            assert (score.problems, score.share) == (6, 0.5)
        calls = server.served.total()
        assert (len(served), calls) == (2, 12)
        again = run(world, served, server)
        assert [one.result for one in again] == [one.result for one in first]
        assert (len(served), server.served.total()) == (2, calls)
        # A changed mixture repeats only its own steps.
        recipe = world / "recipes" / "few.yaml"
        recipe.write_text(recipe.read_text().replace("rows: 8", "rows: 9"))
        third = run(world, served, server)
        assert [one.rows for one in third] == [9, 30]
        assert len(served) == 3
        # A changed training recipe repeats the steps of all; a change of `about` repeats none.
        tiny = world / "tiny.yaml"
        tiny.write_text(tiny.read_text().replace("about: two", "about: Two"))
        run(world, served, server)
        assert len(served) == 3
        tiny.write_text(tiny.read_text().replace("steps: 2", "steps: 1"))
        third = run(world, served, server)
        assert [one.rows for one in third] == [9, 30]
        assert len(served) == 5
        # A model that was trained again in the same folder is sampled again.
        calls = server.served.total()
        for each in (world / "study" / "few").glob("*/model"):
            config = json.loads((each / "generation_config.json").read_text())
            (each / "generation_config.json").write_text(json.dumps(config | {"top_k": 7}))
        assert [one.result for one in run(world, served, server)] == [one.result for one in third]
        assert (len(served), server.served.total()) == (6, calls + 6)


def test_mistakes_are_reported_before_anything_is_built(world: Path) -> None:
    for words, expected in (
        (
            ("study", world / "recipes", "--training", "nix"),
            "No recipe named 'nix'. Known: dpo",
        ),
        (
            ("study", world / "recipes", "--training", "verifier"),
            "Choose a training recipe with train: sft",
        ),
        (("study", world / "recipes", "--sets", "gsm9"), "Did you mean 'gsm8k'?"),
    ):
        done = curator(*words, "--store", world / "store", "--mirror", world / "mirror")
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
        assert expected in done.stderr
    assert not (world / "store").exists()
