"""Custom sources: any file, described by the names of its columns."""

import json
from pathlib import Path

import pytest

from curator.core.errors import UsageError
from curator.core.model import Problem, QuarantinedRecord
from curator.sources import CustomFiles, custom_source, open_source, records

COLUMNS = {"question": "q", "gold": "a", "choices": "", "solution": "", "program": ""}


def read(path: Path | str, **columns: str) -> list[Problem | QuarantinedRecord]:
    files = CustomFiles(file=str(path))
    source = custom_source("mine", files, {**COLUMNS, **columns}, "CC0-1.0")
    return list(records(source, open_source(source)))


def test_files_of_all_formats_give_problems_with_the_licence_of_the_recipe(tmp_path: Path) -> None:
    rows = [{"q": "What is 1 + 1?", "a": "2"}, {"q": "What is 1/2?", "a": "0.5"}]
    (tmp_path / "a.csv").write_text("q,a\nWhat is 1 + 1?,2\nWhat is 1/2?,0.5\n")
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "a.json").write_text(json.dumps(rows))
    for name in ("a.csv", "a.jsonl", "a.json"):
        found = read(tmp_path / name)
        assert [(p.question, p.gold, p.source, p.licence) for p in found] == [
            ("What is 1 + 1?", "2", "mine", "CC0-1.0"),
            ("What is 1/2?", "0.5", "mine", "CC0-1.0"),
        ], name


def test_a_glob_reads_files_in_order_and_places_name_them(tmp_path: Path) -> None:
    for name in ("2/b.jsonl", "1/a.jsonl"):
        path = tmp_path / name
        path.parent.mkdir()
        path.write_text(json.dumps({"q": name, "a": 1}) + "\n")
    found = read(tmp_path / "*" / "*.jsonl")
    assert [each.place for each in found] == ["1/a.jsonl:1", "2/b.jsonl:1"]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"a": "B", "c": ["x", "y"]}, ("B", ("x", "y"))),
        ({"a": "(b)", "c": ["A) x", "B) y"]}, ("B", ("x", "y"))),
        ({"a": "y", "c": ["x", "y"]}, ("B", ("x", "y"))),
        ({"a": 1, "c": ["x", "y"]}, ("B", ("x", "y"))),
        ({"a": "A", "c": '["x", "y"]'}, ("A", ("x", "y"))),
        (
            {"a": "b", "c": "a ) 3 , b ) 4 , c ) 5 , d ) 6 , e ) 7"},
            ("B", ("3", "4", "5", "6", "7")),
        ),
        ({"a": "C", "c": ["x", "y"]}, "marked option does not exist"),
        ({"a": 2, "c": ["x", "y"]}, "marked option does not exist"),
        ({"a": -1, "c": ["x", "y"]}, "marked option does not exist"),
        ({"a": "x", "c": ["x", "x"]}, "marked option does not exist"),
        ({"a": "A", "c": ["B) x", "A) y"]}, "options are out of order"),
        ({"a": "A", "c": "x, y"}, "c is not a list of texts"),
        ({"a": "A", "c": []}, "a is the letter of a choice, but c is empty"),
        ({"a": "(b)"}, "a is the letter of a choice, but c is empty"),
        ({"a": None, "c": ["x", "y"]}, ("", ("x", "y"))),
    ],
)
def test_the_gold_choice_may_be_a_letter_a_text_or_a_position(
    tmp_path: Path, row: dict[str, object], expected: object
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"q": "Which?", **row}) + "\n")
    found = read(path, choices="c")[0]
    got = found.reason if isinstance(found, QuarantinedRecord) else (found.gold, found.choices)
    assert got == expected


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"q": "", "a": 1}, "q is empty"),
        ({"q": 5, "a": 1}, "q is not text"),
        ({"q": "Q", "a": {"x": 1}}, "a is not an answer"),
        ({"q": "Q", "a": [1, float("inf")]}, "a is not a finite number"),
        ({"q": "Q\x00", "a": 1}, "q is not valid Unicode text"),
        ({"q": "Q\ud800", "a": 1}, "q is not valid Unicode text"),
        ({"q": "Q", "a": 1, "s": 7}, "s is not text"),
    ],
)
def test_a_row_that_is_not_a_problem_is_quarantined_with_a_reason(
    tmp_path: Path, row: dict[str, object], reason: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row) + "\n")
    found = read(path, solution="s")
    assert found == [QuarantinedRecord("rows.jsonl:1", reason, found[0].raw)]  # type: ignore[union-attr]


@pytest.mark.parametrize("empty", [None, "", " \n", [], [""], [None], float("nan")])
def test_an_empty_gold_cell_is_no_gold_answer(tmp_path: Path, empty: object) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"q": "Q", "a": empty}) + "\n")
    [found] = read(path)
    assert isinstance(found, Problem)
    assert found.gold == ""


@pytest.mark.parametrize("row", [{}, {"c": None}, {"c": []}, {"c": ""}, {"c": float("nan")}])
def test_a_row_without_choices_is_an_open_question(tmp_path: Path, row: dict[str, object]) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"q": "Which?", "a": "A", "c": ["x", "y"]}, {"q": "How many?", "a": "12", **row}]
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    found = [each for each in read(path, choices="c") if isinstance(each, Problem)]
    assert [(each.gold, each.choices) for each in found] == [("A", ("x", "y")), ("12", ())]


@pytest.mark.parametrize("row", [{"q": "Q"}, {"q": "Q", "other": {"a": "1"}}])
def test_a_row_without_the_gold_column_has_no_gold_answer(
    tmp_path: Path, row: dict[str, object]
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row) + "\n" + json.dumps({"q": "Q", "a": "1"}) + "\n")
    assert [each.gold for each in read(path) if isinstance(each, Problem)] == ["", "1"]


@pytest.mark.parametrize(
    ("row", "question"),
    [
        (
            {"Body": "A pack costs 76 dollars", "Question": "How much are 2?"},
            "A pack costs 76 dollars. How much are 2?",
        ),
        ({"context": "Ann has 3 pens.", "Question": "How many?"}, "Ann has 3 pens. How many?"),
        ({"Body": " ", "Question": "How many?"}, "How many?"),
        ({"Question": "How many?"}, "How many?"),
        ({"context": {"title": ["a"]}, "Question": "How many?"}, "How many?"),
    ],
)
def test_the_text_before_a_question_belongs_to_it(
    tmp_path: Path, row: dict[str, object], question: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row) + "\n")
    source = custom_source("own", CustomFiles(file=str(path)), {"question": "Question"}, "MIT")
    [found] = records(source, open_source(source))
    assert isinstance(found, Problem)
    assert found.question == question


@pytest.mark.parametrize(
    ("row", "question"),
    [
        ({"instruction": "Solve it.", "input": "2 + 2"}, "Solve it.\n2 + 2"),
        ({"instruction": "What is 2 + 2?", "input": ""}, "What is 2 + 2?"),
        ({"instruction": "What is 2 + 2?", "input": None}, "What is 2 + 2?"),
        ({"instruction": "What is 2 + 2?"}, "What is 2 + 2?"),
    ],
)
def test_the_question_of_an_alpaca_row_is_instruction_and_input(
    tmp_path: Path, row: dict[str, object], question: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row) + "\n")
    source = custom_source("own", CustomFiles(file=str(path)), {"question": "instruction"}, "MIT")
    [found] = records(source, open_source(source))
    assert isinstance(found, Problem)
    assert found.question == question


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([{"type": "text", "text": "How "}, {"type": "text", "text": "many?"}], "How many?"),
        ([{"type": "text", "text": "?"}, {"type": "image", "url": "x"}], "has parts that are not"),
    ],
)
def test_the_parts_of_a_turn_are_joined_if_all_are_text(
    tmp_path: Path, content: object, expected: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"q": [{"role": "user", "content": content}], "a": "1"}) + "\n")
    [found] = read(path)
    assert expected in (found.question if isinstance(found, Problem) else found.reason)


def test_without_a_gold_column_the_gold_is_empty_and_a_program_is_python(
    tmp_path: Path,
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"q": "Q", "p": "print(1)"}) + "\n")
    [found] = read(path, gold="", program="p")
    assert isinstance(found, Problem)
    assert (found.gold, found.program, found.notation) == ("", "print(1)", "python")


def test_the_digest_covers_bytes_names_and_columns(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"q": "Q", "a": 1}\n')

    def digest(**more: str) -> str:
        source = custom_source("mine", CustomFiles(file=str(path)), {**COLUMNS, **more}, "MIT")
        return open_source(source).digest

    first = digest()
    assert digest() == first
    assert digest(gold="q") != first
    path.write_text('{"q": "Q", "a": 2}\n')
    assert digest() != first


@pytest.mark.parametrize(
    ("files", "columns", "message"),
    [
        (CustomFiles("x"), {"question": "q", "goald": "a"}, "Did you mean 'gold'"),
        (CustomFiles("x"), {"gold": "a"}, "Name the column"),
        (CustomFiles(), {"question": "q"}, "either a file or a Hub dataset"),
        (CustomFiles("x", hub="a/b"), {"question": "q"}, "either a file or a Hub"),
    ],
)
def test_an_invalid_source_is_a_usage_error(
    files: CustomFiles, columns: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        custom_source("mine", files, columns, "MIT")
