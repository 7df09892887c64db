"""A column that a user names and no record has is an error, not a column without values."""

import json
import re
from pathlib import Path

import pytest

from curator import build
from curator.core.errors import UsageError
from curator.pipeline.plan import plan
from curator.recipe.load import load_recipe
from curator.sources import parse_columns
from datastore.store import Store
from tests.worlds import curator

ROW = {
    "problem": "What is 17 plus 25?",
    "solution": "17 + 25 = 42. The answer is 42.",
    "answer": "42",
    "meta": {"topic": "sums", "options": ["41", "42"]},
}
RIGHT = {"question": "problem", "gold": "answer", "solution": "solution", "field": "meta.topic"}


def write(folder: Path, columns: dict[str, str], rows: list[object]) -> Path:
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    recipe = folder / "r.yaml"
    source = {"file": "rows.jsonl", "columns": columns, "licence": "MIT"}
    recipe.write_text(
        "name: r\nabout: r\nscreens: {contamination: null}\nsubsets:\n"
        f"  mine: {{source: {json.dumps(source)}, kind: CoT}}\n"
    )
    return recipe


@pytest.mark.parametrize(
    ("content", "wrong", "near"),
    [
        ("question", "problm", "problem"),
        ("gold", "anwser", "answer"),
        ("solution", "Solution", "solution"),
        ("response", "solutions", "solution"),
        ("program", "solution_", "solution"),
        ("choices", "meta.option", "meta.options"),
        ("field", "meta.topics", "meta.topic"),
    ],
)
def test_a_column_that_no_record_has_names_the_nearest_first(
    content: str, wrong: str, near: str, tmp_path: Path
) -> None:
    recipe = write(tmp_path, RIGHT | {content: wrong}, [ROW, ROW])
    expected = f"mine: No column named '{wrong}'. Did you mean '{near}'? Columns: {near}, "
    with pytest.raises(UsageError) as caught:
        build(recipe, tmp_path / "store")
    assert str(caught.value).startswith(expected)
    with Store(tmp_path / "store", readonly=True) as store:
        with pytest.raises(UsageError) as planned:
            plan(load_recipe(recipe), store)
        assert str(planned.value) == str(caught.value)


@pytest.mark.parametrize("value", [None, "", []])
def test_a_column_without_values_is_no_error(value: object, tmp_path: Path) -> None:
    recipe = write(tmp_path, RIGHT, [{**ROW, "answer": value}, ROW])
    assert build(recipe, tmp_path / "store").content["subsets"]["mine"]["problems"] == 2


def test_a_column_that_only_a_late_record_has_is_no_error(tmp_path: Path) -> None:
    early = {key: value for key, value in ROW.items() if key != "answer"}
    rows: list[object] = [{**early, "problem": f"What is {n} plus 2?"} for n in range(50)]
    recipe = write(tmp_path, RIGHT, [*rows, ROW])
    assert build(recipe, tmp_path / "store").content["subsets"]["mine"]["problems"] == 51


@pytest.mark.parametrize("option", ["--question", "--response", "--gold", "--choices"])
def test_a_misspelt_option_of_audit_names_the_columns(option: str, tmp_path: Path) -> None:
    write(tmp_path, RIGHT, [ROW])
    done = curator("audit", tmp_path / "rows.jsonl", option, "solutoin", cwd=tmp_path)
    assert done.returncode == 2
    assert "No column named 'solutoin'. Did you mean 'solution'? Columns: solution," in done.stderr


def test_columns_of_an_option_are_parsed_or_refused_with_the_reason() -> None:
    contents = ("question", "gold", "field")
    parsed = parse_columns(" question = a b , gold=meta.answer ,", contents)
    assert parsed == {"question": "a b", "gold": "meta.answer"}
    assert parse_columns("", contents) == {}
    wrong = {
        "question": "'question' is not valid. Write CONTENT=COLUMN",
        "question=": "'question=' is not valid",
        "golds=x": "Did you mean 'gold'?",
        "gold=x,gold=y": "gold is named twice",
    }
    for text, message in wrong.items():
        with pytest.raises(UsageError, match=re.escape(message)):
            parse_columns(text, contents)
