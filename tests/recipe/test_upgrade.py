"""Recipes of versions that an older release made are rewritten with the present keys."""

from pathlib import Path

import pytest

from curator.core.errors import CuratorError
from curator.recipe.load import load_recipe
from curator.recipe.upgrade import upgrade_recipe


@pytest.mark.parametrize(("masked", "action"), [("report", "flag"), ("reject", "reject")])
def test_the_action_on_masked_matches_becomes_that_on_templates(masked: str, action: str) -> None:
    old = {"screens": {"contamination": {"against": ["gsm8k"], "ngram": 13, "masked": masked}}}
    section = upgrade_recipe(old)["screens"]["contamination"]
    assert section["against"] == ["gsm8k"]
    assert (section["same_question"], section["same_template"]) == ("reject", action)
    assert "ngram" not in section
    assert old["screens"]["contamination"]["ngram"] == 13, "the values that were read stay"
    assert upgrade_recipe({"screens": {"contamination": None}}) == {
        "screens": {"contamination": None}
    }


def test_a_recipe_file_with_an_old_key_states_what_to_write(tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_text("extends: quickstart\nname: old\nscreens: {contamination: {ngram: 13}}\n")
    with pytest.raises(CuratorError, match=r"'ngram' no longer exists.*same_template: reject"):
        load_recipe(path)
