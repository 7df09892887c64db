"""Programs that print nothing come to what their corpora mean, and are told as completed."""

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
from curator.sandbox.implicit_result import STEPS, unfenced
from tests.paths import DATA

COMPLETED: list[dict[str, str]] = json.loads((DATA / "completion.json").read_text())
UNCOMPLETED: list[dict[str, str]] = json.loads((DATA / "uncompleted.json").read_text())


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(workers=1, wall_s=30, cpu_s=30) as box:
        yield box


@pytest.mark.parametrize("case", COMPLETED, ids=lambda case: case["why"])
def test_a_program_is_completed_as_its_corpus_means_it(box: Sandbox, case: dict[str, str]) -> None:
    done = box.run(case["program"])
    assert (done.status, done.error) == ("ok", "")
    assert (done.value, done.completed) == (case["value"], case["completed"])
    assert set(done.completed.split(", ")) <= {*STEPS, ""}


@pytest.mark.parametrize("case", UNCOMPLETED, ids=lambda case: case["why"])
def test_what_cannot_be_completed_fails_as_it_stands(box: Sandbox, case: dict[str, str]) -> None:
    done = box.run(case["program"])
    assert (done.status, done.value, done.error) == ("error", "", case["error"])


@given(st.text(alphabet="`py thon\nx=1", max_size=80))
def test_a_text_without_a_fence_for_python_is_left_as_it_is(text: str) -> None:
    if not text.lstrip().startswith("```") and "```py" not in text:
        assert unfenced(text) is text
    assert "```python" not in unfenced(f"{text}\n```python\nprint(1)\n```").split("\n")


def rows(path: Path) -> list[dict[str, Any]]:
    """Records of a published file; prompts, broken over lines, stand before those of some."""
    found = []
    for line in path.read_text().split("\n"):
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if "question" in record:
            found.append(record)
    return found


def test_published_programs_of_thought_come_to_what_was_published(
    box: Sandbox, shared: Path
) -> None:
    found = rows(shared / "outputs/pot/aqua_s0_e-1_11_06_18_38.jsonl")
    agree = 0
    for row, done in zip(found, box.map(row["generated"] for row in found), strict=True):
        theirs = row["generated_prediction"]
        try:
            # They round to two decimals.
            value = float(sympy.sympify(done.value))
            agree += math.isclose(value, float(theirs), rel_tol=1e-9, abs_tol=0.0051)
        except (TypeError, ValueError, SyntaxError):
            agree += done.value == ("" if theirs == "None" else theirs)
    assert (len(found), agree) >= (253, 245)


def test_published_trajectories_run_to_the_output_they_tell(box: Sandbox, shared: Path) -> None:
    found = rows(shared / "outputs/tora/tora-70b-gsm8k.jsonl")[:300]
    texts = [row["code"][0] for row in found]
    told = [text.partition("```output\n")[2].partition("\n```")[0] for text in texts]
    runs = list(box.map(texts))
    assert all(run.completed == "fence" for run in runs)
    assert sum(run.stdout.strip() == out.strip() for run, out in zip(runs, told, strict=True)) > 290
