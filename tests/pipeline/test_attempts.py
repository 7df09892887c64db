"""Attempts: of a teacher and of files, counted by problem and model, and the rates of them."""

import bz2
import gzip
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from curator import build
from curator.core.errors import UsageError
from curator.core.model import Problem
from curator.pipeline.requests import messages_of
from curator.pipeline.reverify import reverify
from curator.versions.diff import recipe_changes
from curator.versions.report.write import write_report
from curator.versions.views import run_query
from curator.writers.prompt_templates import Prompts
from datastore.store import Store
from tests.worlds import curator

RECIPE = """\
name: tried
about: programs that a teacher wrote, and what another model answered
subsets:
  one:
    source: {file: rows.jsonl, columns: {question: q, gold: a}, licence: MIT}
    kind: PoT
    writers: [pot]
screens: {contamination: null}
teacher: {model: m, replay: calls.jsonl, family: replay, parameters: {max_tokens: 100}}
sampling: {tries: 4}
"""
FILE = RECIPE + "attempts: [{file: other.jsonl, model: other}]\n"
GOLDS = {
    "What is two plus two, as a number?": "4",
    "What is three plus two, as a number?": "5",
    "What is nine plus two, as a number?": "11",
}
TWO, THREE, NINE = GOLDS
GOOD, WRONG, BROKEN, NONE = "print({})", "print(-1)", "print(one + 2)", "I cannot say."
REPLIES = {
    TWO: [GOOD, GOOD, GOOD, GOOD],
    THREE: [GOOD, WRONG, BROKEN, NONE],
    NINE: [WRONG, WRONG, NONE, NONE],
}
"""Each program that repeats another one of its problem is an attempt of its own."""


def write_world(folder: Path, recipe: str = RECIPE, other: object = None) -> Path:
    rows = [json.dumps({"q": question, "a": gold}) for question, gold in GOLDS.items()]
    (folder / "rows.jsonl").write_text("\n".join(rows))
    lines = []
    for question, replies in REPLIES.items():
        messages = messages_of(Prompts(), "pot", Problem("x", question, ""))
        for sample, reply in enumerate(replies):
            code = f"```python\n{reply.format(GOLDS[question])}\n```" if reply != NONE else NONE
            line = {"model": "m", "messages": messages[-1:], "sample": sample, "reply": code}
            lines.append(json.dumps(line))
    (folder / "calls.jsonl").write_text("\n".join(lines))
    if other is not None:
        text = other if isinstance(other, str) else "\n".join(map(json.dumps, other))  # type: ignore[call-overload]
        (folder / "other.jsonl").write_text(text)
    path = folder / "tried.yaml"
    path.write_text(recipe)
    return path


def sampled(question: str, *texts: str, **more: Any) -> dict[str, Any]:
    """A line as `curator sample` writes it."""
    samples = [{"kind": "PoT" if "print" in each else "CoT", "text": each} for each in texts]
    return {"id": question, "question": question, "gold": "unused", "samples": samples} | more


def rates(store: Path, columns: str = "successes, failures, undecided") -> dict[Any, Any]:
    query = (
        f"SELECT question, model, {columns} FROM solve_rate JOIN problems p "
        "ON p.id = problem_id AND p.version = solve_rate.version "
        "WHERE p.version = (SELECT max(version) FROM versions)"
    )
    with Store(store, readonly=True) as opened:
        return {tuple(row[:2]): row[2:] for row in run_query(opened, query)[1]}


def test_the_attempts_of_a_teacher_are_counted_with_their_verdicts(tmp_path: Path) -> None:
    build(write_world(tmp_path), tmp_path / "store")
    assert rates(tmp_path / "store") == {
        (TWO, "m"): (4, 0, 0),
        (THREE, "m"): (1, 3, 0),
        (NINE, "m"): (0, 4, 0),
    }
    # The interval of 1 in 4 is that of statsmodels' proportion_confint(1, 4, method="wilson").
    assert rates(tmp_path / "store", "attempts, rate, round(low, 4), round(high, 4)") == {
        (TWO, "m"): (4, 1.0, 0.5101, 1.0),
        (THREE, "m"): (4, 0.25, 0.0456, 0.6994),
        (NINE, "m"): (4, 0.0, 0.0, 0.4899),
    }


def test_failed_calls_are_no_attempts(tmp_path: Path) -> None:
    recipe = write_world(tmp_path)
    lines = (tmp_path / "calls.jsonl").read_text().splitlines()
    (tmp_path / "calls.jsonl").write_text("\n".join(lines[:-2]))  # two calls for NINE fail
    build(recipe, tmp_path / "store")
    assert rates(tmp_path / "store")[NINE, "m"] == (0, 2, 0)


def test_a_repaired_program_is_one_attempt_with_the_program_in_its_place(tmp_path: Path) -> None:
    recipe = write_world(tmp_path, RECIPE.replace("tries: 4", "tries: 4, repair: true"))
    error = "NameError: name 'one' is not defined (line 1)"
    messages = Prompts().messages("repair", question=THREE, options="", program=BROKEN, error=error)
    code = "```python\nprint(5)\n```"
    line = {"model": "m", "messages": messages[-3:], "sample": 2, "reply": code}
    with (tmp_path / "calls.jsonl").open("a") as file:
        file.write(f"\n{json.dumps(line)}")
    made = build(recipe, tmp_path / "store")
    assert made.content["subsets"]["one"]["taught"]["repaired"] == 1
    assert rates(tmp_path / "store")[THREE, "m"] == (2, 2, 0)


def test_a_reply_that_states_no_answer_is_a_failure(tmp_path: Path) -> None:
    text = RECIPE.replace("kind: PoT", "kind: CoT").replace("[pot]", "[cot]")
    recipe = write_world(tmp_path, text.replace("tries: 4", "tries: 2"))
    lines = []
    for question, gold in GOLDS.items():
        messages = messages_of(Prompts(), "cot", Problem("x", question, ""))
        for sample, reply in enumerate([f"We add.\nThe answer is {gold}.", "Hard to say."]):
            line = {"model": "m", "messages": messages[-1:], "sample": sample, "reply": reply}
            lines.append(json.dumps(line))
    (tmp_path / "calls.jsonl").write_text("\n".join(lines))
    build(recipe, tmp_path / "store")
    assert set(rates(tmp_path / "store").values()) == {(1, 1, 0)}


def test_a_file_of_samples_is_graded_against_the_golds_of_the_version(tmp_path: Path) -> None:
    other = [
        sampled(TWO, "2 + 2 = 4. The answer is 4.", "print(5)", "print(4)", ""),
        sampled("  what is THREE plus two,  as a number? ", "The answer is 5.", "Hard to say."),
    ]
    made = build(write_world(tmp_path, FILE, other), tmp_path / "store")
    found = rates(tmp_path / "store")
    assert found[TWO, "other"] == (2, 2, 0) and found[THREE, "other"] == (1, 1, 0)
    assert found[TWO, "m"] == (4, 0, 0) and (NINE, "other") not in found
    stated = made.content["attempts"]["other.jsonl"]
    assert stated["model"] == "other"
    assert stated["counts"] == {"successes": 3, "failures": 3, "undecided": 0}


def test_a_file_with_responses_by_question_is_read_as_well(tmp_path: Path) -> None:
    other = [
        {"question": TWO, "response": ["The answer is 4.", "The answer is 3."]},
        {"question": NINE, "response": ["The answer is 11."]},
    ]
    build(write_world(tmp_path, FILE, other), tmp_path / "store")
    found = rates(tmp_path / "store")
    assert (found[TWO, "other"], found[NINE, "other"]) == ((1, 1, 0), (1, 0, 0))


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("other.jsonl.gz", gzip.compress),
        ("other.jsonl.bz2", bz2.compress),
        ("other.jsonl.zst", lambda data: pa.compress(data, "zstd", asbytes=True)),
        ("other.json", lambda data: b"[" + b",\n".join(data.splitlines()) + b"]"),
        ("other", lambda data: data.decode().encode("utf-16")),
    ],
)
def test_attempts_may_be_in_any_container_that_evaluate_reads(
    name: str, pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    other = [sampled(TWO, "The answer is 4.", "The answer is 3."), sampled(NINE, "print(11)")]
    recipe = write_world(tmp_path, FILE.replace("other.jsonl", name))
    (tmp_path / name).write_bytes(pack("\n".join(map(json.dumps, other)).encode()))
    build(recipe, tmp_path / "store")
    found = rates(tmp_path / "store")
    assert (found[TWO, "other"], found[NINE, "other"]) == ((1, 1, 0), (1, 0, 0))


def test_a_log_of_an_evaluation_harness_is_a_file_of_attempts(tmp_path: Path) -> None:
    replies = [["The answer is 4.", "The answer is 3."]]
    log = {"doc": {"question": TWO, "answer": "#### 4"}, "target": "4", "resps": replies}
    recipe = write_world(tmp_path, FILE, json.dumps({**log, "doc_id": 0, "filter": "none"}))
    build(recipe, tmp_path / "store")
    assert rates(tmp_path / "store")[TWO, "other"] == (1, 1, 0)


def test_a_compressed_file_that_is_cut_is_read_up_to_its_damage(tmp_path: Path) -> None:
    other = [sampled(TWO, f"The answer is {n}.", str(os.urandom(90))) for n in range(500)]
    recipe = write_world(tmp_path, FILE.replace("other.jsonl", "other.jsonl.gz"))
    packed = gzip.compress("\n".join(map(json.dumps, other)).encode())
    (tmp_path / "other.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    made = build(recipe, tmp_path / "store")
    counts = made.content["attempts"]["other.jsonl.gz"]["counts"]
    # the line that was cut, and the damage itself
    assert counts["successes"] == 1 and counts["unused: not a problem with samples"] == 2


HOSTILE = {
    "not JSON": "{",
    "a list": "[1]",
    "a number for the question": json.dumps(sampled(TWO) | {"question": 7}),
    "samples of another type": json.dumps(sampled(TWO) | {"samples": {"kind": "CoT"}}),
    "an unknown kind": json.dumps(sampled(TWO) | {"samples": [{"kind": "XoT", "text": "4"}]}),
    "a score of 1e999": json.dumps(sampled(TWO, "4")).replace('"text"', '"score": 1e999, "text"'),
    "a number of 5,000 digits": json.dumps(sampled(TWO)).replace("[]", f"[{'9' * 5_000}]"),
    "lists in lists": '{"question": ' + "[" * 50_000 + "]" * 50_000 + ', "samples": []}',
    "a NUL": json.dumps(sampled(TWO)) + "\0",
}


def test_lines_that_cannot_be_read_are_kept_with_their_reason(tmp_path: Path) -> None:
    lines = [json.dumps(sampled(TWO, "The answer is 4.", "\ud800")), *HOSTILE.values()]
    made = build(write_world(tmp_path, FILE, "\n".join(lines)), tmp_path / "store")
    assert made.content["attempts"]["other.jsonl"]["counts"] == {
        "successes": 1,
        "failures": 1,
        "undecided": 0,
        "unused: not a problem with samples": len(HOSTILE),
    }
    query = "SELECT place, raw FROM quarantine WHERE subset = 'other.jsonl' ORDER BY place"
    with Store(tmp_path / "store", readonly=True) as opened:
        kept = dict(run_query(opened, query)[1])
    places = {f"other.jsonl:{number}" for number, _ in enumerate(HOSTILE, 2)}
    assert kept.keys() == places
    assert all(kept.values()) and max(map(len, kept.values())) <= 10_000


def test_solutions_to_unknown_questions_are_listed_and_counted(tmp_path: Path) -> None:
    other = [
        sampled("What is six plus two?", "The answer is 8.", "The answer is 9."),
        sampled("What is two minus two, as a number?", "The answer is 0."),
        sampled(TWO, "The answer is 4."),
    ]
    made = build(write_world(tmp_path, FILE, other), tmp_path / "store")
    counts = made.content["attempts"]["other.jsonl"]["counts"]
    assert counts["unused: unknown question"] == 3 and counts["successes"] == 1
    query = "SELECT place, reason, raw FROM quarantine WHERE subset = 'other.jsonl' ORDER BY place"
    with Store(tmp_path / "store", readonly=True) as opened:
        assert run_query(opened, query)[1] == [
            ("other.jsonl:1 sample 1", "unknown question", "What is six plus two?"),
            ("other.jsonl:2 sample 1", "unknown question", "What is two minus two, as a number?"),
        ]


def test_a_problem_without_a_gold_answer_has_undecided_attempts(tmp_path: Path) -> None:
    recipe = write_world(tmp_path, FILE, [sampled(TWO, "The answer is 4.")])
    rows = (tmp_path / "rows.jsonl").read_text().replace('"a": "4"', '"a": ""')
    (tmp_path / "rows.jsonl").write_text(rows)
    build(recipe, tmp_path / "store")
    assert rates(tmp_path / "store", "successes, undecided, rate")[TWO, "other"] == (0, 1, None)


def test_the_same_files_give_the_same_version_in_another_store(tmp_path: Path) -> None:
    other = [sampled(TWO, "The answer is 4."), sampled("Unknown?", "The answer is 4.")]
    recipe = write_world(tmp_path, FILE, other)
    first, second = build(recipe, tmp_path / "a"), build(recipe, tmp_path / "b")
    assert first.digest == second.digest
    keys = ("solve_counts", "attempts", "solutions", "unused")
    assert all(first.objects[key] == second.objects[key] for key in keys)
    assert build(recipe, tmp_path / "a").ref == first.ref
    (tmp_path / "other.jsonl").write_text(json.dumps(sampled(TWO, "The answer is 5.")))
    third = build(recipe, tmp_path / "a")
    assert third.ref == "tried@2" and third.digest != first.digest


def test_reverify_counts_the_attempts_without_the_file(tmp_path: Path) -> None:
    recipe = write_world(tmp_path, FILE, [sampled(TWO, "The answer is 4.")])
    made = build(recipe, tmp_path / "store")
    (tmp_path / "other.jsonl").unlink()
    assert reverify("tried", tmp_path / "store").ref == made.ref


def test_a_missing_file_and_a_file_without_responses_are_errors(tmp_path: Path) -> None:
    recipe = write_world(tmp_path, FILE)
    with pytest.raises(UsageError, match=r"^Cannot read the attempts at .*other\.jsonl: No such"):
        build(recipe, tmp_path / "store")
    (tmp_path / "other.jsonl").write_text(json.dumps({"question": TWO, "gold": "4"}))
    message = r"no column of responses was found\. Columns: question, gold\. Rename the one with"
    with pytest.raises(UsageError, match=message):
        build(recipe, tmp_path / "store")
    (tmp_path / "other.jsonl").write_text("\n")
    with pytest.raises(UsageError, match=r"no column of questions was found\. Columns: none\."):
        build(recipe, tmp_path / "store")


def test_a_first_line_that_cannot_be_read_does_not_hide_the_samples_behind_it(
    tmp_path: Path,
) -> None:
    lines = ["", '{"id": "1", "question": ', "[1]", json.dumps(sampled(TWO, "The answer is 4."))]
    made = build(write_world(tmp_path, FILE, "\n".join(lines)), tmp_path / "store")
    counts = made.content["attempts"]["other.jsonl"]["counts"]
    assert counts["unused: not a problem with samples"] == 2 and counts["successes"] == 1


@pytest.mark.parametrize("name", ["pipe", "/dev/zero", "folder"])
def test_what_is_no_regular_file_is_refused_before_it_is_read(name: str, tmp_path: Path) -> None:
    recipe = write_world(tmp_path, FILE.replace("other.jsonl", name))
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match=rf"{name} is not a regular file\. Name a file of"):
        build(recipe, tmp_path / "store")


def test_show_and_the_report_state_what_came_of_each_file(tmp_path: Path) -> None:
    other = [sampled(TWO, "The answer is 4.", "4?"), sampled("Unknown?", "1", "2"), "no problem"]
    build(write_world(tmp_path, FILE, other), tmp_path / "store")
    shown = curator("show", "tried", "--store", tmp_path / "store").stdout
    assert re.search(r"^other\.jsonl +other +1 +1 +· +3$", shown, re.M), shown
    with Store(tmp_path / "store", readonly=True) as store:
        write_report(store, store.versions.get("tried"), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "other.jsonl: 2 solutions not used (unknown question)" in page
    assert "other.jsonl: 1 solution not used (not a problem with samples)" in page


def test_diff_names_each_file_of_attempts_that_changed(tmp_path: Path) -> None:
    recipe = write_world(tmp_path, FILE, [sampled(TWO, "The answer is 4.")])
    first = build(recipe, tmp_path / "store")
    assert recipe_changes(first, first) == []
    (tmp_path / "moved.jsonl").write_text((tmp_path / "other.jsonl").read_text())
    recipe.write_text(FILE.replace("other.jsonl", "moved.jsonl"))
    assert recipe_changes(first, build(recipe, tmp_path / "store")) == []
    recipe.write_text(FILE.replace("model: other", "model: another"))
    [change] = recipe_changes(first, build(recipe, tmp_path / "store"))
    assert change.key == "attempts.other.jsonl"
    assert change.was.startswith('"other ') and change.now.startswith('"another ')
    (tmp_path / "other.jsonl").write_text(json.dumps(sampled(TWO, "The answer is 5.")))
    recipe.write_text(FILE)
    [change] = recipe_changes(first, build(recipe, tmp_path / "store"))
    assert change.key == "attempts.other.jsonl" and change.was != change.now


def test_a_version_without_attempts_has_no_rates(tmp_path: Path) -> None:
    text = RECIPE.replace("writers: [pot]", "writers: [question]\n    checks: []")
    recipe = write_world(tmp_path, text.replace("kind: PoT", "kind: CoT"))
    made = build(recipe, tmp_path / "store")
    assert rates(tmp_path / "store") == {} and "solve_counts" not in made.objects


@pytest.mark.parametrize(
    ("name", "least"), [("gpt4.json", 1_200), ("metamath_70b.json", 1_000), ("abel_7b.json", 700)]
)
def test_published_answers_to_gsm8k_test_are_read_and_matched(
    name: str, least: int, tmp_path: Path, shared: Path
) -> None:
    golds = [json.loads(line) for line in (shared / "evals/gsm8k/test.jsonl").open()]
    rows = [{"q": row["question"], "a": row["answer"].rpartition("#### ")[2]} for row in golds]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    text = FILE[: FILE.index("teacher:")] + FILE[FILE.index("attempts:") :]
    text = text.replace("writers: [pot]", "writers: [question]").replace("kind: PoT", "kind: CoT")
    recipe = tmp_path / "real.yaml"
    recipe.write_text(text.replace("other.jsonl", str(shared / "outputs/gsm8k_systems" / name)))
    made = build(recipe, tmp_path / "store")
    [stated] = made.content["attempts"].values()
    assert stated["counts"].keys() == {"successes", "failures", "undecided"}
    assert sum(stated["counts"].values()) == 1_319
    assert stated["counts"]["successes"] >= least
