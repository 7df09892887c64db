"""Audits of datasets in many forms, with defects at known places."""

import csv
import json
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curator import RunOptions
from curator.core.errors import SourceError, UsageError
from curator.pipeline.audit.dataset import open_dataset
from curator.pipeline.audit.findings import Line
from curator.pipeline.audit.run import Audit, AuditRequest, audit
from curator.sources.chat_columns import kind_of
from curator.sources.detect_columns import detect
from curator.versions.rows import load
from datastore.store import Store
from tests.worlds import EVALUATION, RIGHT, curator, make_world

ASKED = RIGHT[0][0]
FAR = "A train runs at 60 km an hour for two and a half hours. How far does it go, in km?"
HOTEL = "A hotel has 12 floors of 8 rooms each, and 5 of them are shut. How many are open?"
ROWS: Sequence[tuple[str, str, str]] = [
    (ASKED, "Three baskets of 12 are 36 pears. The answer is 36.", "36"),
    (FAR, "print(60 * 2.5)", "150"),
    (FAR, "print(60 / 2.5)", "150"),
    (HOTEL, "print(12 * 8 - rooms)", "91"),
    (HOTEL, "There are 96 rooms and 91 are open. The answer is 91.", "91"),
    (HOTEL, "There are  96 rooms and 91 are open.  The answer is 91", "91"),
    (EVALUATION[0], "It loses 28 and has 62 left. The answer is 62.", "62"),
    ("What is the capital of all numbers here?", "I would rather not say.", "0"),
]
"""A wrong program at 3, one that fails at 4, a repetition at 6, an evaluation question at 7, a text
without an answer at 8."""


def write(path: Path, rows: Sequence[Mapping[str, Any] | str]) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    rows: list[Mapping[str, Any] | str] = [
        {"instruction": question, "output": text, "final_answer": gold}
        for question, text, gold in ROWS
    ]
    return write(tmp_path / "mixed.jsonl", [*rows, '{"instruction": "cut'])


def line(found: Audit, check: str) -> Line:
    (one,) = [each for each in found.lines if each.check == check]
    return one


def numbers(found: Audit) -> dict[str, tuple[int, int, int, int]]:
    return {
        each.check: (each.rows, each.failed, each.undecided, each.reported) for each in found.lines
    }


def test_every_planted_defect_is_reported_with_its_place(mixed: Path, tmp_path: Path) -> None:
    mirror, _ = make_world(tmp_path)
    found = audit(
        AuditRequest(str(mixed), licence="CC0-1.0"), tmp_path / "st", RunOptions(mirror=mirror)
    )
    assert found.kinds == {"CoT": 5, "PoT": 3}
    assert numbers(found) == {
        "malformed": (9, 1, 0, 0),
        "executed": (3, 1, 0, 0),
        "answer": (8, 1, 2, 0),
        "format": (8, 0, 0, 0),
        "verifiable": (8, 0, 0, 0),
        "duplicates": (8, 1, 0, 0),
        "contamination": (8, 1, 0, 0),
        "near duplicates": (8, 0, 0, 0),
        "length": (8, 0, 0, 0),
        "language": (8, 0, 0, 0),
        "licence": (8, 0, 0, 0),
        "golds": (6, 0, 0, 0),
    }
    places = {
        (check, each.reason): each.place
        for check in ("malformed", "executed", "answer", "duplicates", "contamination")
        for each in line(found, check).examples
    }
    first, second = places.pop(("duplicates", "duplicate")), ("mixed.jsonl:5", "mixed.jsonl:6")
    assert first in second
    assert places == {
        ("malformed", "not JSON"): "mixed.jsonl:9",
        ("executed", "error"): "mixed.jsonl:4",
        ("answer", "contradicts the gold"): "mixed.jsonl:3",
        ("answer", "states no answer"): "mixed.jsonl:8",
        ("contamination", "same question"): "mixed.jsonl:7",
    }
    assert "not compared with: math, math500" in line(found, "contamination").note
    assert found.clean == 3  # 1, 2, one of 5 and 6


def test_clean_rows_become_a_version_that_other_commands_read(mixed: Path, tmp_path: Path) -> None:
    mirror, _ = make_world(tmp_path)
    store = tmp_path / "st"
    found = audit(AuditRequest(str(mixed), fix="mine"), store, RunOptions(mirror=mirror))
    assert found.version == "mine@1"
    texts = {row["text"] for row in load("mine", store).to_pylist()}
    kept = {text for _, text, _ in (ROWS[0], ROWS[1])}
    assert kept < texts and len(texts) == found.clean == 3
    for command in (("show", "mine"), ("export", "mine", "-o", tmp_path / "rows.json")):
        done = curator(*command, "--store", store, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
    (wrong,) = (e for e in line(found, "answer").examples if e.reason == "contradicts the gold")
    story = curator("why", wrong.row, "--store", store, cwd=tmp_path).stdout
    assert "contradicts the gold" in story and "mixed.jsonl:3" in story


def test_a_damaged_object_of_an_audit_is_repaired_by_the_command_that_verify_prints(
    tmp_path: Path,
) -> None:
    mirror, _ = make_world(tmp_path)
    rows = [{"q": question, "a": f"[T]So.[/T]{text}", "g": gold} for question, text, gold in ROWS]
    file, store = write(tmp_path / "rows.jsonl", rows), tmp_path / "st"
    columns = {"question": "q", "response": "a", "gold": "g"}
    request = AuditRequest(
        str(file), columns, licence="MIT", limit=6, thoughts=[("[T]", "[/T]")], fix="mine"
    )
    made = audit(request, store, RunOptions(mirror=mirror)).manifest
    [digest] = made.objects["rationales"]["cot"]
    path = store / f"objects/{digest[:2]}/{digest}.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    found = json.loads(curator("verify", "--store", store, "--json").stdout)
    (repair,) = {damage["repair"] for damage in found["damage"]}
    assert curator(*shlex.split(repair)[1:]).returncode == 0
    assert path.read_bytes() == whole
    assert curator("verify", "--store", store).returncode == 0


def test_the_same_file_gives_the_same_version_in_another_store(mixed: Path, tmp_path: Path) -> None:
    versions = [
        audit(
            AuditRequest(str(mixed), fix="mine"),
            tmp_path / name,
            RunOptions(mirror=tmp_path / "none"),
        ).manifest
        for name in ("a", "b")
    ]
    assert versions[0].digest == versions[1].digest
    again = audit(
        AuditRequest(str(mixed), fix="mine"), tmp_path / "a", RunOptions(mirror=tmp_path / "none")
    )
    assert again.version == "mine@1"


def test_an_audit_without_fix_makes_no_version(mixed: Path, tmp_path: Path) -> None:
    audit(AuditRequest(str(mixed)), tmp_path / "st", RunOptions(mirror=tmp_path))
    with Store(tmp_path / "st") as store:
        assert store.versions.all() == []


TEXT = "He has three and then one more, which makes four. The answer is 4."
SHAPES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "MathInstruct": (
        {"source": "data/CoT/gsm_train.json", "instruction": ASKED, "output": TEXT},
        {"question": "instruction", "response": "output", "field": "source"},
    ),
    "MetaMathQA": (
        {"type": "GSM_AnsAug", "query": ASKED, "original_question": FAR, "response": TEXT},
        {"question": "query", "response": "response", "field": "type"},
    ),
    "OpenMathInstruct-2": (
        {
            "problem": ASKED,
            "generated_solution": TEXT,
            "expected_answer": "4",
            "problem_source": "math",
        },
        {
            "question": "problem",
            "response": "generated_solution",
            "gold": "expected_answer",
            "field": "problem_source",
        },
    ),
    "NuminaMath": (
        {
            "source": "olympiads",
            "problem": ASKED,
            "solution": TEXT,
            "messages": [
                {"role": "user", "content": ASKED},
                {"role": "assistant", "content": TEXT},
            ],
        },
        {"question": "problem", "response": "solution", "field": "source"},
    ),
    "messages": (
        {
            "messages": [
                {"role": "system", "content": "You are good at mathematics, and short."},
                {"role": "user", "content": ASKED},
                {"role": "assistant", "content": TEXT},
            ]
        },
        {"question": "messages", "response": "messages"},
    ),
    "ShareGPT": (
        {"conversations": [{"from": "human", "value": ASKED}, {"from": "gpt", "value": TEXT}]},
        {"question": "conversations", "response": "conversations"},
    ),
    "prompt and completion": (
        {"prompt": ASKED, "completion": TEXT},
        {"question": "prompt", "response": "completion"},
    ),
    "chats as prompt and completion": (
        {
            "prompt": [{"role": "user", "content": ASKED}],
            "completion": [{"role": "assistant", "content": TEXT}],
        },
        {"question": "prompt", "response": "completion"},
    ),
    "GSM8K": (
        {"question": ASKED, "answer": f"{TEXT}\n#### 4"},
        {"question": "question", "response": "answer"},
    ),
    "inside an object": (
        {"prompt": ASKED, "extra_info": {"answer": TEXT}, "reward_model": {"ground_truth": "4"}},
        {
            "question": "prompt",
            "response": "extra_info.answer",
            "gold": "reward_model.ground_truth",
        },
    ),
    "samples": (
        {"question": ASKED, "generated": ["print(3 + 1)", "ans = 4"], "answer": 4.0},
        {"question": "question", "response": "generated", "gold": "answer"},
    ),
    "Alpaca with the problem in its input": (
        {"instruction": "Solve:", "input": ASKED, "output": TEXT},
        {"question": "instruction", "response": "output"},
    ),
    "a prediction and a reference": (
        {"question": ASKED, "answer": TEXT, "model_prediction": TEXT},
        {"question": "question", "response": "model_prediction"},
    ),
    "parts of text": (
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": ASKED}]},
                {"role": "assistant", "content": [{"type": "text", "text": TEXT}]},
            ]
        },
        {"question": "messages", "response": "messages"},
    ),
    "names that say nothing": (
        {"a": ASKED, "b": TEXT, "c": 4},
        {"question": "a", "response": "b"},
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_columns_of_published_datasets_are_detected_and_read(shape: str, tmp_path: Path) -> None:
    row, expected = SHAPES[shape]
    found = audit(
        AuditRequest(str(write(tmp_path / "rows.jsonl", [row]))),
        tmp_path / "st",
        RunOptions(mirror=tmp_path),
    )
    assert {each.content: each.column for each in found.columns} == expected
    sure = {each.certainty for each in found.columns}
    assert sure == ({"guess"} if shape == "names that say nothing" else {"sure"})
    assert line(found, "malformed").failed == 0
    assert found.rows == (2 if shape == "samples" else 1)
    assert found.clean == 1, "a program that prints nothing is right, but not clean"
    answer = line(found, "answer")
    assert (answer.failed, answer.undecided, answer.rows > 0) == (0, 0, "gold" in expected)


def test_csv_and_parquet_are_read_like_json(tmp_path: Path) -> None:
    with (tmp_path / "a.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerows([("problem", "solution", "answer"), *ROWS[:3]])
    held = {"problem": [q for q, _, _ in ROWS[:3]], "solution": [t for _, t, _ in ROWS[:3]]}
    pq.write_table(pa.table(held | {"answer": [36, 150, 150]}), tmp_path / "a.parquet")
    for name in ("a.csv", "a.parquet"):
        found = audit(
            AuditRequest(str(tmp_path / name)), tmp_path / "st", RunOptions(mirror=tmp_path)
        )
        assert (found.kinds, line(found, "answer").failed) == ({"CoT": 1, "PoT": 2}, 1), name


def test_named_columns_override_detection_and_must_exist(tmp_path: Path) -> None:
    row = {"question": ASKED, "output": "print(1)", "mine": TEXT}
    (found,) = [c for c in detect([row], {"response": "mine"}) if c.content == "response"]
    assert (found.column, found.certainty) == ("mine", "given")
    with pytest.raises(UsageError, match="No column named 'other'"):
        detect([row], {"response": "other"})
    with pytest.raises(UsageError, match=r"looks like a response\. Name it with --response"):
        detect([{"question": ASKED}], {})
    with pytest.raises(UsageError, match="This is a preference set"):
        detect([{"prompt": ASKED, "chosen": TEXT, "rejected": TEXT}], {})


@pytest.mark.parametrize(
    ("row", "content", "column"),
    [
        ({"question": ASKED, "output": "It is 4.", "answer": TEXT}, "response", "output"),
        ({"question": ASKED, "solution": TEXT, "code": [TEXT], "gt": "4"}, "response", "code"),
        ({"ref": "train/algebra/000123.json", "text": ASKED, "output": TEXT}, "question", "text"),
    ],
)
def test_an_output_precedes_a_reference_and_an_id_is_no_question(
    row: Mapping[str, Any], content: str, column: str
) -> None:
    assert [each.column for each in detect([row], {}) if each.content == content] == [column]


def test_questions_with_golds_alone_are_audited_and_kept_as_problems(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "problem": ASKED, "answer": 36.0},
        {"id": 2, "problem": FAR, "answer": None},
        {"id": 3, "problem": ASKED, "answer": 36.0},
    ]
    path = write(tmp_path / "rows.jsonl", rows)
    request = AuditRequest(str(path), fix="problems")
    found = audit(request, tmp_path / "st", RunOptions(mirror=tmp_path))
    assert (found.rows, found.clean, line(found, "malformed").failed) == (3, 2, 0)
    assert (line(found, "length").rows, line(found, "length").note) == (0, "no row has a solution")
    kept = load("problems", store=tmp_path / "st")
    assert {(row["question"], row["gold"], row["text"]) for row in kept.to_pylist()} == {
        (FAR, "", ""),
        (ASKED, "36.0", ""),
    }


@pytest.mark.parametrize(
    "row",
    [
        {"problem": ASKED, "answer": 33, "problem_type": ["Number Theory"]},
        {"problem": ASKED, "answer": "18", "domain": ["Mathematics -> Algebra -> " * 5]},
        {"problem": ASKED, "answer": "18", "solution": ""},
        {"Body": FAR, "Question": "How many km?", "Answer": 51.0, "Equation": "( 76.0 - 25.0 )"},
        {
            "prompt": [{"role": "user", "content": ASKED}],
            "reward_model": {"ground_truth": "34", "style": "rule"},
        },
    ],
)
def test_neither_topics_nor_blank_cells_are_responses(row: Mapping[str, Any]) -> None:
    assert [each.content for each in detect([row] * 3, {})] == ["question", "gold"]


def test_rows_without_responses_are_counted_as_questions(tmp_path: Path) -> None:
    rows = [{"question": ASKED, "answer": "36"}, {"question": FAR}]
    path = write(tmp_path / "rows.jsonl", rows)
    printed = curator("audit", path, "--store", tmp_path / "st").stdout
    assert "2 rows (2 questions)" in " ".join(printed.split())  # a long path wraps the line
    assert audit(AuditRequest(str(path)), tmp_path / "st").kinds == {"questions": 2}


def test_a_chat_of_several_turns_is_refused_with_what_to_do(tmp_path: Path) -> None:
    turns = [("user", ASKED), ("assistant", TEXT), ("user", "Sure?"), ("assistant", "Yes.")]
    chat = {"messages": [{"role": role, "content": text} for role, text in turns]}
    with pytest.raises(SourceError, match="a chat of several turns: keep one question and its"):
        audit(AuditRequest(str(write(tmp_path / "rows.jsonl", [chat]))), tmp_path / "st")


def test_a_column_that_an_option_names_is_not_taken_for_another_content() -> None:
    row = {"q": "1 + 1?", "mine": TEXT}
    with pytest.raises(UsageError, match="No column looks like a question"):
        detect([row], {"response": "mine"})


def test_a_short_question_is_found_by_its_name_and_no_response_is_taken_for_one() -> None:
    row = {"question": "1 + 1?", "response": TEXT, "answer": "2"}
    found = {each.content: (each.column, each.certainty) for each in detect([row], {})}
    assert found["question"] == ("question", "likely") and found["response"][0] == "response"
    with pytest.raises(UsageError, match="No column looks like a question"):
        detect([{"q": "1 + 1?", "response": TEXT, "answer": "2"}], {})


def test_an_answer_that_a_text_does_not_state_is_not_extracted(tmp_path: Path) -> None:
    rows = [{"question": ASKED, "solution": "He counts all the pears, twice over.", "gold": "36"}]
    found = audit(
        AuditRequest(str(write(tmp_path / "rows.jsonl", rows))),
        tmp_path / "st",
        RunOptions(mirror=tmp_path),
    )
    assert line(found, "answer").reasons == {"states no answer": 1}


def test_golds_are_filled_only_for_questions_that_a_source_shares(tmp_path: Path) -> None:
    mirror, _ = make_world(tmp_path)
    folder = mirror / "sources" / "aqua_rat"
    folder.mkdir()
    options = ["A)4", "B)9", "C)25"]
    aqua = {"question": FAR, "options": options, "rationale": "x", "correct": "B"}
    write(folder / "dev.json", [aqua])
    stated = {"question": HOTEL, "answer": "x\n#### 91"}
    path = mirror / "sources" / "gsm8k" / "rows.jsonl"
    twice = [json.dumps(stated), json.dumps(stated | {"answer": "x\n#### 92"})]
    path.write_text(path.read_text() + "\n".join(twice) + "\n")
    rows = [
        (ASKED.upper(), "The answer is 36."),  # the same except for case
        (f"{ASKED} Tell me.", "The answer is 1."),  # another question
        (HOTEL, "The answer is 1."),  # the source has two golds
        (f"{FAR} Answer Choices: (A) 4 (B) 9 (C) 25", "The answer is B."),
        (
            f"{FAR} Answer Choices: (A) 25 (B) 4 (C) 9",
            "The answer is C.",
        ),  # choices in another order
        (FAR, "print(3 * 3)"),  # no choices: the gold is a text
        (FAR, "print(3 * 3.5)"),
    ]
    given = [{"instruction": question, "output": text} for question, text in rows]
    file = write(tmp_path / "rows.jsonl", given)
    found = audit(AuditRequest(str(file)), tmp_path / "st", RunOptions(mirror=mirror))
    answer = line(found, "answer")
    assert (answer.rows, answer.failed, answer.undecided) == (4, 1, 0)
    assert answer.examples[0].place == "rows.jsonl:7"
    assert answer.note.endswith(
        "3 without a gold answer, questions filled from: aqua_rat 3, gsm8k 1, "
        "executed: 1, independent: 2"
    )


@pytest.mark.parametrize("text", [
    "import math\nprint(math.pi)",
    "```python\nx = 1\nprint(x)\n```",
    "# how many\na = 3\nans = a * 2",
    "def solution():\n    return 3",
    "x, y = 1, 2\nprint(x + y)",
])  # fmt: skip
def test_programs_are_detected_as_pot(text: str) -> None:
    assert kind_of(text) == "PoT"


@pytest.mark.parametrize("text", [
    "We import 3 * 4 = 12 apples and print(ed) labels.",
    "Let x = 3.\nThen print(x) would show 3. The answer is 3.",
    "x = 5 so that 2x = 10",
    "First I write code:\n```python\nprint(1)\n```\nThe answer is 1.",
    "The answer is 36",
])  # fmt: skip
def test_prose_about_code_is_detected_as_cot(text: str) -> None:
    assert kind_of(text) == "CoT"


def test_lengths_scripts_and_licences_are_reported(tmp_path: Path) -> None:
    plain = [{"question": f"{ASKED} {n}", "response": TEXT} for n in range(30)]
    odd = [
        {"question": f"{ASKED} long", "response": "so " * 900 + TEXT},
        {
            "question": "梨が三籠に十二個ずつあります。全部でいくつですか。",
            "response": "答えは36です。",
        },
        {"question": "Find α + β if α = 2 and β = 3, in Greek.", "response": TEXT},
    ]
    file = write(tmp_path / "rows.jsonl", [*plain, *odd])
    found = audit(AuditRequest(str(file)), tmp_path / "st", RunOptions(mirror=tmp_path))
    assert [e.place for e in line(found, "length").examples] == ["rows.jsonl:31"]
    assert [e.place for e in line(found, "language").examples] == ["rows.jsonl:32"]
    licence = line(found, "licence")
    assert (licence.undecided, licence.reasons, licence.note) == (33, {"none stated": 33}, "")
    parts = [
        {"source": f"data/CoT/{part}.json", "instruction": f"{ASKED} {part}", "output": TEXT}
        for part in ("gsm_train", "gsm_rft", "math50k_camel")
    ]
    file = write(tmp_path / "p.jsonl", parts)
    found = audit(
        AuditRequest(str(file), licence="MIT", fix="parts"),
        tmp_path / "st",
        RunOptions(mirror=tmp_path),
    )
    held = {row["licence"] for row in load("parts", tmp_path / "st").to_pylist()}
    assert held == {
        "MIT",
        "none stated",
        "CC-BY-NC-4.0",
    }  # the licence of the dataset hides none of them
    assert line(found, "licence").reasons == {
        "none stated": 1,
        "not for commercial use: CC-BY-NC-4.0": 1,
    }
    assert line(found, "licence").note == "CC-BY-NC-4.0 1, MIT 1 (by MathInstruct's parts)"


def run(*args: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return curator("audit", *args, "--mirror", cwd, "--store", cwd / "st", cwd=cwd)


def test_bad_rows_are_reported_and_the_command_succeeds(mixed: Path) -> None:
    done = run(mixed.name, cwd=mixed.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "rows are clean; save them as a version with --fix NAME." in done.stdout
    assert done.stdout.endswith("do not count as\nclean; --keep-undecided keeps them.\n")
    report = json.loads(run(mixed.name, "--json", cwd=mixed.parent).stdout)
    assert {each["check"] for each in report["checks"]} > {"malformed", "near duplicates"}
    assert report["version"] is None and report["kinds"] == {"CoT": 5, "PoT": 3}


def test_the_report_page_is_written_without_a_version(mixed: Path) -> None:
    done = run(mixed.name, "--report", "page.html", cwd=mixed.parent)
    assert (done.returncode, done.stderr) == (0, "")
    page = (mixed.parent / "page.html").read_text()
    assert "print(60 / 2.5)" in page and "<script src" not in page
    again = run(mixed.name, "--report", "page.html", cwd=mixed.parent)
    assert again.returncode == 2 and "page.html exists" in again.stderr


@pytest.mark.parametrize(
    "row",
    [
        {"question": [{}] * 300_000},
        {"question": {"text": [[]] * 300_000}},
        dict.fromkeys(map(str, range(300_000)), ""),
    ],
    ids=["list", "object", "columns"],
)
def test_the_sample_ends_after_few_rows_that_take_much_memory(tmp_path: Path, row: Any) -> None:
    file = write(tmp_path / "rows.jsonl", [row] * 10)
    assert len(open_dataset(str(file), "", "train", "").sample) < 5


def test_the_sample_counts_binary_cells(tmp_path: Path) -> None:
    pq.write_table(pa.table({"q": pa.array([b"x" * (8 << 20)] * 20)}), tmp_path / "rows.parquet")
    assert len(open_dataset(str(tmp_path / "rows.parquet"), "", "train", "").sample) < 8


def test_a_limit_reads_only_the_first_records(mixed: Path) -> None:
    report = json.loads(run(mixed.name, "--limit", "3", "--json", cwd=mixed.parent).stdout)
    assert report["rows"] == 3


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("nothing.jsonl",), 2, "There is no file nothing.jsonl. Name a file, or a Hub dataset"),
        ((".",), 2, ". is a folder. Name a file"),
        (("/dev/null",), 2, "/dev/null is not a regular file. Copy its content to a file"),
        (("loop",), 2, "There is no file loop. Name a file"),
        (("mixed.jsonl", "--fix", "A name"), 2, "'A name' is not a valid version name"),
        (("mixed.jsonl", "--gold-from", "gsm9k"), 2, "Did you mean 'gsm8k'?"),
        (("mixed.jsonl", "--gold-from", "gsm8k"), 1, "no data file in"),
        (("mixed.jsonl", "--response", "outputs"), 2, "No column named 'outputs'"),
        (("bad.jsonl",), 1, "None of the first 3 records can be read; the first at bad.jsonl:1: "),
        (("",), 2, ". is a folder. Name a file, or a pattern such as './*.jsonl'."),
        (("blank.jsonl",), 1, "None of 2 records can be read as a row; the first at blank.jsonl:1"),
    ],
)
def test_an_audit_that_is_impossible_fails_with_one_line(
    args: tuple[str, ...], code: int, said: str, mixed: Path
) -> None:
    (mixed.parent / "loop").symlink_to("loop")
    write(mixed.parent / "bad.jsonl", ["}{", "\x00", "[1, 2]"])
    write(mixed.parent / "blank.jsonl", [{"question": [ASKED], "output": ""}] * 2)
    if args[0] == "blank.jsonl":
        args = (*args, "--question", "question", "--response", "output")
    done = run(*args, cwd=mixed.parent)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr and len(done.stderr.splitlines()) == 1


def test_hostile_rows_are_printed_without_control_characters(tmp_path: Path) -> None:
    rows = [{"question": f"\x1b[31m{ASKED}\x07", "response": "\x1b]0;gone\x07" + TEXT, "gold": "5"}]
    write(tmp_path / "rows.jsonl", rows)
    done = run("rows.jsonl", cwd=tmp_path)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout and "\x07" not in done.stdout
    write(tmp_path / "names.jsonl", [{"\x1b[31mred": 1, "\x9b2J": {"\x07": 2}}])
    done = run("names.jsonl", cwd=tmp_path)
    assert done.returncode == 2
    assert "Columns: <U+001B>[31mred, <U+009B>2J" in done.stderr and not {
        "\x1b",
        "\x9b",
        "\x07",
    } & {*done.stderr}


def test_a_file_whose_name_is_not_utf_8_is_rejected() -> None:
    with pytest.raises(UsageError, match="is not valid UTF-8"):
        open_dataset("a\udcff.jsonl", "", "", "")


def test_several_responses_to_a_question_have_a_solve_rate(tmp_path: Path) -> None:
    answers = {
        "10": ["10"] * 4,
        "11": ["11", "7", "7", "7", "11"],
        "12": ["7", "", "8", "9"],
        "13": ["13"] * 3,
        "": ["1", "2", "3", "4"],
    }
    rows = [
        {
            "question": f"How many legs have {n} cats and a dog?",
            "gold": gold,
            "response": [f"The answer is {each}." if each else "Who knows?" for each in given],
        }
        for n, (gold, given) in enumerate(answers.items())
    ]
    file = write(tmp_path / "rows.jsonl", rows)
    found = audit(AuditRequest(str(file)), tmp_path / "st", RunOptions(mirror=tmp_path))
    assert line(found, "solve rate").note == (
        "4 questions with 4 responses or more: 1 never solved, 1 sometimes, 1 always, 1 undecided"
    )
    single = write(tmp_path / "one.jsonl", [row | {"response": "The answer is 1."} for row in rows])
    found = audit(AuditRequest(str(single)), tmp_path / "st", RunOptions(mirror=tmp_path))
    assert "solve rate" not in {each.check for each in found.lines}
