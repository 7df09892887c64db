"""Evaluation sets besides the default ones: rows in upstream's form, from a mirror and the Hub."""

import io
import json
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curator.answers import equivalent, extract
from curator.core.model import Problem, QuarantinedRecord
from curator.recipe.load import load_recipe
from curator.screens.contamination import Contamination
from curator.sources import EVALS, MAMMOTH_EVALS, open_source, records

COMMIT = "c0ffee00" * 5
Serving = Callable[..., AbstractContextManager[tuple[str, list[str]]]]


def olympiad(question: str, final_answer: object, **more: object) -> dict[str, object]:
    row = {
        "id": 1,
        "question": question,
        "solution": ["Look."],
        "final_answer": final_answer,
        "context": None,
        "image_1": None,
        "image_2": None,
        "modality": "Text-only",
        "difficulty": "Competition",
        "is_multiple_answer": False,
        "unit": None,
        "answer_type": "Numerical",
        "error": None,
        "subfield": "Algebra",
    }
    return row | more


NATIVE: dict[str, list[tuple[dict[str, Any], str]]] = {
    "aime24": [
        ({"id": 60, "problem": "How many?", "solution": "Count.", "answer": "025"}, "25"),
        ({"id": 61, "problem": "Which remainder?", "answer": "000"}, "0"),
        ({"id": 62, "problem": "Which year?", "answer": 2024}, "quarantined"),
        ({"id": 63, "problem": "Which root?", "answer": "\\sqrt{2}"}, "quarantined"),
    ],
    "aime25": [
        ({"problem": "Find the sum of the angles.", "answer": "336^\\circ", "id": "4"}, "336"),
        ({"problem": "Find the base.", "answer": "70", "id": "0"}, "70"),
        ({"problem": "Find it.", "answer": 104, "id": "1"}, "104"),
    ],
    "amc23": [
        ({"id": 0, "answer": 27.0, "url": "u", "question": "How far?"}, "27"),
        ({"id": 1, "answer": -1.0, "url": "u", "question": "Which sum?"}, "-1"),
    ],
    "minerva_math": [
        ({"question": "Which diameter (in cm)?", "answer": "1.6"}, "1.6"),
        (
            {
                "problem": "Which wave?",
                "solution": "First $\\boxed{1}$, so\n\\[\n\\boxed{I_{0} \\sin t} \\mathrm{~A}\n\\]",
                "type": "Physics (8.02)",
                "idx": 1,
            },
            "I_{0} \\sin t",
        ),
        ({"problem": "Which one?", "solution": "None is boxed.", "type": "", "idx": 2},
         "quarantined"),
    ],
    "olympiadbench": [
        (olympiad("Find mu.", ["$\\frac{1}{2 n+2}$"]), "$\\frac{1}{2 n+2}$"),
        (olympiad("How many moves?", "['2']"), "2"),
        (olympiad("Find mu.", "['$\\\\frac{1}{2 n+2}$']"), "$\\frac{1}{2 n+2}$"),
        (olympiad("Find n.", ["$2,3$"], is_multiple_answer=True), "$2,3$"),
        (olympiad("Find n.", "['4', '5']", is_multiple_answer=True), "4, 5"),
        (olympiad("Find the range.", "[0,1]", answer_type="Interval"), "[0,1]"),
        (olympiad("Find the range.", ["$[0,1)$"], answer_type="Interval"), "$[0,1)$"),
        (olympiad("Which angle?", ["60"], unit="$^\\circ$"), "60 $^\\circ$"),
        (olympiad("Which lengths?", ["1,2"], unit="m,s", is_multiple_answer=True), "1,2"),
        (olympiad("About how long?", ["3.14"], error="1e-1"), ""),
        (olympiad("See the figure.", ["2"], image_1={"bytes": "x"}), "quarantined"),
        (olympiad("See <img_3362> there.", ["2"]), "quarantined"),
        (olympiad("See the figure.", ["2"], modality="Multimodal"), "quarantined"),
        (olympiad("Prove it.", None), "quarantined"),
        (olympiad("Find it.", []), "quarantined"),
    ],
    "gsm_plus": [
        ({"question": "How many?", "answer": "1/4", "perturbation_type": "reversing operation"},
         "1/4"),
        ({"question": "How many are left?", "answer": "None",
          "perturbation_type": "critical thinking"}, ""),
    ],
    "gsm8k_platinum": [
        ({"question": "How much?", "answer": "It is <<2+3=5>>5.\n#### 1,005",
          "cleaning_status": "revised"}, "1,005"),
        ({"question": "How many?", "answer": "No mark", "cleaning_status": "verified"},
         "quarantined"),
    ],
    "math_perturb_simple": [
        ({"problem_id": 0, "problem": "Find it.", "answer": 12, "level": "Level 5",
          "type": "Algebra", "original_split": "train"}, "12"),
        ({"problem_id": 1, "problem": "Find x.", "answer": 0.5, "level": "Level 5",
          "type": "Algebra", "original_split": "test"}, "0.5"),
    ],
    "math_perturb_hard": [
        ({"problem_id": 0, "problem": "Find all.", "answer": "\\frac{1}{2}, 3", "level": "Level 5",
          "type": "Algebra", "original_split": "train"}, "\\frac{1}{2}, 3"),
        ({"problem_id": 1, "problem": "Find y.", "answer": 7.0, "level": "Level 5",
          "type": "Algebra", "original_split": "test"}, "7"),
    ],
}  # fmt: skip
"""Rows in upstream's form and the gold answer: empty if no comparison can grade the problem."""


def golds(found: list[Problem | QuarantinedRecord]) -> list[str]:
    return [each.gold if isinstance(each, Problem) else "quarantined" for each in found]


def test_every_set_beside_the_default_ones_has_native_rows_here() -> None:
    assert sorted(NATIVE) == sorted(set(EVALS) - set(MAMMOTH_EVALS))


@pytest.mark.parametrize("name", NATIVE)
def test_native_rows_of_a_mirror_have_these_golds(name: str, tmp_path: Path) -> None:
    source = EVALS[name]
    file = tmp_path / source.folder / "rows.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text("".join(json.dumps(row) + "\n" for row, _ in NATIVE[name]))
    found = list(records(source, open_source(source, tmp_path)))
    assert golds(found) == [gold for _, gold in NATIVE[name]]
    for each in found:
        if isinstance(each, Problem):
            assert each.source == source.name == name and each.licence == source.licence


@pytest.mark.parametrize("name", NATIVE)
def test_the_hub_gives_these_golds_at_the_pinned_commit(
    name: str, serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = replace(EVALS[name], revision=COMMIT)
    chosen = [each for each in NATIVE[name] if in_one_schema(name, each[0])]
    path = source.files[0].replace("*", "0")
    lines = "".join(json.dumps(row) + "\n" for row, _ in chosen).encode()
    buffer = io.BytesIO()
    if path.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist([row for row, _ in chosen]), buffer)
    content = buffer.getvalue() or lines
    with serving({source.hub or source.github: {path: content}}) as (url, seen):
        monkeypatch.setenv("HF_ENDPOINT", url)
        monkeypatch.setenv("GITHUB_RAW_ENDPOINT", url)
        opened = open_source(source, None, tmp_path)
        found = list(records(source, opened))
    assert opened.revision == COMMIT and any(COMMIT in request for request in seen)
    assert golds(found) == [gold for _, gold in chosen]


def in_one_schema(name: str, row: dict[str, Any]) -> bool:
    """Return whether Parquet can store the row beside the others, as upstream's file does."""
    if name == "olympiadbench":
        return isinstance(row["final_answer"], list) and row["image_1"] is None
    return name != "aime24" or isinstance(row["answer"], str)


@pytest.mark.parametrize("name", sorted(NATIVE))
def test_a_correct_solution_of_a_native_row_is_graded_right(name: str) -> None:
    for _, gold in NATIVE[name]:
        if gold and gold != "quarantined":
            plain = gold.replace("$", "")
            answer = extract(f"So we find that the final answer is $\\boxed{{{plain}}}$.")
            assert answer is not None and equivalent(gold, answer).outcome == "equal", gold


def test_only_one_named_set_is_not_pinned() -> None:
    assert [name for name, each in EVALS.items() if not each.revision] == ["gsm8k_platinum"]


def test_a_list_of_answers_that_is_no_list_is_one_answer_or_quarantined(tmp_path: Path) -> None:
    source = EVALS["olympiadbench"]
    hostile = ["[" * 5_000 + "]" * 5_000, "[__import__('os')]", "[1, 2]", "[{[]: 1}]", "[{[]}]"]
    hostile += ["[" + "-" * 9_000 + "1]", "[" + "1," * 9_000 + "]"]
    file = tmp_path / source.folder / "rows.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text("".join(json.dumps(olympiad("Find it.", each)) + "\n" for each in hostile))
    found = golds(list(records(source, open_source(source, tmp_path))))
    assert found == [*hostile[:-1], "quarantined"]


def test_golds_of_the_real_gsm_plus_are_read(shared: Path, tmp_path: Path) -> None:
    source = EVALS["gsm_plus"]
    (tmp_path / source.folder).mkdir(parents=True)
    real = shared / "contamination" / "gsm_plus.jsonl"
    shutil.copy(real, tmp_path / source.folder)
    found = list(records(source, open_source(source, tmp_path)))
    problems = [each for each in found if isinstance(each, Problem)]
    assert len(problems) == len(found) == len(real.read_text().splitlines())
    without = Counter(each.part for each in problems if not each.gold)
    kinds = Counter(each.part for each in problems)
    assert without == {"critical thinking": kinds["critical thinking"]} and len(kinds) == 8
    for gold in {each.gold for each in problems if each.gold}:
        answer = extract(f"So the answer is {gold}.")
        assert answer is not None and equivalent(gold, answer).outcome == "equal", gold


def test_the_sets_of_a_recipe_that_names_none_are_those_of_before() -> None:
    names = (
        *("gsm8k", "math", "math500", "aqua_rat", "numglue", "svamp", "mathematics", "simuleq"),
        *("sat_math", "mmlu_math"),
    )
    assert Contamination().against == names
    assert load_recipe("mathinstruct").evals() == names
    assert Contamination(against=("aime25",)).against == ("aime25",)
