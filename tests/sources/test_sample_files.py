"""Samples that other tools wrote are evaluated, or refused by a message that names them."""

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from curator.core.errors import UsageError
from curator.core.samples import Sample, SampledProblem, write_samples
from curator.sources.sample_files import read_any_samples

QUESTION = "A box holds 3 red pens and 5 blue pens. How many pens does it hold in all?"
RIGHT = "There are 3 + 5 pens in the box, which makes 8. The answer is 8."
PROGRAM = "total = 3 + 5\nprint(total)"
SAMPLES = (Sample("CoT", RIGHT), Sample("PoT", PROGRAM), Sample("CoT", "9"))


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def log(number: int, **values: Any) -> dict[str, Any]:
    doc = {"question": f"{QUESTION} ({number})", "answer": "3+5=8\n#### 8"}
    return {"doc_id": number, "doc": doc, "target": doc["answer"], "filter": "none", **values}


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_rows_with_generations_are_problems_with_samples(tmp_path: Path, name: str) -> None:
    row = {"question": QUESTION, "gold": "8", "generations": [RIGHT, PROGRAM, "9"]}
    assert list(read_any_samples(write(tmp_path / name, [row]))) == [
        SampledProblem(name, f"{name}:1", QUESTION, "8", samples=SAMPLES)
    ]


def test_a_log_of_the_harness_counts_each_problem_once(tmp_path: Path) -> None:
    rows = [
        log(number, resps=[[RIGHT, "9"]], filter=extraction)
        for extraction in ("strict-match", "flexible-extract")
        for number in range(2)
    ]
    found = list(read_any_samples(write(tmp_path / "samples_gsm8k.jsonl", rows)))
    assert [(each.id, each.gold, len(each.samples)) for each in found] == [
        ("0", "8", 2),
        ("1", "8", 2),
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (log(0, resps=[[["-1.2", "False"]]]), "likelihoods of choices"),
        ({"question": QUESTION, "generations": [RIGHT]}, "no column looks like a gold answer"),
        ({"question": QUESTION, "gold": "8"}, "no column looks like a response"),
        ({"gold": "8"}, "no column looks like a question. Expected samples"),
        ({"frage": QUESTION, "gold": "8"}, "curator evaluate --columns question=COLUMN"),
        ({"prompt": QUESTION, "gold": "8", "chosen": RIGHT, "rejected": "9"}, "like a response"),
        ({"train": [{"a": 1}], "test": [{"a": 2}]}, "several lists of rows"),
        ({"id": "1", "question": QUESTION, "gold": "8", "samples": [{"kind": "X"}]}, "kind 'X'"),
    ],
)
def test_other_rows_are_refused(tmp_path: Path, row: Mapping[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        list(read_any_samples(write(tmp_path / "rows.jsonl", [row])))


def test_named_columns_replace_the_detected_ones(tmp_path: Path) -> None:
    row = {"question": "Not this.", "task": QUESTION, "answer": "7", "key": "8", "texts": [RIGHT]}
    path = write(tmp_path / "rows.jsonl", [row])
    named = {"question": "task", "gold": "key", "response": "texts"}
    [problem] = read_any_samples(path, named)
    assert (problem.question, problem.gold) == (QUESTION, "8")
    assert problem.samples == SAMPLES[:1]
    with pytest.raises(UsageError, match=r"No column named 'keys'. Did you mean 'key'\?"):
        list(read_any_samples(path, {**named, "gold": "keys"}))


@pytest.mark.parametrize("form", ["own.jsonl", "own.json"])
def test_own_samples_may_have_other_names_of_columns(tmp_path: Path, form: str) -> None:
    samples = [{"kind": "CoT", "text": RIGHT}]
    row = {"id": "1", "problem": QUESTION, "answer": "8", "samples": samples}
    path = tmp_path / form
    path.write_text(json.dumps([row]) if form == "own.json" else json.dumps(row))
    [problem] = read_any_samples(path, {"question": "problem", "gold": "answer"})
    assert (problem.question, problem.gold) == (QUESTION, "8")
    with pytest.raises(UsageError, match=r"own\.json.*1.*'result'"):
        list(read_any_samples(path, {"question": "problem", "gold": "result"}))


def test_rows_without_ids_that_repeat_a_question_are_samples_of_one_problem(tmp_path: Path) -> None:
    other = f"{QUESTION} And half of them?"
    rows = [
        {"question": question, "gold": gold, "response": response}
        for response in (RIGHT, PROGRAM, "9")
        for question, gold in ((QUESTION, "8"), (other, "4"), (other, f"{len(response)}"))
    ]
    found = list(read_any_samples(write(tmp_path / "rows.jsonl", rows)))
    merged = [each for each in found if len(each.samples) == 3]
    assert [(each.id, each.question, each.gold) for each in merged] == [
        ("rows.jsonl:1", QUESTION, "8"),
        ("rows.jsonl:2", other, "4"),
    ]
    assert [each.samples for each in merged] == [SAMPLES, SAMPLES]
    assert len(found) == 5, "another gold is another problem"


def test_rows_of_other_choices_or_ids_are_other_problems(tmp_path: Path) -> None:
    row = {"question": QUESTION, "gold": "A", "response": "The answer is A."}
    lists = (["8", "9", "10", "11"], ["8", "9", "10", "11"], ["8", "7", "6", "5"])
    rows = [{**row, "choices": choices} for choices in lists]
    found = list(read_any_samples(write(tmp_path / "choices.jsonl", rows)))
    assert [len(each.samples) for each in found] == [2, 1]
    rows = [{**row, "gold": "8", "id": id_} for id_ in ("a", "b", "a")]
    found = list(read_any_samples(write(tmp_path / "ids.jsonl", rows)))
    assert {each.id: len(each.samples) for each in found} == {"a": 2, "b": 1}
    rows = [{**row, "gold": gold, "id": None} for gold in ("8", "9", "8")]
    found = list(read_any_samples(write(tmp_path / "no_ids.jsonl", rows)))
    assert {each.id: len(each.samples) for each in found} == {
        "no_ids.jsonl:1": 2,
        "no_ids.jsonl:2": 1,
    }


def test_a_column_named_filter_leaves_no_row_out(tmp_path: Path) -> None:
    rows = [
        {"question": f"{QUESTION} ({number})", "gold": "8", "output": [RIGHT], "filter": number}
        for number in range(3)
    ]
    assert len(list(read_any_samples(write(tmp_path / "rows.jsonl", rows)))) == 3


@pytest.mark.parametrize(
    ("name", "convert"),
    [
        ("own.jsonl", lambda data: b"\n" + data),
        ("own.jsonl.gz", gzip.compress),
        ("own.json", lambda data: b"[" + data.replace(b"\n", b",")[:-1] + b"]"),
        ("utf-16.jsonl", lambda data: data.decode().encode("utf-16")),
    ],
)
def test_own_samples_are_read_from_any_container(
    tmp_path: Path, name: str, convert: Callable[[bytes], bytes]
) -> None:
    problems = [SampledProblem("s", each, QUESTION, "8", samples=SAMPLES) for each in "ab"]
    write_samples(problems, tmp_path / "plain.jsonl")
    path = tmp_path / name
    path.write_bytes(convert((tmp_path / "plain.jsonl").read_bytes()))
    assert list(read_any_samples(path)) == problems


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"[]", b'{"Instances": []}', gzip.compress(b"", mtime=0)]
)
def test_a_file_without_rows_has_no_problems(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rows").write_bytes(content)
    assert not list(read_any_samples(tmp_path / "rows"))
