"""The shipped sources on upstream's real files, with counts of every known irregularity."""

import json
import re
from collections import Counter
from pathlib import Path

from curator.core.model import Problem, QuarantinedRecord
from curator.sources import EVALS, MAMMOTH_EVALS, SOURCES, Source, open_source, records
from curator.sources.datasets import math, mathqa


def read(source: Source, mirror: Path) -> tuple[list[Problem], list[QuarantinedRecord]]:
    found = list(records(source, open_source(source, mirror)))
    problems = [each for each in found if isinstance(each, Problem)]
    return problems, [each for each in found if isinstance(each, QuarantinedRecord)]


def test_every_row_is_a_problem_or_is_quarantined_with_a_reason(shared: Path) -> None:
    expected = {
        "sources": {
            "gsm8k": 7_473,
            "aqua_rat": 254,
            "math": 3_000,
            "theoremqa": 747,
            "mathqa": 4_475,
            "lila": 4_551,
            "mathinstruct": 2,
        },
        "evals": {name: EVALS[name].rows for name in MAMMOTH_EVALS},
    }
    for sources, counts in ((SOURCES, expected["sources"]), (EVALS, expected["evals"])):
        for name, count in counts.items():
            problems, rejected = read(sources[name], shared)
            assert len(problems) == count, name
            reasons = Counter(each.reason for each in rejected)
            assert reasons == ({"needs a picture": 53} if name == "theoremqa" else {}), name
            assert all(each.source == name and each.licence and each.place for each in problems)
            assert len({each.place for each in problems}) == count, name


def test_gsm8k_keeps_golds_as_written_and_removes_annotations_from_solutions(shared: Path) -> None:
    problems, _ = read(SOURCES["gsm8k"], shared)
    assert sum("," in each.gold for each in problems) == 79
    assert sum(each.gold.startswith("-") for each in problems) == 3
    assert sum("<<" not in each.program for each in problems) == 95
    assert sum(not (each.question + each.program).isascii() for each in problems) == 651
    assert not any(re.search(r"<<|>>|####", each.solution) for each in problems)
    first = problems[0]
    assert first.place == "train.jsonl:1"
    assert first.gold == "72"
    assert first.solution.endswith("Natalia sold 48+24 = 72 clips altogether in April and May.")


def test_aqua_solutions_lose_only_an_ending_that_states_the_gold_answer(shared: Path) -> None:
    dev, _ = read(SOURCES["aqua_rat"], shared)
    test, _ = read(EVALS["aqua_rat"], shared)
    both = dev + test
    assert all(len(each.choices) == 5 and each.gold in "ABCDE" for each in both)
    assert not any(each.choices[0].startswith("A)") for each in both)
    assert sum(len(set(each.choices)) < 5 for each in both) == 8
    stated = re.compile(r"(?:answer|option)\W*(?:is\W*)?([A-E])\W*$", re.IGNORECASE)
    left = [(each.gold, found[1]) for each in both if (found := stated.search(each.solution))]
    assert left == [("B", "a")], "a rationale that states another letter is not cut"
    assert sum(not each.solution for each in both) == 0
    ship = next(each for each in dev if each.question.startswith("A ship is leaving"))
    assert ship.solution.endswith("x = 250 m.")


def test_math_golds_are_the_last_box_or_all_boxes_if_several_are_wanted(shared: Path) -> None:
    problems, _ = read(SOURCES["math"], shared)
    assert sum(each.level == "Level ?" for each in problems) == 2
    assert sum(len(math.boxes(each.solution)) > 1 for each in problems) == 46
    assert sum("[asy]" in each.question + each.solution for each in problems) == 494
    assert sum("[asy]" in each.question for each in problems) == 264
    joined = [each for each in problems if each.gold not in math.boxes(each.solution)]
    assert [each.gold for each in joined] == [
        "30^\\circ, 75^\\circ, 75^\\circ",
        "5, -3",
        "1, 9",
        "12, 18",
        "(-2,18), (8,38)",
        "30^\\circ, 150^\\circ",
        "\\frac{1}{3}, -\\frac{5}{2}",
        "(-2, 23), (0, 1)",
    ]


def test_the_gold_rule_of_math_gives_the_answers_of_math500(shared: Path) -> None:
    problems, _ = read(EVALS["math500"], shared)
    assert len(problems) == 500
    assert all(math.gold_of(each.question, each.solution) == each.gold for each in problems)
    questions = {each.question for each in read(EVALS["math"], shared)[0]}
    assert all(each.question in questions for each in problems)


def test_one_math_train_problem_equals_a_test_problem_except_for_white_space(shared: Path) -> None:
    def bare(problem: Problem) -> str:
        return "".join(problem.question.split())

    train, test = read(SOURCES["math"], shared)[0], read(EVALS["math"], shared)[0]
    assert len({bare(each) for each in train} & {bare(each) for each in test}) == 1


def test_theoremqa_answers_of_every_type_are_read(shared: Path) -> None:
    problems, rejected = read(SOURCES["theoremqa"], shared)
    assert Counter(each.part for each in problems) == {
        "float": 360,
        "integer": 200,
        "bool": 112,
        "list of integer": 51,
        "list of float": 8,
        "option": 16,
    }
    assert len(rejected) == 53
    golds = {each.part: each.gold for each in reversed(problems)}
    assert golds["bool"] in ("True", "False")
    assert golds["list of integer"].startswith("[")
    assert re.fullmatch(r"\([a-d]\)", golds["option"])


def test_mathqa_choices_of_both_forms_are_five_texts(shared: Path) -> None:
    problems, _ = read(SOURCES["mathqa"], shared)
    assert all(len(each.choices) == 5 and each.gold in "ABCDE" for each in problems)
    assert not any(re.match(r"[a-e] \) ", text) for each in problems for text in each.choices)
    assert not any(text.startswith("'") for each in problems for text in each.choices)
    assert all(each.question == each.question.lower() for each in problems)
    assert sum(each.program.endswith("|") for each in problems) == 3_353
    assert not any(each.solution.startswith('"') for each in problems)


def test_mathqa_symbols_are_restored_where_the_garbled_form_is_unambiguous(shared: Path) -> None:
    problems, _ = read(SOURCES["mathqa"], shared)
    garbled = re.compile(r"(?<!\S)ã —(?!\S)")
    texts = [text for each in problems for text in (each.question, each.solution, *each.choices)]
    assert not any(garbled.search(text) for text in texts)
    upstream = json.loads((shared / "sources/mathqa/dev.json").read_text())
    changed = [
        row
        for row in upstream
        if any(mathqa.restore_symbols(cell) != cell for cell in row.values())
    ]
    assert len(changed) == 145
    assert mathqa.restore_symbols("54 ã — 5 / 18 â € “ 3 â ˆ š 2") == "54 × 5 / 18 – 3 √ 2"
    assert mathqa.restore_symbols("54 ã—5 and ã — x â") == "54 ã—5 and × x â"


def test_lila_problems_have_programs_and_the_split_of_upstream(shared: Path) -> None:
    problems, _ = read(SOURCES["lila"], shared)
    assert Counter(each.part for each in problems) == {"train": 3_655, "dev": 505, "test": 391}
    assert all(each.notation == "python" and "print(answer)" in each.program for each in problems)


def test_released_mathinstruct_rows_keep_text_and_licence_of_their_part(
    shared: Path,
) -> None:
    problems, _ = read(SOURCES["mathinstruct"], shared)
    assert [(each.part, each.licence) for each in problems] == [
        ("data/CoT/aqua_rat.json", "Apache-2.0"),
        ("data/PoT/TheoremQA.json", "MIT"),
    ]
    assert problems[1].solution.endswith("return T\nprint(solve())")


def test_numglue_choices_are_split_from_the_question(shared: Path) -> None:
    problems, _ = read(EVALS["numglue"], shared)
    assert Counter(each.part for each in problems) == {
        "Type_1": 81,
        "Type_2": 325,
        "Type_3": 162,
        "Type_4": 220,
        "Type_8": 254,
    }
    assert all(bool(each.choices) == (each.part == "Type_3") for each in problems)
    assert all(each.gold in "AB" and len(each.choices) == 2 for each in problems if each.choices)
    assert not any("Answer Choices" in each.question for each in problems)


def test_svamp_problems_are_body_and_question(shared: Path) -> None:
    problems, _ = read(EVALS["svamp"], shared)
    assert len({each.question for each in problems}) == 1_000
    assert problems[0].question.endswith(
        "on each pack. How much do you have to pay to buy each pack?"
    )
    assert all(re.fullmatch(r"-?\d+", each.gold) for each in problems)


def test_the_other_evaluation_sets_have_letters_lists_and_choices(shared: Path) -> None:
    mathematics, _ = read(EVALS["mathematics"], shared)
    assert sum(each.gold.startswith("[") for each in mathematics) == 26
    sat, _ = read(EVALS["sat_math"], shared)
    assert all(len(each.choices) == 4 and each.gold in "ABCD" for each in sat)
    mmlu, _ = read(EVALS["mmlu_math"], shared)
    assert mmlu[0].gold == "C"
    assert mmlu[0].choices[2] == "p = 12"
    assert Counter(each.field for each in mmlu)["formal_logic"] == 126
