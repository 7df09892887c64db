"""Multiple choice asked as an open question: only where it can be understood without choices."""

from dataclasses import replace
from pathlib import Path

import pytest

from curator import build, load
from curator.core.model import Problem
from curator.pipeline.run_options import RunOptions
from curator.pipeline.stages.open_choices import open_problem

CHOICES = ("10 m", "12 m", "15 m", "18 m", "20 m")


def ask(question: str, gold: str = "B", choices: tuple[str, ...] = CHOICES) -> Problem | None:
    return open_problem(Problem("aqua_rat", question, gold, choices, solution="3 * 4 = 12"))


def test_the_gold_answer_becomes_the_text_of_the_marked_choice() -> None:
    opened = ask("How long are 3 pipes of 4 m?")
    assert opened is not None
    assert (opened.gold, opened.choices) == ("12 m", ())


@pytest.mark.parametrize(
    "question",
    [
        "Which of the following is the length of 3 pipes of 4 m?",
        "The length of 3 pipes of 4 m is closest to",
        "What could be the length of the pipe?",
        "Approximately how long are 3 pipes?",
        "All of the following are lengths of pipes except",
        "In the figure above, how long is the pipe?",
        "Which length is a multiple of 4?",
    ],
)
def test_a_question_that_needs_its_choices_stays(question: str) -> None:
    assert ask(question) is None


@pytest.mark.parametrize(
    "choices",
    [
        ("10", "12", "15", "18", "None of these"),
        ("10", "12", "15", "18", "Cannot be determined"),
        ("10", "12", "Both A and B", "18", "20"),
        ("10", "red", "15", "18", "20"),
    ],
)
def test_choices_that_refer_to_others_or_are_no_values_stay(choices: tuple[str, ...]) -> None:
    assert ask("How long are 3 pipes of 4 m?", choices=choices) is None


def test_the_letter_at_the_end_of_a_solution_goes_and_one_elsewhere_keeps_the_choices() -> None:
    end = "12 m are laid\nANSWER:B"
    problem = Problem(
        "aqua_rat",
        "How long are 3 pipes of 4 m?",
        "B",
        CHOICES,
        solution="3 * 4 = 12 m",
        solution_as_written="3 * 4 = 12 m\nANSWER:B",
    )
    opened = open_problem(problem)
    assert opened is not None
    assert opened.solution == "3 * 4 = 12 m"
    longer = open_problem(replace(problem, solution_as_written=f"We have 3 pipes.\nSo {end}"))
    assert longer is not None
    assert longer.whole_solution == "We have 3 pipes.\nSo 12 m are laid\nThe answer is 12"
    named = Problem(
        "aqua_rat", problem.question, "B", CHOICES, solution="Option B is correct.\nIt fits."
    )
    assert open_problem(named) is None


def test_only_rows_that_arrive_at_the_value_are_kept(tmp_path: Path, shared: Path) -> None:
    recipe = tmp_path / "open.yaml"
    recipe.write_text(
        "name: open\nabout: AQuA as open questions.\nscreens: {contamination: null}\nsubsets:\n"
        "  aqua:\n    source: aqua_rat\n    kind: CoT\n    open_choices: true\n"
        "    checks: [answer, format, verifiable]\n"
    )
    options = RunOptions(mirror=str(shared), workers=1)
    version = build(str(recipe), store=tmp_path / "store", options=options)
    rows = load(version.ref, store=tmp_path / "store").to_pylist()
    assert 60 < len(rows) < 164
    assert not any("Answer Choices" in row["instruction"] for row in rows)
