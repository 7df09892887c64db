"""Declarations of checks: the pipeline, the audit, the recipe and the card read nothing else."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pytest

from curator import build
from curator.answers import Equivalence
from curator.checks import CHECKS, Candidate, Check, Evidence, collect_evidence
from curator.checks.check import Pair
from curator.core.model import EVIDENCE_LEVELS, Verdict
from curator.pipeline.audit.run import AuditRequest, audit
from curator.pipeline.run_options import RunOptions
from curator.recipe.schema import Subset
from curator.release.folder import CardOptions, write_folder
from curator.sandbox import Execution
from datastore.store import Store
from tests.worlds import RECIPE, make_world


def check_brevity(candidate: Candidate, version: int) -> Verdict | None:
    """Return failed for a program that prints four characters or more."""
    execution = candidate.execution
    if execution is None:
        return None
    long = len(execution.value) > 3
    outcome, reason = ("failed", "prints much") if long else ("passed", "")
    return Verdict(candidate.row_id, "brief", version, outcome, reason)  # type: ignore[arg-type]


BRIEF = Check(
    7,
    check_brevity,
    "the program prints at most three characters",
    proves="form",
    needs=("execution",),
    audited_kinds=("PoT",),
)


def test_evidence_is_named_after_the_fields_of_a_candidate() -> None:
    names = {*Candidate._fields}
    assert set(get_args(Evidence)) <= names
    assert all(set(check.needs) <= names for check in CHECKS.values())


def test_the_default_checks_of_a_subset_are_part_of_digests_and_stay_as_they_are() -> None:
    subset = Subset.model_validate({"source": "gsm8k", "kind": "CoT"})
    assert subset.checks == ("executed", "agreement", "answer", "format")


@pytest.mark.parametrize(
    ("needs", "programs", "pairs"),
    [
        ((), 0, 0),
        (("agreement",), 0, 0),
        (("execution",), 1, 0),
        (("answer",), 1, 0),
        (("equivalence",), 1, 2),
    ],
)
def test_only_needed_evidence_is_collected_and_each_content_once(
    needs: Sequence[Evidence], programs: int, pairs: int
) -> None:
    counts: Counter[str] = Counter()

    def run(texts: Sequence[str]) -> list[Execution]:
        counts["programs"] += len(texts)
        return [Execution("ok", value="6", stdout="6\n") for _ in texts]

    def compare(some: Sequence[Pair]) -> list[Equivalence]:
        counts["pairs"] += len(some)
        return [Equivalence("equal", "number") for _ in some]

    program = Candidate(b"1", "PoT", "", "print(6)", "6", ())
    text = Candidate(b"2", "CoT", "", "The answer is 7.", "6", ())
    no_gold = Candidate(b"3", "CoT", "", "The answer is 7.", "", ())
    found = collect_evidence([program, program, text, no_gold], needs, run, compare)
    assert counts == Counter(programs=programs, pairs=pairs)
    assert [each.execution is not None for each in found] == [programs > 0] * 2 + [False] * 2
    assert [each.equivalence is not None for each in found] == [pairs > 0] * 3 + [False]
    extracts = bool({"answer", "equivalence"} & set(needs))
    assert [each.answer and each.answer.text for each in found] == (
        ["6", "6", "7", "7"] if extracts else [None] * 4
    )


def test_a_new_check_runs_programs_is_audited_and_is_on_the_card_by_its_declaration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CHECKS, "brief", BRIEF)
    only_brief = RECIPE.replace("writers: [annotated]", "writers: [annotated], checks: [brief]")
    mirror, recipe = make_world(tmp_path, only_brief)
    version = build(recipe, tmp_path / "store", options=RunOptions(mirror=mirror))
    counts = version.content["subsets"]["pot"]
    assert version.content["code"]["checks"]["brief"] == 7
    assert counts["reasons"]["failed: prints much"] == 1
    with Store(tmp_path / "store", readonly=True) as store:
        write_folder(store, version, tmp_path / "out", options=CardOptions("me/data"))
    card = (tmp_path / "out/README.md").read_text("utf-8")
    about = EVIDENCE_LEVELS["form"]
    assert f"| form | {about} | {counts['kept']} |" in card
    assert "brief 7," in card

    rows = [{"question": f"{word} and a hundred?", "code": f"print({word}00)"} for word in (1, 20)]
    data = tmp_path / "rows.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)))
    columns = {"question": "question", "response": "code"}
    request = AuditRequest(str(data), columns=columns)
    found = audit(request, tmp_path / "audit", RunOptions(mirror=tmp_path / "none"))
    (line,) = [each for each in found.lines if each.check == "brief"]
    assert (line.rows, line.failed, dict(line.reasons)) == (2, 1, {"prints much": 1})


LONG = "It is five, as three and two make five. " * 1_000


@pytest.mark.parametrize(
    ("text", "characters", "outcome", "version"),
    [
        ("Three and two make five.", 400_000, "passed", 1),
        (LONG[:20_000], 400_000, "passed", 1),
        (LONG, 400_000, "passed", 2),
        (LONG, 39_999, "failed", 2),
        (f"<think>{LONG}</think>\nThe answer is 5.", 100, "passed", 2),
        (f"<|begin_of_thought|>{LONG}<|end_of_thought|> It is 5.", 100, "passed", 2),
        (f"<think>{LONG}", 100, "failed", 2),  # all of it is the thought
        (LONG[:2_000], 100, "failed", 1),
        (f"<think>{LONG[:2_000]}</think>\nThe answer is 5.", 100, "passed", 1),
    ],
)
def test_a_text_may_be_as_long_as_the_recipe_allows_without_its_thoughts(
    text: str, characters: int, outcome: str, version: int
) -> None:
    question = "How many are three and two?"
    candidate = Candidate(b"", "CoT", question, text, "5", (), characters=characters)
    verdict = CHECKS["format"].run(candidate, CHECKS["format"].version)
    assert verdict and (verdict.outcome, verdict.version) == (outcome, version)
    assert verdict.reason == ("too long" if outcome == "failed" else "")


def test_a_version_states_the_newer_check_only_if_it_has_a_long_text(tmp_path: Path) -> None:
    recipe = tmp_path / "long.yaml"
    recipe.write_text(
        "{name: long, about: x, screens: {contamination: null}, subsets: {a: {kind: CoT, source: "
        "{file: rows.jsonl, licence: MIT, columns: {question: q, gold: a, solution: s}}}}}"
    )

    def build_with(text: str) -> tuple[dict[str, int], int, dict[str, int]]:
        row = {"q": "How many are three and two?", "s": f"{text}\nThe answer is 5.", "a": "5"}
        (tmp_path / "rows.jsonl").write_text(json.dumps(row))
        made = build(recipe, tmp_path / "store").content
        return made["code"]["checks"], made["rows"]["count"], made["subsets"]["a"]["reasons"]

    names = ("executed", "agreement", "answer", "format")
    checks = {name: CHECKS[name].version for name in names}
    assert build_with("It is 3 + 2.") == (checks | {"format": 1}, 1, {})
    assert build_with(LONG) == (checks | {"format": 2}, 1, {})
