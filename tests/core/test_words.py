"""Counts in sentences."""

from curator.core.words import counted, verb


def test_one_thing_has_no_plural_s_and_any_other_number_has() -> None:
    assert [counted(n, "row") for n in (0, 1, 2, 1_000)] == [
        "0 rows",
        "1 row",
        "2 rows",
        "1,000 rows",
    ]
    assert [verb(n, "is", "are") for n in (0, 1, 2)] == ["are", "is", "are"]
