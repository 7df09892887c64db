"""`tokens` counts with the tokenizer that the recipe names, and rejects rows outside the limits."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
import tokenizers

from curator import build
from curator.core.arrow import VERDICTS
from curator.core.errors import RecipeError, UsageError
from curator.core.tokenizer import find_tokenizer
from curator.recipe.load import load_recipe
from curator.screens import SCREENS, Rows
from datastore.engine import Engine
from datastore.store import Store
from tests.teacher.test_token_count import train_tokenizer
from tests.worlds import curator

RECIPE = """\
name: t
about: tokens
subsets:
  s:
    source: {file: rows.jsonl, columns: {question: q, solution: a, gold: g}, licence: MIT}
    kind: CoT
screens:
  contamination: null
  tokens: {tokenizer: ./tokenizer.json, max_tokens: 120}
"""
REVISION = "0" * 40


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    train_tokenizer(tmp_path)
    rows = [
        {
            "q": f"What is {n} plus {n}?",
            "a": "So. " * 30 * (n % 2) + f"The answer is {2 * n}.",
            "g": 2 * n,
        }
        for n in range(6)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    path = tmp_path / "t.yaml"
    path.write_text(RECIPE)
    return path


def test_a_row_outside_the_limits_is_rejected_with_its_number_of_tokens(
    engine: Engine, rows_of: Callable[..., tuple[Rows, list[bytes]]], tmp_path: Path
) -> None:
    file = find_tokenizer(str(train_tokenizer(tmp_path)), "", tmp_path)
    plain = tokenizers.Tokenizer.from_file(str(file.path))
    plain.no_truncation()
    plain.no_padding()
    given = [
        ("a", f"How many are {n}?", "word " * n + "\ud800".encode("utf-8", "replace").decode())
        for n in range(0, 60, 6)
    ]
    rows, ids = rows_of(given)
    parts = SCREENS["tokens"].run(engine, rows, tokenizer=file, max_tokens=90, min_tokens=30)
    verdicts = pa.Table.from_batches(parts, VERDICTS).to_pylist()
    expected = {}
    for row_id, (_, question, text) in zip(ids, given, strict=True):
        tokens = sum(len(plain.encode(each).ids) for each in (question, text))
        if tokens > 90:
            expected[row_id] = ("too many tokens", str(tokens))
        elif tokens < 30:
            expected[row_id] = ("too few tokens", str(tokens))
    seen = {v["row_id"]: (v["reason"], json.loads(v["evidence"])["tokens"]) for v in verdicts}
    assert seen == expected
    assert len({reason for reason, _ in seen.values()}) == 2 and len(seen) < len(given)
    assert [v["row_id"] for v in verdicts] == sorted(seen)


def test_a_build_rejects_long_rows_and_another_tokenizer_screens_again(recipe: Path) -> None:
    first = build(recipe, recipe.parent / "store")
    counts = first.content["subsets"]["s"]
    assert (counts["kept"], counts["reasons"]) == (3, {"failed: too many tokens": 3})
    assert build(recipe, recipe.parent / "store").ref == first.ref
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[U]": 0}, unk_token="[U]"))
    tokenizer.save(str(recipe.parent / "tokenizer.json"))
    changed = build(recipe, recipe.parent / "store")
    assert changed.content["subsets"]["s"]["kept"] == 6, "each text is one token"
    with Store(recipe.parent / "store", readonly=True) as store:
        assert store.versions.names() == ["t"]


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ("tokenizer: ./tokenizer.json", "expected max_tokens or min_tokens"),
        ("tokenizer: ./t.json, max_tokens: 5, min_tokens: 6", "no row can satisfy"),
        ("tokenizer: org/name, max_tokens: 5", "write a path as ./org/name"),
        ("tokenizer: org/name, revision: main, max_tokens: 5", "a full commit of 40 digits"),
        ("max_tokens: 5", "tokenizer"),
    ],
)
def test_limits_that_cannot_be_applied_are_errors(recipe: Path, keys: str, error: str) -> None:
    recipe.write_text(RECIPE.replace("tokenizer: ./tokenizer.json, max_tokens: 120", keys))
    with pytest.raises(RecipeError, match=r"t\.yaml:9: .*screens\.tokens") as caught:
        load_recipe(recipe)
    assert error in str(caught.value)


@pytest.mark.parametrize("content", ["", "{}", "\0", '{"auto_map": {"AutoTokenizer": "x.py"}}'])
def test_a_broken_tokenizer_ends_a_build_before_any_work(recipe: Path, content: str) -> None:
    (recipe.parent / "tokenizer.json").write_text(content)
    (recipe.parent / "rows.jsonl").unlink()
    with pytest.raises(UsageError, match=r"tokenizer\.json is not a valid tokenizer\.json"):
        build(recipe, recipe.parent / "store")


def test_a_tokenizer_that_cannot_be_fetched_is_reported_in_one_line(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = f"tokenizer: no/where, revision: {REVISION}"
    recipe.write_text(RECIPE.replace("tokenizer: ./tokenizer.json", hub))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UsageError, match=r"Cannot fetch tokenizer\.json of no/where at 0{12}"):
        build(recipe, recipe.parent / "store")


def test_a_variant_in_another_folder_finds_the_tokenizer(recipe: Path) -> None:
    folder = recipe.parent / "sub"
    folder.mkdir()
    (folder / "v.yaml").write_text("extends: ../t.yaml\nname: v\n")
    assert build(folder / "v.yaml", folder / "store").content["rows"]["count"] == 3


def test_own_files_are_checked_before_evaluation_sets_are_searched(recipe: Path) -> None:
    screens = RECIPE[RECIPE.index("screens:") :]
    recipe.write_text(RECIPE.replace(screens, "screens: {contamination: {against: [gsm8k]}}\n"))
    (recipe.parent / "rows.jsonl").write_text('{"q": 1, "a": 1, "g": 1}\n' * 2)
    done = curator("build", recipe, "--store", recipe.parent / "store", "--mirror", recipe.parent)
    assert (done.returncode, "2 of 2 records do not parse" in done.stderr) == (1, True)
