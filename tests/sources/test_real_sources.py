"""The shipped sources over upstream's own files: every quirk that was seen there, counted."""

import json
import re
from collections import Counter
from pathlib import Path

from curator.core.model import Problem, Quarantined
from curator.sources import EVALS, SOURCES, Source, open_source, records
from curator.sources.datasets import math, mathqa


def read(source: Source, mirror: Path) -> tuple[list[Problem], list[Quarantined]]:
    found = list(records(source, open_source(source, mirror)))
    good = [each for each in found if isinstance(each, Problem)]
    return good, [each for each in found if isinstance(each, Quarantined)]


def test_every_row_is_a_problem_or_quarantined_with_a_reason(shared: Path) -> None:
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
        "evals": {name: source.rows for name, source in EVALS.items()},
    }
    for sources, counts in ((SOURCES, expected["sources"]), (EVALS, expected["evals"])):
        for name, count in counts.items():
            good, aside = read(sources[name], shared)
            assert len(good) == count, name
            reasons = Counter(each.reason for each in aside)
            assert reasons == ({"needs a picture": 53} if name == "theoremqa" else {}), name
            assert all(each.source == name and each.licence and each.place for each in good)
            assert len({each.place for each in good}) == count, name


def test_gsm8k_keeps_golds_as_written_and_parts_annotations_from_text(shared: Path) -> None:
    good, _ = read(SOURCES["gsm8k"], shared)
    assert sum("," in each.gold for each in good) == 79
    assert sum(each.gold.startswith("-") for each in good) == 3
    assert sum("<<" not in each.program for each in good) == 95
    assert sum(not (each.question + each.program).isascii() for each in good) == 651
    assert not any(re.search(r"<<|>>|####", each.solution) for each in good)
    first = good[0]
    assert first.place == "train.jsonl:1"
    assert first.gold == "72"
    assert first.solution.endswith("Natalia sold 48+24 = 72 clips altogether in April and May.")


def test_aqua_loses_only_the_words_that_state_the_marked_option(shared: Path) -> None:
    dev, _ = read(SOURCES["aqua_rat"], shared)
    test, _ = read(EVALS["aqua_rat"], shared)
    problems = dev + test
    assert all(len(each.choices) == 5 and each.gold in "ABCDE" for each in problems)
    assert not any(each.choices[0].startswith("A)") for each in problems)
    assert sum(len(set(each.choices)) < 5 for each in problems) == 8
    stated = re.compile(r"(?:answer|option)\W*(?:is\W*)?([A-E])\W*$", re.IGNORECASE)
    left = [(each.gold, found[1]) for each in problems if (found := stated.search(each.solution))]
    assert left == [("B", "a")], "a rationale that names another option is left whole"
    assert sum(not each.solution for each in problems) == 0
    ship = next(each for each in dev if each.question.startswith("A ship is leaving"))
    assert ship.solution.endswith("x = 250 m.")


def test_math_golds_are_the_last_box_or_all_that_are_asked_for(shared: Path) -> None:
    good, _ = read(SOURCES["math"], shared)
    assert sum(each.level == "Level ?" for each in good) == 2
    assert sum(len(math.boxes(each.solution)) > 1 for each in good) == 46
    assert sum("[asy]" in each.question + each.solution for each in good) == 494
    assert sum("[asy]" in each.question for each in good) == 264
    joined = [each for each in good if each.gold not in math.boxes(each.solution)]
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
    good, _ = read(EVALS["math500"], shared)
    assert len(good) == 500
    assert all(math.gold_of(each.question, each.solution) == each.gold for each in good)
    questions = {each.question for each in read(EVALS["math"], shared)[0]}
    assert all(each.question in questions for each in good)


def test_a_math_train_problem_is_in_the_test_set_up_to_white_space(shared: Path) -> None:
    def bare(problem: Problem) -> str:
        return "".join(problem.question.split())

    train, test = read(SOURCES["math"], shared)[0], read(EVALS["math"], shared)[0]
    assert len({bare(each) for each in train} & {bare(each) for each in test}) == 1


def test_theoremqa_answers_of_every_type_are_read(shared: Path) -> None:
    good, aside = read(SOURCES["theoremqa"], shared)
    assert Counter(each.part for each in good) == {
        "float": 360,
        "integer": 200,
        "bool": 112,
        "list of integer": 51,
        "list of float": 8,
        "option": 16,
    }
    assert len(aside) == 53
    golds = {each.part: each.gold for each in reversed(good)}
    assert golds["bool"] in ("True", "False")
    assert golds["list of integer"].startswith("[")
    assert re.fullmatch(r"\([a-d]\)", golds["option"])


def test_mathqa_options_of_both_forms_are_five_texts(shared: Path) -> None:
    good, _ = read(SOURCES["mathqa"], shared)
    assert all(len(each.choices) == 5 and each.gold in "ABCDE" for each in good)
    assert not any(re.match(r"[a-e] \) ", text) for each in good for text in each.choices)
    assert not any(text.startswith("'") for each in good for text in each.choices)
    assert all(each.question == each.question.lower() for each in good)
    assert sum(each.program.endswith("|") for each in good) == 3_353
    assert not any(each.solution.startswith('"') for each in good)


def test_mathqa_mojibake_is_mended_where_one_sign_only_can_be_meant(shared: Path) -> None:
    good, _ = read(SOURCES["mathqa"], shared)
    garbled = re.compile(r"(?<!\S)ã —(?!\S)")
    texts = [text for each in good for text in (each.question, each.solution, *each.choices)]
    assert not any(garbled.search(text) for text in texts)
    upstream = json.loads((shared / "sources/mathqa/dev.json").read_text())
    changed = [row for row in upstream if any(mathqa.mended(cell) != cell for cell in row.values())]
    assert len(changed) == 145
    assert mathqa.mended("54 ã — 5 / 18 â € “ 3 â ˆ š 2") == "54 × 5 / 18 – 3 √ 2"
    assert mathqa.mended("54 ã—5 and ã — x â") == "54 ã—5 and × x â"


def test_lila_problems_carry_programs_and_upstreams_split(shared: Path) -> None:
    good, _ = read(SOURCES["lila"], shared)
    assert Counter(each.part for each in good) == {"train": 3_655, "dev": 505, "test": 391}
    assert all(each.notation == "python" and "print(answer)" in each.program for each in good)


def test_released_mathinstruct_rows_keep_text_and_licence_of_their_part(shared: Path) -> None:
    good, _ = read(SOURCES["mathinstruct"], shared)
    assert [(each.part, each.licence) for each in good] == [
        ("data/CoT/aqua_rat.json", "Apache-2.0"),
        ("data/PoT/TheoremQA.json", "MIT"),
    ]
    assert good[1].solution.endswith("return T\nprint(solve())")


def test_numglue_choices_are_parted_from_the_question(shared: Path) -> None:
    good, _ = read(EVALS["numglue"], shared)
    assert Counter(each.part for each in good) == {
        "Type_1": 81,
        "Type_2": 325,
        "Type_3": 162,
        "Type_4": 220,
        "Type_8": 254,
    }
    assert all(bool(each.choices) == (each.part == "Type_3") for each in good)
    assert all(each.gold in "AB" and len(each.choices) == 2 for each in good if each.choices)
    assert not any("Answer Choices" in each.question for each in good)


def test_svamp_problems_are_body_and_question(shared: Path) -> None:
    good, _ = read(EVALS["svamp"], shared)
    assert len({each.question for each in good}) == 1_000
    assert good[0].question.endswith("on each pack. How much do you have to pay to buy each pack?")
    assert all(re.fullmatch(r"-?\d+", each.gold) for each in good)


def test_the_other_evaluation_sets_have_letters_lists_and_options(shared: Path) -> None:
    mathematics, _ = read(EVALS["mathematics"], shared)
    assert sum(each.gold.startswith("[") for each in mathematics) == 26
    sat, _ = read(EVALS["sat_math"], shared)
    assert all(len(each.choices) == 4 and each.gold in "ABCD" for each in sat)
    mmlu, _ = read(EVALS["mmlu_math"], shared)
    assert mmlu[0].gold == "C"
    assert mmlu[0].choices[2] == "p = 12"
    assert Counter(each.field for each in mmlu)["formal_logic"] == 126
