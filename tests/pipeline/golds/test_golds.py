"""Golds in doubt: independent models, own solutions and programs speak, and a person rules."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from curator import build, load
from curator.core.errata import Erratum, add_ruling, erratum_key, read_errata
from curator.core.errors import RecipeError, UsageError
from curator.core.model import Problem
from curator.pipeline.golds.own_solution import read_own
from curator.pipeline.golds.run import find_golds_in_doubt
from curator.pipeline.golds.suspects import GoldsInDoubt
from curator.pipeline.run_options import RunOptions
from curator.recipe.load import load_recipe
from curator.versions.golds.doubts import find_doubted_golds
from curator.versions.golds.own_solution import read_solution
from datastore.store import Store
from tests.changes import row_changes
from tests.worlds import curator

ONE = RunOptions(workers=1)
SUMS = [
    (f"Ann has {n} pens and buys {n + 1} more. How many has she?", 2 * n + 1) for n in range(20)
]


def write(path: Path, rows: list[dict[str, object]]) -> str:
    path.write_text("\n".join(map(json.dumps, rows)))
    return str(path)


def golds_file(folder: Path, wrong: dict[int, int]) -> str:
    """Write 20 problems, some with a wrong gold answer."""
    rows = [
        {"question": question, "answer": str(wrong.get(place, right))}
        for place, (question, right) in enumerate(SUMS)
    ]
    return write(folder / "golds.jsonl", rows)


def answers_file(folder: Path, name: str, errors: dict[int, int], code: bool = False) -> str:
    """Write the responses of a model that errs at some places."""
    rows = []
    for place, (question, right) in enumerate(SUMS):
        value = errors.get(place, right)
        text = f"x = {value}\nprint(x)" if code else f"She has {value} pens. The answer is {value}."
        rows.append({"question": question, "response": text})
    return write(folder / name, rows)


def search(folder: Path, golds: str, *answers: str) -> GoldsInDoubt:
    return find_golds_in_doubt(golds, answers, folder / "store", ONE)


def test_a_gold_that_independent_models_contradict_is_first(tmp_path: Path) -> None:
    golds = golds_file(tmp_path, {5: 99})
    models = [
        answers_file(tmp_path, "alpha.jsonl", {}),
        answers_file(tmp_path, "beta.jsonl", {7: 3}),
        answers_file(tmp_path, "gamma.jsonl", {7: 4}, code=True),
    ]
    found = search(tmp_path, golds, *models)
    first, second = found.suspects
    assert (first.gold, first.other, first.places) == ("99", "11", ("golds.jsonl:6",))
    assert first.evidence == ("alpha, beta, gamma say 11",)
    assert second.gold == "15"
    assert second.doubt < 0 < first.doubt


def test_models_of_a_family_share_one_voice(tmp_path: Path) -> None:
    golds = golds_file(tmp_path, {})
    same = {3: 70}
    models = [answers_file(tmp_path, f"alpha_{n}.jsonl", same) for n in range(3)]
    others = [answers_file(tmp_path, f"{name}.jsonl", {}) for name in ("beta", "gamma")]
    (suspect,) = search(tmp_path, golds, *models, *others).suspects
    assert suspect.doubt < 0
    assert suspect.evidence == ("alpha (3) says 70", "beta, gamma agree with the gold")
    apart = [f"family{n}={file}" for n, file in enumerate(models)]
    (suspect,) = search(tmp_path, golds, *apart, *others).suspects
    assert suspect.doubt > 0


def test_questions_in_the_frame_of_a_prompt_are_recognised(tmp_path: Path) -> None:
    golds = golds_file(tmp_path, {5: 99})
    rows = [
        {
            "input": f"A task.\n\n### Instruction:\n{question}\n\n### Response: Let's think.",
            "completion": f"The answer is {right}.",
        }
        for question, right in SUMS
    ]
    found = search(tmp_path, golds, write(tmp_path / "framed.jsonl", rows))
    assert found.compared == 20
    assert [each.gold for each in found.suspects] == ["99"]


def test_a_solution_that_ends_with_another_choice_speaks_against_the_letter() -> None:
    class NoPrograms:
        def extract_answers(self, candidates: object) -> list[None]:
            return []

    solution = "total = 5255 + 245 = 5500 . rest = 9000 - 5500 = 3500 . answer : b"
    problem = Problem("mathqa", "how much ?", "B", ("3500", "4463", "5463"), solution=solution)
    (own,) = read_own([problem], NoPrograms())  # type: ignore[arg-type]
    assert own.solution == "A"


def test_a_decimal_that_upstream_split_into_tokens_is_one_value() -> None:
    choices = ("0.125 %", "0.2 %", "0.8 %", "1.25 %", "2.0 %")
    solution = "( 4 / 100 ) * ( 5 / 100 ) * 100 % = ( 20 / 100 ) % = . 2 % answer b"
    problem = Problem("mathqa", "what percent ?", "B", choices, solution=solution)
    assert read_solution(problem).solution == "B"


def test_numbers_of_a_pair_are_two_numbers_and_those_in_groups_are_one() -> None:
    question = "How far is $(1,2)$ from $(7,10)$, if 1,250 steps and 1,00,000 steps are equal?"
    solution = "From 1 to 7 and from 2 to 10: the distance is 10. 1250 and 100000 are no matter."
    problem = Problem("math", question, "10", solution=solution)
    assert read_solution(problem).unused == ()


def test_own_arithmetic_unused_and_invented_numbers_are_evidence(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {
            "question": "Tom buys 6 boxes of 8 pens for $45. How many pens has he?",
            "answer": "50",
            "solution": "He buys 6*9=<<6*9=50>>50 pens, with 17 more <<17+33=50>>50. So 50.",
        }
    ]
    (suspect,) = search(tmp_path, write(tmp_path / "own.jsonl", rows)).suspects
    text = " ".join(suspect.evidence)
    assert "wrong step 1" in text
    assert "does not use 8, 45" in text
    assert "invents 9, 17" in text


def test_a_problem_of_two_sources_is_one_suspect_with_both_places(tmp_path: Path) -> None:
    question, right = SUMS[0]
    shared = {"question": question, "response": f"The answer is {right}.", "gold": "99"}
    other = {"question": SUMS[1][0], "response": "1+2=3. The answer is 3.", "gold": "3"}
    write(tmp_path / "one.jsonl", [other, shared])
    write(tmp_path / "two.jsonl", [shared])
    subset = (
        "  {0}:\n    kind: CoT\n    source:\n      file: {0}.jsonl\n      licence: MIT\n"
        "      columns: {{question: question, solution: response, gold: gold}}\n"
    )
    (tmp_path / "mine.yaml").write_text(
        "name: mine\nabout: Sums.\nscreens: {contamination: null}\nsubsets:\n"
        + subset.format("one")
        + subset.format("two")
    )
    version = build(str(tmp_path / "mine.yaml"), store=tmp_path / "store", options=ONE)
    (suspect,) = search(tmp_path, version.ref).suspects
    assert sorted(suspect.places) == ["one one.jsonl:2", "two two.jsonl:1"]
    with Store(tmp_path / "store", readonly=True) as store, store.engine() as engine:
        (listed,) = find_doubted_golds(engine, store, version).suspects
    assert (listed.key, listed.places) == (suspect.key, ("one one.jsonl:2", "two two.jsonl:1"))
    text = curator("golds", version.ref, "--store", tmp_path / "store", cwd=tmp_path).stdout
    assert text.count(suspect.key) == 2  # one row, and the command to rule
    assert "two.jsonl:1" in text.replace("\n", "") and "one.jsonl:2" in text.replace("\n", "")


def test_a_file_without_golds_or_without_responses_is_one_error(tmp_path: Path) -> None:
    bare = write(tmp_path / "bare.jsonl", [{"question": question} for question, _ in SUMS])
    with pytest.raises(UsageError, match="None of 20 problems"):
        search(tmp_path, bare)
    with pytest.raises(UsageError, match="no column of responses"):
        search(tmp_path, golds_file(tmp_path, {}), bare)


def test_a_ruling_is_applied_by_a_recipe_and_hides_the_suspect(tmp_path: Path) -> None:
    golds = golds_file(tmp_path, {5: 99, 6: 98})
    model = answers_file(tmp_path, "alpha.jsonl", {})
    wrong, doubtful = search(tmp_path, golds, model).suspects
    file = tmp_path / "errata.jsonl"
    add_ruling(file, Erratum(wrong.key, "wrong", wrong.other))
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(
        "name: mine\nabout: Solved sums.\nscreens: {contamination: null}\nerrata: errata.jsonl\n"
        "subsets:\n  mine:\n    kind: CoT\n    golds: []\n    source:\n      file: alpha.jsonl\n"
        "      licence: MIT\n      columns: {question: question, solution: response, gold: gold}\n"
    )
    given = [json.loads(line)["answer"] for line in Path(golds).read_text().splitlines()]
    rows = [json.loads(line) for line in Path(model).read_text().splitlines()]
    write(Path(model), [row | {"gold": gold} for row, gold in zip(rows, given, strict=True)])
    version = build(str(recipe), store=tmp_path / "store", options=ONE)
    assert load(version.ref, store=tmp_path / "store").num_rows == 19
    add_ruling(file, Erratum(doubtful.key, "ambiguous"))
    again = build(str(recipe), store=tmp_path / "store", options=ONE)
    verdicts = load(again.ref, store=tmp_path / "store", what="verdicts").to_pylist()
    assert "no gold answer" in {row["reason"] for row in verdicts}
    left = find_golds_in_doubt(golds, [model], tmp_path / "store", ONE, file)
    assert (left.ruled, len(left.suspects)) == (2, 0)


@pytest.mark.parametrize(("checks", "what"), [("answer", "added"), ("format", "changed")])
def test_diff_names_the_errata_where_a_gold_was_corrected(
    tmp_path: Path, checks: str, what: str
) -> None:
    question, right = SUMS[0]
    response = f"The answer is {right}."
    write(
        tmp_path / "rows.jsonl",
        [
            {"question": question, "response": response, "gold": "99"},
            {"question": SUMS[1][0], "response": "The answer is 3.", "gold": "3"},
        ],
    )
    add_ruling(tmp_path / "errata.jsonl", Erratum(erratum_key(question, "99"), "wrong", str(right)))
    recipe = tmp_path / "mine.yaml"
    text = (
        "name: mine\nabout: Sums.\nscreens: {contamination: null}\nsubsets:\n  mine:\n"
        f"    kind: CoT\n    checks: [{checks}]\n    source:\n      file: rows.jsonl\n"
        "      licence: MIT\n"
        "      columns: {question: question, solution: response, gold: gold}\n"
    )
    recipe.write_text(text)
    before = build(str(recipe), store=tmp_path / "store", options=ONE)
    recipe.write_text(text + "errata: errata.jsonl\n")
    after = build(str(recipe), store=tmp_path / "store", options=ONE)
    with Store(tmp_path / "store") as store:
        changes = row_changes(store, before, after)
        back = row_changes(store, after, before)
    assert [(each.what, each.rule) for each in changes] == [(what, "errata: other gold answer")]
    assert len(back) == 1


def test_a_ruling_is_a_line_of_its_own_whatever_it_says(tmp_path: Path) -> None:
    file = tmp_path / "errata.jsonl"
    file.write_text('{"key": "3fa2c1d09b7e4455", "ruling": "right"}')  # without an end of line
    reason = "one\u2028two\x85three\nfour\U0001f600"
    added, _ = add_ruling(file, Erratum("3fa2c1d09b7e4455", "wrong", "5", reason=reason))
    assert read_errata(file) == {added.key: added}
    assert (added.number, added.reason) == (2, reason)


def test_a_ruling_that_does_not_fit_on_the_disk_leaves_the_earlier_ones(tmp_path: Path) -> None:
    file = tmp_path / "errata.jsonl"
    add_ruling(file, Erratum("3fa2c1d09b7e4455", "right"))
    before = file.read_bytes()
    program = (
        "import resource, sys\n"
        "from curator.cli import main\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) + 10},) * 2)\n"
        "main()\n"
    )
    for name, kept in (("errata.jsonl", before), ("new.jsonl", None)):
        words = ["rule", name, "066e278edfd8a0dc", "wrong", "-m", "x" * 200]
        done = subprocess.run(
            [sys.executable, "-c", program, *words], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 1
        assert done.stderr.startswith(f"Cannot add a ruling ({name})"), done.stderr
        assert (tmp_path / name).read_bytes() == (kept or b"")


RULING = '{"key": "3fa2c1d09b7e4455", "ruling": "right"}\n'


@pytest.mark.parametrize(
    ("errata", "seen"),
    [
        (None, "Cannot read the errata at"),
        (RULING + "{}", "errata.jsonl:2: not a ruling"),
        (RULING + RULING.replace("right", "fine"), "errata.jsonl:2: unknown ruling 'fine'"),
        ('{"key": 5, "ruling": "right"}', "errata.jsonl:1: '5' is not a key"),
        ("[" * 100_000, "errata.jsonl:1: not a ruling"),
        (RULING[:-2] + ', "number": 1e999}', "errata.jsonl:1: not a ruling"),
        (RULING[:-2] + ', "number": "x"}', "errata.jsonl:1: not a ruling"),
        ('{"key": "3fa2c1d09b7e4455", "ruling": ["wrong"]}', "errata.jsonl:1: unknown ruling"),
        ('{"key": "3fa2c1d09b7e4455", "ruling": "right", "answer": "5"}', "no other answer"),
        ("\udcff", "is not UTF-8 text"),
    ],
)
def test_an_invalid_file_of_errata_is_an_error_of_its_line_in_the_recipe(
    tmp_path: Path, errata: str | None, seen: str
) -> None:
    if errata is not None:
        (tmp_path / "errata.jsonl").write_bytes(errata.encode("utf-8", "surrogateescape"))
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(
        "name: mine\nabout: Sums.\nerrata: errata.jsonl\nsead: 1\nsubsets:\n"
        "  mine: {source: gsm8k, kind: CoT}\n"
    )
    with pytest.raises(RecipeError) as error:
        load_recipe(recipe)
    first, second = str(error.value).splitlines()
    assert first.startswith("mine.yaml:3: errata: ") and seen in first
    assert second.startswith("mine.yaml:4: No key named 'sead'")


def test_the_commands_rank_suspects_in_80_columns_and_write_a_ruling(tmp_path: Path) -> None:
    golds = golds_file(tmp_path, {5: 99})
    model = answers_file(tmp_path, "alpha.jsonl", {})
    store = ("--store", tmp_path / "store", "--workers", 1)
    text = curator("golds", golds, "--answers", model, *store, cwd=tmp_path).stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "alpha says 11" in text
    key = text.splitlines()[-1].split()[4]
    ruled = curator("rule", "errata.jsonl", key, "wrong", "--answer", "11", cwd=tmp_path)
    assert "Added ruling 1" in ruled.stdout
    assert read_errata(tmp_path / "errata.jsonl")[key].answer == "11"


def test_golds_that_are_known_to_be_wrong_are_among_the_first(tmp_path: Path, shared: Path) -> None:
    files = sorted((shared / "outputs/gsm8k_systems").iterdir())
    options = RunOptions(mirror=str(shared), workers=1)
    found = find_golds_in_doubt("evals/gsm8k", list(map(str, files)), tmp_path / "store", options)
    first = {place for each in found.suspects[:20] for place in each.places}
    assert {"test.jsonl:455", "test.jsonl:824", "test.jsonl:1310"} <= first
