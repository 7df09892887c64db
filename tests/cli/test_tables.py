"""Tables line up, fit the width, and are fast for thousands of rows."""

import time

import pytest
from rich.cells import cell_len

from curator.cli.tables import print_cut_table, print_table

ROWS = 27_000
LONGEST_S = 15.0
"""About ten times what it takes; Rich's tables took longer than this on the same machine."""


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_long_texts_are_wrapped_between_words_and_numbers_and_names_never(
    capsys: pytest.CaptureFixture[str],
) -> None:
    row = ("a_name_of_a_subset", "several words " * 10, 1_234_567)
    print_table(("subset", "reason", "rows"), [row, ("b", "c", 0)], ("rows",), ("subset",))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].startswith("a_name_of_a_subset ") and lines[1].endswith(" 1,234,567")
    assert lines[-1].endswith("·") and len(lines[-1]) == len(lines[1])
    assert "".join(lines).count("several") == 10


def test_wide_characters_count_as_two_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert not print_cut_table(("x", "n"), [("漢字", 1), ("four", 2)])
    assert print_cut_table(("x", "n"), [("漢" * 100, 1)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:3] == ["漢字  1", "four  2"]
    assert max(map(cell_len, lines)) <= 80


def test_a_table_without_rows_is_its_head(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("subset", "rows"), [], ("rows",))
    assert not print_cut_table(("a", "b"), [])
    assert capsys.readouterr().out == "subset  rows\na  b\n"


@pytest.mark.parametrize("show", [print_table, print_cut_table])
def test_27_000_rows_are_printed_in_seconds(
    show: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(show)
    rows = [(f"subset_{n % 14}", f"a rule named {n} that is long " * 3, n) for n in range(ROWS)]
    before = time.process_time()
    show(("subset", "rule", "rows"), rows)
    assert time.process_time() - before < LONGEST_S
    assert len(capsys.readouterr().out.splitlines()) > ROWS
