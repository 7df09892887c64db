"""The check `verifiable`: each kind needs explicit words, and ordinary questions have none."""

import json
from pathlib import Path

import pytest

from curator import build
from curator.checks import CHECKS, Candidate
from curator.checks.question_kind import KINDS, find_kinds
from curator.pipeline.audit.run import AuditRequest, audit
from curator.pipeline.run_options import RunOptions
from curator.versions.content import content_of
from datastore.store import Store
from tests.paths import DATA

CASES = json.loads((DATA / "question_kinds.json").read_text(encoding="utf-8"))
GOLDS = ("proof", "notfound", "-", "", "N/A", "\\text{Not found}", "Answer not found")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["question"][:60])
def test_a_question_has_the_kinds_that_its_words_state(case: dict[str, object]) -> None:
    choices = tuple(case.get("choices", ()))  # type: ignore[call-overload]
    found = find_kinds(str(case["question"]), str(case.get("gold", "7")), choices)
    assert [each.kind for each in found] == case["kinds"]


@pytest.mark.parametrize("gold", GOLDS)
def test_a_word_instead_of_a_gold_answer_is_none(gold: str) -> None:
    assert [each.kind for each in find_kinds("Find the sum of 3 and 4.", gold)] == [
        "no gold answer"
    ]


@pytest.mark.parametrize("gold", ("0", "-1", "x", "\\emptyset", "none of them", "\\varnothing"))
def test_a_short_gold_answer_is_one(gold: str) -> None:
    assert not find_kinds("Find the sum of 3 and 4.", gold)


def test_the_strongest_kind_is_the_reason_and_the_words_that_decided_are_evidence() -> None:
    candidate = Candidate(
        b"1",
        "CoT",
        "In the figure above, how long is AB?\nAnswer Choices: (A) 1 (B) 2",
        "",
        "A",
        (),
    )
    verdict = CHECKS["verifiable"].run(candidate, 1)
    assert verdict is not None
    assert (verdict.outcome, verdict.reason) == ("undecided", "needs a figure")
    assert verdict.evidence == {"seen": "In the figure", "also": "multiple choice"}


def test_every_kind_is_a_reason_that_a_recipe_can_keep() -> None:
    assert set(CHECKS["verifiable"].undecided) == set(KINDS)


QUESTIONS = [
    {"question": "A pen costs 3 dollars. How much do 4 pens cost?", "answer": "12"},
    {"question": "Prove that the sum of two even numbers is even.", "answer": "proof"},
    {"question": "Is 91 a prime number, true or false?", "answer": "False"},
    {"question": "Which of the following is prime?\n(A) 4\n(B) 6\n(C) 7", "answer": "C"},
]


def write_questions(folder: Path) -> Path:
    path = folder / "questions.jsonl"
    path.write_text("\n".join(map(json.dumps, QUESTIONS)))
    return path


def test_a_recipe_leaves_such_questions_out_unless_it_keeps_their_kind(tmp_path: Path) -> None:
    write_questions(tmp_path)
    recipe = tmp_path / "mine.yaml"
    for kept, rows in (("leave_out", 1), ("[yes/no]", 2), ("[yes/no, multiple choice]", 3)):
        recipe.write_text(
            "name: mine\nabout: Questions with golds.\nscreens: {contamination: null}\n"
            f"undecided: {kept}\nsubsets:\n  mine:\n    kind: CoT\n    checks: [verifiable]\n"
            "    source: {file: questions.jsonl, licence: MIT, "
            "columns: {question: question, gold: answer}}\n"
        )
        version = build(str(recipe), store=tmp_path / "store")
        with Store(tmp_path / "store") as store:
            assert content_of(store.versions.get(version.ref)).rows.count == rows


def test_an_audit_counts_rows_without_a_gold_answer(tmp_path: Path) -> None:
    path = tmp_path / "bare.jsonl"
    rows = [{"question": "Prove that 3 + 4 = 7.", "response": "It is so."}]
    rows += [{"question": "What is 3 + 4 in words?", "response": "It is seven."}]
    path.write_text("\n".join(map(json.dumps, rows)))
    found = audit(AuditRequest(str(path)), tmp_path / "store", RunOptions(workers=1))
    (line,) = [each for each in found.lines if each.check == "verifiable"]
    assert (line.rows, line.reasons) == (2, {"no gold answer": 1, "proof": 1})


def test_an_audit_reports_the_kinds_and_calls_the_rows_clean(tmp_path: Path) -> None:
    path = write_questions(tmp_path)
    found = audit(AuditRequest(str(path)), tmp_path / "store", RunOptions(workers=1))
    (line,) = [each for each in found.lines if each.check == "verifiable"]
    assert (line.rows, line.failed) == (4, 0)
    assert line.reasons == {"proof": 1, "yes/no": 1, "multiple choice": 1}
    assert found.clean == 4


def test_questions_with_a_picture_upstream_are_found_and_few_others(shared: Path) -> None:
    path = shared / "sources/theoremqa/theoremqa_test.json"
    flagged = {True: 0, False: 0}
    for row in json.loads(path.read_text(encoding="utf-8")):
        kinds = [each.kind for each in find_kinds(row["Question"], str(row["Answer"]))]
        flagged[bool(row.get("Picture"))] += "needs a figure" in kinds
    assert flagged[True] >= 36
    assert flagged[False] <= 2
