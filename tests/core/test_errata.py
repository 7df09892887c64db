"""Errata: keyed by content, appended, without upstream text; invalid lines name their place."""

from pathlib import Path

import pytest

from curator.core.errata import Erratum, add_ruling, erratum_key, read_errata
from curator.core.errors import UsageError
from tests.paths import DATA

KEY = erratum_key("How many?", "12")


def test_a_key_depends_on_question_gold_and_choices_but_not_on_white_space() -> None:
    assert erratum_key(" How  many?\n", "12") == KEY
    others = {erratum_key("How many?", "13"), erratum_key("How many?", "12", ("12",)), KEY}
    assert len(others) == 3


def test_a_new_ruling_is_appended_and_counts_while_the_earlier_one_stays(tmp_path: Path) -> None:
    file = tmp_path / "errata.jsonl"
    add_ruling(file, Erratum(KEY, "wrong", "13"))
    first = file.read_text()
    second, first_ruling = add_ruling(file, Erratum(KEY, "ambiguous", reason="two readings"))
    assert second.number == 2 and first_ruling and first_ruling.ruling == "wrong"
    assert file.read_text().startswith(first)
    assert read_errata(file) == {KEY: second}


def test_a_withdrawn_ruling_does_not_count_until_a_later_line_rules_again(tmp_path: Path) -> None:
    file = tmp_path / "errata.jsonl"
    add_ruling(file, Erratum(KEY, "wrong", "13"))
    add_ruling(file, Erratum(KEY, "withdrawn"))
    assert read_errata(file) == {}
    again, withdrawn = add_ruling(file, Erratum(KEY, "right"))
    assert withdrawn and withdrawn.ruling == "withdrawn"
    assert (again.number, read_errata(file)) == (3, {KEY: again})


def test_a_file_holds_no_text_of_the_problem(tmp_path: Path) -> None:
    file = tmp_path / "errata.jsonl"
    add_ruling(file, Erratum(erratum_key("How many legs have 3 cats?", "13"), "wrong", "12"))
    assert "cats" not in file.read_text()
    assert "13" not in file.read_text().replace(erratum_key("How many legs have 3 cats?", "13"), "")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not a ruling"),
        ("[1]", "not a ruling"),
        ('{"key": "3fa2", "ruling": "wrong"}', "not a key"),
        (f'{{"key": "{KEY}", "ruling": "false"}}', "unknown ruling 'false'"),
        (f'{{"key": "{KEY}", "ruling": "right", "answer": "3"}}', "has no other answer"),
        (f'{{"key": "{KEY}", "ruling": "withdrawn"}}', "no earlier line rules on it"),
    ],
)
def test_an_invalid_line_is_one_error_with_its_place(
    line: str, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "errata.jsonl"
    file.write_text("\n" + line)
    with pytest.raises(UsageError, match=message) as error:
        read_errata(file)
    assert "errata.jsonl:2" in str(error.value)
    assert "\n" not in str(error.value)


def test_an_invalid_ruling_is_not_written(tmp_path: Path) -> None:
    file = tmp_path / "errata.jsonl"
    with pytest.raises(UsageError):
        add_ruling(file, Erratum("nonsense", "wrong"))
    assert not file.exists()


@pytest.mark.parametrize("name", ["gsm8k_test", "mathqa_dev"])
def test_the_rulings_of_this_project_can_be_read(name: str) -> None:
    rulings = read_errata(DATA / "errata" / f"{name}.jsonl")
    assert {each.ruling for each in rulings.values()} == {"wrong", "ambiguous", "right"}
