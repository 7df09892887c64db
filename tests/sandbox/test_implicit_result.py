"""Programs that print nothing have the result that their dataset intends, and are marked."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from curator.sandbox import Sandbox
from curator.sandbox.implicit_result import STEPS, extract_fenced
from tests.paths import DATA

COMPLETED: list[dict[str, str]] = json.loads((DATA / "completion.json").read_text())
UNCOMPLETED: list[dict[str, str]] = json.loads((DATA / "uncompleted.json").read_text())


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(workers=1, wall_s=6000, cpu_s=30) as box:
        yield box


@pytest.mark.parametrize("case", COMPLETED, ids=lambda case: case["why"])
def test_a_program_is_completed_as_its_dataset_intends(box: Sandbox, case: dict[str, str]) -> None:
    done = box.run(case["program"])
    assert (done.status, done.error) == ("ok", "")
    assert (done.value, done.completed) == (case["value"], case["completed"])
    assert set(done.completed.split(", ")) <= {*STEPS, ""}


@pytest.mark.parametrize("case", UNCOMPLETED, ids=lambda case: case["why"])
def test_what_cannot_be_completed_fails_unchanged(box: Sandbox, case: dict[str, str]) -> None:
    done = box.run(case["program"])
    assert (done.status, done.value, done.error) == ("error", "", case["error"])


@given(st.text(alphabet="`py thon\nx=1", max_size=80))
def test_a_text_without_a_python_fence_is_returned_unchanged(text: str) -> None:
    if not text.lstrip().startswith("```") and "```py" not in text:
        assert extract_fenced(text) is text
    assert "```python" not in extract_fenced(f"{text}\n```python\nprint(1)\n```").split("\n")


def rows(path: Path) -> list[dict[str, Any]]:
    """The records of a published file; some files begin with prompts, broken over lines."""
    records = []
    for line in path.read_text().split("\n"):
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if "question" in record:
            records.append(record)
    return records


def test_published_programs_of_thought_have_the_published_results(
    box: Sandbox, shared: Path
) -> None:
    records = rows(shared / "outputs/pot/aqua_s0_e-1_11_06_18_38.jsonl")
    agreements = 0
    for row, done in zip(records, box.map(row["generated"] for row in records), strict=True):
        theirs = row["generated_prediction"]
        try:
            # The published values are rounded to two decimals.
            value = float(sympy.sympify(done.value))
            agreements += math.isclose(value, float(theirs), rel_tol=1e-9, abs_tol=0.0051)
        except (TypeError, ValueError, SyntaxError):
            agreements += done.value == ("" if theirs == "None" else theirs)
    assert (len(records), agreements) >= (253, 245)


def test_published_trajectories_print_the_output_that_they_contain(
    box: Sandbox, shared: Path
) -> None:
    records = rows(shared / "outputs/tora/tora-70b-gsm8k.jsonl")[:300]
    texts = [row["code"][0] for row in records]
    outputs = [text.partition("```output\n")[2].partition("\n```")[0] for text in texts]
    runs = list(box.map(texts))
    assert all(run.completed == "fence" for run in runs)
    pairs = zip(runs, outputs, strict=True)
    assert sum(run.stdout.strip() == output.strip() for run, output in pairs) > 290
