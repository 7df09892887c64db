"""Plans: the stages that would run and the rows that would result; nothing is written."""

import json
from pathlib import Path

import pytest

from curator import RunOptions, build
from curator.pipeline.plan import Plan, plan
from curator.recipe.load import load_recipe
from datastore.store import Store
from tests.worlds import RECIPE, make_world

FROM_FILE = (
    "  mine: {source: {file: mine.jsonl, columns: {question: q}, licence: MIT}, kind: CoT}\n"
)


@pytest.fixture
def world(tmp_path: Path) -> tuple[Path, Path, Path]:
    mirror, recipe = make_world(tmp_path)
    lines = [json.dumps({"q": f"What is {n} plus {n}?"}) for n in range(20)]
    (tmp_path / "mine.jsonl").write_text("\n".join(lines))
    return mirror, recipe, tmp_path / "store"


def make_plan(world: tuple[Path, Path, Path], text: str) -> Plan:
    """Plan a recipe; assert that no file of the store changes."""
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


def test_a_plan_counts_the_records_of_local_files_before_a_build(world) -> None:
    made = make_plan(world, RECIPE.replace("screens:", FROM_FILE + "screens:"))
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
def test_after_a_build_the_plan_has_the_numbers_of_the_build(world, mixture: str) -> None:
    mirror, recipe, store = world
    recipe.write_text(RECIPE)
    build(recipe, store, options=RunOptions(mirror=mirror))
    made = make_plan(world, RECIPE + f"mixture: {mixture}\n")
    assert {step.state for step in made.steps} == {"done"}
    assert made.whole == ([] if mixture == "{}" else ["draw"])
    subsets = build(recipe, store, options=RunOptions(mirror=mirror)).content["subsets"]
    again = make_plan(world, RECIPE + f"mixture: {mixture}\n")
    assert again.whole == []
    assert {step.subset: step.rows for step in again.steps} == {
        name: counts["kept"] for name, counts in subsets.items()
    }


def test_amounts_that_are_not_available_are_reported_before_a_build(world) -> None:
    made = make_plan(world, RECIPE + "mixture: {subsets: {cot: 100}}\n")
    assert made.notes == ("cot: 100 rows requested, 8 available",)
    made = make_plan(world, RECIPE + "mixture: {rows: 3, subsets: {cot: 5, pot: 5}}\n")
    assert made.notes[0].startswith(
        "With the rows available so far: The mixture has rows: 3, but its counts"
    )


def test_a_subset_without_its_source_waits_and_the_source_is_named(world) -> None:
    text = RECIPE.replace("  pot:", "  rft: {source: gsm8k_rft, kind: CoT}\n  pot:")
    made = make_plan(world, text)
    [waiting] = [step for step in made.steps if step.state == "waits"]
    assert (waiting.subset, waiting.next, waiting.rows) == ("rft", "source gsm8k_rft", 0)
    assert len(made.missing) == 1 and "gsm8k_rft" in made.missing[0]


def test_a_plan_states_where_the_key_of_a_teacher_goes(world) -> None:
    assert make_plan(world, RECIPE).teacher == ""
    named = "teacher: {model: m, base_url: 'https://example.org/v1', key_env: AWS_SECRET}\n"
    assert make_plan(world, RECIPE + named).teacher == (
        "Teacher: m at https://example.org/v1 (sends the value of AWS_SECRET)."
    )
