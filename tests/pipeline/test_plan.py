"""Plans: what would run and how many rows would result, told without writing anything."""

import json
from pathlib import Path

import pytest

from curator import RunOptions, build
from curator.pipeline.plan import Plan, plan
from curator.recipe.load import load_recipe
from datastore.store import Store
from tests.worlds import RECIPE, make_world

FILED = "  mine: {source: {file: mine.jsonl, columns: {question: q}, licence: MIT}, kind: CoT}\n"


@pytest.fixture
def world(tmp_path: Path) -> tuple[Path, Path, Path]:
    mirror, recipe = make_world(tmp_path)
    lines = [json.dumps({"q": f"What is {n} plus {n}?"}) for n in range(20)]
    (tmp_path / "mine.jsonl").write_text("\n".join(lines))
    return mirror, recipe, tmp_path / "store"


def planned(world: tuple[Path, Path, Path], text: str) -> Plan:
    """The plan of a recipe, which must leave every file of the store as it was."""
    mirror, recipe, store = world
    recipe.write_text(text)
    Store(store).close()
    before = files(store)
    with Store(store, readonly=True) as opened:
        made = plan(load_recipe(recipe), opened, RunOptions(mirror=mirror))
    assert files(store) == before
    return made


def files(store: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in store.rglob("*")}


def test_a_plan_counts_the_records_that_are_there_before_anything_ran(world) -> None:
    made = planned(world, RECIPE.replace("screens:", FILED + "screens:"))
    # Of nine records one does not parse; the published size of GSM8K does not matter.
    assert [(step.subset, step.at_most) for step in made.steps] == [
        ("cot", 8),
        ("pot", 8),
        ("mine", 20),
    ]
    assert {(step.state, step.next, step.exact) for step in made.steps} == {
        ("to do", "ingest", False)
    }
    assert made.whole == ["screens", "draw"]


@pytest.mark.parametrize(
    "mixture",
    ["{}", "{subsets: {cot: 2, pot: 50%}}", "{rows: 6}", "{subsets: {cot: 0.5}, rows: 7}"],
)
def test_after_a_build_the_plan_says_what_it_gave(world, mixture: str) -> None:
    mirror, recipe, store = world
    recipe.write_text(RECIPE)
    build(recipe, store, options=RunOptions(mirror=mirror))
    made = planned(world, RECIPE + f"mixture: {mixture}\n")
    assert {step.state for step in made.steps} == {"done"}
    assert made.whole == ([] if mixture == "{}" else ["draw"])
    subsets = build(recipe, store, options=RunOptions(mirror=mirror)).content["subsets"]
    again = planned(world, RECIPE + f"mixture: {mixture}\n")
    assert again.whole == []
    assert {step.subset: step.rows for step in again.steps} == {
        name: counts["kept"] for name, counts in subsets.items()
    }


def test_a_mixture_that_cannot_come_true_is_told_before_anything_ran(world) -> None:
    made = planned(world, RECIPE + "mixture: {subsets: {cot: 100}}\n")
    assert made.notes == ("cot: 100 rows wanted, 8 there; 92 too few",)
    made = planned(world, RECIPE + "mixture: {rows: 3, subsets: {cot: 5, pot: 5}}\n")
    assert made.notes[0].startswith("As far as is known: The mixture has rows: 3, but its counts")


def test_what_cannot_be_reached_waits_and_is_named(world) -> None:
    text = RECIPE.replace("  pot:", "  rft: {source: gsm8k_rft, kind: CoT}\n  pot:")
    made = planned(world, text)
    [waiting] = [step for step in made.steps if step.state == "waits"]
    assert (waiting.subset, waiting.next, waiting.rows) == ("rft", "source gsm8k_rft", 0)
    assert len(made.missing) == 1 and "gsm8k_rft" in made.missing[0]
