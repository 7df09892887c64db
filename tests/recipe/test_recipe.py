"""Recipes: shipped recipes load, errors are reported with their place, variants override keys."""

import json
import os
import warnings
from pathlib import Path

import pytest

from curator.core.errors import RecipeError, UsageError
from curator.recipe.builtin import recipes_folder
from curator.recipe.load import load_recipe, schema
from curator.recipe.scaffold import write_variant
from curator.recipe.yaml_document import shipped_recipes
from curator.writers import WRITERS
from tests.paths import DATA

ERRORS = json.loads((DATA / "recipe_errors.json").read_text())
SUBSETS_OF_MATHINSTRUCT = 13
MINIMAL = "name: x\nabout: y\nsubsets:\n  gsm: {source: gsm8k, kind: CoT}\n"


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_loads_and_names_its_command(name: str) -> None:
    recipe = load_recipe(name)
    text = shipped_recipes()[name].read_text()
    assert recipe.subsets
    assert f"curator build {name}" in text
    assert len(text.splitlines()) <= 60


@pytest.mark.parametrize("case", ERRORS, ids=lambda case: case["name"])
def test_an_invalid_recipe_is_rejected_with_every_error_and_its_line(case, tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(case["text"])
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    for message in case["errors"]:
        assert message in str(caught.value)


def test_a_wrong_item_of_a_list_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(f"{MINIMAL}undecided: [no gold anser]\n")
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert "Did you mean 'no gold answer'?" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_mathinstruct_has_its_thirteen_subsets_and_mathqa_twice() -> None:
    released = [subset.release_as for subset in load_recipe("mathinstruct").subsets.values()]
    assert len(set(released)) == SUBSETS_OF_MATHINSTRUCT
    assert released.count("data/PoT/mathqa.json") == 2


def test_existing_data_has_no_subset_that_needs_a_teacher() -> None:
    recipe = load_recipe("ablations/existing-data")
    writers = {writer for subset in recipe.subsets.values() for writer in subset.writers}
    assert not [writer for writer in writers if WRITERS[writer].teacher]


@pytest.mark.parametrize(("name", "kind"), [("cot-only", "CoT"), ("pot-only", "PoT")])
def test_an_ablation_of_one_kind_has_only_that_kind(name: str, kind: str) -> None:
    recipe = load_recipe(f"ablations/{name}")
    assert {subset.kind for subset in recipe.subsets.values()} == {kind}


def test_a_variant_overrides_keys_and_null_removes_them(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "extends: quickstart\nname: mine\nseed: 7\nsubsets:\n"
        "  camel_math_cot: null\n  gsm8k_cot: {checks: [format]}\n"
    )
    base, mine = load_recipe("quickstart"), load_recipe(path)
    assert set(base.subsets) - set(mine.subsets) == {"camel_math_cot"}
    assert mine.subsets["gsm8k_cot"].checks == ("format",)
    assert mine.subsets["gsm8k_cot"].source == "gsm8k"
    assert mine.seed == 7
    assert list(mine.subsets) == [name for name in base.subsets if name != "camel_math_cot"]


@pytest.mark.parametrize("base", ["quickstart", "bare.yaml"])
def test_null_in_a_variant_switches_off_a_screen_of_its_base(base: str, tmp_path: Path) -> None:
    (tmp_path / "bare.yaml").write_text(MINIMAL)
    (tmp_path / "mine.yaml").write_text(
        f"extends: {base}\nname: mine\nscreens: {{contamination: null, cap: null}}\n"
    )
    (tmp_path / "later.yaml").write_text("extends: mine.yaml\nname: later\nseed: null\n")
    (tmp_path / "again.yaml").write_text(
        "extends: later.yaml\nname: again\nscreens: {contamination: {reworded: flag}}\n"
    )
    assert load_recipe(tmp_path / "mine.yaml").screens.contamination is None
    assert load_recipe(tmp_path / "later.yaml").screens.contamination is None
    again = load_recipe(tmp_path / "again.yaml").screens.contamination
    assert again and again.reworded == "flag"


def test_a_variant_in_another_folder_finds_the_samples_of_its_base(tmp_path: Path) -> None:
    path = write_variant("mine", "quickstart", tmp_path)
    recipe = load_recipe(path)
    assert (recipe.folder / recipe.mirror).resolve() == recipes_folder() / "samples"


FILE_SOURCE = """name: base
about: y
subsets:
  mine: {source: {file: rows.jsonl, columns: {question: q}, licence: MIT}, kind: CoT}
mirror: data
"""


@pytest.mark.parametrize("more", ["", "subsets: {mine: {checks: [format]}}\n"])
def test_a_variant_finds_the_files_of_its_base_from_any_working_directory(
    more: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("sub", "other", "other/deep"):
        (tmp_path / folder).mkdir()
    (tmp_path / "sub" / "base.yaml").write_text(FILE_SOURCE)
    (tmp_path / "sub" / "rows.jsonl").write_text("")
    (tmp_path / "other" / "v.yaml").write_text("extends: ../sub/base.yaml\nname: v\n" + more)
    (tmp_path / "other/deep/w.yaml").write_text("extends: ../v.yaml\nname: w\n")
    (tmp_path / "sub" / "near.yaml").write_text("extends: base.yaml\nname: near\n" + more)
    for name, file in (
        ("other/v.yaml", "../sub/rows.jsonl"),
        ("other/deep/w.yaml", "../../sub/rows.jsonl"),
        ("sub/near.yaml", "rows.jsonl"),
    ):
        for cwd in (tmp_path, tmp_path / "sub", tmp_path / "other"):
            monkeypatch.chdir(cwd)
            for path in (os.path.relpath(tmp_path / name), tmp_path / name):
                recipe = load_recipe(path)
                source = recipe.subsets["mine"].source
                assert source.file == file, "digested, so the same for every cwd"
                assert (recipe.folder / source.file).samefile(tmp_path / "sub" / "rows.jsonl")
                assert (recipe.folder / recipe.mirror).resolve() == tmp_path / "sub" / "data"


def test_the_canonical_form_of_a_recipe_raises_no_warnings(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(FILE_SOURCE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        source = load_recipe(path).canonical()["subsets"]["mine"]["source"]
    assert source["file"] == "rows.jsonl" and source["columns"]["question"] == "q"


def test_a_name_too_long_for_a_file_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="too long"):
        load_recipe("a" * 5000)


def test_a_variant_never_overwrites_a_file(tmp_path: Path) -> None:
    write_variant("mine", "quickstart", tmp_path)
    with pytest.raises(UsageError, match="exists"):
        write_variant("mine", "quickstart", tmp_path)


def test_recipes_that_extend_each_other_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n" + MINIMAL)
    (tmp_path / "b.yaml").write_text("extends: a.yaml\n" + MINIMAL)
    with pytest.raises(RecipeError, match="cycle"):
        load_recipe(tmp_path / "a.yaml")


def test_an_unknown_recipe_name_suggests_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="Did you mean 'quickstart'"):
        load_recipe("quickstar")


def test_integers_stay_counts_and_floats_stay_weights(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(MINIMAL + "mixture:\n  subsets: {gsm: 1}\n")
    assert type(load_recipe(path).mixture.subsets["gsm"]) is int
    path.write_text(MINIMAL + "mixture:\n  subsets: {gsm: 1.0}\n")
    assert type(load_recipe(path).mixture.subsets["gsm"]) is float


def test_the_shipped_schema_is_current() -> None:
    shipped = json.loads((recipes_folder() / "recipe.schema.json").read_text())
    assert shipped == schema(), "run: make docs"


def test_a_variant_finds_an_embedding_model_of_its_base_and_leaves_ids_of_the_hub(
    tmp_path: Path,
) -> None:
    text = """name: base
about: y
subsets:
  a:
    source:
      {seeds: s.jsonl, licence: MIT, questions: 5, embedding: {model: %s}}
    kind: CoT
    writers: [self_instruct]
"""
    (tmp_path / "sub").mkdir()
    for model, expected in (("./model", "./sub/./model"), ("org/model", "org/model")):
        (tmp_path / "sub/base.yaml").write_text(text % model)
        (tmp_path / "v.yaml").write_text("extends: sub/base.yaml\nname: v\n")
        source = load_recipe(tmp_path / "v.yaml").subsets["a"].source
        assert (source.seeds, source.embedding.model) == ("sub/s.jsonl", expected)
