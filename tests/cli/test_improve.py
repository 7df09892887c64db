"""Rounds of rejection sampling: sample, prove, build, train, evaluate; killed and resumed."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from curator import RunOptions
from curator.cli.commands.improve import describe_difference
from curator.cli.improve import ImproveRequest, Round, improve
from curator.cli.model_steps import check_server, lock_folder, model_server
from curator.core.errors import TeacherError, UsageError
from curator.core.samples import Sample, SampledProblem
from curator.pipeline.sample import SampleRequest
from datastore.store import Store
from tests.paths import ROOT
from tests.processes import wait_until
from tests.teacher.faults import Server, completion
from tests.trainers.tiny import ONE_THREAD, tiny_model
from tests.worlds import command, curator

pytest.importorskip("torch", reason="the extra train is not installed")
pytest.importorskip("trl", reason="the extra train is not installed")

RECIPE = """\
name: minus
about: differences of small numbers, solved by the model that is trained
subsets:
  minus:
    source: {file: rows.jsonl, columns: {question: q, gold: a}, licence: MIT}
    kind: CoT
    writers: [cot]
screens: {contamination: null}
teacher:
  model: replaced
  parameters: {temperature: 1.0, max_tokens: 16}
  concurrency: 4
sampling: {tries: 4, prompts: prompts}
"""
PROMPT = "{# version 1: the question alone #}\n### user\n{{ question }}{{ options }}\n"
TRAINING = """\
train: sft
name: tiny
about: a few steps of a tiny model
model: MODEL
release: set-by-the-command
template: chat
learning_rate: 0.001
steps: 6
batch: 8
micro_batch: 8
max_length: 128
precision: fp32
checkpoint_every: 2
"""
PROBLEMS, EVALS, TRIES = 12, 6, 4


def question(number: int) -> dict[str, str]:
    """A problem whose answer is 1, 2 or 3, which a model guesses in a third of the cases."""
    gold = number % 3 + 1
    return {"q": f"How much is {number + gold} minus {number}?", "a": str(gold)}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has learnt to state a random answer of 1, 2 or 3."""
    from trainers.recipe import SFT
    from trainers.sft import train_sft

    folder = tmp_path_factory.mktemp("base")
    draw = random.Random(0)
    rows = [
        {
            "prompt": question(n)["q"],
            "completion": f"Take it away. The answer is {draw.choice('123')}.",
        }
        for n in range(60)
    ]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    texts = ["<user><assistant>", *(row["prompt"] + row["completion"] for row in rows)]
    tiny_model(folder / "start", texts, width=64, layers=2)
    values = {
        "train": "sft",
        "name": "base",
        "about": "The form of an answer",
        "model": str(folder / "start"),
        "release": str(folder / "rows.jsonl"),
        "output": str(folder / "run"),
        "template": "chat",
        "learning_rate": 0.01,
        "steps": 30,
        "batch": 20,
        "micro_batch": 20,
        "max_length": 128,
        "precision": "fp32",
    }
    train_sft(SFT.model_validate(values), lambda line: None)
    return folder / "run" / "model"


@pytest.fixture
def world(base: Path, tmp_path: Path) -> Path:
    evals = tmp_path / "mirror" / "evals" / "gsm8k"
    evals.mkdir(parents=True)
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "cot.jinja").write_text(PROMPT)
    (tmp_path / "rows.jsonl").write_text(
        "\n".join(json.dumps(question(n)) for n in range(PROBLEMS))
    )
    tests = [question(n) for n in range(PROBLEMS, PROBLEMS + EVALS)]
    (evals / "test.jsonl").write_text(
        "\n".join(json.dumps({"question": t["q"], "answer": f"So.\n#### {t['a']}"}) for t in tests)
    )
    (tmp_path / "minus.yaml").write_text(RECIPE)
    (tmp_path / "tiny.yaml").write_text(TRAINING.replace("MODEL", str(base)))
    return tmp_path


def words(world: Path, *more: object) -> list[object]:
    """Return the arguments of two rounds; the model is served by another process."""
    server = f"python {ROOT / 'tests/trainers/chat_server.py'} {{model}} {{port}} {world / 'log'}"
    fixed = ["improve", "minus.yaml", "--training", "tiny.yaml", "--rounds", 2, "--how", "CoT"]
    places = ["--mirror", "mirror", "--store", "store", "-o", "runs"]
    return [*fixed, "--max-answer", 16, "--server", server, *places, *more]


def lines(world: Path) -> list[str]:
    """Return the lines of the server's log."""
    log = world / "log"
    return log.read_text().splitlines() if log.exists() else []


def calls_in(store: Path) -> int:
    with Store(store, readonly=True) as opened, opened.ledger("calls") as calls:
        return calls.count()


def kill_when(world: Path, reached: Callable[[], bool]) -> None:
    """Run the command and kill it, with its server, as soon as a condition holds."""
    with (world / "output").open("w") as output:
        running = subprocess.Popen(
            command(*words(world)),
            cwd=world,
            env={**ONE_THREAD, "PYTHONPATH": str(ROOT)},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_until(lambda: running.poll() is not None or reached())
        assert running.poll() is None, (world / "output").read_text()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def test_two_rounds_survive_kills_and_repeat_nothing(base: Path, world: Path) -> None:
    limit, store = world / "log.limit", world / "store"
    # Killed during the build of round 1, while the server answers no further call.
    stop = 1 + EVALS + 9
    limit.write_text(str(stop))
    kill_when(world, lambda: len(lines(world)) == stop and calls_in(store) == stop - 1)
    # Killed during the training of round 1, or after it: the trained model answers no call yet.
    limit.write_text(str(2 + EVALS + PROBLEMS * TRIES))
    kill_when(world, lambda: any(world.glob("runs/minus/*/checkpoints/checkpoint-*")))
    limit.unlink()
    before = lines(world)
    assert before.count(f"started {base}") == 2
    assert calls_in(store) == EVALS + PROBLEMS * TRIES

    done = curator(*words(world), cwd=world)
    assert done.returncode == 0, done.stderr
    served = lines(world)
    calls = [line for line in served if not line.startswith("started")]
    assert len(calls) == len(set(calls)) == 3 * EVALS + 2 * PROBLEMS * TRIES
    # The base model was not needed again; each later model was served once for all its calls.
    later = [line for line in served[len(before) :] if line.startswith("started")]
    assert len(later) == len(set(later)) == 2 and f"started {base}" not in later
    head, first, second, third = done.stdout.splitlines()[:4]
    assert head.split() == ["round", "trained", "on", "rows", "solve", "rate", "gsm8k"]
    assert first.startswith("base   ·")
    assert second.startswith("1      minus@1") and third.startswith("2      minus@2")
    assert re.findall(
        r"gsm8k: round (\d) is (?:not significantly |)(?:better|worse) than", done.stdout
    )

    records = {path: path.stat().st_mtime_ns for path in world.glob("runs/**/training.json")}
    # Each round starts from the base model.
    models = [json.loads(path.read_text())["recipe"]["model"] for path in records]
    assert models == [str(base)] * 2
    again = curator(*words(world), cwd=world)
    assert (again.returncode, again.stdout) == (0, done.stdout)
    assert lines(world) == served
    assert {path: path.stat().st_mtime_ns for path in records} == records
    with Store(store, readonly=True) as opened:
        assert opened.versions.numbers("minus") == [1, 2]
        messages = [opened.versions.get(f"minus@{n}").message for n in (1, 2)]
    assert re.fullmatch(r"Round 1: solutions of /.*/model", messages[0])
    assert re.fullmatch(r"Round 2: solutions of runs/minus/[0-9a-f-]+/model", messages[1])


def reply(body: dict[str, Any], number: int) -> tuple[int, dict[str, str], bytes]:
    """Reply as a model that is right about half of the problems."""
    one, other = map(int, re.findall(r"\d+", body["messages"][-1]["content"]))
    text = f"Take it away. The answer is {one - other if one % 2 else 0}."
    return 200, {"content-type": "application/json"}, json.dumps(completion(text, "m")).encode()


def run(world: Path, server: Server, served: list[str], rounds: int = 1) -> list[Round]:
    """Run rounds whose models are trained, but answered for by another server."""

    @contextmanager
    def serve(model: str) -> Iterator[str]:
        assert (Path(model) / "config.json").exists()
        served.append(Path(model).parent.name)
        yield server.url

    request = ImproveRequest(
        str(world / "minus.yaml"),
        str(world / "tiny.yaml"),
        SampleRequest(("gsm8k",), how="CoT"),
        rounds,
        parameters={"temperature": 0.0, "max_tokens": 16},
    )
    options = RunOptions(mirror=world / "mirror", workers=1)
    return improve(request, world / "runs", world / "store", serve, options)


def show_json(world: Path) -> list[tuple[object, ...]]:
    """Return what the command prints about two finished rounds; it finds no server to start."""
    places = ["--mirror", world / "mirror", "--store", world / "store", "-o", world / "runs"]
    fixed = ["--training", world / "tiny.yaml", "--rounds", 2, "--how", "CoT", "--max-answer", 16]
    done = curator("improve", world / "minus.yaml", *fixed, *places, "--server", "nix", "--json")
    assert done.returncode == 0, done.stderr
    keys = ("round", "version", "rows", "model", "file")
    return [tuple(each[key] for key in keys) for each in json.loads(done.stdout)["rounds"]]


def test_a_change_repeats_only_what_depends_on_it(world: Path) -> None:
    served: list[str] = []
    rows = world / "rows.jsonl"
    with Server(reply=reply) as server:
        first = run(world, server, served)
        calls = 2 * EVALS + PROBLEMS * TRIES
        # One server for the evaluation of the base model and for the build.
        assert (len(served), server.served.total()) == (2, calls)
        assert [(one.version, one.rows) for one in first] == [("", 0), ("minus@1", 6)]
        assert first[0].solve_rate and first[0].solve_rate.share == 0.5
        assert first[1].solve_rate is None
        before = rows.read_text()
        rows.write_text(f"{before}\n{json.dumps(question(99))}")
        second = run(world, server, served)
        assert second[0].result == first[0].result
        assert second[1].version == "minus@2"
        calls += TRIES + EVALS
        assert (len(served), server.served.total()) == (4, calls)
        # Back to the first content: the first version, although it is no longer the newest.
        rows.write_text(before)
        assert run(world, server, served) == first
        assert (len(served), server.served.total()) == (4, calls)
        # A further round starts with the model of the last one.
        third = run(world, server, served, rounds=2)
        assert [one.version for one in third] == ["", "minus@1", "minus@3"]
        assert [one.result for one in third[:2]] == [one.result for one in first]
        assert third[1].solve_rate == third[0].solve_rate
        assert len(served) == 6 and served[4] == Path(third[1].model).parent.name
        assert third[2].model != third[1].model
    assert show_json(world) == [
        (one.number, one.version, one.rows, one.model, str(one.file)) for one in third
    ]


def test_a_round_with_calls_that_failed_is_not_trained_on(world: Path) -> None:
    recipe = world / "minus.yaml"
    recipe.write_text(RECIPE.replace("concurrency: 4", "concurrency: 4\n  tries: 1"))
    failing = True

    def reply_or_fail(body: dict[str, Any], number: int) -> tuple[int, dict[str, str], bytes]:
        if failing and "9 minus" in body["messages"][-1]["content"]:
            return 500, {}, b"overloaded"
        return reply(body, number)

    with Server(reply=reply_or_fail) as server:
        with pytest.raises(TeacherError, match=r"^4 calls of minus failed, as the model's server"):
            run(world, server, [])
        assert not list(world.glob("runs/minus/*/"))
        with Store(world / "store", readonly=True) as opened:
            assert not opened.versions.names()
        failing = False
        before = server.served.total()
        done = run(world, server, [])
        assert done[1].version == "minus@1"
        assert server.served.total() - before == TRIES + EVALS


def test_calls_that_failed_are_samples_only_while_the_server_runs() -> None:
    failed = SampledProblem("s", "1", "q", "1", samples=(Sample("CoT", "", finish="failed"),))
    answered = SampledProblem("s", "2", "q", "1", samples=(Sample("CoT", "1"),))
    with Server(reply=reply) as server:
        assert list(check_server([failed, answered], server.url)) == [failed, answered]
    assert list(check_server([answered], server.url)) == [answered]
    with pytest.raises(TeacherError, match=r"^The model's server stopped: 1 call failed\. Rerun"):
        list(check_server([failed, answered], server.url))


def test_samples_of_a_server_that_is_gone_are_not_kept(world: Path) -> None:
    with Server(reply=reply) as server:
        pass
    with pytest.raises(TeacherError):
        run(world, server, [])
    assert not list(world.glob("runs/minus/*.samples.jsonl"))


def test_a_command_that_serves_one_model_only_is_refused() -> None:
    with pytest.raises(UsageError, match=r"lacks \{model\}, in whose place each model's folder"):
        model_server("vllm serve FOLDER --port {port}")("m")


def test_two_commands_do_not_work_in_one_folder(world: Path) -> None:
    with (
        lock_folder(world / "runs/minus"),
        Server(reply=reply) as server,
        pytest.raises(UsageError, match="is in use by another process"),
    ):
        run(world, server, [])
    assert not server.served.total()


def test_a_changed_evaluation_set_is_sampled_again(world: Path) -> None:
    served: list[str] = []
    with Server(reply=reply) as server:
        first = run(world, server, served)
        calls = server.served.total()
        file = world / "mirror/evals/gsm8k/test.jsonl"
        new = question(98)
        line = json.dumps({"question": new["q"], "answer": f"So.\n#### {new['a']}"})
        file.write_text(f"{file.read_text()}\n{line}")
        second = run(world, server, served)
        assert server.served.total() == calls + 2  # the new question, for both models
    assert [len(each.result.problems) for each in first] == [EVALS] * 2
    assert [len(each.result.problems) for each in second] == [EVALS + 1] * 2
    assert [each.version for each in second] == ["", "minus@1"]


def test_a_base_model_that_changed_is_sampled_again(base: Path, world: Path) -> None:
    wrong = json.dumps(completion("Take it away. The answer is 77.", "m")).encode()
    changed = shutil.copytree(base, world / "base")
    (world / "tiny.yaml").write_text(TRAINING.replace("MODEL", str(changed)))
    with Server(reply=lambda body, number: (200, {}, wrong)) as server:
        for times in (1, 2):
            with pytest.raises(UsageError, match="would have no rows"):
                run(world, server, [])
            assert server.served.total() == times * (EVALS + PROBLEMS * TRIES)
            (changed / "generation_config.json").write_text('{"top_k": 7}')


def test_a_model_without_a_right_solution_is_not_trained_on(world: Path) -> None:
    def reply_wrong(body: dict[str, Any], number: int) -> tuple[int, dict[str, str], bytes]:
        solution = "" if "9 minus" in body["messages"][-1]["content"] else "Take it away. "
        return 200, {}, json.dumps(completion(f"{solution}The answer is 77.", "m")).encode()

    reasons = r"contradicts the gold.*other replies have no rationale \(4 × .*without solution\)"
    with Server(reply=reply_wrong) as server:
        for _ in range(2):
            with pytest.raises(UsageError, match=f"minus would have no rows.*{reasons}"):
                run(world, server, [])
        assert server.served.total() == EVALS + PROBLEMS * TRIES
    assert not list(world.glob("runs/minus/*/"))


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.01, 0.2, "round 2 is better than round 1"),
        (0.0, 0.2, "round 2 is not significantly better than round 1"),
        (-0.1, 0.0, "round 2 is not significantly better than round 1"),
        (-0.2, -0.01, "round 2 is worse than round 1"),
    ],
)
def test_only_an_interval_beyond_zero_is_called_better(
    low: float, high: float, expected: str
) -> None:
    values = {"group": "gsm8k", "round": 2, "gap": (low + high) / 2, "low": low, "high": high}
    assert f"gsm8k: {expected}: " in describe_difference({**values, "p": 0.5})


def test_mistakes_are_reported_before_anything_is_built(world: Path) -> None:
    (world / "reference.yaml").write_text(RECIPE.replace("writers: [cot]", "writers: [question]"))
    for changed, expected in (
        (("reference.yaml",), "minus samples no solutions: no subset has a writer that needs"),
        (("minus.yaml", "--training", "verifier"), "Choose a training recipe with train: sft"),
        (("minus.yaml", "--sets", "gsm9"), "Did you mean 'gsm8k'?"),
        (("minus.yaml", "--model", "./gone"), "model ./gone: the folder has no config.json"),
    ):
        done = curator("improve", *changed, "--store", "store", cwd=world)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
        assert expected in done.stderr
    assert not (world / "store").exists()
