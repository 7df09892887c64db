"""Evidence levels: how strong the proof of a row is, and that it can fail."""

import json
import re
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from curator import RunOptions, build, load
from curator.core.errors import RecipeError
from curator.pipeline.audit.run import AuditRequest, audit
from curator.release.folder import write_folder
from curator.versions.why import why
from datastore.store import Store
from datastore.versions import Manifest
from tests.worlds import RECIPE, RIGHT, curator, make_world

OWN_FILE = """\
name: own
about: an own file
subsets:
  ours:
    source:
      file: rows.jsonl
      columns: {question: question, gold: gold, solution: solution}
      licence: MIT
    kind: CoT
screens: {contamination: null}
"""
SOLUTIONS = {
    "states the gold": "Twenty and 22 pens are 42 pens.\nThe answer is 42.",
    "states another answer": "They are 41 pens.\nThe answer is 41.",
    "states no answer": "I do not know.",
    "states another value than its last word": "#### 42\nThis is all.",
}


def write_rows(folder: Path, solutions: Mapping[str, str], gold: str = "42") -> Path:
    """Write an own file with one question per solution."""
    rows = [
        {"question": f"How many pens are in box {name}?", "gold": gold, "solution": text}
        for name, text in solutions.items()
    ]
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def build_own(folder: Path, recipe: str = OWN_FILE) -> Manifest:
    path = folder / "own.yaml"
    path.write_text(recipe)
    return build(path, folder / "store", options=RunOptions(mirror=folder / "none"))


def verdicts(store: Path, version: Manifest, check: str = "answer") -> dict[str, tuple[str, str]]:
    """Return outcome and reason of a check by the question's last words."""
    with Store(store, readonly=True) as opened, opened.engine() as engine:
        from curator.versions.queries import version_rationales, version_verdicts

        rows = engine.sql(
            f"SELECT instruction, outcome, reason FROM ({version_verdicts(opened, version)}) v "
            f"JOIN ({version_rationales(opened, version)}) r ON r.id = v.row_id "
            f"WHERE \"check\" = '{check}'"
        ).fetchall()
    return {
        instruction.partition(" box ")[2].rstrip("?"): (outcome, reason)
        for instruction, outcome, reason in rows
    }


def levels(version: Manifest) -> dict[str, dict[str, int]]:
    return {name: each.get("levels", {}) for name, each in version.content["subsets"].items()}


def test_a_solution_is_read_as_its_author_left_it(tmp_path: Path) -> None:
    write_rows(tmp_path, SOLUTIONS)
    version = build_own(tmp_path)
    assert verdicts(tmp_path / "store", version) == {
        "states the gold": ("passed", ""),
        "states another answer": ("failed", "contradicts the gold"),
        "states no answer": ("undecided", "states no answer"),
        "states another value than its last word": ("passed", ""),
    }
    assert levels(version) == {"ours": {"independent": 2}}


def test_an_audit_and_a_build_give_the_same_verdict_for_the_same_row(tmp_path: Path) -> None:
    path = write_rows(tmp_path, SOLUTIONS)
    built = verdicts(tmp_path / "store", build_own(tmp_path))
    request = AuditRequest(str(path), {"response": "solution", "gold": "gold"})
    audited = audit(request, tmp_path / "audit", RunOptions(mirror=tmp_path / "none"))
    assert verdicts(tmp_path / "audit", audited.manifest) == built


def test_closing_lines_are_written_into_the_release_and_never_judged(tmp_path: Path) -> None:
    write_rows(tmp_path, {"states the gold": SOLUTIONS["states another value than its last word"]})
    version = build_own(tmp_path)
    [row] = load(version.ref, tmp_path / "store").to_pylist()
    assert row["text"] == "#### 42\nThis is all.\nThe answer is 42"
    with Store(tmp_path / "store", readonly=True) as store:
        history = why(store, row["id"])
    assert history.rationale["as_written"] == "#### 42\nThis is all."
    assert history.evidence_level == "independent"


def test_rows_are_proved_by_other_sources_and_by_programs_not_by_their_own_text(
    tmp_path: Path,
) -> None:
    mirror, recipe = make_world(tmp_path)
    version = build(recipe, tmp_path / "store", options=RunOptions(mirror=mirror))
    assert levels(version)["pot"] == {"executed": len(RIGHT)}
    # The steps of all solutions are right, but the last one of WRONG is not the gold answer.
    assert levels(version)["cot"] == {"arithmetic": len(RIGHT), "same text": 1}
    rows = load(version.ref, tmp_path / "store").to_pylist()
    counted = Counter((row["subset"], row["evidence_level"]) for row in rows)
    assert counted == {
        (name, level): count
        for name, by_level in levels(version).items()
        for level, count in by_level.items()
    }


STEPS = {
    "right": ("He has 3*4=<<3*4=12>>12 and 12-5=<<12-5=7>>7.\n#### 7", "arithmetic"),
    "wrong": ("He has 3*4=<<3*4=13>>13, so 7 stay.\n#### 7", "same text"),
    "of another number": ("He has 3*4=<<3*4=12>>12, so 7 stay.\n#### 7", "same text"),
    "in words": ("He has a dozen less five.\n#### 7", "same text"),
}


def test_the_arithmetic_of_a_solution_with_its_own_gold_answer_is_recomputed(
    tmp_path: Path,
) -> None:
    upstream = tmp_path / "mirror/sources/gsm8k"
    upstream.mkdir(parents=True)
    rows = [
        {"question": f"How many pens are in box {name}?", "answer": text}
        for name, (text, _) in STEPS.items()
    ]
    (upstream / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = tmp_path / "steps.yaml"
    recipe.write_text(
        "name: steps\nabout: steps\nsubsets: {cot: {source: gsm8k, kind: CoT}}\n"
        "screens: {contamination: null}\n"
    )
    options = RunOptions(mirror=tmp_path / "mirror")
    version = build(recipe, tmp_path / "store", options=options)
    found = load(version.ref, tmp_path / "store").to_pylist()
    assert {
        row["question"].partition(" box ")[2].rstrip("?"): row["evidence_level"] for row in found
    } == {name: level for name, (_, level) in STEPS.items()}
    assert version.content["subsets"]["cot"]["reported"] == {"passed: wrong step": 1}
    [wrong] = [row for row in found if "wrong" in row["question"]]
    with Store(tmp_path / "store", readonly=True) as store:
        history = why(store, wrong["id"])
    [evidence] = [each["evidence"] for each in history.verdicts if each["check"] == "answer"]
    assert evidence["fault"].startswith("step 1, '<<3*4=13>>'"), evidence


def test_the_golds_of_lila_are_the_output_of_its_own_programs(quickstart_built: Path) -> None:
    with Store(quickstart_built, readonly=True) as store:
        version = store.versions.get("quickstart")
    found = levels(version)
    assert set(found["mathqa_lila_pot"]) == set(found["numglue_pot"]) == {"same text"}
    assert set(found["mathqa_pot"]) == {"executed"}
    assert set(found["college_math_cot"]) == {"agreed"}
    assert set(found["aqua_rat_cot"]) == set(found["theoremqa_cot"]) == {"independent"}
    assert set(found["camel_math_cot"]) == {"form"}


def test_a_recipe_requires_a_level_and_weaker_rows_are_kept_with_their_reason(
    tmp_path: Path,
) -> None:
    recipe_text = RECIPE.replace("kind: CoT}", "kind: CoT, evidence: independent}")
    mirror, recipe = make_world(tmp_path, recipe_text)
    version = build(recipe, tmp_path / "store", options=RunOptions(mirror=mirror))
    counts = version.content["subsets"]["cot"]
    assert counts["kept"] == 0 and counts["reasons"] == {"failed: weak evidence": 8}
    assert version.content["subsets"]["pot"]["kept"] == len(RIGHT)
    done = curator("show", version.ref, "--store", tmp_path / "store")
    assert "weak evidence" in done.stdout, done.stdout + done.stderr


def test_an_unknown_level_or_reason_is_an_error_that_names_the_known_ones(tmp_path: Path) -> None:
    for change, known in (
        (("kind: CoT", "kind: CoT\n    evidence: proven"), "'independent'"),
        (("screens:", "undecided: [no gold]\nscreens:"), "no gold answer"),
    ):
        with pytest.raises(RecipeError, match=known):
            build_own(tmp_path, OWN_FILE.replace(*change))


def test_undecided_rows_are_kept_by_reason(tmp_path: Path) -> None:
    write_rows(tmp_path, SOLUTIONS)
    kept = {}
    for undecided in ("leave_out", "keep", "[states no answer]", "[no gold answer]"):
        version = build_own(tmp_path, OWN_FILE + f"undecided: {undecided}\n")
        kept[undecided] = version.content["rows"]["count"]
    assert kept == {"leave_out": 2, "keep": 3, "[states no answer]": 3, "[no gold answer]": 2}


def test_a_fix_leaves_out_rows_that_state_no_answer_unless_asked_to_keep_them(
    tmp_path: Path,
) -> None:
    path = write_rows(tmp_path, SOLUTIONS)
    columns = ("--response", "solution", "--gold", "gold", "--store", tmp_path / "store")
    done = curator("audit", path, *columns, "--fix", "clean")
    assert "2 of 4 rows are clean, saved as clean@1" in done.stdout, done.stdout + done.stderr
    assert "--keep-undecided keeps them" in done.stdout
    done = curator("audit", path, *columns, "--fix", "clean", "--keep-undecided")
    assert "3 of 4 rows are clean, saved as clean@2" in done.stdout, done.stdout + done.stderr


def test_rows_without_a_known_gold_answer_are_clean_and_their_level_is_form(
    tmp_path: Path,
) -> None:
    path = write_rows(tmp_path, SOLUTIONS, gold="")
    request = AuditRequest(str(path), {"response": "solution"}, fix="clean")
    found = audit(request, tmp_path / "store", RunOptions(mirror=tmp_path / "none"))
    assert found.clean == 4
    assert levels(found.manifest) == {"cot": {"form": 4}}


def test_a_copy_of_the_text_that_its_gold_answer_comes_from_proves_nothing(
    tmp_path: Path,
) -> None:
    mirror, _ = make_world(tmp_path)
    question, annotated, gold = RIGHT[4]
    copies = {
        "annotated": f"{annotated}\n#### {gold}",
        "plain": re.sub(r"<<[^<>]*>>", "", annotated) + f"\nThe answer is {gold}",
        "other layout": annotated.replace(", ", ",\n\n  ") + f"\n#### {gold}",
        "other text": f"90 and 88 are 178. The answer is {gold}.",
    }
    found = {}
    for number, (name, text) in enumerate(copies.items()):  # apart, since some are duplicates
        path = tmp_path / f"rows-{number}.jsonl"
        path.write_text(json.dumps({"question": question, "response": text}) + "\n")
        request = AuditRequest(str(path), golds_from=["gsm8k"], fix=f"copies-{number}")
        audit(request, tmp_path / "store", RunOptions(mirror=mirror))
        [row] = load(f"copies-{number}", tmp_path / "store").to_pylist()
        found[name] = row["evidence_level"]
    assert found == {
        "annotated": "arithmetic",
        "plain": "arithmetic",
        "other layout": "arithmetic",
        "other text": "independent",
    }


MULTIPLE_CHOICE = {
    "question": "A shop sold 12 pens on Monday and twice as many on Tuesday. How many in all?",
    "options": ["A)24", "B)30", "C)36", "D)42", "E)48"],
    "rationale": "On Tuesday 24 pens were sold, so 12 + 24 = 36.",
    "correct": "C",
}


@pytest.mark.parametrize(
    ("options", "response", "outcome"),
    [
        (["24", "30", "36", "42", "48"], "The answer is C.", "passed"),
        (["48", "36", "30", "24", "42"], "The answer is B.", "passed"),
        (["48", "36", "30", "24", "42"], "The answer is C.", "failed"),
        (["1", "2", "3", "4", "5"], "The answer is C.", "undecided"),
    ],
)
def test_a_gold_answer_of_another_source_names_a_choice_of_the_row_itself(
    tmp_path: Path, options: list[str], response: str, outcome: str
) -> None:
    upstream = tmp_path / "mirror/sources/aqua_rat"
    upstream.mkdir(parents=True)
    (upstream / "rows.jsonl").write_text(json.dumps(MULTIPLE_CHOICE) + "\n")
    path = tmp_path / "rows.jsonl"
    row = {"question": MULTIPLE_CHOICE["question"], "options": options, "response": response}
    path.write_text(json.dumps(row) + "\n")
    found = audit(
        AuditRequest(str(path), golds_from=["aqua_rat"]),
        tmp_path / "store",
        RunOptions(mirror=tmp_path / "mirror"),
    )
    [line] = [each for each in found.lines if each.check == "answer"]
    counts = {"passed": line.passed, "failed": line.failed}
    assert counts == {"passed": outcome == "passed", "failed": outcome == "failed"}


def released(part: str, instruction: str, output: str) -> dict[str, Any]:
    return {"source": part, "instruction": instruction, "output": output}


def test_released_rows_are_proved_by_their_upstreams(tmp_path: Path) -> None:
    mirror, _ = make_world(tmp_path)
    upstream = mirror / "sources/gsm8k/rows.jsonl"
    upstream.write_text(upstream.read_text().replace('{"question": "broken\n', ""))
    folder = mirror / "sources/mathinstruct"
    folder.mkdir()
    pears, walks, coins = RIGHT[0][0], RIGHT[1][0], RIGHT[3][0]
    program = " Let's write a program."
    rows = [
        released("data/CoT/gsm_train.json", pears, "Ann has 3*12=36 pears.\nThe answer is 36"),
        released("data/CoT/gsm_rft.json", pears, "12+12+12=36.\nThe answer is 36"),
        released("data/CoT/gsm_rft.json", walks, "4*250=100.\nThe answer is 100"),
        released("data/CoT/gsm_rft.json", coins, "Nobody can know that."),
        released("data/PoT/gsm_gpt4.json", pears + program, "print(3 * 12)"),
        released("data/PoT/gsm_gpt4.json", walks + program, "print(4 * 25)"),
        released("data/PoT/gsm_gpt4.json", coins + program, "print(nothing)"),
        released("data/CoT/math50k_camel.json", "What is a group, in one line?", "A set with …"),
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    version = build(
        "released", tmp_path / "store", options=RunOptions(mirror=mirror, allow_missing=True)
    )
    found = {
        name: (each.get("levels", {}), each["reasons"])
        for name, each in version.content["subsets"].items()
        if each["rationales"]
    }
    contradicted = {"failed: contradicts the gold": 1}
    assert found == {
        "gsm_train_cot": ({"arithmetic": 1}, {}),
        "gsm_rft_cot": (
            {"independent": 1},
            contradicted | {"undecided: states no answer": 1},
        ),
        "gsm_gpt4_pot": ({"executed": 1}, contradicted | {"failed: error": 1}),
        "math50k_camel_cot": ({"form": 1}, {"undecided: no gold answer": 1}),
    }


def test_a_release_states_the_level_of_each_row_and_counts_them_on_its_card(
    tmp_path: Path,
) -> None:
    import pyarrow.parquet as pq

    mirror, recipe = make_world(tmp_path)
    version = build(recipe, tmp_path / "store", options=RunOptions(mirror=mirror))
    with Store(tmp_path / "store", readonly=True) as store:
        write_folder(store, version, tmp_path / "out")
    [path] = (tmp_path / "out/data/pot").glob("*.parquet")
    assert set(pq.read_table(path)["evidence_level"].to_pylist()) == {"executed"}
    card = (tmp_path / "out/README.md").read_text("utf-8")
    assert f"| executed | a program's output equals the gold answer | {len(RIGHT)} |" in card
    shutil.rmtree(tmp_path / "out")
