"""Shares by kind, and the first rows of a named source."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator import RunOptions, build
from curator.core.errors import RecipeError, UsageError
from curator.pipeline import mixture
from curator.pipeline.plan import plan
from curator.recipe.load import load_recipe
from datastore.store import Store
from tests.worlds import RECIPE, make_world

KINDS = {"a": "CoT", "b": "CoT", "c": "PoT", "d": "PoT"}


def shares(**kinds: str) -> mixture.Shares:
    return mixture.Shares(kinds, KINDS)  # type: ignore[arg-type]


def test_a_kind_with_too_many_rows_gives_fewer_of_each_subset() -> None:
    have = {"a": 60, "b": 20, "c": 30, "d": 10}
    assert mixture.plan(have, shares=shares(CoT="50%")).counts == {
        "a": 30,
        "b": 10,
        "c": 30,
        "d": 10,
    }
    counts = mixture.plan(have, shares=shares(CoT="80%")).counts
    assert counts == {"a": 60, "b": 20, "c": 15, "d": 5}
    assert mixture.plan(have, rows=40, shares=shares(PoT="25%")).counts == {
        "a": 23,
        "b": 7,
        "c": 8,
        "d": 2,
    }


def test_a_count_that_the_shares_lower_is_noted() -> None:
    made = mixture.plan({"a": 60, "c": 30}, {"a": 50}, shares=shares(CoT="50%"))
    assert made.counts == {"a": 30, "c": 30}
    assert made.notes == ("a: 50 rows requested, 30 fit the shares by kind",)


def test_a_kind_without_rows_is_an_error() -> None:
    with pytest.raises(UsageError, match="50% of the rows are to be of the other kind"):
        mixture.plan({"a": 60}, shares=shares(CoT="50%"))
    with pytest.raises(UsageError, match="50% of the rows are to be of PoT"):
        mixture.plan({"a": 60, "c": 0}, shares=shares(CoT="50%", PoT="50%"))


@given(
    have=st.fixed_dictionaries({name: st.integers(0, 200) for name in KINDS}),
    percent=st.integers(1, 99),
    rows=st.none() | st.integers(1, 500),
)
def test_shares_hold_within_one_row_and_no_total_is_needlessly_small(
    have: dict[str, int], percent: int, rows: int | None
) -> None:
    wanted = shares(CoT=f"{percent}%")
    try:
        counts = mixture.plan(have, rows=rows, shares=wanted).counts
    except UsageError:
        assert not (have["a"] + have["b"] and have["c"] + have["d"])
        return
    by_kind = Counter[str]()
    for name, count in counts.items():
        assert 0 <= count <= have[name]
        by_kind[KINDS[name]] += count
    total = sum(counts.values())
    assert abs(by_kind["CoT"] - total * percent / 100) < 1
    cot, pot = have["a"] + have["b"], have["c"] + have["d"]
    most = min(cot * 100 // percent, pot * 100 // (100 - percent))
    assert total == (most if rows is None else min(most, rows))


def test_a_build_has_the_shares_and_the_plan_the_same_numbers(tmp_path: Path) -> None:
    mirror, recipe = make_world(tmp_path, RECIPE + "mixture: {kinds: {CoT: 25%}}\n")
    options = RunOptions(mirror=mirror)
    content = build(recipe, tmp_path / "store", options=options).content
    kept = {name: counts["kept"] for name, counts in content["subsets"].items()}
    assert abs(sum(kept.values()) / 4 - kept["cot"]) < 1 and kept["cot"]
    with Store(tmp_path / "store", readonly=True) as opened:
        made = plan(load_recipe(recipe), opened, options)
    assert {step.subset: step.rows for step in made.steps} == kept


def test_a_named_source_can_be_limited_to_its_first_records(tmp_path: Path) -> None:
    limited = RECIPE.replace("cot: {source: gsm8k,", "cot: {source: {name: gsm8k, rows: 3},")
    mirror, recipe = make_world(tmp_path, limited)
    options = RunOptions(mirror=mirror)
    Store(tmp_path / "store").close()
    with Store(tmp_path / "store", readonly=True) as opened:
        made = plan(load_recipe(recipe), opened, options)
    assert {step.subset: step.at_most for step in made.steps} == {"cot": 3, "pot": 8}
    content = build(recipe, tmp_path / "store", options=options).content
    records = {name: counts["records"] for name, counts in content["subsets"].items()}
    assert records == {"cot": 3, "pot": 8}
    assert set(content["sources"]) == {"cot", "gsm8k"}


def test_two_subsets_with_rows_of_one_source_are_an_error(tmp_path: Path) -> None:
    twice = RECIPE.replace("  pot: {source: gsm8k, kind: PoT, writers: [annotated]}\n", "")
    twice = twice.replace(
        "screens:", "  more: {source: {name: gsm8k, rows: 2}, kind: CoT}\nscreens:"
    )
    _, recipe = make_world(tmp_path, twice)
    with pytest.raises(RecipeError, match="subsets 'cot' and 'more' would have the same rows"):
        load_recipe(recipe)
    recipe.write_text(RECIPE.replace("source: gsm8k,", "source: {name: gsm8, rows: 2},", 1))
    with pytest.raises(
        RecipeError, match=r"source\.name: No source named 'gsm8'. Did you mean 'gsm8k'"
    ):
        load_recipe(recipe)
