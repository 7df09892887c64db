"""Instructions, reference solutions and variable names."""

import builtins
import json
import keyword
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator.core.model import Problem
from curator.sources import SOURCES, open_source, records
from curator.writers import WRITERS, build_instruction
from curator.writers.instruction import TRIGGERS
from curator.writers.programs.quantities import find_quantities
from curator.writers.programs.variable_names import (
    LONGEST,
    RESERVED,
    Names,
    make_identifier,
    name_result,
    split_words,
)
from curator.writers.reference import write_reference
from tests.paths import DATA

TABLES = DATA / "writers"
FORMS = json.loads((TABLES / "reference_forms.json").read_text())
RESULT_NAMES = json.loads((TABLES / "result_names.json").read_text())


@pytest.mark.parametrize("case", FORMS, ids=[case["name"] for case in FORMS])
def test_a_reference_solution_has_the_form_of_the_released_rows(case: dict[str, str]) -> None:
    problem = Problem(
        case["source"],
        case["question"],
        case["gold"],
        tuple(case.get("choices", ())),
        case["solution"],
        part=case.get("part", ""),
    )
    (found,) = write_reference(problem, "CoT")
    assert (found.instruction, found.text) == (case["instruction"], case["text"])
    assert (found.kind, found.writer, found.problem_id) == ("CoT", "reference", problem.id)


def test_reference_yields_nothing_without_a_solution_or_for_the_other_kind() -> None:
    assert list(write_reference(Problem("math", "Add.", "3"), "CoT")) == []
    assert list(write_reference(Problem("math", "Add.", "3", solution="3"), "PoT")) == []


def test_released_rows_are_unchanged(shared: Path) -> None:
    source = SOURCES["mathinstruct"]
    rows = [r for r in records(source, open_source(source, shared)) if isinstance(r, Problem)]
    text = (shared / "sources/mathinstruct/two-rows.jsonl").read_text()
    upstream = [json.loads(line) for line in text.splitlines()]
    kinds = [row["source"].split("/")[1] for row in upstream]
    assert kinds == ["CoT", "PoT"] and len(rows) == 2
    for row, raw, kind in zip(rows, upstream, kinds, strict=True):
        (found,) = write_reference(row, kind)
        assert (found.instruction, found.text) == (raw["instruction"], raw["output"])
        assert list(write_reference(row, "PoT" if kind == "CoT" else "CoT")) == []


def test_an_instruction_always_ends_with_the_same_published_sentence() -> None:
    instructions = [
        build_instruction(Problem("gsm8k", f"Add {n}.", "1"), "PoT") for n in range(200)
    ]
    assert instructions == [
        build_instruction(Problem("gsm8k", f"Add {n}.", "1"), "PoT") for n in range(200)
    ]
    counts = [sum(text.endswith(f". {trigger}") for text in instructions) for trigger in TRIGGERS]
    assert sum(counts) == 200 and min(counts) > 20


def test_instructions_for_formulas_omit_the_choices() -> None:
    problem = Problem(
        "mathqa", "what is 3 of 4 ?", "A", ("12", "7"), program="x", notation="mathqa"
    )
    assert "Answer Choices" not in build_instruction(problem, "PoT")
    assert build_instruction(problem, "CoT").endswith("\nAnswer Choices: (A) 12 (B) 7")
    plain = Problem("aqua_rat", "What is 3 of 4?", "A", ("12", "7"))
    assert "\nAnswer Choices: (A) 12 (B) 7 " in build_instruction(plain, "PoT")


@pytest.mark.parametrize("case", RESULT_NAMES, ids=[str(case["name"]) for case in RESULT_NAMES])
def test_a_result_is_named_after_the_words_around_it(case: dict[str, str]) -> None:
    assert name_result(case["before"], case["after"]) == case["name"]


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text_gives_a_valid_name_or_none(before: str, after: str) -> None:
    for name in (name_result(before, after), make_identifier(split_words(before))):
        assert name == "" or (name.isidentifier() and name.isascii() and name not in RESERVED)
        assert not keyword.iskeyword(name) and len(name) <= LONGEST + len("_value")


@given(st.lists(st.sampled_from(["", "pears", "pears_2", "result"]), max_size=12))
def test_names_of_one_program_are_unique(requested: list[str]) -> None:
    names = Names()
    given_names = [names.take(name) for name in requested]
    assert len(set(given_names)) == len(requested)


@given(st.text("ab 0123456789.,%$:/-", max_size=120))
def test_the_numbers_of_any_question_have_valid_names(question: str) -> None:
    for quantity in find_quantities(question):
        name = quantity.name
        assert name == "" or (name.isidentifier() and name.isascii() and name not in RESERVED)


def test_numbers_are_counted_as_in_mathqa() -> None:
    found = find_quantities("of 942,568 votes at $ 3.50 , 25 percent or 3,4 or 1,00,000 at 06 : 30")
    values = [quantity.value.value if quantity.value else None for quantity in found]
    assert values == [942568, 3.5, 25, None, 100000, 6, 30]


def test_keywords_and_builtins_of_this_python_are_reserved() -> None:
    taken = [*keyword.kwlist, *keyword.softkwlist, *dir(builtins)]
    lower = {word for word in taken if word == word.lower() and not word.startswith("_")}
    assert len(lower) > 80 and lower <= RESERVED


def test_writers_declare_their_kinds_and_whether_they_need_a_teacher() -> None:
    assert [name for name, writer in WRITERS.items() if not writer.teacher] == [
        "reference",
        "verbatim",
        "question",
        "annotated",
        "hinted",
    ]
    for name, writer in WRITERS.items():
        assert writer.name == name and writer.kinds
        assert (writer.write is None) == (writer.teacher or bool(writer.source))
