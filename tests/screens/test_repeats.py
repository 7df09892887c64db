"""New questions that repeat a known one get the level that the screen `contamination` gives."""

from pathlib import Path
from typing import Any

import pytest

from curator.core.model import Problem
from curator.screens.repeats import LEVELS, NEW, find_repeats
from datastore.engine import Engine
from tests.screens.test_contamination import CASES, FILLER, write_problems

TANK = (
    "A tank holds 90 litres and loses 4 litres an hour through a crack in its floor. "
    "How many litres are left in it after 7 hours?"
)
TEMPLATE = TANK.replace("90", "81").replace("7", "6")
OTHER = "Which prime divides both 91 and 169, the numbers on the two doors of the museum?"


def write_evals(folder: Path, *questions: str) -> dict[str, list[Path]]:
    items = [Problem("test", question, gold="") for question in FILLER]
    items += [Problem("test", text, gold="", place=f"test:{n}") for n, text in enumerate(questions)]
    return {"test": [write_problems(folder / "evals.parquet", items)]}


# A new question has no gold answer.
WITHOUT_GOLD = [case for case in CASES if "golds" not in case]


@pytest.mark.parametrize("case", WITHOUT_GOLD, ids=[case["why"] for case in WITHOUT_GOLD])
def test_each_case_of_the_screen_has_the_same_level_here(
    engine: Engine, tmp_path: Path, case: dict[str, Any]
) -> None:
    (repeat,) = find_repeats(engine, [case["row"]], [write_evals(tmp_path, case["eval"])])
    assert (repeat and repeat.level) == (case["level"] if case["level"] in LEVELS else None)
    assert repeat is None or (repeat.set, repeat.place) == ("test", "test:0")


def test_a_repeat_names_the_question_and_what_is_shared(engine: Engine, tmp_path: Path) -> None:
    sets = write_evals(tmp_path, TANK)
    (repeat, new) = find_repeats(engine, [f"Solve this: {TANK}", OTHER], [sets])
    assert new is None and repeat is not None
    assert (repeat.level, repeat.set, repeat.covered) == ("same question", "test", 1.0)
    assert repeat.question == TANK.lower()
    assert "a tank holds 90 litres" in repeat.shared[0]


def test_a_question_may_not_repeat_a_seed_or_an_earlier_new_one(engine: Engine) -> None:
    questions = [OTHER, TANK, TEMPLATE, OTHER]
    seeds = [(TANK, "62"), *((each, "1") for each in FILLER)]
    repeats = find_repeats(engine, questions, [], seeds=seeds)
    assert repeats[0] is None
    assert [(each.level, each.set, each.place) for each in repeats[1:] if each] == [
        ("same question", "seeds", "0"),
        ("same template", "seeds", "0"),
        ("same question", NEW, "0"),
    ]


def test_of_a_rejected_question_nothing_is_kept(engine: Engine, tmp_path: Path) -> None:
    asked = "and says why each of her answers is right to the others at the long table"
    known = f"{TANK} Mia solves it {asked}."
    later = f"{OTHER} Mia solves it {asked}."
    repeats = find_repeats(engine, [known, later, later], [write_evals(tmp_path, TANK)])
    assert repeats[0] and repeats[0].set == "test"
    # Thirteen words in a row are no repetition.
    assert repeats[1] is None
    assert repeats[2] and (repeats[2].set, repeats[2].place) == (NEW, "1")


def test_no_question_and_nothing_known_are_no_errors(engine: Engine) -> None:
    assert find_repeats(engine, [], [], seeds=[("x", "1")]) == []
    assert find_repeats(engine, ["", OTHER, "\ud800"], []) == [None, None, None]
