"""Evaluations in shards: neither their size nor the number of processes changes a grading."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curator import RunOptions
from curator.answers import Grader
from curator.checks.grade_samples import GradedProblem, grade
from curator.core.samples import Sample, SampledProblem
from curator.pipeline import checker, shards
from curator.pipeline import grade as grade_module
from curator.pipeline.grade import grade_in_shards
from curator.sandbox import Sandbox
from datastore.store import Store

MIXED = SampledProblem(
    "math",
    "half",
    "What is one half? \ud800\0",
    r"\frac{1}{2}",
    samples=(
        Sample("CoT", "It is a half.\nThe answer is 0.5", 0.9),
        Sample("PoT", "print(1 / 2)", 1),
        Sample("CoT", "The answer is three \udfff", None),
        Sample("CoT", "The answer is a fish"),
        Sample("PoT", "print(1 / 0)", 0.0),
    ),
)
CHOICE = SampledProblem(
    "aqua_rat", "choice", "How far?", "B", ("10", "20"), "geometry", "2", (Sample("CoT", "(B)"),)
)
BARE = SampledProblem("math", "bare", "What is 2 + 2?", "4")


def problems() -> list[SampledProblem]:
    return [replace(each, id=f"{each.id}{n}") for n in range(5) for each in (MIXED, BARE, CHOICE)]


def plain(graded: Any) -> list[tuple[Any, ...]]:
    """Return the fields of graded problems, with arrays as lists and their types."""
    names = ("clusters", "right", "undecided", "published", "published_clusters", "wrong", "scores")
    return [
        (
            one.problem,
            *(
                (value.dtype, [str(each) for each in value])
                if isinstance(value := getattr(one, name), np.ndarray)
                else value
                for name in names
            ),
        )
        for one in graded
    ]


@pytest.fixture(scope="module")
def alone() -> list[tuple[Any, ...]]:
    """The problems, graded without a store."""
    with Sandbox(workers=2, wall_s=600) as box, Grader(workers=2, wall_s=600) as grader:
        return plain(grade(problems(), box.map, grader.map))


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let two problems be a shard, and work for other processes."""
    monkeypatch.setattr(grade_module, "SHARD_SAMPLES", 6)
    monkeypatch.setattr(shards, "FEW_ROWS", 0)
    yield


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("workers", [1, 2])
def test_gradings_are_the_same_in_any_shard_and_process(
    workers: int, tmp_path: Path, alone: list[tuple[Any, ...]]
) -> None:
    options = RunOptions(workers=workers)
    assert plain(grade_in_shards(problems(), tmp_path / "store", options)) == alone
    with Store(tmp_path / "store", readonly=True) as store:
        stages = [record["stage"] for _, record in store.memo.records() if record]
    assert stages.count("grade") == 5


@pytest.mark.usefixtures("small_shards")
def test_an_evaluation_that_was_stopped_grades_only_the_missing_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: list[tuple[Any, ...]]
) -> None:
    options = RunOptions(workers=1)
    some = list(grade_in_shards(problems()[:9], tmp_path / "store", options))
    assert plain(some) == alone[:9]
    seen: list[str] = []

    def watch(given: Iterable[SampledProblem], *how: Any) -> Iterator[GradedProblem]:
        for one in grade(given, *how):
            seen.append(one.problem.id)
            yield one

    monkeypatch.setattr(checker, "grade", watch)
    assert plain(grade_in_shards(problems(), tmp_path / "store", options)) == alone
    assert seen == [each.id for each in problems()[9:]]


def test_no_problems_are_no_gradings(tmp_path: Path) -> None:
    graded: list[GradedProblem] = list(grade_in_shards([], tmp_path / "store"))
    assert graded == []
