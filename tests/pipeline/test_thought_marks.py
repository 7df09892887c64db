"""Marks of thoughts that a recipe names become Curator's own where texts are read."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from curator import build
from curator.core.errors import RecipeError
from curator.core.thoughts import rewrite_marks
from curator.recipe.load import load_recipe
from curator.release.export import ExportOptions, export
from curator.versions.report.write import write_report
from curator.versions.rows import load
from datastore.store import Store
from tests.worlds import curator

MARKS = '[["<<plan>>", "<<end of plan>>"], ["Here is my thought process:", "Here is my response:"]]'
RECIPE = """\
name: marked
about: traces with unusual marks
THOUGHTS
subsets:
  one:
    source: {file: rows.jsonl, columns: {question: q, gold: a, response: r}, licence: MIT}
    kind: CoT
    part: CoT
    writers: [verbatim]
    checks: [answer, format, trace]
  two:
    source: {file: rows.jsonl, columns: {question: q, gold: a, solution: s}, licence: MIT}
    kind: CoT
screens: {contamination: null, duplicates: false}
"""
ROWS = [
    {
        "q": "How many are two and two?",
        "a": "4",
        "r": "<<plan>>2 + 2 = 4, or 5?<<end of plan>>\n\nThe answer is 4.",
        "s": "Here is my thought process:\n2 + 2\nHere is my response:\nThe answer is 4.",
    },
    {
        "q": "How many are two and three?",
        "a": "5",
        "r": "<<plan>>2 + 3 = 5. The answer is 5.",
        "s": "The answer is 5.",
    },
]


def write_recipe(folder: Path, thoughts: str = f"thoughts: {MARKS}") -> Path:
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    path = folder / "marked.yaml"
    path.write_text(RECIPE.replace("THOUGHTS\n", f"{thoughts}\n" if thoughts else ""))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("marked")
    build(write_recipe(folder), folder / ".curator")
    return folder


def test_rows_have_the_marks_of_curator(folder: Path) -> None:
    texts = set(load("marked", folder / ".curator")["text"].to_pylist())
    assert texts == {
        "<think>2 + 2 = 4, or 5?</think>\n\nThe answer is 4.",
        "<think>\n2 + 2\n</think>\n\nThe answer is 4.",
        "The answer is 5.",
    }


def test_an_unclosed_thought_is_found_by_the_marks_of_the_recipe(folder: Path) -> None:
    query = "SELECT reason FROM verdicts WHERE check_name = 'trace' AND outcome = 'failed'"
    found = json.loads(curator("sql", query, "--json", cwd=folder).stdout)
    assert found == [{"reason": "unclosed thought"}]


def test_thoughts_are_apart_in_every_place(folder: Path, tmp_path: Path) -> None:
    with Store(folder / ".curator", readonly=True) as store:
        version = store.versions.get("marked")
        for form, target in (("messages", "m.jsonl"), ("parquet", "p.parquet")):
            options = ExportOptions(thoughts="apart")
            done = export(store, version, form, tmp_path / target, options=options)
            assert sum(each.thoughts for each in done.lengths) == 2
        write_report(store, version, tmp_path / "page.html")
    turns = [json.loads(each)["messages"][1] for each in (tmp_path / "m.jsonl").open()]
    assert {(turn.get("reasoning_content"), turn["content"]) for turn in turns} == {
        ("2 + 2 = 4, or 5?", "The answer is 4."),
        ("2 + 2", "The answer is 4."),
        (None, "The answer is 5."),
    }
    assert set(pq.read_table(tmp_path / "p.parquet")["thought"].to_pylist()) == {
        "", "2 + 2", "2 + 2 = 4, or 5?"
    }  # fmt: skip
    assert '"k":"thought"' in (tmp_path / "page.html").read_text("utf-8")
    ids = load("marked", folder / ".curator")
    row = next(r for r in ids.to_pylist() if r["text"].startswith("<think>2"))
    assert "── thought: 16 characters" in curator("why", row["id"], cwd=folder).stdout


def test_without_the_key_a_text_with_unusual_marks_is_all_answer(tmp_path: Path) -> None:
    build(write_recipe(tmp_path, ""), tmp_path / ".curator")
    texts = load("marked", tmp_path / ".curator")["text"].to_pylist()
    assert ROWS[0]["r"] in texts


def test_the_canonical_recipe_has_the_key_only_if_it_is_set(tmp_path: Path) -> None:
    assert "thoughts" not in load_recipe(write_recipe(tmp_path, "")).canonical()
    assert load_recipe(write_recipe(tmp_path)).canonical()["thoughts"] == json.loads(MARKS)


def test_a_change_of_the_marks_reads_the_same_file_again(tmp_path: Path) -> None:
    first = build(write_recipe(tmp_path, ""), tmp_path / ".curator")
    second = build(write_recipe(tmp_path), tmp_path / ".curator")
    assert first.digest != second.digest
    assert build(write_recipe(tmp_path, ""), tmp_path / "other").digest == first.digest


def test_attempts_are_read_with_the_marks_of_the_recipe(tmp_path: Path) -> None:
    attempts: list[dict[str, Any]] = [
        {"question": ROWS[0]["q"], "response": ROWS[0]["r"]},
        {"question": ROWS[0]["q"], "response": "<<plan>>The answer is 4."},
    ]
    (tmp_path / "tries.jsonl").write_text("\n".join(map(json.dumps, attempts)))
    named = f"thoughts: {MARKS}\nattempts: [{{file: tries.jsonl, model: m}}]"
    counts = build(write_recipe(tmp_path, named), tmp_path / ".curator").content["attempts"]
    # Both subsets have the problem. The unclosed thought states no answer.
    assert counts["tries.jsonl"]["counts"] == {"failures": 2, "successes": 2, "undecided": 0}


def test_an_audit_takes_a_pair_of_marks(tmp_path: Path) -> None:
    write_recipe(tmp_path)
    command = ("audit", "rows.jsonl", "--question", "q", "--response", "r", "--gold", "a", "--json")
    marks = ("--thought-marks", "<<plan>>", "<<end of plan>>")
    for given, unclosed in ((marks, 1), ((), 0)):
        lines = json.loads(curator(*command, *given, cwd=tmp_path).stdout)["checks"]
        traces = [each["reasons"] for each in lines if each["check"] == "trace"]
        assert sum(each.get("unclosed thought", 0) for each in traces) == unclosed
    wrong = curator(*command, "--thought-marks", "<p>", "<p>", cwd=tmp_path)
    assert wrong.returncode == 2 and "two different texts" in wrong.stderr


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ('[["<plan>", "<plan>"]]', "two different texts"),
        ('[["<plan>", "</plan>"], ["</plan>", "<x>"]]', "opens one thought and closes another"),
        ('[["<plan>"]]', "thoughts"),
        ('[["", "</plan>"]]', "thoughts"),
        ('[["   ", "</plan>"]]', "thoughts"),
        ('["<plan>", "</plan>"]', "thoughts"),
    ],
)
def test_marks_that_cannot_be_told_apart_are_an_error_of_the_recipe(
    tmp_path: Path, value: str, words: str
) -> None:
    with pytest.raises(RecipeError, match=words) as error:
        load_recipe(write_recipe(tmp_path, f"thoughts: {value}"))
    assert "marked.yaml:3" in str(error.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>a</p>b", "<think>a</think>b"),
        ("<P>a</P>b", "<P>a</P>b"),
        ("begin a finish b", "<think> a </think> b"),
        ("begin again a", "</think> a"),  # the longer mark of two that begin here
        ("no mark", "no mark"),
    ],
)
def test_marks_are_replaced_as_they_are_written(text: str, expected: str) -> None:
    pairs = (("<p>", "</p>"), ("begin", "finish"), ("first", "begin again"))
    assert rewrite_marks(text, pairs) == expected
