"""Plans: the stages that would run and the rows that would result; nothing is written."""

import json
from pathlib import Path

import pytest

from curator import RunOptions, build
from curator.core.errors import RecipeError
from curator.pipeline.plan import Plan, plan
from curator.recipe.load import load_recipe
from datastore.store import Store
from tests.paths import ROOT
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


RECIPES = sorted((ROOT / "recipes").glob("*.yaml")) + sorted((ROOT / "recipes").glob("ablations/*"))
UNBUILDABLE = {"synthetic"}
"""Needs a teacher that is not on this machine."""


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without versions of these recipes, so that programs run once for all of them."""
    return tmp_path_factory.mktemp("plans") / "store"


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_plan_of_a_shipped_recipe_agrees_with_its_build(
    path: Path, shared_store: Path, tmp_path: Path
) -> None:
    recipe = load_recipe(path)
    limits = recipe.limits.model_copy(update={"quarantine": 0.5})  # the samples have many errors
    recipe = recipe.model_copy(update={"limits": limits})
    samples = ROOT / "recipes" / "samples"
    options = RunOptions(mirror=samples, allow_missing=True)
    with Store(tmp_path / "fresh") as fresh:
        before = plan(recipe, fresh, options)
    if recipe.name in UNBUILDABLE:
        assert {step.state for step in before.steps} == {"to do"}
        return
    content = build(recipe, shared_store, options=options).content
    subsets = content["subsets"]
    with Store(shared_store) as opened:
        after = plan(recipe, opened, options)
    for step in before.steps:
        built = subsets[step.subset]
        assert (step.state == "waits") == (built["problems"] == 0)
        assert all(wait in step.next for wait in built["waits_for"])
        assert step.known and step.at_most >= built["available"] and step.rows >= built["kept"]
    assert {step.subset: step.rows for step in after.steps} == {
        name: counts["kept"] for name, counts in subsets.items()
    }
    assert after.whole == [] and {step.state for step in after.steps} <= {"done", "waits"}


def test_a_subset_whose_writers_need_a_teacher_waits_before_anything_ran(world) -> None:
    text = (
        RECIPE.replace("[annotated]", "[pot]")
        .replace("  pot:", "  all: {source: gsm8k, kind: CoT, writers: [reference, cot]}\n  pot:")
        .replace("  cot: {source: gsm8k, kind: CoT}\n", "")
    )
    all_, pot = make_plan(world, text).steps
    assert (pot.state, pot.next, pot.at_most) == ("waits", "a teacher for writer pot", 0)
    assert (all_.state, all_.next) == ("to do", "ingest; then waits for a teacher for writer cot")


def test_a_part_without_problems_waits_before_anything_ran(world) -> None:
    mirror = world[0]
    folder = mirror / "sources" / "mathinstruct"
    folder.mkdir()
    row = {"source": "data/CoT/gsm_train.json", "instruction": "How many?", "output": "Five."}
    (folder / "rows.json").write_text(json.dumps([row]))
    parts = ("gsm_train", "MATH_train")
    subsets = "".join(
        f"  {name.lower()}: {{source: mathinstruct, part: data/CoT/{name}.json, kind: CoT, "
        "writers: [verbatim]}\n"
        for name in parts
    )
    there, absent = make_plan(world, f"name: x\nabout: x\nsubsets:\n{subsets}").steps
    assert (there.state, there.at_most) == ("to do", 1)
    waits = "a problem in part data/CoT/MATH_train.json of source mathinstruct"
    assert (absent.state, absent.next, absent.at_most) == ("waits", waits, 0)


def test_rows_with_another_licence_are_not_planned(world) -> None:
    text = RECIPE.replace("screens:", FROM_FILE.replace("MIT", "our own") + "screens:")
    made = make_plan(world, text + "mixture: {licences: [our own]}\n")
    assert {step.subset: step.rows for step in made.steps} == {"cot": 0, "pot": 0, "mine": 20}
    made = make_plan(world, text + "mixture: {licences: [MIT]}\n")
    assert {step.subset: step.rows for step in made.steps} == {"cot": 8, "pot": 8, "mine": 0}


def test_a_licence_that_no_row_can_have_is_an_error_with_the_nearest_name(world) -> None:
    with pytest.raises(RecipeError, match=r"small.yaml:\d+: No licence named 'mit'. Did you mean"):
        make_plan(world, RECIPE + "mixture: {licences: [mit]}\n")


def test_a_plan_states_that_a_build_would_stop_at_malformed_records(world) -> None:
    made = make_plan(world, RECIPE.replace("quarantine: 0.2", "quarantine: 0.1"))
    assert made.missing == [
        "gsm8k: 1 of 9 records does not parse, more than limits.quarantine (10%) allows, so a "
        "build would stop."
    ]
    assert make_plan(world, RECIPE).missing == []
