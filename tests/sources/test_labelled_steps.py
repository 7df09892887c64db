"""Sources whose solutions have a label on every step: PRM800K and Math-Shepherd."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from curator.core import arrow
from curator.core.model import LabelledStep, Problem, QuarantinedRecord
from curator.sources import SOURCES, Source, open_source, records
from curator.sources.datasets import prm800k
from curator.sources.fields import TOO_LONG


def read(
    name: str, lines: list[Mapping[str, Any] | str], folder: Path
) -> list[Problem | QuarantinedRecord]:
    path = folder / "rows.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(texts), "utf-8")
    return read_local(SOURCES[name], str(path))


def read_local(source: Source, path: str) -> list[Problem | QuarantinedRecord]:
    local = replace(source, local=path)
    return list(records(local, open_source(local, None)))


def step(*completions: tuple[str, object], chosen: object = 0, human: str = "") -> dict[str, Any]:
    return {
        "completions": [{"text": text, "rating": rating} for text, rating in completions],
        "human_completion": {"text": human, "rating": None} if human else None,
        "chosen_completion": chosen,
    }


def record(*steps: object, finish: object = "solution", **flags: object) -> dict[str, Any]:
    question = {
        "problem": "What is two and two?",
        "ground_truth_answer": "4",
        "pre_generated_steps": "one text",
    }
    return {"question": question, "label": {"steps": list(steps), "finish_reason": finish}, **flags}


def reason(found: list[Problem | QuarantinedRecord]) -> str:
    (only,) = found
    assert isinstance(only, QuarantinedRecord)
    return only.reason


def test_a_solution_goes_on_from_what_the_labeller_chose_or_wrote(tmp_path: Path) -> None:
    steps = (
        step(("We add.", 1), ("We multiply.", -1)),
        step(("2 + 2 = 5.", -1), chosen=None, human="2 + 2 = 4."),
        step(("So four.", 0), ("# Answer\n\n4", 1), chosen=1),
    )
    (found,) = read("prm800k", [record(*steps)], tmp_path)
    assert isinstance(found, Problem)
    assert found.solution == "We add.\n2 + 2 = 4.\n# Answer\n\n4"
    assert (found.gold, found.part, found.gold_in) == ("4", "solutions", "")
    assert found.labelled_steps == (
        LabelledStep(1, "We add.", "right", True),
        LabelledStep(1, "We multiply.", "wrong", False),
        LabelledStep(2, "2 + 2 = 5.", "wrong", False),
        LabelledStep(2, "2 + 2 = 4.", "right", True),
        LabelledStep(3, "So four.", "neutral", False),
        LabelledStep(3, "# Answer\n\n4", "right", True),
    )


def test_a_solution_ends_with_the_first_completion_of_a_step_without_a_choice(
    tmp_path: Path,
) -> None:
    steps = (step(("We add.", 1)), step(("5.", -1), ("4.", 1), chosen=None), step(("Never.", 1)))
    (found,) = read("prm800k", [record(*steps, finish="found_error")], tmp_path)
    assert isinstance(found, Problem)
    assert found.solution == "We add.\n5."
    assert [each.text for each in found.labelled_steps] == ["We add.", "5.", "4."]


def test_records_that_are_no_solutions_of_sound_problems_have_parts_of_their_own(
    tmp_path: Path,
) -> None:
    one = step(("4.", 1))
    rows: list[Mapping[str, Any] | str] = [
        record(one, is_quality_control_question=True),
        record(one, is_initial_screening_question=True),
        record(one, finish="bad_problem"),
        record(one, finish="give_up"),
        record(one, is_quality_control_question=None, is_initial_screening_question=None),
        {key: value for key, value in record(one).items() if not key.startswith("is_")},
    ]
    parts = [each.part for each in read("prm800k", rows, tmp_path) if isinstance(each, Problem)]
    assert parts == ["quality_control", "screening", "bad_problems", *["solutions"] * 3]


FOUR = step(("4.", 1))
HOSTILE: dict[str, tuple[object, str]] = {
    "steps are a text": (record() | {"label": {"steps": "a", "finish_reason": "solution"}}, "steps is not a list of objects"),  # noqa: E501
    "steps are numbers": (record(1, 2), "steps is not a list of objects"),
    "no steps": (record(), "no steps"),
    "label is a list": (record() | {"label": []}, "label is not an object"),
    "question is null": (record(FOUR) | {"question": None}, "question is null"),
    "an unknown end": (record(FOUR, finish="tired"), "finish_reason is not known"),
    "the end is a number": (record(FOUR, finish=1), "finish_reason is not text"),
    "a rating of 2": (record(step(("4.", 2))), "rating is not -1, 0, 1 or null"),
    "a rating that is a text": (record(step(("4.", "1"))), "rating is not -1, 0, 1 or null"),
    "a rating that is true": (record(step(("4.", True))), "rating is not -1, 0, 1 or null"),
    "a rating that is NaN": (record(step(("4.", float("nan")))), "rating is not -1, 0, 1 or null"),
    "a rating that is a list": (record(step(("4.", [1]))), "rating is not -1, 0, 1 or null"),
    "a text that is a number": (record(step((4, 1))), "text is not text"),  # type: ignore[arg-type]
    "a rating of 1.5": (record(step(("4.", 1.5))), "rating is not -1, 0, 1 or null"),
    "no label": ({key: value for key, value in record(FOUR).items() if key != "label"}, "no label"),
    "completions are null": (record({"completions": None, "chosen_completion": None}), "a step is empty"),  # noqa: E501
    "a null among completions": (record({"completions": [None], "chosen_completion": 0}), "completions is not a list of objects"),  # noqa: E501
    "a text that is null": (record(step((None, 1))), "text is null"),  # type: ignore[arg-type]
    "a blank text": (record(step((" ", 1))), "text is empty"),
    "a choice that does not exist": (record(step(("4.", 1), chosen=1)), "chosen_completion does not exist"),  # noqa: E501
    "a negative choice": (record(step(("4.", 1), chosen=-1)), "chosen_completion does not exist"),
    "a choice that is true": (record(step(("4.", 1), chosen=True)), "chosen_completion does not exist"),  # noqa: E501
    "a step without a text": (record(step(chosen=None)), "a step is empty"),
    "a flag that is a text": (record(FOUR, is_quality_control_question="no"), "is_quality_control_question is not true or false"),  # noqa: E501
    "a million steps": (record(*[{"completions": [{"text": "4.", "rating": 1}], "chosen_completion": 0}] * 200_000), TOO_LONG),  # noqa: E501
    "too long together": (record(*[step(("a" * 9_000, 1), ("b" * 9_000, 1))] * 60), TOO_LONG),
    "many completions of a step": (record(step(*[("4.", 1)] * 10_001)), prm800k.TOO_MANY),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_malformed_record_is_quarantined_with_its_reason(tmp_path: Path, name: str) -> None:
    row, expected = HOSTILE[name]
    assert reason(read("prm800k", [json.dumps(row)], tmp_path)) == expected


def test_a_record_that_nests_too_deeply_is_quarantined(tmp_path: Path) -> None:
    deep = '{"label": ' + "[" * 100_000 + "]" * 100_000 + "}"
    for name in ("prm800k", "math_shepherd"):
        assert reason(read(name, [deep], tmp_path))


SOLUTION = "Step 1: 3 + 5 = <<3+5=8>>8 hours. {}\nStep 2: The answer is: 9 {}"


def shepherd(solution: str = SOLUTION, labels: str = "+-", **changes: object) -> dict[str, Any]:
    question = "How many hours are 3 and 5? "
    texts = {
        "input": question + solution.replace("{}", "ки"),
        "label": question + solution.format(*labels),
        "task": "GSM8K",
    }
    return {**texts, **changes}


def test_the_steps_of_math_shepherd_end_in_a_cyrillic_tag(tmp_path: Path) -> None:
    (found,) = read("math_shepherd", [shepherd()], tmp_path)
    assert isinstance(found, Problem)
    assert (found.question, found.gold, found.part) == ("How many hours are 3 and 5?", "", "GSM8K")
    assert found.solution == "Step 1: 3 + 5 = <<3+5=8>>8 hours.\nStep 2: The answer is: 9"
    assert [each.label for each in found.labelled_steps] == ["right", "wrong"]
    # Latin letters that look alike are no tag.
    latin = shepherd(input=str(shepherd()["input"]).replace("ки", "kи"))
    assert reason(read("math_shepherd", [latin], tmp_path)) == "a step does not end in the tag"


def test_a_question_of_math_shepherd_may_name_a_first_step(tmp_path: Path) -> None:
    asked = "Step 1: take 3. Step 2: add 5. What is it?"
    row = {key: f"{asked} {text}" for key, text in shepherd().items() if key != "task"}
    (found,) = read("math_shepherd", [row | {"task": "MATH"}], tmp_path)
    assert isinstance(found, Problem)
    assert (found.question, found.part) == (f"{asked} How many hours are 3 and 5?", "MATH")
    assert [each.label for each in found.labelled_steps] == ["right", "wrong"]


@pytest.mark.parametrize(
    ("solution", "labels", "expected"),
    [
        # The tag alone decides where a step ends, not the line or the number.
        ("Step 1: 3 {} and 5 {}\nStep 2: 8 {}", "+-+", ["Step 1: 3", "and 5", "Step 2: 8"]),
        ("Step 1: 3\n- 5\n+ 8 {}", "-", ["Step 1: 3\n- 5\n+ 8"]),
        ("Step 1: 3 - 5 + 2 = 0{}\n\n", "+", ["Step 1: 3 - 5 + 2 = 0"]),
    ],
)
def test_a_step_of_math_shepherd_ends_at_its_tag(
    tmp_path: Path, solution: str, labels: str, expected: list[str]
) -> None:
    (found,) = read("math_shepherd", [shepherd(solution, labels)], tmp_path)
    assert isinstance(found, Problem)
    assert [each.text for each in found.labelled_steps] == expected
    signs = ["right" if label == "+" else "wrong" for label in labels]
    assert [each.label for each in found.labelled_steps] == signs


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            shepherd(label=str(shepherd()["label"]).replace("8 hours", "9 hours")),
            "label is not the text of input",
        ),
        (
            shepherd(label=f"Another question? {shepherd()['label']}"),
            "label is not the text of input",
        ),
        (
            shepherd(
                "Step 1: the word ки {}",
                "+",
                label="How many hours are 3 and 5? Step 1: the word ки +",
            ),
            "a label is not + or -",
        ),
        (shepherd(labels="+-", label=str(shepherd()["input"])), "a label is not + or -"),
        (shepherd(labels="+?"), "a label is not + or -"),
        (shepherd(label="How many hours are 3 and 5? Step 1:"), "label is not the text of input"),
        (shepherd(label=5), "label is not text"),
        (shepherd(label=f"{shepherd()['label']} more"), "label is not the text of input"),
        (shepherd(solution=SOLUTION + " more"), "a step does not end in the tag"),
        (shepherd(solution="no step {} {}"), "no question before the first step"),
        (shepherd(solution="Step 1: a {}{}"), "a step is empty"),
        (shepherd(solution="Step 1: a {}" * 1_001, labels="+" * 1_001), "more than 1,000 steps"),
    ],
)
def test_a_malformed_row_of_math_shepherd_is_quarantined(
    tmp_path: Path, row: Mapping[str, Any], expected: str
) -> None:
    assert reason(read("math_shepherd", [row], tmp_path)) == expected


def test_labelled_steps_survive_a_round_trip_and_other_problems_keep_their_schema() -> None:
    steps = (LabelledStep(1, "ки", "right"), LabelledStep(1, "b", "", False))
    problems = [
        Problem("prm800k", "q", "4", labelled_steps=steps),
        Problem("prm800k", "r", "5"),
    ]
    schema = arrow.schema_of(problems, arrow.PROBLEMS)
    (batch,) = arrow.to_batches(problems, schema)
    batch.validate(full=True)
    assert list(arrow.to_problems(batch)) == problems
    assert arrow.schema_of(problems[1:], arrow.PROBLEMS) is arrow.PROBLEMS


def test_the_real_records_of_prm800k_are_read(shared: Path) -> None:
    found = read_local(SOURCES["prm800k"], str(shared / "outputs/prm800k/*.json"))
    problems = [each for each in found if isinstance(each, Problem)]
    assert len(found) == len(problems) == 6
    # The files for training and for tests have the same first record.
    assert len({each.solution for each in problems}) == 4
    labels = Counter(each.label for problem in problems for each in problem.labelled_steps)
    assert labels == {"right": 75, "wrong": 74, "neutral": 47, "": 7}
