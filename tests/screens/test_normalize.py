"""Normalisation: variants of a question have the same key, different questions different keys."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curator.screens import normalize
from datastore.engine import Engine
from tests.paths import DATA

CASES = json.loads((DATA / "variants.json").read_text())
KEY = normalize.key(normalize.stem(normalize.fold("question")))


def key(engine: Engine, question: str) -> str:
    query = f"SELECT {KEY} FROM (SELECT $question AS question)"
    return str(engine.sql(query, {"question": question}).fetchall()[0][0])


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_keys_are_equal_exactly_if_the_questions_are_the_same(
    engine: Engine, case: dict[str, Any]
) -> None:
    assert (key(engine, case["a"]) == key(engine, case["b"])) == case["same"]


@pytest.mark.parametrize("hidden", "\u00ad\u200b\u200c\u200d\u2060\ufeff")
def test_characters_without_width_do_not_count(engine: Engine, hidden: str) -> None:
    question = "How many of the 48 clips are red?"
    assert key(engine, question.replace("ip", f"i{hidden}p")) == key(engine, question)


def test_the_key_of_a_question_is_not_empty(engine: Engine) -> None:
    assert key(engine, "What is $x$?") == "whatisx"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(numbers=st.lists(st.integers(0, 30), min_size=1, max_size=6))
def test_different_sequences_of_numbers_have_different_keys(
    engine: Engine, numbers: list[int]
) -> None:
    spaced = " ".join(map(str, numbers))
    assert key(engine, spaced).split("_") == [str(n) for n in numbers]


def test_words_leave_out_operators_layout_and_drawings(engine: Engine) -> None:
    question = r"Let $\left(x+3.5\right)$ be Ölçü. [asy]draw((0,0));[/asy] Find x."
    query = f"SELECT {normalize.words(normalize.fold('q'))} FROM (SELECT $q AS q)"
    assert engine.sql(query, {"q": question}).fetchall()[0][0] == [
        "let", "x", "3.5", "be", "ölçü", "find", "x",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("小明有12个苹果。", ["小", "明", "有", "12", "个", "苹", "果"]),
        ("りんごはx個ですか", ["り", "ん", "ご", "は", "x", "個", "で", "す", "か"]),
        ("มีแมว 3 ตัว", ["มี", "แ", "ม", "ว", "3", "ตั", "ว"]),
        ("사과가 12개 있다", ["사과가", "12", "개", "있다"]),
        ("Сколько будет 3?", ["сколько", "будет", "3"]),
    ],
)
def test_each_character_is_a_word_where_words_are_not_separated(
    engine: Engine, text: str, expected: list[str]
) -> None:
    query = f"SELECT {normalize.words(normalize.fold('q'))} FROM (SELECT $q AS q)"
    assert engine.sql(query, {"q": text}).fetchall()[0][0] == expected


PARTS = st.one_of(
    st.characters(exclude_categories=("Cs",)),
    st.sampled_from(
        [" ", "  ", "\n", "\t", "\r", ".", "?", "a", "x2y", "1.5.2", "+", "中文", "\u0301"]
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.lists(PARTS, max_size=20).map("".join))
def test_words_and_tokens_are_all_matches_of_their_pattern(engine: Engine, text: str) -> None:
    either = f"{normalize.WORD}|{normalize.OPERATOR}"
    for found, pattern in [
        (normalize.words("q"), normalize.WORD),
        (normalize.tokens("q"), either),
    ]:
        query = f"SELECT {found}, regexp_extract_all(q, '{pattern}') FROM (SELECT $q AS q)"
        ((split, matches),) = engine.sql(query, {"q": text}).fetchall()
        assert split == matches


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.lists(PARTS, max_size=20).map("".join))
def test_squeezed_text_has_no_white_space_and_no_closing_punctuation(
    engine: Engine, text: str
) -> None:
    query = f"SELECT {normalize.squeeze('q')} FROM (SELECT $q AS q)"
    expected = text.translate(str.maketrans("", "", " \n\t\r")).rstrip(".?!:;")
    assert engine.sql(query, {"q": text}).fetchall() == [(expected,)]


@pytest.mark.parametrize("rest", ["", " \n\t\r", "?!\n.:;"])
def test_answer_choices_stay_where_they_are_all_of_the_text(engine: Engine, rest: str) -> None:
    query = f"SELECT {normalize.stem('q')} FROM (SELECT $q AS q)"
    choices = "answer choices: (a) 1 (b) 2\n"
    for text, expected in [(rest + choices, rest + choices), (rest + choices + "x", rest + "\nx")]:
        assert engine.sql(query, {"q": text}).fetchall() == [(expected,)]
