"""Recipes of strangers: any file becomes a recipe or a RecipeError, in linear time."""

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curator.core.errors import MAX_REPORTED, CuratorError, RecipeError, unknown_name
from curator.recipe.load import load_recipe
from curator.recipe.yaml_document import MAX_BYTES, shipped_recipes
from curator.recipe.yaml_values import MAX_DEPTH, MAX_VALUES, read_values
from trainers.recipe import PART, load_training

HEAD = "name: h\nabout: x\nsubsets:\n  a: {source: gsm8k, kind: CoT}\n"
MUTATIONS = 150
"""Mutated recipes per run; a hundred times as many were tried once."""

SLOW = {
    "lists in lists": ("x: " + "[" * 8_000, "nested too deeply"),
    "mappings in mappings": ("x: " + "{a: " * 8_000, "nested too deeply"),
    "lists in lists, by indentation": ("x:\n  " + "- " * 100_000, "nested too deeply"),
    "an integer of base 60": ("seed: 1" + ":1" * 100_000, "expected an integer"),
    "a number of base 60": ("seed: 1" + ":1" * 100_000 + ".5", "expected an integer"),
    "an integer of 5,000 digits": ("seed: " + "9" * 5_000, "seed: "),
    "a share of 5,000 digits": (
        "mixture: {subsets: {a: '" + "0" * 5_000 + "1%'}}", "expected a count"
    ),
    "a weight of 5,000 digits": (
        "mixture: {subsets: {a: " + "1" * 5_000 + ".5}}", "expected a count"
    ),
    "many values": ("x: [" + "a," * 100_000 + "]", f"at most {MAX_VALUES:,} keys and values"),
    "a long key": ("? " + "k" * 200_000 + "\n: 1", "No key named 'kkk"),
    "a large file": ("x: " + "a" * 400_000, f"at most {MAX_BYTES:,} bytes"),
}  # fmt: skip


@pytest.mark.parametrize("case", SLOW)
def test_a_file_that_took_a_parser_hours_is_rejected_in_one_line(case: str, tmp_path: Path) -> None:
    text, message = SLOW[case]
    path = tmp_path / "r.yaml"
    path.write_text(HEAD + text + "\n")
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_thousand_subsets_with_the_same_rows_are_each_reported_once(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    names = [f"s{number}" for number in range(1_000)]
    path.write_text(
        "name: h\nabout: x\nsubsets:\n"
        + "".join(f"  {name}: {{source: gsm8k, kind: CoT}}\n" for name in names)
    )
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    lines = str(caught.value).split("\n")
    assert len(lines) == MAX_REPORTED + 1
    assert "subsets 's0' and 's1' would have the same rows" in lines[0]
    assert lines[-1] == f"… and {999 - MAX_REPORTED} more errors"


@pytest.mark.parametrize(
    ("parts", "pairs"),
    [
        (["", "p"], [("a", "b")]),
        (["p", ""], [("a", "b")]),
        (["p", "q"], []),
        (["p", "q", "p"], [("a", "c")]),
        (["p", "q", ""], [("a", "c")]),
        (["p", "", "q"], [("a", "b"), ("b", "c")]),
    ],
)
def test_a_part_shares_rows_with_itself_and_with_the_whole(
    parts: list[str], pairs: list[tuple[str, str]], tmp_path: Path
) -> None:
    path = tmp_path / "r.yaml"
    subsets = {
        name: {"source": "gsm8k", "kind": "CoT", "part": part}
        for name, part in zip("abc", parts, strict=False)
    }
    path.write_text(json.dumps({"name": "x", "about": "y", "subsets": subsets}))
    found = []
    try:
        load_recipe(path)
    except RecipeError as error:
        found = str(error).split("\n")
    assert len(found) == len(pairs)
    for line, (one, other) in zip(found, pairs, strict=True):
        assert f"subsets '{one}' and '{other}' would have the same rows" in line


def test_nesting_up_to_the_limit_is_read() -> None:
    inside = MAX_DEPTH - 1
    values, _ = read_values("x: " + "[" * inside + "1" + "]" * inside, "r.yaml")
    for _ in range(inside):
        values = next(iter(values.values())) if isinstance(values, dict) else values[0]
    assert values == [1]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12), ("-3", -3), ("1_000", 1000), ("0.5", 0.5), (".5", 0.5), ("1.5e+3", 1500.0),
        ("1e-5", "1e-5"), ("true", True), ("No", False), ("~", None), ("", None), ("a", "a"),
        ("'12'", "12"), ("-.inf", float("-inf")), ("nan", "nan"), (".", "."), ("_1", "_1"),
    ],
)  # fmt: skip
def test_a_value_without_quotes_has_the_type_that_yaml_gives_it(text: str, value: Any) -> None:
    values, places = read_values(f"\nx: {text}\n", "r.yaml")
    assert (values["x"], type(values["x"])) == (value, type(value))
    assert places[("x",)] == "r.yaml:2"


def test_an_unknown_name_is_cut_and_gets_a_suggestion_only_if_it_is_short() -> None:
    message = unknown_name("key", "seeds" * 100_000, ["seed"])
    assert len(message) < 200
    assert "Did you mean" not in message
    many = unknown_name("key", "seeds", [f"seed{number}" for number in range(100_000)])
    assert len(many) < 3_000
    assert many.endswith("… and 99,800 more")


VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 10**30, 10**400, 1.5, -0.0, 1e300, float("inf"), float("nan"),
    "", " ", "a", "a" * 3_000, "9" * 5_000, "30%", "-1%", "1:1:1", "2024-99-99", "\ud800", "\0",
    "\x1b[31m", "a\nb", "../../x", "/", "~", "*", "{0}", "%s", [], {}, [[]], [None], {"a": {}},
    {"": ""}, [[[[[1]]]]], ["reference"] * 50, {"source": "gsm8k"}, {"hub": 1}, {"file": []},
    {"seeds": None}, {"subset": "a"}, "http://[::1", "\u2100",
]  # fmt: skip


def mutate(value: Any, chance: random.Random) -> Any:
    """Replace, remove, rename or add one thing at a random place."""
    if not (isinstance(value, dict | list) and value) or chance.random() < 0.15:
        return copy.deepcopy(chance.choice(VALUES))
    if isinstance(value, list):
        index = chance.randrange(len(value))
        return [*value[:index], mutate(value[index], chance), *value[index + 1 :]]
    key = chance.choice(list(value))
    rest = {name: inner for name, inner in value.items() if name != key}
    match chance.randrange(8):
        case 0:
            return rest
        case 1:
            return {chance.choice(["on", "1", "", "\ud800", "a\nb", "x" * 300]): value[key], **rest}
        case 2:
            return {**value, chance.choice(list(value)) + "s": chance.choice(VALUES)}
        case _:
            return {**rest, key: mutate(value[key], chance)}


def mutated_files(names: dict[str, Path], seed: int, count: int) -> Iterator[str]:
    chance = random.Random(seed)
    documents = [read_values(path.read_text(), path.name)[0] for path in names.values()]
    for _ in range(count):
        document = chance.choice(documents)
        for _ in range(chance.randint(1, 3)):
            document = mutate(document, chance)
        text = json.dumps(document)  # JSON is YAML, but for a surrogate, which stays an escape
        if chance.random() < 0.3:
            place = chance.randrange(len(text))
            junk = chance.choice(
                ["[", "{", '"', "'", ":", "&a ", "*a", "!!int ", "\n", "\t", "%", "- "]
            )
            text = text[:place] + junk + text[place + chance.randint(0, 3) :]
        if chance.random() < 0.2:  # without quotes, values have other types
            text = text.replace('"', "")
        yield text


def test_any_recipe_is_read_or_rejected_with_a_recipe_error(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    for text in mutated_files(shipped_recipes(), 1, MUTATIONS):
        path.write_text(text)
        try:
            load_recipe(path).canonical()
        except CuratorError as error:
            check_lines(str(error))


def test_any_training_recipe_is_read_or_rejected_with_a_recipe_error(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    for text in mutated_files(shipped_recipes(PART), 2, MUTATIONS):
        path.write_text(text)
        try:
            load_training(path)
        except CuratorError as error:
            check_lines(str(error))


def check_lines(message: str) -> None:
    lines = message.split("\n")
    assert len(lines) <= MAX_REPORTED + 1
    for line in lines:
        assert line.isprintable(), line
        assert len(line) <= 2_000
