"""Problems of two collections that repeat each other are found, whatever the collections are."""

import json
from pathlib import Path

import pytest

from curator import RunOptions, build
from curator.core.errors import UsageError
from curator.pipeline.overlap import compare
from tests.worlds import EVALUATION, LAMPS, RIGHT, curator, make_world


@pytest.fixture
def world(tmp_path: Path) -> tuple[Path, Path]:
    mirror, recipe = make_world(tmp_path)
    build(recipe, tmp_path / "store", options=RunOptions(mirror=mirror))
    return mirror, tmp_path / "store"


def write(path: Path, *questions: str) -> str:
    lines = [json.dumps({"question": question, "answer": "#### 1"}) for question in questions]
    path.write_text("\n".join([*lines, "{broken"]) + "\n")
    return str(path)


def test_a_file_is_compared_with_an_evaluation_set(world) -> None:
    mirror, store = world
    other_numbers = EVALUATION[0].replace("90", "81").replace("7", "6")
    file = write(store.parent / "mine.jsonl", f"Solve: {EVALUATION[0]}", other_numbers, LAMPS)
    found = compare(file, "evals/gsm8k", store, mirror)
    assert (found.problems, found.others, found.unread) == (3, 1, 1)
    assert list(found.reasons.values()) == [1]
    assert found.counts == {"same question": 1, "same template": 1}
    assert {(pair.level, pair.other) for pair in found.pairs} == {
        ("same question", EVALUATION[0]),
        ("same template", EVALUATION[0]),
    }


def test_a_version_is_compared_with_a_source(world) -> None:
    mirror, store = world
    found = compare("small", "gsm8k", store, mirror)
    # The wrong row, the evaluation question and the broken record are not in the version.
    assert (found.problems, found.others, found.unread) == (len(RIGHT) + 1, 8, 1)
    assert found.counts == {"same question": len(RIGHT) + 1}


def test_equal_records_count_each_and_are_one_pair(world) -> None:
    mirror, store = world
    file = write(store.parent / "mine.jsonl", *[EVALUATION[0]] * 40, LAMPS)
    found = compare(file, file, store, mirror)
    assert (found.problems, found.others, found.counts) == (41, 41, {"same question": 41})
    assert len(found.pairs) == 2


def test_a_name_of_nothing_is_an_error(world) -> None:
    mirror, store = world
    with pytest.raises(UsageError, match="There is no file smal"):
        compare("smal", "gsm8k", store, mirror)


def test_a_version_without_a_store_is_an_error_that_names_the_store(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"No store at .*, so there is no version 'small@1'"):
        compare("small@1", write(tmp_path / "mine.jsonl", LAMPS), tmp_path / "none")


def test_the_command_prints_levels_and_examples(world) -> None:
    mirror, store = world
    file = write(store.parent / "mine.jsonl", f"Solve: {EVALUATION[0]}", LAMPS)
    arguments = ("overlap", file, "evals/gsm8k", "--mirror", mirror, "--store", store)
    shown = curator(*arguments)
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = shown.stdout.splitlines()
    assert lines[1].split() == ["same", "question", "1", "50.0%"]
    assert lines[4].startswith("  A  Solve: A tank holds 90 litres")
    assert max(map(len, lines[:-2])) <= 80
    assert f"1 of 2 problems of {file} repeat one of 1 of evals/gsm8k." in lines
    assert lines[-1] == "1 record could not be read: not JSON (1)."
    [pair] = json.loads(curator(*arguments, "--json").stdout)["pairs"]
    assert (pair["level"], pair["other"]) == ("same question", EVALUATION[0])


def test_an_unknown_evaluation_set_gets_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"No evaluation set named 'gsm8'\. Did you mean 'gsm8k'"):
        compare("gsm8k", "evals/gsm8", tmp_path / "store", tmp_path)
