"""The attacks of `bench/contamination.py` do what their names state, and the measurement runs."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator.core.model import Problem
from tests.paths import ROOT

SPEC = importlib.util.spec_from_file_location("attacks", ROOT / "bench/attacks.py")
assert SPEC and SPEC.loader
attacks = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(attacks)

TEXTS = "Anna|has|apples.|How|many?|0|7|007|1,000|2.50|$x^2$|$3 + y$|x1|Ōtaki|km²|Why?|50%|-4"
WORDS = st.sampled_from(TEXTS.split("|"))
QUESTIONS = st.lists(WORDS, min_size=1, max_size=40).map(" ".join)
CHOICES = st.lists(st.sampled_from(["4", "x = 2", "none"]), max_size=5).map(tuple)
PROBLEMS = st.builds(Problem, st.just("gsm8k"), QUESTIONS, st.just("4"), CHOICES)
NAMES = pytest.mark.parametrize("name", attacks.ATTACKS)


def hide(name: str, problem: Problem, seed: int = 1) -> list[Problem]:
    return list(attacks.ATTACKS[name](problem, Random(seed)))


@NAMES
@given(problem=PROBLEMS, seed=st.integers(0, 9))
def test_an_attack_is_deterministic(name: str, problem: Problem, seed: int) -> None:
    assert hide(name, problem, seed) == hide(name, problem, seed)


@pytest.mark.parametrize(
    "name",
    ["prompt before", "prompt after", "embedded in a text", "options appended", "options moved"],
)
@given(problem=PROBLEMS, seed=st.integers(0, 9))
def test_what_is_added_around_a_question_leaves_it_whole(
    name: str, problem: Problem, seed: int
) -> None:
    for row in hide(name, problem, seed):
        assert problem.question in row.question and problem.question != row.question
        assert all(choice in row.question for choice in problem.choices) or "options" not in name


@given(problem=PROBLEMS, seed=st.integers(0, 9))
def test_a_changed_layout_keeps_the_words(problem: Problem, seed: int) -> None:
    (row,) = hide("case and space", problem, seed)
    # Upper case first: the lower case of some letters depends on their place in the word.
    assert row.question.upper().split() == problem.question.upper().split()


@given(problem=PROBLEMS, seed=st.integers(0, 9))
def test_changed_numbers_change_every_number_and_no_word(problem: Problem, seed: int) -> None:
    numbers = re.findall("[0-9]+", problem.question)
    rows = hide("numbers changed", problem, seed)
    assert len(rows) == bool(numbers)
    for row in rows:
        assert re.split("[0-9]+", row.question) == re.split("[0-9]+", problem.question)
        changed = re.findall("[0-9]+", row.question)
        for old, new in zip(numbers, changed, strict=True):
            assert int(old) != int(new) and len(old) == len(new)


@given(problem=PROBLEMS, seed=st.integers(0, 9))
def test_a_distractor_keeps_the_words_and_their_order_and_splits_no_formula(
    problem: Problem, seed: int
) -> None:
    (row,) = hide("distractor inserted", problem, seed)
    (inserted,) = (text for text in attacks.DISTRACTORS if text in row.question)
    assert row.question.replace(inserted, " ").split() == problem.question.split()
    assert not row.question.partition(inserted)[0].count("$") % 2


@given(problem=PROBLEMS)
def test_two_halves_have_all_words_in_order(problem: Problem) -> None:
    words = problem.question.split()
    rows = hide("split over two rows", problem)
    assert len(rows) == (2 if len(words) > 1 else 0)
    assert not rows or [word for row in rows for word in row.question.split()] == words


def test_options_are_moved_or_dropped_only_where_there_are_some() -> None:
    problem = Problem("aqua_rat", "How many?", "A", ("4", "5"))
    found = {name: hide(name, problem) for name in attacks.ATTACKS if "options" in name}
    assert {name: [row.question for row in rows] for name, rows in found.items()} == {
        "options dropped": ["How many?"],
        "options appended": ["How many?\nA) 4 B) 5"],
        "options moved": ["Choose from A) 5 B) 4.\nHow many?"],
    }
    assert all(not row.choices for rows in found.values() for row in rows)
    assert all(not hide(name, Problem("gsm8k", "How many?", "4")) for name in found)


def test_the_measurement_of_a_few_questions_prints_every_attack(
    shared: Path, tmp_path: Path
) -> None:
    script, file = ROOT / "bench/contamination.py", tmp_path / "figures.json"
    command = [sys.executable, script, "--data", shared, "--items", "4", "--half", "tune"]
    done = subprocess.run([*command, "--json", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    for name in [*attacks.ATTACKS, "reworded", "distraction insertion", "mathqa", "written rows"]:
        assert any(line.startswith(name) for line in lines), name
    figures = {one["name"]: one["value"] for one in json.loads(file.read_text())["figures"]}
    assert figures["all questions, verbatim, found"] == 1
    assert all(0 <= value <= 1 for name, value in figures.items() if name.endswith(", found"))
