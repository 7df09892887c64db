"""`contamination` finds evaluation questions by level, and not those that only look alike."""

import json
import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curator.core import arrow
from curator.core.arrow import VERDICTS
from curator.core.model import Problem
from curator.screens import SCREENS, Rows
from curator.screens.matches import MATCHES
from curator.sources import EVALS, SOURCES, open_source, records
from curator.sources.source import Source
from datastore.engine import Engine
from tests.paths import DATA, ROOT

RowsOf = Callable[..., tuple[Rows, list[bytes]]]
EvalsOf = Callable[[dict[str, list[str]]], dict[str, list[Path]]]
CASES = json.loads((DATA / "contamination.json").read_text())


def screen(
    engine: Engine, rows: Rows, evals: dict[str, list[Path]], **params: Any
) -> dict[bytes, Any]:
    batches = list(SCREENS["contamination"].run(engine, rows, evals=evals, **params))
    assert all(batch.schema == VERDICTS for batch in batches)
    verdicts = pa.Table.from_batches(batches, VERDICTS).to_pylist()
    return {v["row_id"]: v | {"evidence": json.loads(v["evidence"])} for v in verdicts}


def without_layout(question: str) -> str:
    return re.sub(r"[\s$]", "", question)


FLAG_ALL = dict.fromkeys(("same_question", "reworded", "same_template", "shared_phrase"), "flag")
NOUNS = ("boxes", "trees", "pupils", "coins", "lamps", "roads", "cakes", "tables", "books", "boats")
PAIRS = [(one, noun) for one in ("baker", "pilot", "nurse", "king") for noun in NOUNS]
FILLER = [
    f"A {one} has {n} {noun} of {n % 7 + 3} kinds. How many {noun} are left after {n + 5} days?"
    for n, (one, noun) in enumerate(PAIRS)
]
"""Other evaluation questions, without which no word would be rare."""


def write_problems(path: Path, problems: list[Problem]) -> Path:
    batches = arrow.to_batches(problems, arrow.PROBLEMS)
    pq.write_table(pa.Table.from_batches(batches), path)
    return path


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_each_case_of_the_table_has_its_level(
    engine: Engine, tmp_path: Path, case: dict[str, Any]
) -> None:
    golds = case.get("golds", ["", ""])
    items = [Problem("test", question, gold="") for question in FILLER]
    items.append(Problem("test", case["eval"], gold=golds[0], place="the item"))
    evals = {"test": [write_problems(tmp_path / "evals.parquet", items)]}
    problem = Problem("a", case["row"], gold=golds[1])
    path = write_problems(tmp_path / "problems.parquet", [problem])
    row = f"SELECT id, 'a' AS subset, 0 AS place, id AS problem_id FROM read_parquet('{path}')"
    rows = Rows(row, f"SELECT * FROM read_parquet('{path}')")
    verdicts = screen(engine, rows, evals, **FLAG_ALL)
    if case["level"] is None:
        assert verdicts == {}
    else:
        verdict = verdicts[problem.id]
        assert (verdict["reason"], verdict["outcome"]) == (case["level"], "passed")
        assert (verdict["evidence"]["set"], verdict["evidence"]["item"]) == ("test", "the item")


def test_by_default_the_same_question_fails_and_a_template_is_flagged(
    engine: Engine, rows_of: RowsOf, evals_of: EvalsOf
) -> None:
    rows, ids = rows_of(
        [("a", "What is the square root of 64?", "8"), ("b", "What is the square root of 49?", "7")]
    )
    verdicts = screen(engine, rows, evals_of({"test": ["What is the square root of 49?"]}))
    assert {verdicts[row]["outcome"] for row in ids[:1]} == {"passed"}
    assert {verdicts[row]["outcome"] for row in ids[1:]} == {"failed"}


def test_a_recipe_sets_the_action_per_level_set_and_subset(
    engine: Engine, rows_of: RowsOf, evals_of: EvalsOf
) -> None:
    question = "What is the square root of 64?"
    rows, ids = rows_of([("a", question, "8"), ("b", question, "8"), ("c", question, "8")])
    evals = evals_of({"test": ["What is the square root of 49?"]})

    def outcomes(**params: Any) -> list[str | None]:
        verdicts = screen(engine, rows, evals, **params)
        return [verdicts.get(row, {}).get("outcome") for row in ids]

    assert outcomes(same_template="reject") == ["failed"] * 3
    assert outcomes(same_template="keep") == [None] * 3
    assert outcomes(sets={"test": {"same_template": "reject"}}) == ["failed"] * 3
    assert outcomes(sets={"other": {"same_template": "reject"}}) == ["passed"] * 3
    subsets = {"b": {"same_template": "keep"}, "c": {"same_template": "flag"}}
    assert outcomes(sets={"test": {"same_template": "reject"}}, subsets=subsets) == [
        "failed", None, "passed",
    ]  # fmt: skip


def test_the_evidence_has_both_questions_and_what_they_share(
    engine: Engine, rows_of: RowsOf, evals_of: EvalsOf
) -> None:
    question = "A baker sells 36 loaves and 14 rolls. How many pieces of bread is that?"
    rows, ids = rows_of([("a", f"Read this twice. {question} Write down each step.", "50")])
    evals = evals_of({"b": [question], "a": [question, question]})
    evidence = screen(engine, rows, evals)[ids[0]]["evidence"]
    assert (evidence["set"], evidence["item"]) == ("b", "b:0"), "the first of equal items"
    assert evidence["question"].startswith("Read this twice.")
    assert evidence["evaluation question"] == question.lower()
    assert evidence["shared"] == question.lower().rstrip("?")
    assert evidence["covered"] == "100%"
    assert evidence["numbers"] == "14, 36"
    assert evidence["gold answers"] == "equal: 1"


def screen_one(engine: Engine, folder: Path, row: Problem, item: Problem) -> str:
    """Return the level at which a problem repeats an evaluation question; empty without one."""
    items = [Problem("test", question, gold="") for question in FILLER]
    evals = {"test": [write_problems(folder / "evals.parquet", [*items, item])]}
    path = write_problems(folder / "problems.parquet", [row])
    alive = f"SELECT id, 'a' AS subset, 0 AS place, id AS problem_id FROM read_parquet('{path}')"
    rows = Rows(alive, f"SELECT * FROM read_parquet('{path}')")
    verdicts = screen(engine, rows, evals, **FLAG_ALL)
    return str(verdicts[row.id]["reason"]) if verdicts else ""


@pytest.mark.parametrize(
    ("options", "level"),
    [
        (("4 is prime", "9 is prime", "5 is odd"), "same question"),
        ((), "same question"),
        (("2 is odd", "8 is even", "7 is even"), "same template"),
    ],
    ids=["other order", "no options", "other options"],
)
def test_a_generic_question_is_the_same_only_with_the_same_options(
    engine: Engine, tmp_path: Path, options: tuple[str, ...], level: str
) -> None:
    question = "Which of these statements is true?"
    item = Problem("test", question, "C", ("9 is prime", "4 is prime", "5 is odd"))
    row = Problem("a", question, "C" if options else "", options)
    assert screen_one(engine, tmp_path, row, item) == level


def test_a_number_too_long_to_write_is_no_error(engine: Engine, tmp_path: Path) -> None:
    question = f"What is 5{' billion' * 600} divided by seven of the elephants?"
    same = screen_one(engine, tmp_path, Problem("a", question, ""), Problem("test", question, ""))
    assert same == "same question"


def test_every_row_of_a_contaminated_problem_is_rejected_once(
    engine: Engine, rows_of: RowsOf, evals_of: EvalsOf
) -> None:
    question = "What is the square root of 49?"
    rows, ids = rows_of([("a", question, "7"), ("a", question, "seven"), ("b", question, "7")])
    assert set(screen(engine, rows, evals_of({"x": [question], "y": [question]}))) == set(ids)


def test_rows_that_are_already_rejected_are_not_screened(
    engine: Engine, rows_of: RowsOf, evals_of: EvalsOf
) -> None:
    question = "What is the square root of 49?"
    rows, ids = rows_of([("a", question, "7"), ("a", question, "seven")])
    alive = Rows(f"{rows.rows} WHERE text = '7'", rows.problems)
    assert list(screen(engine, alive, evals_of({"x": [question]}))) == [ids[0]]


def test_without_evaluation_sets_no_row_is_contaminated(engine: Engine, rows_of: RowsOf) -> None:
    rows, _ = rows_of([("a", "What is the square root of 49?", "7")])
    assert screen(engine, rows, {}) == {}


def test_every_real_test_question_is_found_after_a_change_of_layout(
    engine: Engine, rows_of: RowsOf, evals_of: EvalsOf, shared: Path
) -> None:
    lines = (shared / "evals/gsm8k/test.jsonl").read_text("utf-8").splitlines()
    questions = [json.loads(line)["question"] for line in lines]
    lines = (shared / "evals/math/test.jsonl").read_text("utf-8").splitlines()
    questions += [json.loads(line)["problem"] for line in lines]
    rng = random.Random(5)
    changes: list[Callable[[str], str]] = [
        str.upper,
        lambda q: q.replace(" ", "  ").replace("$", " $ "),
        lambda q: q + " Let's write a Python program.",
        lambda q: q + "\nAnswer Choices: (A) 1 (B) 2",
        lambda q: q.replace("(", r"\left(").replace(")", r"\right)").replace(r"\frac", r"\dfrac"),
    ]
    given = [("a", rng.choice(changes)(question), "x") for question in questions]
    rows, ids = rows_of(given)
    verdicts = screen(engine, rows, evals_of({"test": questions}))
    missed = [
        question
        for (_, question, _), row_id in zip(given, ids, strict=True)
        if verdicts.get(row_id, {}).get("reason") != "same question"
    ]
    assert len(questions) == 6319
    assert missed == []


def test_rows_of_math_judged_by_hand_have_their_levels(
    engine: Engine, rows_of: RowsOf, evals_of: EvalsOf, shared: Path, tmp_path: Path
) -> None:
    labels = json.loads((ROOT / "bench/contamination_labels.json").read_text())["math_train"]
    train = {p.place: p for p in problems_of("math", SOURCES, shared)}
    evals = {
        name: [write_problems(tmp_path / f"{name}.parquet", problems_of(name, EVALS, shared))]
        for name in ("math", "mmlu_math")
    }
    judged = [train[f"train-3000.jsonl:{label['row']}"] for label in labels]
    path = write_problems(tmp_path / "problems.parquet", judged)
    row = f"SELECT id, 'a' AS subset, 0 AS place, id AS problem_id FROM read_parquet('{path}')"
    rows = Rows(row, f"SELECT * FROM read_parquet('{path}')")
    verdicts = screen(engine, rows, evals, **FLAG_ALL)
    right = {
        "same question": ["same question"],
        "same template": ["same template"],
        "same givens": ["same template", "shared phrase"],
        "unrelated": ["shared phrase", None],
    }
    for label, problem in zip(labels, judged, strict=True):
        level = verdicts.get(problem.id, {}).get("reason")
        assert level in right[label["label"]], (label, level)


def problems_of(name: str, sources: Mapping[str, Source], shared: Path) -> list[Problem]:
    found = records(sources[name], open_source(sources[name], shared))
    return [problem for problem in found if isinstance(problem, Problem)]


def test_memory_does_not_grow_with_the_evidence_of_all_matches(tmp_path: Path) -> None:
    ids = [number.to_bytes(16, "big") for number in range(8_000)]
    evidence = json.dumps({"question": "x" * 1_000})
    with pq.ParquetWriter(tmp_path / "keys.parquet", MATCHES) as writer:
        for start in range(0, len(ids), 500):
            found = [(each, number) for each in ids[start : start + 500] for number in range(32)]
            rows = [(each, n, "test", "same template", 0.5, 1.0, evidence) for each, n in found]
            writer.write_batch(arrow.make_batch(list(zip(*rows, strict=True)), MATCHES))
    row = {"id": pa.array(ids, arrow.ID), "problem_id": pa.array(ids, arrow.ID)}
    pq.write_table(pa.table({**row, "subset": ["a"] * len(ids)}), tmp_path / "rows.parquet")
    files = [f"SELECT * FROM read_parquet('{tmp_path}/rows.parquet')", "SELECT 1"]
    rows_to_screen = Rows(*files, keys=f"read_parquet('{tmp_path}/keys.parquet')")
    with Engine(spill=tmp_path, memory="100MB", threads=8) as engine:
        verdicts = screen(engine, rows_to_screen, {"test": [tmp_path / "rows.parquet"]})
    assert len(verdicts) == len(ids)


def test_matches_may_have_more_evidence_than_the_engine_has_memory(tmp_path: Path) -> None:
    id_ = "unhex(md5((n % 80_000)::VARCHAR))"
    evidence = """'{"question": "' || n % 80_000 || repeat('x', 2_000) || '"}'"""
    columns = {
        "rows": (80_000, f"{id_} AS id, 'a' AS subset, {id_} AS problem_id"),
        # The last matches repeat the first ones.
        "keys": (
            80_100,
            f"{id_} AS id, 1::BIGINT AS number, 'gsm8k' AS set, 'same question' AS level, "
            f"1.0 AS covered, 1.0 AS score, {evidence} AS evidence",
        ),
    }
    with Engine(spill=tmp_path) as engine:
        for name, (count, selected) in columns.items():
            query = f"SELECT {selected} FROM range({count}) AS numbers(n)"
            engine.sql(f"COPY ({query}) TO '{tmp_path}/{name}.parquet' (ROW_GROUP_SIZE 2048)")
    alive, keys = (f"'{tmp_path}/{name}.parquet'" for name in columns)
    with Engine("300MB", spill=tmp_path) as engine:
        rows = Rows(f"SELECT * FROM {alive}", "SELECT NULL", keys)
        batches = SCREENS["contamination"].run(engine, rows, {"gsm8k": []})
        assert sum(batch.num_rows for batch in batches) == 80_000
