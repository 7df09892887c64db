"""Reverify: newer checks on older rationales; no source is read and no program runs."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from curator import RunOptions, build
from curator.checks import CHECKS, Candidate
from curator.core.model import Verdict
from curator.pipeline.reverify import reverify
from curator.versions.changes import RowChange, VerdictChange
from datastore.store import Store
from tests.changes import row_changes, verdict_changes
from tests.worlds import curator, make_world


def stricter(candidate: Candidate, version: int) -> Verdict | None:
    """A newer version of `answer` that rejects negative answers."""
    verdict = CHECKS_BEFORE["answer"].run(candidate, version)
    if verdict and candidate.answer and candidate.answer.text.startswith("-"):
        return verdict._replace(outcome="failed", reason="negative", version=version)
    return verdict


CHECKS_BEFORE = dict(CHECKS)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    mirror, recipe = make_world(tmp_path)
    build(recipe, tmp_path / "store", options=RunOptions(mirror=mirror))
    shutil.rmtree(mirror)
    recipe.unlink()
    return tmp_path / "store"


def executions(store: Path) -> int:
    with Store(store, readonly=True) as opened:
        return opened.ledger("executions").count()


def test_the_same_graders_make_no_new_version(built: Path) -> None:
    again = reverify("small", built)
    assert again.ref == "small@1"


def test_verdicts_are_made_again_without_sources_and_without_running_a_program(built: Path) -> None:
    before = executions(built)
    shutil.rmtree(built / "memo")
    shutil.rmtree(built / "ledgers" / "gradings", ignore_errors=True)
    again = reverify("small", built)
    assert again.ref == "small@1"
    assert executions(built) == before


def test_a_newer_check_makes_a_version_whose_diff_names_it(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CHECKS, "answer", replace(CHECKS["answer"], version=9, run=stricter))
    before = executions(built)
    again = reverify("small", built)
    assert (again.ref, again.parent) == ("small@2", "small@1")
    assert again.content["code"]["checks"]["answer"] == 9
    changes, _ = differences(built, "small@1", "small@2")
    assert {(change.what, change.subset, change.rule) for change in changes} == {
        ("removed", "cot", "answer: negative"),
        ("removed", "pot", "answer: negative"),
    }
    assert executions(built) == before


def differences(store: Path, a: str, b: str) -> tuple[list[RowChange], list[VerdictChange]]:
    with Store(store, readonly=True) as opened:
        older, newer = opened.versions.get(a), opened.versions.get(b)
        return row_changes(opened, older, newer), verdict_changes(opened, older, newer)


def test_the_diff_lists_verdicts_that_changed_on_rows_outside_both_versions(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def softer(candidate: Candidate, version: int) -> Verdict | None:
        """A newer version of `answer` that leaves wrong answers undecided."""
        verdict = CHECKS_BEFORE["answer"].run(candidate, version)
        if verdict and verdict.outcome == "failed":
            return verdict._replace(outcome="undecided", reason="not sure", version=version)
        return verdict

    monkeypatch.setitem(CHECKS, "answer", replace(CHECKS["answer"], version=9, run=softer))
    assert reverify("small", built).ref == "small@2"
    rows, [verdict] = differences(built, "small@1", "small@2")
    assert rows == []
    assert (verdict.subset, verdict.check) == ("pot", "answer")
    assert (verdict.was, verdict.by) == ("failed, contradicts the gold", "number")
    assert (verdict.now, verdict.rule) == ("undecided, not sure", "number")
    output = curator("diff", "small@1", "small@2", "--rows", "--store", built).stdout
    assert "failed, contradicts the gold (by number) -> undecided, not sure (by number)" in output


def test_with_more_required_digits_rounded_answers_are_undecided(
    tmp_path: Path,
) -> None:
    lines = [
        {"q": "What is two thirds of one metre, in metres?", "a": "2/3", "p": "print(0.6667)"},
        {"q": "What is one half of one metre, in metres?", "a": "1/2", "p": "print(0.5)"},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    recipe = tmp_path / "round.yaml"
    text = (
        "name: round\nabout: rounded answers\nsubsets:\n  one:\n    source:\n"
        "      file: rows.jsonl\n      columns: {question: q, gold: a, program: p}\n"
        "      licence: MIT\n    kind: PoT\n    writers: [annotated]\n"
        "screens: {contamination: null}\n"
    )
    recipe.write_text(text)
    assert build(recipe, tmp_path / "store").content["subsets"]["one"]["passed"] == 2
    recipe.write_text(text + "limits: {digits: 6}\n")
    second = build(recipe, tmp_path / "store").content["subsets"]["one"]
    assert (second["passed"], second["undecided"]) == (1, 1)
    _, [verdict] = differences(tmp_path / "store", "round@1", "round@2")
    assert (verdict.by, verdict.now) == ("rounded", "undecided, not comparable")
