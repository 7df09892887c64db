"""Exports for reinforcement learning: one prompt once, with a gold that a reward can check."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from curator.release.export import export
from curator.release.formats import COLUMNS, FORMATS
from curator.release.prompts import select_prompts, why_unchecked
from curator.rewards import answer_reward
from datastore.store import Store
from tests.worlds import curator

PROMPTS = [name for name, how in FORMATS.items() if how.prompts]


def row(number: int, **values: Any) -> dict[str, Any]:
    texts = dict.fromkeys(COLUMNS, "")
    given = {"id": number.to_bytes(16, "big"), "choices": [], "gold": "5", "question": "What?"}
    return {**texts, **given, "evidence_level": "form", **values}


def batch(*rows: dict[str, Any]) -> pa.RecordBatch:
    types = {"id": pa.binary(16), "choices": pa.list_(pa.string())}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS])
    return pa.RecordBatch.from_pylist(list(rows), schema)


def select(tmp_path: Path, *batches: pa.RecordBatch) -> tuple[list[dict[str, Any]], Counter[str]]:
    left_out: Counter[str] = Counter()
    chosen = [
        each
        for found in select_prompts(iter(batches), left_out, tmp_path)
        for each in found.to_pylist()
    ]
    assert len(chosen) + left_out.total() == sum(map(len, batches))
    assert list(tmp_path.iterdir()) == []
    return chosen, left_out


def test_a_prompt_has_one_row_with_the_strongest_evidence_of_all(tmp_path: Path) -> None:
    rows = [
        row(1, question="What is 2+3?", evidence_level="same text"),
        row(2, question="What is 4+1?", evidence_level="form"),
        row(3, question="What is  2+3? ", evidence_level="executed", gold="5.0"),
        row(4, question="WHAT is 2+3?", evidence_level="arithmetic"),
    ]
    chosen, left_out = select(tmp_path, batch(*rows[:3]), batch(rows[3]))
    assert [(each["id"][-1], each["instruction"], each["evidence_level"]) for each in chosen] == [
        (1, "What is 2+3?", "executed"),
        (2, "What is 4+1?", "form"),
    ]
    assert left_out == {"same prompt": 2}


def test_a_prompt_whose_golds_differ_is_left_out(tmp_path: Path) -> None:
    rows = [row(1, gold="5"), row(2, gold="6"), row(3, question="Else?", gold="1/2")]
    chosen, left_out = select(tmp_path, batch(*rows, row(4, question="Else?", gold="0.5")))
    assert [each["question"] for each in chosen] == ["Else?"]
    assert left_out == {"golds of one prompt differ": 1, "same prompt": 2}


def test_one_prompt_may_name_its_gold_by_letter_and_by_text(tmp_path: Path) -> None:
    question = "Which? Answer Choices: (A) Cone (B) Plane"
    rows = [
        row(1, question=question, gold="B"),
        row(2, question=question.lower(), choices=["cone", "plane"], gold="B"),
        row(3, question=question, choices=["Cone", "Plane"], gold="Plane"),
    ]
    chosen, left_out = select(tmp_path, batch(*rows))
    assert [each["id"][-1] for each in chosen] == [1]
    assert left_out == {"same prompt": 2}


def test_golds_that_no_reward_can_check_are_left_out_with_their_reason(tmp_path: Path) -> None:
    prose = "The function has a maximum since its derivative changes its sign there"
    golds = ["", "proof", prose, "E", "5"]
    rows = [row(n, question=f"Q{n}", gold=gold) for n, gold in enumerate(golds)]
    rows[3]["choices"] = ["1", "2"]
    chosen, left_out = select(tmp_path, batch(*rows))
    assert [each["gold"] for each in chosen] == ["5"]
    assert left_out == {"no gold": 2, "gold is prose": 1, "gold is no choice": 1}


def test_the_prompt_asks_for_no_program_and_lists_the_choices_once(tmp_path: Path) -> None:
    listed = "Which? Answer Choices: (A) 1 (B) 2"
    rows = [
        row(1, question="How many?", instruction="How many? Let's write a program."),
        row(2, question="Which one?", choices=["1", "2"], gold="B"),
        row(3, question=listed, choices=["1", "2"], gold="B"),
    ]
    chosen, _ = select(tmp_path, batch(*rows))
    assert [each["instruction"] for each in chosen] == [
        "How many?",
        "Which one?\nAnswer Choices: (A) 1 (B) 2",
        listed,
    ]


def test_the_same_question_with_other_choices_is_another_prompt(tmp_path: Path) -> None:
    rows = [row(n, choices=[str(n), "7"], gold="B") for n in range(3)]
    chosen, left_out = select(tmp_path, batch(*rows))
    assert len(chosen) == 3 and not left_out


def test_no_rows_give_no_prompts(tmp_path: Path) -> None:
    assert select(tmp_path) == ([], Counter())
    assert select(tmp_path, batch()) == ([], Counter())


@pytest.mark.parametrize(
    ("gold", "reason"),
    [
        ("not found", "no gold"),
        ("See solution.", "no gold"),
        (r"\text{Answers may vary}", "no gold"),
        ("***", "no gold"),
        ("∞", ""),
        (r"\infty", ""),
        (r"-\infty", ""),
        ("inf", ""),
        (r"[0, \infty)", ""),
        ("nan", "no gold"),
        ("1/0", "gold has no value"),
        (r"\frac{0}{0}", "gold has no value"),
        ("5/(3-3)", "gold has no value"),
        ("(1/0, 2)", "gold has no value"),
        (r"\frac{x}{0}", "gold has no value"),
        (r"\log 0", "gold has no value"),
        ("4=3", "gold has no value"),
        ("0/5", ""),
        ("1/x", ""),
        ("9" * 5_000, "gold is too long"),
        ("5\n6", "gold is not recognised"),
        (r"\boxed{}", "gold is not recognised"),
    ],
)
def test_a_gold_that_is_no_answer_is_left_out(gold: str, reason: str) -> None:
    assert why_unchecked(gold) == reason


def test_a_level_that_only_a_newer_release_knows_is_the_weakest(tmp_path: Path) -> None:
    rows = [row(1, question="Q", evidence_level=""), row(2, question="R", evidence_level="")]
    rows.append(row(3, question="Q", evidence_level="form"))
    chosen, _ = select(tmp_path, batch(*rows))
    assert [each["evidence_level"] for each in chosen] == ["form", ""]


@pytest.mark.parametrize(
    ("gold", "choices"),
    [("1,000", ()), (r"\frac{1}{2}", ()), ("B", ("1", "2")), ("[1, 2]", ()), ("Evelyn", ())],
)
def test_golds_as_upstream_writes_them_can_be_checked(gold: str, choices: tuple[str, ...]) -> None:
    assert why_unchecked(gold, choices) == ""


@pytest.mark.parametrize("form", PROMPTS)
def test_an_export_counts_every_row_and_its_golds_are_right_for_our_reward(
    quickstart: Path, tmp_path: Path, form: str
) -> None:
    target = tmp_path / f"rows{FORMATS[form].suffix}"
    with Store(quickstart, readonly=True) as store:
        exported = export(store, store.versions.get("quickstart"), form, target)
    rows, left_out = exported.rows, exported.left_out
    assert rows + left_out.total() == 113
    assert set(left_out) <= {"same prompt", "no gold"}
    if form == "verl":
        return
    lines = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
    key = {"trl-grpo": "solution", "open-instruct": "ground_truth", "verifiers": "answer"}[form]
    golds, choices = [line[key] for line in lines], [line["choices"] for line in lines]
    texts = [rf"So the answer is \boxed{{{gold}}}." for gold in golds]
    assert answer_reward(texts, golds, choices) == [1.0] * rows


def test_prompts_whose_gold_a_grader_misjudges_are_left_out_and_written_beside(
    quickstart: Path, tmp_path: Path
) -> None:
    words = ("export", "quickstart", "--format", "trl-grpo", "--store", quickstart)
    whole = json.loads(curator(*words, "-o", "all.jsonl", "--json", cwd=tmp_path).stdout)
    certified = ("--certify", "curator,math-verify", "-o", "rows.jsonl")
    shown = json.loads(curator(*words, *certified, "--json", cwd=tmp_path).stdout)
    misjudged = [
        json.loads(line)
        for line in (tmp_path / "rows-misjudged.jsonl").read_text("utf-8").splitlines()
    ]
    assert misjudged and shown["rows"] + len(misjudged) == whole["rows"]
    reasons = Counter(f"{each['grader']} {each['reason']}" for each in misjudged)
    assert {reason: shown["left_out"][reason] for reason in reasons} == reasons
    ids = {
        name: {json.loads(line)["id"] for line in (tmp_path / name).read_text("utf-8").splitlines()}
        for name in ("all.jsonl", "rows.jsonl")
    }
    assert ids["all.jsonl"] - ids["rows.jsonl"] == {each["id"] for each in misjudged}
    rates = shown["certified"]
    assert set(rates) == {"curator", "math-verify"}
    assert rates["curator"]["number"]["accepted"] == 0 < rates["curator"]["number"]["near_misses"]
    assert rates["math-verify"]["option"]["rejected"] > 0


def test_only_prompts_and_folders_can_be_certified(quickstart: Path, tmp_path: Path) -> None:
    words = ("export", "quickstart", "--store", quickstart, "--certify")
    done = curator(*words, "curator", "--format", "messages", cwd=tmp_path)
    assert done.returncode == 2
    assert "--certify has no effect in the format messages; it needs one of hub" in done.stderr
    done = curator(*words, "mine", "--format", "verl", cwd=tmp_path)
    assert done.returncode == 2 and "No grader named 'mine'" in done.stderr
    assert not list(tmp_path.iterdir())


def test_the_card_of_a_folder_states_the_error_rates(small: Path, tmp_path: Path) -> None:
    words = ("export", "small", "--format", "hub", "--certify", "curator", "-o", "out")
    assert curator(*words, "--store", small, cwd=tmp_path).returncode == 0
    card = (tmp_path / "out/README.md").read_text("utf-8")
    assert "## Rewards" in card and "| curator | number | 6 |" in card
