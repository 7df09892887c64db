"""Sampling a model over real HTTP: hybrid decoding, resuming, and the scores of the samples."""

import json
import math
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from curator import RunOptions
from curator.answers import Grader
from curator.checks.grade_samples import grade
from curator.cli.app import app
from curator.core.errors import TeacherError, UsageError
from curator.core.progress import SilentListener
from curator.core.samples import SampledProblem, read_samples
from curator.pipeline.sample import SampleRequest, find_sets, sample
from curator.sandbox import Sandbox
from curator.sources import EVALS, SOURCES
from curator.teacher import TeacherSettings
from curator.teacher.local_server import serve
from datastore.store import Store
from tests.processes import wait_until
from tests.teacher.faults import Server, completion
from tests.worlds import curator
from trainers.evaluation.evaluate import evaluate, read_result

QUESTIONS = {
    "Ann has 3 pears and gets 4 more. How many has she?": "7",
    "Ben has 9 pears and eats 4 of them. How many has he?": "5",
    "Cem has 2 pears and buys 6 more. How many has he?": "8",
    "Dee has 1 pear and finds 8 more. How many has she?": "9",
    "Eve has 6 pears and sells 2 of them. How many has she?": "4",
}


def reply(body: dict[str, Any], number: int) -> tuple[int, dict[str, str], bytes]:
    """Reply to the PoT prompt: Ann a right program, Ben one that fails, Cem one that prints a wrong
    number, Dee a text with the answer, Eve a text without one. The texts of Ben and Eve are right.
    """
    prompt = body["messages"][-1]["content"]
    text = {
        "Ann": "```python\nprint(3 + 4)\n```",
        "Ben": "```python\nprint(9 - pears)\n```",
        "Cem": "```python\nprint(2 * 6)\n```",
        "Dee": "She has 1 + 8 = 9.\nThe answer is 9",
        "Eve": "Let us see.",
    }[prompt[:3]]
    if not re.search("program|Python", prompt):
        worked = {
            "Ben": "He has 9 - 4 = 5.\nThe answer is 5",
            "Eve": "She has 6 - 2 = 4.\nThe answer is 4",
        }
        text = worked.get(prompt[:3], "The answer is 0")
    good = completion(prompt, "m")
    good["choices"][0]["message"]["content"] = text
    return 200, {"content-type": "application/json"}, json.dumps(good).encode()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(reply=reply) as serving:
        yield serving


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    folder = tmp_path / "mirror" / "evals" / "gsm8k"
    folder.mkdir(parents=True)
    rows = [
        json.dumps({"question": question, "answer": f"So it is.\n#### {gold}"})
        for question, gold in QUESTIONS.items()
    ]
    (folder / "test.jsonl").write_text("\n".join(rows))
    return tmp_path / "mirror"


def run_sample(server: Server, mirror: Path, store: Path, **more: Any) -> list[SampledProblem]:
    settings = TeacherSettings(model="m", base_url=server.url, key_env="")
    with Store(store) as opened:
        # A set that is named twice is sampled once.
        request = SampleRequest(("gsm8k", "gsm8k"), **more)
        return list(sample(request, settings, opened, RunOptions(mirror=mirror)))


def test_hybrid_decoding_falls_back_to_a_text_only_if_the_program_fails(
    server: Server, mirror: Path, tmp_path: Path
) -> None:
    problems = run_sample(server, mirror, tmp_path / "store")
    assert [(one.samples[0].kind, one.samples[0].text) for one in problems] == [
        ("PoT", "print(3 + 4)"),
        ("CoT", "He has 9 - 4 = 5.\nThe answer is 5"),
        ("PoT", "print(2 * 6)"),  # it ran and printed a wrong number: that is final
        ("CoT", "She has 1 + 8 = 9.\nThe answer is 9"),
        ("CoT", "She has 6 - 2 = 4.\nThe answer is 4"),  # the text before it had no answer
    ]
    with Sandbox(workers=1, wall_s=600) as box, Grader(workers=1, wall_s=600) as grader:
        result = evaluate(grade(problems, box.map, grader.map), "m")
    assert {score.share for score in result.scores} == {0.8}


def test_samples_of_one_problem_are_requested_at_the_same_time(
    mirror: Path, tmp_path: Path
) -> None:
    with Server(reply=reply, limit=0) as server, ThreadPoolExecutor(1) as pool:
        store = tmp_path / "store"
        running = pool.submit(run_sample, server, mirror, store, samples=4, how="CoT", limit=1)
        try:
            wait_until(lambda: server.in_progress == 4)
        finally:
            server.limit = math.inf
        (problem,) = running.result()
    assert len(problem.samples) == 4


def test_a_request_for_more_samples_makes_only_the_missing_calls(
    server: Server, mirror: Path, tmp_path: Path
) -> None:
    first = run_sample(server, mirror, tmp_path / "store", samples=2, how="CoT")
    calls = server.served.total()
    again = run_sample(server, mirror, tmp_path / "store", samples=3, how="CoT")
    assert calls == 2 * len(QUESTIONS)
    assert server.served.total() == 3 * len(QUESTIONS)
    assert [one.samples[:2] for one in again] == [one.samples for one in first]


def test_problems_of_a_set_that_cannot_be_graded_are_left_out_and_counted(
    server: Server, tmp_path: Path
) -> None:
    question = next(iter(QUESTIONS))
    rows = [
        {"question": question, "answer": "7", "perturbation_type": "problem understanding"},
        {"question": "Ann has pears.", "answer": "None", "perturbation_type": "critical thinking"},
        {"question": "Ann has 3 pears.", "answer": None},
        {"question": question, "answer": "7"},
    ]
    folder = tmp_path / "mirror" / "evals" / "gsm_plus"
    folder.mkdir(parents=True)
    (folder / "test.jsonl").write_text("\n".join(map(json.dumps, rows)))
    notes: list[str] = []

    class Listener(SilentListener):
        def note(self, text: str) -> None:
            notes.append(text)

    options = RunOptions(mirror=tmp_path / "mirror", listener=Listener())
    settings = TeacherSettings(model="m", base_url=server.url, key_env="")
    with Store(tmp_path / "store") as opened:
        found = list(sample(SampleRequest(("gsm_plus",), how="CoT"), settings, opened, options))
    assert [one.question for one in found] == [question]
    left_out = "gsm_plus: 1 record left out, because of"
    assert sorted(note for note in notes if note.startswith("gsm_plus")) == [
        f"{left_out}: answer is null",
        f"{left_out}: no gold answer that can be compared",
        f"{left_out}: same problem as an earlier record",
    ]


def test_own_problems_are_sampled_by_their_columns(server: Server, tmp_path: Path) -> None:
    own = tmp_path / "my-set.jsonl"
    rows = [{"problem": question, "result": gold} for question, gold in QUESTIONS.items()]
    own.write_text("\n".join(map(json.dumps, rows)))
    columns = {"question": "problem", "gold": "result"}
    settings = TeacherSettings(model="m", base_url=server.url, key_env="")

    def run(**keys: Any) -> list[SampledProblem]:
        request = SampleRequest((str(own),), how="CoT", **keys)
        with Store(tmp_path / "store") as opened:
            return list(sample(request, settings, opened, RunOptions()))

    found = run(columns=columns)
    assert {one.question: one.gold for one in found} == QUESTIONS
    assert {one.set for one in found} == {"my-set"}
    with pytest.raises(UsageError, match="columns need a gold"):
        run(columns={"question": "problem"})
    own.write_text(json.dumps({"question": "Ann and Ben?", "gold": ""}))
    with pytest.raises(UsageError, match=r"my-set\.jsonl:1 has no gold answer"):
        run()
    own.write_text(json.dumps({"question": 7, "gold": "1"}))
    with pytest.raises(UsageError, match=r"my-set\.jsonl:1 cannot be read"):
        run()
    own.write_text(json.dumps({"problem": "Ann and Ben?", "gold": "1"}))
    with pytest.raises(UsageError, match=r"named 'prblem'\. Did you mean 'problem'\? Columns: "):
        run(columns={"question": "prblem", "gold": "gold"})
    own.write_text("")
    with pytest.raises(UsageError, match=r"^my-set has no problem that can be sampled"):
        run()
    output = tmp_path / "samples.jsonl"
    own.write_text(json.dumps(rows[0]))
    made = curator(
        "sample", "m", "--sets", own, "--columns", "question=problem,gold=result",
        "--base-url", server.url, "--store", tmp_path / "store", "-o", output,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    (one,) = read_samples(output)
    assert (one.set, one.gold) == ("my-set", "7")


def test_the_commands_sample_score_and_compare(
    server: Server, mirror: Path, tmp_path: Path
) -> None:
    options = ["--sets", "gsm8k", "--mirror", mirror, "--store", tmp_path / "store"]
    for how in ("hybrid", "CoT"):
        made = curator(
            "sample", "m", "--base-url", server.url, "--how", how, *options, "-o", tmp_path / how
        )
        assert made.returncode == 0, made.stderr
        assert len(list(read_samples(tmp_path / how))) == len(QUESTIONS)
        done = curator("evaluate", tmp_path / how, "--name", how, "-o", tmp_path / f"{how}.json")
        assert done.returncode == 0, done.stderr
    assert re.search(r"gsm8k +Pass@1 +5 +40.0%", done.stdout)
    compared = curator("evaluate", "--compare", tmp_path / "hybrid.json", tmp_path / "CoT.json")
    assert re.search(r"gsm8k +Pass@1 +5 +80.0% +40.0% +\+40.0%", compared.stdout), compared.stdout
    assert max(map(len, compared.stdout.splitlines())) <= 80, compared.stdout
    wrong = curator("evaluate", "--compare", tmp_path / "hybrid", tmp_path / "CoT.json")
    assert wrong.returncode == 2 and "is not a result" in wrong.stderr


def test_files_without_anything_to_score_or_compare_are_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").touch()
    row = {"question": "How much?", "gold": "7", "samples": [{"kind": "CoT", "text": "7"}]}
    for name in ("one", "other"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(row | {"set": name, "id": "1"}))
        done = curator("evaluate", tmp_path / f"{name}.jsonl", "-o", tmp_path / name)
        assert done.returncode == 0, done.stderr
    for words, expected in (
        ((tmp_path / "none.jsonl", "-o", tmp_path / "none"), "No problems in"),
        (("--compare", tmp_path / "one", tmp_path / "other"), "cannot be compared"),
    ):
        wrong = curator("evaluate", *words)
        assert (wrong.returncode, wrong.stdout) == (2, "") and expected in wrong.stderr
        assert wrong.stderr.count("\n") == 1
    assert not (tmp_path / "none").exists()


def test_a_set_is_scored_and_plotted_whatever_its_name(tmp_path: Path) -> None:
    row = {"set": "org/name", "id": "1", "question": "How much?", "gold": "7", "field": "algebra"}
    samples = [{"kind": "CoT", "text": f"The answer is {answer}"} for answer in (7, 8)]
    (tmp_path / "s.jsonl").write_text(json.dumps(row | {"samples": samples}))
    done = curator("evaluate", tmp_path / "s.jsonl", "--plot", tmp_path / "s.svg")
    assert done.returncode == 0, done.stderr
    assert re.search(r"org/name +Pass@1 = avg@2 +1 +50.0% ", done.stdout)
    assert "SE: standard error of avg@k" in done.stdout
    assert "algebra" not in done.stdout
    assert "org/name" in (tmp_path / "s.svg").read_text()


def test_unwritable_outputs_are_reported_before_the_grading_and_scores_are_never_lost(
    tmp_path: Path,
) -> None:
    row = {"set": "s", "id": "1", "question": "How much?", "gold": "7"}
    samples = tmp_path / "samples.jsonl"
    samples.write_text(json.dumps(row | {"samples": [{"kind": "CoT", "text": "The answer is 7"}]}))
    fresh = tmp_path / "new" / "result.json"
    plotted = curator("evaluate", samples, "-o", fresh, "--plot", tmp_path / "plot.svg")
    assert plotted.returncode == 2 and "Nothing to plot" in plotted.stderr
    assert re.search(r"s +Pass@1 +1 +100.0%", plotted.stdout) and read_result(fresh).scores
    for option in ("-o", "--plot"):
        for place, expected in (
            (tmp_path, "is a folder"),
            (samples / "x", "Cannot create the folder"),
        ):
            refused = curator("evaluate", samples, option, place)
            assert refused.returncode == 2 and expected in refused.stderr
            assert not refused.stdout and refused.stderr.count("\n") == 1


def test_samples_that_hold_a_problem_twice_are_refused(tmp_path: Path) -> None:
    samples = tmp_path / "samples.jsonl"
    row = {"set": "gsm8k", "id": "5", "question": "How much?", "gold": "7"}
    samples.write_text(json.dumps({**row, "samples": [{"kind": "CoT", "text": "7"}]}) + "\n")
    done = curator("evaluate", samples, samples)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "repeats problem 5 of gsm8k" in done.stderr


SERVER = """\
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Health(BaseHTTPRequestHandler):
    tries = 0
    def do_GET(self):
        Health.tries += 1
        self.send_response(503 if Health.tries < 3 else 200)
        self.end_headers()
HTTPServer(("127.0.0.1", int(sys.argv[1])), Health).serve_forever()
"""


def test_a_model_server_is_awaited_until_it_is_healthy(tmp_path: Path) -> None:
    # vLLM answers /health with a status and no body.
    (tmp_path / "server.py").write_text(SERVER)
    with serve("m", f"python {tmp_path / 'server.py'} {{port}}") as address:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1", address)
    (tmp_path / "server.py").write_text("raise SystemExit('no such model')")
    with (
        pytest.raises(TeacherError, match="exited with code 1: no such model"),
        serve("m", f"python {tmp_path / 'server.py'} {{port}}"),
    ):
        pass


def test_an_error_of_the_calls_ends_with_the_last_output_of_the_server(tmp_path: Path) -> None:
    # `transformers serve` writes what went wrong, and replies "Internal Server Error".
    quiet = SERVER.replace("    tries = 0", "    tries = 0\n    log_message = lambda *_: None")
    (tmp_path / "server.py").write_text(f"print('no template\\n', flush=True)\n{quiet}")
    with (
        pytest.raises(TeacherError, match=r"^2 calls failed\. \(last output .*: no template\)$"),
        serve("m", f"python {tmp_path / 'server.py'} {{port}}"),
    ):
        raise TeacherError("2 calls failed.")


ECHO = """\
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
class Echo(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({})
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        message = {"role": "assistant", "content": Path(sys.argv[2], "weights").read_text()}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        self.answer({"id": "1", "object": "chat.completion", "created": 1, "choices": [choice]})
    def answer(self, value):
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
HTTPServer(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()
"""


def test_a_model_that_was_trained_again_into_the_same_folder_is_sampled_again(
    mirror: Path, tmp_path: Path
) -> None:
    model, out = tmp_path / "model", tmp_path / "samples.jsonl"
    model.mkdir()
    (tmp_path / "echo.py").write_text(ECHO)
    words = ["sample", model, "--how", "CoT", "--mirror", mirror, "--store", tmp_path / "store"]
    words += ["--server", f"python {tmp_path / 'echo.py'} {{port}} {{model}}", "-o", out]

    def answers(weights: str) -> set[str]:
        (model / "weights").write_text(weights)
        done = curator(*words)
        assert done.returncode == 0, done.stderr
        return {sample.text for each in read_samples(out) for sample in each.samples}

    assert answers("The answer is 7") == {"The answer is 7"}
    assert answers("The answer is 8") == {"The answer is 8"}
    assert "0 calls made" in curator(*words).stderr
    (model / "weights").write_text("The answer is 9")
    assert "1 call made" in curator(*words, "--limit", 1).stderr


def test_a_model_that_cannot_be_sampled_is_an_error_of_one_line_and_leaves_no_file(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    words = ["sample", "m", "--mirror", mirror, "--store", tmp_path / "store"]
    wrong = {
        ("--base-url", "localhost"): "base_url: ",
        ("--server", "'vllm"): "is not a valid server command: No closing quotation",
        ("--local", "--sets", "nope"): "No set named 'nope'",
        ("--how", "pot"): "'pot' is not one of",
    }
    for options, expected in wrong.items():
        done = curator(*words, *options, "-o", out / "samples.jsonl")
        assert done.returncode == 2 and expected in done.stderr, done.stderr
        assert done.stderr.count("\n") == 1
    monkeypatch.setattr("curator.teacher.dispatch.backoff_s", lambda tries: 0.01)
    words += ["--base-url", "http://127.0.0.1:9/v1", "-o", out / "samples.jsonl"]
    unreachable = CliRunner().invoke(app, [*map(str, words)]).exception
    assert isinstance(unreachable, TeacherError) and unreachable.exit_code == 1
    assert "no connection" in str(unreachable) and "\n" not in str(unreachable)
    assert not list(out.iterdir())


def test_a_folder_that_is_not_a_verifier_is_a_mistake_with_and_without_torch(
    tmp_path: Path,
) -> None:
    (tmp_path / "samples.jsonl").touch()
    done = curator("score", tmp_path / "samples.jsonl", "--verifier", tmp_path)
    assert done.returncode == 2 and str(tmp_path) in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_training_set_has_a_name_where_an_evaluation_set_has_the_same() -> None:
    evaluation, training = find_sets(SampleRequest(("gsm8k", "sources/gsm8k", "gsm8k")))
    assert (evaluation, training) == (EVALS["gsm8k"], SOURCES["gsm8k"])
    with pytest.raises(UsageError, match=r"Did you mean 'gsm8k'\?"):
        find_sets(SampleRequest(("sources/gsm8",)))


def test_two_sets_of_one_name_are_refused_before_any_call(tmp_path: Path) -> None:
    files = [tmp_path / "one" / "test.jsonl", tmp_path / "two" / "test.jsonl"]
    for file in files:
        file.parent.mkdir()
        file.write_text(json.dumps({"question": "Ann and Ben?", "gold": "1"}))
    with pytest.raises(UsageError, match=r"named 'test': .*one/test\.jsonl and .*two/test\.jsonl"):
        find_sets(SampleRequest(tuple(map(str, files))))
    (tmp_path / "gsm8k.jsonl").write_text("{}")
    with pytest.raises(UsageError, match="Two sets are named 'gsm8k'"):
        find_sets(SampleRequest(("gsm8k", str(tmp_path / "gsm8k.jsonl"))))
