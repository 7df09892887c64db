"""A verifier reads right and wrong attempts as exports state them, without grading them again."""

import json
from pathlib import Path
from typing import Any

import pytest

from curator.core.errors import UsageError
from curator.release.formats import FORMATS
from tests.release.test_attempts import row as attempt
from tests.trainers.sums import prompt_texts, sums, write_problems
from tests.trainers.tiny import tiny_model
from trainers.attempts import has_attempts, read_attempts
from trainers.pairs import SolutionSet, format_question
from trainers.recipe import Verifier
from trainers.release import read_release

ATTEMPTS = [name for name, form in FORMATS.items() if form.pairs]


def write(form: str, target: Path, pairs: list[tuple[str, str, str]]) -> Path:
    """Write (prompt, right, wrong) in a format of attempts, as an export does."""
    import pyarrow as pa

    rows = [
        attempt(
            n,
            instruction=prompt,
            text=right,
            rejected_id=bytes(16),
            rejected_text=wrong,
            rejected_reason="contradicts the gold",
        )
        for n, (prompt, right, wrong) in enumerate(pairs)
    ]
    FORMATS[form].write(iter([pa.RecordBatch.from_pylist(rows)]), target)
    return target


@pytest.mark.parametrize("form", ATTEMPTS)
def test_every_format_of_attempts_gives_the_right_and_wrong_solutions(
    tmp_path: Path, form: str
) -> None:
    pairs = [("What is 2?", "two", "three"), ("Else?", "yes", "no"), ("What  is 2?", "2", "three")]
    path = write(form, tmp_path / "out.jsonl", pairs)
    assert has_attempts(path)
    assert read_attempts(path) == [
        SolutionSet("What is 2?", ("two", "2"), ("three",)),
        SolutionSet("Else?", ("yes",), ("no",)),
    ]


@pytest.mark.parametrize("form", ATTEMPTS)
def test_attempts_are_not_read_as_a_release_to_imitate(tmp_path: Path, form: str) -> None:
    path = write(form, tmp_path / "out.jsonl", [("What is 2?", "two", "three")])
    with pytest.raises(UsageError, match=r"out\.jsonl:1: "):
        read_release(path)


def test_a_file_of_samples_has_no_attempts(tmp_path: Path) -> None:
    assert not has_attempts(write_problems(tmp_path / "samples.jsonl", sums(2)))
    (tmp_path / "empty.jsonl").write_text("")
    assert not has_attempts(tmp_path / "empty.jsonl")
    with pytest.raises(UsageError, match="Cannot read the samples"):
        has_attempts(tmp_path / "none.jsonl")


INVALID: list[tuple[Any, str]] = [
    ({"prompt": "Q", "completion": "A"}, "expected chosen and rejected, a label"),
    ({"prompt": "Q", "completion": "A", "label": 1}, "expected chosen and rejected, a label"),
    ({"prompt": "Q", "completion": " ", "label": True}, "'completion' is empty"),
    ({"prompt": [], "completion": "A", "label": True}, "'prompt': expected a text or one message"),
    ({"prompt": ["Q"], "completion": "A", "label": True}, "'prompt': expected a text or one"),
    ({"prompt": "Q", "chosen": "A"}, "'rejected' is missing"),
    ({"prompt": "Q", "chosen": "A\0", "rejected": "B"}, "'chosen': contains NUL"),
    ([1], "expected an object, saw list"),
]


@pytest.mark.parametrize("line", INVALID, ids=[message for _, message in INVALID])
def test_an_invalid_line_is_reported_with_its_number(tmp_path: Path, line: tuple[Any, str]) -> None:
    good = json.dumps({"prompt": "Q", "chosen": "A", "rejected": "B"})
    path = tmp_path / "out.jsonl"
    path.write_text(f"{good}\n{json.dumps(line[0])}\n{{\n")
    with pytest.raises(UsageError) as error:
        read_attempts(path)
    first, second = str(error.value).splitlines()
    assert first.startswith("out.jsonl:2: ") and line[1] in first
    assert second.startswith("out.jsonl:3: not JSON")


def test_a_verifier_trains_on_attempts(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the extra train is not installed")
    from trainers.verifier import train_verifier

    problems = sums(4)[:20]
    pairs = [
        (format_question(each.question, each.choices), each.samples[0].text, each.samples[1].text)
        for each in problems
    ]
    settings = {
        "train": "verifier",
        "name": "tiny",
        "about": "A test",
        "model": str(tiny_model(tmp_path / "model", prompt_texts(problems), width=64, layers=1)),
        "samples": str(write("preference", tmp_path / "pairs.jsonl", pairs)),
        "loss": "cross-entropy",
        "learning_rate": 1e-3,
        "steps": 3,
        "batch": 4,
        "micro_batch": 4,
        "max_length": 128,
        "held_out": 0.2,
        "precision": "fp32",
        "output": str(tmp_path / "run"),
    }
    record = train_verifier(Verifier.model_validate(settings), lambda line: None)
    assert record["examples"]["problems"] == 16
    assert record["measures"]["solutions"] == 8
