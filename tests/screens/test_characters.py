"""Digits of all scripts are digits: in every screen's key, for SQL and for Python alike."""

import sys
import unicodedata
from itertools import combinations
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curator.core.model import Problem
from curator.screens import SCREENS, normalize
from curator.screens.characters import DIGITS, FORMS, to_ascii
from curator.screens.golds import read_gold
from curator.screens.novelty import Novelty
from curator.screens.overlap import find_overlaps
from datastore.engine import Engine

SCRIPTS = {
    "full-width": "\uff10",
    "Arabic-Indic": "\u0660",
    "Persian": "\u06f0",
    "Devanagari": "\u0966",
    "Thai": "\u0e50",
    "mathematical bold": "\U0001d7ce",
}
QUESTION = "A farmer sells {} brown cows and {} white goats; how many animals did she sell?"
WITH_KEYS = [name for name, screen in SCREENS.items() if screen.keys]


def write(number: int, zero: str) -> str:
    return "".join(chr(ord(zero) + int(digit)) for digit in str(number))


def ask(one: int, other: int, zero: str) -> str:
    return QUESTION.format(write(one, zero), write(other, zero))


def fold(engine: Engine, texts: list[str]) -> list[str]:
    query = f"SELECT {normalize.fold('q')} FROM (SELECT unnest($texts::VARCHAR[]) AS q)"
    return [row[0] for row in engine.sql(query, {"texts": texts}).fetchall()]


def test_python_and_sql_read_every_digit_of_unicode_alike(engine: Engine) -> None:
    digits = [c for c in map(chr, range(128, sys.maxunicode + 1)) if c.isdecimal()]
    assert len(digits) >= 650
    read = fold(engine, [f"x{digit}" for digit in digits])
    assert read == [f"x{unicodedata.digit(digit)}" for digit in digits]
    assert [to_ascii(f"x{digit}") for digit in digits] == read


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)
@given(st.text(st.sampled_from("".join([*DIGITS, *FORMS]) + "½⅔²¹⁰₂ab 1+$"), max_size=8))
def test_python_and_sql_agree_on_any_text(engine: Engine, text: str) -> None:
    # What the rest of `fold` does to a text is done to the ASCII text, too.
    assert fold(engine, [text]) == fold(engine, [to_ascii(text)])


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("８．５％", "8.5%"),
        ("x¹² + a₁", "x^12 + a_1"),
        ("1½ cups", "1 1/2 cups"),
        ("٣٫٥", "3.5"),
        ("１，２００", "1，200"),
        ("Ⅷ ⑦", "Ⅷ ⑦"),
    ],
)
def test_forms_powers_and_fractions_become_ascii(text: str, read: str) -> None:
    assert to_ascii(text) == read


def keys_of(engine: Engine, name: str, question: str) -> tuple[object, ...]:
    """Return what a screen compares of a row with this question."""
    keys = SCREENS[name].keys
    assert keys is not None
    if keys.prepare:
        features = normalize.words(normalize.fold("question"))
        query = f"SELECT {features} AS words FROM (SELECT $q AS question)"
        return tuple(engine.sql(query, {"q": question}).fetchall()[0])
    columns = {
        "id": pa.array([bytes(16)], pa.binary(16)),
        **{name: [question] for name in ("question", "instruction", "text")},
    }
    path = engine.folder / f"{uuid4().hex}.parquet"
    pq.write_table(pa.table(columns), path)
    batches = engine.batches(keys.select(f"read_parquet('{path}')"))
    if keys.convert:
        batches = keys.convert(batches)
    (row,) = pa.Table.from_batches(list(batches)).drop_columns("id").to_pylist()
    return tuple(tuple(each) if isinstance(each, list) else each for each in row.values())


@pytest.mark.parametrize("zero", SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.parametrize("name", WITH_KEYS)
def test_a_screen_sees_which_digits_a_question_has(engine: Engine, name: str, zero: str) -> None:
    questions = [ask(8, 12, zero), ask(9, 12, zero), ask(8, 13, zero)]
    keys = [keys_of(engine, name, question) for question in questions]
    assert all(a != b for a, b in combinations(keys, 2))
    # The length of a text only decides which of two is kept.
    assert keys[0] == keys_of(engine, name, ask(8, 12, "0"))


@pytest.mark.parametrize("zero", SCRIPTS.values(), ids=SCRIPTS)
def test_a_gap_between_digits_of_any_script_counts(engine: Engine, zero: str) -> None:
    one, two = (f"Go on: {write(1, zero)}{gap}{write(2, zero)}" for gap in (" ", ""))
    assert keys_of(engine, "cap", one) != keys_of(engine, "cap", two)


@pytest.mark.parametrize("zero", SCRIPTS.values(), ids=SCRIPTS)
def test_other_digits_make_another_question(zero: str) -> None:
    item = Problem("eval", ask(8, 12, "0"), "20")
    same, other = (
        Problem("a", ask(8, 12, zero), write(20, zero)),
        Problem("a", ask(9, 14, zero), ""),
    )
    levels = {each.question: each.match.level for each in find_overlaps([same, other], [item])}
    assert levels == {same.question: "same question", other.question: "same template"}


def test_golds_and_options_are_read_in_any_script() -> None:
    assert read_gold("８．５") == read_gold("8.5")
    assert read_gold("Ｂ", ("３", "４")) == 4


def test_a_new_question_may_differ_in_a_numeral_of_any_kind(engine: Engine) -> None:
    words = normalize.words(normalize.fold("q"))
    query = f"SELECT {words} FROM (SELECT unnest(['Ⅷ', '⑦', '፩', '〇', '八']) AS q)"
    assert all(len(row[0]) == 1 for row in engine.sql(query).fetchall())
    novelty = Novelty(engine, "SELECT 'n' AS name, 'Add ８ and ９' AS question", rouge=0.9)
    assert novelty.compare(["Add ７ and ３", "Add 8 and 9"])[0] is None
