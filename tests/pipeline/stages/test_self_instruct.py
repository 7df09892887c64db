"""Self-Instruct in a whole build: new questions whose only proof is agreement of answers."""

import json
from collections import Counter
from pathlib import Path

import pytest

from curator import build, load
from curator.core.model import Problem
from curator.pipeline.plan import plan
from curator.pipeline.requests import messages_of
from curator.pipeline.reverify import reverify
from curator.recipe.load import load_recipe
from curator.writers.prompt_templates import Prompts
from curator.writers.self_instruct import make_draws, read_seeds
from datastore.store import Store
from tests.worlds import curator

SEEDS = [
    {
        "question": "What is the determinant of the matrix with rows (1, 2) and (3, 4)?",
        "answer": "-2",
        "topic": "linear algebra",
        "type": "computation",
    },
    {
        "question": "How many edges does the complete graph on six vertices have?",
        "answer": "15",
        "topic": "graph theory",
        "type": "counting",
    },
]
RECIPE = """\
name: college
about: problems that a teacher made
subsets:
  base:
    source: {file: rows.jsonl, columns: {question: q, gold: a, solution: s}, licence: MIT}
    kind: CoT
  new_cot:
    source: {seeds: seeds.jsonl, licence: Apache-2.0, questions: 6, cot: 2, pot: 1, agree: 2}
    kind: CoT
    writers: [self_instruct]
  new_pot:
    source: {seeds: seeds.jsonl, licence: Apache-2.0, questions: 6, cot: 2, pot: 1, agree: 2}
    kind: PoT
    writers: [self_instruct]
screens: {contamination: null}
teacher: {model: m, replay: calls.jsonl, family: replay, parameters: {max_tokens: 100}}
"""
AGREED = "Find the trace of the matrix with rows (5, 1) and (2, 7)."
SPLIT = "How many vertices of odd degree does a path graph on nine vertices have?"
NO_PROGRAM = "Compute the rank of the zero matrix with three rows and four columns."
KNOWN = "A farmer has 12 rows of 30 plants and loses 17 of them. How many plants are left over?"
QUESTIONS = [
    f"Problem: {AGREED}",
    f"Problem: {SPLIT}",
    f"Problem: {NO_PROGRAM}",
    f"Problem: {KNOWN.replace('30', '20')}",
    "Problem: Prove that every tree with two or more vertices has two leaves at least.",
    "Sorry, I cannot think of one.",
]
ANSWERS = {
    AGREED: [
        "The trace is 5 + 7.\nThe answer is 12",
        "It is 13.\nThe answer is 13",
        "print(5 + 7)",
    ],
    SPLIT: ["Two ends.\nThe answer is 2", "All.\nThe answer is 9", "print(7)"],
    NO_PROGRAM: ["No pivot.\nThe answer is 0", "None.\nThe answer is 0", "print(1 / 0)"],
}


def write_world(folder: Path) -> Path:
    (folder / "seeds.jsonl").write_text("\n".join(map(json.dumps, SEEDS)))
    row = {"q": KNOWN, "a": "343", "s": "There are 12 * 30 = 360 plants, 343 are left."}
    (folder / "rows.jsonl").write_text(json.dumps(row))
    prompts, lines = Prompts(), []
    seeds = read_seeds((folder / "seeds.jsonl").read_text(), "seeds.jsonl")
    for draw, reply in zip(make_draws(seeds, 6, 0), QUESTIONS, strict=True):
        messages = prompts.messages(
            "question", topic=draw.topic, type=draw.type, examples=draw.examples
        )
        lines.append({"messages": messages, "sample": draw.sample, "reply": reply})
    for question, replies in ANSWERS.items():
        asked = [("cot", 0), ("cot", 1), ("pot", 0)]
        for (prompt, sample), reply in zip(asked, replies, strict=True):
            messages = messages_of(prompts, prompt, Problem("x", question, ""))
            lines.append({"messages": messages[-1:], "sample": sample, "reply": reply})
    text = "\n".join(json.dumps({"model": "m", **line}) for line in lines)
    (folder / "calls.jsonl").write_text(text)
    path = folder / "college.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("college")
    build(write_world(folder), folder / "store")
    return folder


def test_each_question_is_taken_or_rejected_by_its_content(built: Path) -> None:
    with Store(built / "store", readonly=True) as store:
        content = store.versions.get("college").content
    for name in ("new_cot", "new_pot"):
        assert content["subsets"][name]["invented"] == {
            "invented: agreed": 1,
            "invented: asks for a proof": 1,
            "invented: new": 3,
            "invented: no agreement": 2,
            "invented: no problem stated": 1,
            "invented: not new: rouge-l": 1,
        }
    assert content["subsets"]["new_cot"]["undecided"] == 2
    # The program that divides by zero fails on its own.
    pot = content["subsets"]["new_pot"]
    assert (pot["undecided"], pot["failed"]) == (1, 1)
    assert content["sources"]["new_cot"]["licence"] == "Apache-2.0"


def test_a_row_passes_only_with_the_answer_that_solutions_and_a_program_agree_on(
    built: Path,
) -> None:
    rows = [row for row in load("college", built / "store").to_pylist() if row["subset"] != "base"]
    assert {(row["subset"], row["question"], row["gold"], row["text"]) for row in rows} == {
        ("new_cot", AGREED, "12", "The trace is 5 + 7.\nThe answer is 12"),
        ("new_pot", AGREED, "12", "print(5 + 7)"),
    }


def test_why_shows_the_votes_of_a_row(built: Path) -> None:
    row = next(
        row for row in load("college", built / "store").to_pylist() if row["subset"] == "new_cot"
    )
    output = curator("why", row["id"], "--store", built / "store").stdout
    assert "agreement" in output and "votes 2 of 3" in output and "programs 1 of 1" in output


def test_rejected_questions_are_quarantined_with_their_reason(built: Path) -> None:
    query = "SELECT DISTINCT reason, raw FROM quarantine WHERE reason LIKE 'not new%'"
    [found] = json.loads(curator("sql", query, "--store", built / "store", "--json").stdout)
    assert KNOWN in found["raw"] and "rouge-l" in found["raw"]


def test_both_kinds_share_their_calls_and_a_second_build_makes_none(built: Path) -> None:
    with Store(built / "store", readonly=True) as store:
        assert sum(1 for _ in store.ledger("calls").records()) == len(QUESTIONS) + 3 * 3
        steps = plan(load_recipe(built / "college.yaml"), store).steps
    assert all(step.state == "done" for step in steps)
    assert {(step.calls.cached, step.calls.most) for step in steps if step.calls} == {(15, 0)}


def test_a_plan_counts_calls_before_any_is_made(tmp_path: Path) -> None:
    recipe = write_world(tmp_path)
    with Store(tmp_path / "store") as store:
        steps = {step.subset: step for step in plan(load_recipe(recipe), store).steps}
    calls = steps["new_cot"].calls
    assert calls and (calls.cached, calls.least, calls.most) == (0, 6, 6 + 6 * 3)
    assert calls.prompt_tokens > 6 * 100


def test_reverifying_keeps_the_votes_and_makes_no_new_version(built: Path) -> None:
    assert reverify("college", built / "store").ref == "college@1"


HINTED = """\
name: hinted
about: rows with claims
subsets:
  base:
    source: {file: sums.jsonl, columns: {question: q, gold: a, program: p}, licence: MIT}
    kind: PoT
    writers: [annotated]
  claims: {source: {subset: base}, kind: PoT, writers: [hinted]}
screens: {contamination: null, duplicates: false}
mixture: {subsets: {claims: 25%}}
"""


def test_hinted_rows_come_only_from_rows_that_passed_and_are_checked_too(tmp_path: Path) -> None:
    sums = [
        {
            "q": f"What is {n} plus {n} pears?",
            "a": str(2 * n + (n % 5 == 0)),
            "p": f"print({2 * n})",
        }
        for n in range(1, 101)
    ]
    (tmp_path / "sums.jsonl").write_text("\n".join(map(json.dumps, sums)))
    (tmp_path / "hinted.yaml").write_text(HINTED)
    made = build(tmp_path / "hinted.yaml", tmp_path / "store")
    base, claims = made.content["subsets"]["base"], made.content["subsets"]["claims"]
    assert (base["passed"], base["failed"]) == (80, 20)
    assert (claims["rationales"], claims["passed"], claims["kept"]) == (80, 80, 20)
    texts = [
        row["text"].split("\n")[0]
        for row in load("hinted", tmp_path / "store").to_pylist()
        if row["subset"] == "claims"
    ]
    kinds = Counter(text.startswith("#") for text in texts)
    assert kinds[True] > kinds[False] > 0


@pytest.mark.parametrize("lost", ["seeds.jsonl", "calls.jsonl", "prompts"])
def test_a_missing_file_of_the_recipe_is_reported_before_any_call(
    tmp_path: Path, lost: str
) -> None:
    recipe = write_world(tmp_path)
    # The subset whose calls come first does not need the missing file.
    first = "  base:\n    writers: [cot]\n"
    text = RECIPE.replace("  base:\n", first)
    if lost == "prompts":
        text = text.replace("  new_pot:\n", "  new_pot:\n    sampling: {prompts: prompts}\n")
        recipe.write_text(text)
    else:
        recipe.write_text(text)
        (tmp_path / lost).unlink()
    done = curator("build", recipe, "--store", tmp_path / "store")
    assert done.returncode != 0 and lost in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    with Store(tmp_path / "store") as store:
        assert store.ledger("calls").count() == 0
