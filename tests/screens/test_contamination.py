"""`contamination` finds evaluation questions in any layout, and not those that only look alike."""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from curator.core.arrow import VERDICTS
from curator.screens import SCREENS, Rows
from datastore.engine import Engine
from tests.paths import DATA

RowsOf = Callable[..., tuple[Rows, list[bytes]]]
EvalsOf = Callable[[dict[str, list[str]]], dict[str, list[Path]]]
CASES = json.loads((DATA / "contamination.json").read_text())


def screen(
    engine: Engine, rows: Rows, evals: dict[str, list[Path]], **params: Any
) -> dict[bytes, Any]:
    batches = list(SCREENS["contamination"].run(engine, rows, evals=evals, **params))
    assert all(batch.schema == VERDICTS for batch in batches)
    verdicts = pa.Table.from_batches(batches, VERDICTS).to_pylist()
    return {v["row_id"]: v | {"evidence": json.loads(v["evidence"])} for v in verdicts}


def without_layout(question: str) -> str:
    return re.sub(r"[\s$]", "", question)


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_each_case_of_the_table_has_its_verdict(
    engine: Engine, rows_of: RowsOf, evals_of: EvalsOf, case: dict[str, str]
) -> None:
    other = "Completely different: a fence of so many posts around a square garden, how long is it?"
    rows, ids = rows_of([("a", other, "x"), ("a", case["row"], "x")])
    verdicts = screen(engine, rows, evals_of({"test": ["Unrelated?", case["eval"]]}))
    assert ids[0] not in verdicts
    if case["reason"] is None:
        assert verdicts == {}
    else:
        verdict = verdicts[ids[1]]
        assert verdict["reason"] == case["reason"]
        assert verdict["evidence"]["method"] == case["method"]
        assert verdict["evidence"]["set"] == "test"
        assert verdict["evidence"]["item"] == "test:1"
        assert verdict["outcome"] == ("failed" if case["reason"] == "contaminated" else "passed")


def test_masked_matches_fail_only_if_the_recipe_rejects_them(
    engine: Engine, rows_of: RowsOf, evals_of: EvalsOf
) -> None:
    rows, ids = rows_of([("a", "What is the square root of 64?", "8")])
    against = evals_of({"test": ["What is the square root of 49?"]})
    assert screen(engine, rows, against)[ids[0]]["outcome"] == "passed"
    verdict = screen(engine, rows, against, masked="reject")[ids[0]]
    assert (verdict["outcome"], verdict["reason"]) == ("failed", "near contamination")


def test_the_evidence_names_the_item_that_shares_most_and_how_much(
    engine: Engine, rows_of: RowsOf, evals_of: EvalsOf
) -> None:
    words = "one two three four five six seven eight nine ten eleven twelve thirteen"
    rows, ids = rows_of([("a", f"{words} fourteen fifteen", "x")])
    against = evals_of(
        {"b": [f"{words} other"], "a": [f"{words} fourteen fifteen", f"{words} fourteen fifteen"]}
    )
    evidence = screen(engine, rows, against)[ids[0]]["evidence"]
    assert (evidence["set"], evidence["item"], evidence["shared"]) == ("a", "a:0", "3 of 3")
    assert evidence["text"] == words
    partial = screen(engine, rows, {"b": against["b"]})[ids[0]]["evidence"]
    assert (partial["item"], partial["shared"]) == ("b:0", "1 of 2")


def test_every_row_of_a_contaminated_problem_is_rejected_once(
    engine: Engine, rows_of: RowsOf, evals_of: EvalsOf
) -> None:
    question = "What is the square root of 49?"
    rows, ids = rows_of([("a", question, "7"), ("a", question, "seven"), ("b", question, "7")])
    assert set(screen(engine, rows, evals_of({"x": [question], "y": [question]}))) == set(ids)


def test_rows_that_are_already_rejected_are_not_screened(
    engine: Engine, rows_of: RowsOf, evals_of: EvalsOf
) -> None:
    question = "What is the square root of 49?"
    rows, ids = rows_of([("a", question, "7"), ("a", question, "seven")])
    alive = Rows(f"{rows.rows} WHERE text = '7'", rows.problems)
    assert list(screen(engine, alive, evals_of({"x": [question]}))) == [ids[0]]


def test_without_evaluation_sets_no_row_is_contaminated(engine: Engine, rows_of: RowsOf) -> None:
    rows, _ = rows_of([("a", "What is the square root of 49?", "7")])
    assert screen(engine, rows, {}) == {}


def test_every_real_test_question_is_found_after_a_change_of_layout(
    engine: Engine, rows_of: RowsOf, evals_of: EvalsOf, shared: Path
) -> None:
    lines = (shared / "evals/gsm8k/test.jsonl").read_text("utf-8").splitlines()
    questions = [json.loads(line)["question"] for line in lines]
    lines = (shared / "evals/math/test.jsonl").read_text("utf-8").splitlines()
    questions += [json.loads(line)["problem"] for line in lines]
    rng = random.Random(5)
    changes: list[Callable[[str], str]] = [
        str.upper,
        lambda q: q.replace(" ", "  ").replace("$", " $ "),
        lambda q: q + " Let's write a Python program.",
        lambda q: q + "\nAnswer Choices: (A) 1 (B) 2",
        lambda q: q.replace("(", r"\left(").replace(")", r"\right)").replace(r"\frac", r"\dfrac"),
    ]
    given = [("a", rng.choice(changes)(question), "x") for question in questions]
    rows, ids = rows_of(given)
    verdicts = screen(engine, rows, evals_of({"test": questions}))
    missed = [
        question
        for (_, question, _), row_id in zip(given, ids, strict=True)
        if verdicts.get(row_id, {}).get("reason") != "contaminated"
    ]
    assert len(questions) == 6319
    assert missed == []


def test_math_train_and_test_share_two_problems_and_many_phrases(
    engine: Engine, rows_of: RowsOf, evals_of: EvalsOf, shared: Path
) -> None:
    lines = (shared / "sources/math/train-3000.jsonl").read_text("utf-8").splitlines()
    train = [json.loads(line)["problem"] for line in lines]
    lines = (shared / "evals/math/test.jsonl").read_text("utf-8").splitlines()
    test = [json.loads(line)["problem"] for line in lines]
    same = set(map(without_layout, train)) & set(map(without_layout, test))
    assert len(same) == 2
    rows, ids = rows_of([("a", question, "x") for question in train])
    verdicts = screen(engine, rows, evals_of({"math": test}))
    failed = {row_id: v for row_id, v in verdicts.items() if v["outcome"] == "failed"}
    for question, row_id in zip(train, ids, strict=True):
        if without_layout(question) in same:
            share, whole = failed[row_id]["evidence"]["shared"].split(" of ")
            assert share == whole
    assert 2 <= len(failed) < len(train) / 8
