"""Variants: `only` keeps subsets of the extended recipe, and short names find shipped recipes."""

import json
from pathlib import Path

import pytest

from curator.core.errors import RecipeError, UsageError
from curator.recipe.builtin import recipes_folder
from curator.recipe.load import load_recipe
from curator.recipe.scaffold import write_variant
from curator.recipe.yaml_document import shipped_recipes

HEAD = "name: x\nabout: y\n"
BASE = """\
name: base
about: a base
subsets:
  a: {source: gsm8k, kind: CoT}
  b: {source: math, kind: CoT}
  c: {source: aqua_rat, kind: CoT}
mixture: {subsets: {a: 10, c: 5}}
"""


def load(folder: Path, text: str, base: str = BASE):  # type: ignore[no-untyped-def]
    (folder / "base.yaml").write_text(base)
    path = folder / "r.yaml"
    path.write_text(f"{HEAD}extends: base.yaml\n{text}")
    return load_recipe(path)


def test_only_keeps_the_named_subsets_in_the_order_of_the_base(tmp_path: Path) -> None:
    recipe = load(tmp_path, "only: [b, a]\n")
    assert list(recipe.subsets) == ["a", "b"]
    assert recipe.mixture.subsets == {"a": 10}


def test_only_is_a_short_form_of_null_and_has_the_same_digest(tmp_path: Path) -> None:
    short = load(tmp_path, "only: [a]\n").canonical()
    assert short == load(tmp_path, "subsets: {b: null, c: null}\n").canonical()


@pytest.mark.parametrize("text", ["only: [a]\n", "subsets: {b: null, c: null}\n"])
def test_actions_for_a_subset_that_is_left_out_go_with_it(tmp_path: Path, text: str) -> None:
    actions = "screens: {contamination: {subsets: {a: {reworded: flag}, b: {reworded: keep}}}}\n"
    recipe = load(tmp_path, text, BASE + actions)
    assert list(recipe.screens.contamination.subsets) == ["a"]
    own = "screens: {contamination: {subsets: {b: {reworded: keep}}}}\n"
    with pytest.raises(RecipeError, match=r"r\.yaml:\d+: No subset named 'b'"):
        load(tmp_path, text + own, BASE + actions)


def test_a_subset_of_the_variant_itself_is_kept_beside_only(tmp_path: Path) -> None:
    own = "only: [b]\nsubsets: {d: {source: math, kind: PoT, writers: [pot]}}\n"
    assert list(load(tmp_path, own).subsets) == ["b", "d"]


def test_only_of_a_base_does_not_hold_for_what_a_variant_adds(tmp_path: Path) -> None:
    load(tmp_path, "only: [a, b]\n")
    (tmp_path / "s.yaml").write_text(f"{HEAD}extends: r.yaml\nonly: [b]\n")
    assert list(load_recipe(tmp_path / "s.yaml").subsets) == ["b"]
    added = "subsets: {c: {source: aqua_rat, kind: CoT}}\n"
    (tmp_path / "s.yaml").write_text(f"{HEAD}extends: r.yaml\n{added}")
    assert list(load_recipe(tmp_path / "s.yaml").subsets) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("only: [a, bb]\n", "r.yaml:4: only: No subset named 'bb'. Did you mean 'b'?"),
        ("only: a\n", "r.yaml:4: only: expected a list"),
        ("only: [1]\n", "r.yaml:4: only.0: expected a text, saw 1"),
        ("only: []\n", "r.yaml:4: only: expected the name of a subset"),
        ("only: [a]\nmixture: {subsets: {b: 3}}\n", "No subset named 'b'"),
    ],
)
def test_a_wrong_only_is_an_error_with_its_place(tmp_path: Path, text: str, error: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load(tmp_path, text)
    assert error in str(caught.value)


def test_only_without_extends_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(BASE + "only: [a]\n")
    with pytest.raises(RecipeError, match=r"r\.yaml:8: only: it needs the key 'extends'"):
        load_recipe(path)


def test_a_shipped_recipe_in_a_folder_is_found_by_its_last_name(tmp_path: Path) -> None:
    assert load_recipe("g-m").canonical() == load_recipe("ablations/g-m").canonical()
    path = write_variant("mine", "g-m", tmp_path)
    assert list(load_recipe(path).subsets) == list(load_recipe("ablations/g-m").subsets)
    with pytest.raises(UsageError, match="Did you mean 'ablations/g-m'"):
        load_recipe("ablations/g-n")


def test_no_two_shipped_recipes_have_the_same_last_name() -> None:
    for part in ("", "training"):
        names = [Path(name).name for name in shipped_recipes(part)]
        assert len(set(names)) == len(names)


def test_a_new_recipe_names_the_schema_only_where_the_file_is(tmp_path: Path) -> None:
    assert "$schema" not in write_variant("a", "quickstart", tmp_path).read_text()
    (tmp_path / "recipe.schema.json").write_bytes(
        (recipes_folder() / "recipe.schema.json").read_bytes()
    )
    first = write_variant("b", "quickstart", tmp_path).read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=recipe.schema.json"


@pytest.mark.parametrize(
    ("kinds", "error"),
    [
        ("{CoT: 50%, PoT: 50%}", "mixture.kinds: no subset has the kind PoT"),
        ("{CoT: 50%}", "expected shares of 100% in all, saw 50%"),
        ("{CoT: 0.5}", "mixture.kinds.CoT"),
        ("{CoT: 120%}", "mixture.kinds.CoT"),
        ("{Code: 50%}", "mixture.kinds"),
    ],
)
def test_shares_by_kind_that_no_rows_can_have_are_errors(
    tmp_path: Path, kinds: str, error: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        load(tmp_path, f"mixture: {{kinds: {kinds}}}\n")
    assert error in str(caught.value)
    assert "r.yaml:4" in str(caught.value)


def test_the_schema_and_the_digest_leave_out_keys_that_are_not_set(tmp_path: Path) -> None:
    plain = json.dumps(load(tmp_path, "").canonical())
    assert '"kinds"' not in plain and '"only"' not in plain
