"""Novelty: near-copies are found by the stated rule, none is missed, and time stays bounded."""

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curator.screens.novelty import MAX_WORDS, Novelty, rouge_l
from datastore.engine import Engine

WORDS = st.sampled_from(["the", "of", "a", "ring", "group", "order", "find", "7", "12", "x"])
QUESTIONS = st.lists(st.lists(WORDS, max_size=25).map(" ".join), max_size=12)


def novelty(engine: Engine, questions: list[str], **params: float) -> Novelty:
    engine.connection.register(
        "made", pa.table({"name": [f"q:{n}" for n in range(len(questions))], "question": questions})
    )
    engine.sql("CREATE OR REPLACE TABLE known (name VARCHAR, question VARCHAR)")
    engine.sql("INSERT INTO known SELECT name, question FROM made")
    return Novelty(engine, "SELECT name, question FROM known", **params)


def slow_lcs(one: list[str], other: list[str]) -> int:
    row = [0] * (len(other) + 1)
    for a in one:
        last = 0
        for at, b in enumerate(other, 1):
            last, row[at] = row[at], last + 1 if a == b else max(row[at], row[at - 1])
    return row[-1]


def slow_near(words: list[str], other: list[str], rouge: float, share: float) -> bool:
    if not words or not other:
        return False

    def grams(of: list[str], size: int) -> set[tuple[str, ...]]:
        return {tuple(of[at : at + size]) for at in range(len(of) - size + 1)}

    eights = grams(words, 8)
    return (
        2 * slow_lcs(words, other) / (len(words) + len(other)) >= rouge
        or bool(grams(words, 13) & grams(other, 13))
        or bool(eights and len(eights & grams(other, 8)) / len(eights) >= share)
    )


@given(st.lists(WORDS, max_size=80), st.lists(WORDS, max_size=80))
def test_rouge_l_is_that_of_the_longest_common_subsequence(
    one: list[str], other: list[str]
) -> None:
    expected = 2 * slow_lcs(one, other) / (len(one) + len(other)) if one and other else 0
    assert rouge_l(one, other) == pytest.approx(expected)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(known=QUESTIONS, asked=QUESTIONS, rouge=st.sampled_from([0.4, 0.7, 0.9]))
def test_the_index_finds_just_what_comparing_all_pairs_finds(
    engine: Engine, known: list[str], asked: list[str], rouge: float
) -> None:
    found = novelty(engine, known, rouge=rouge, share=0.5).compare(asked)
    accepted = [question.split() for question in known]
    for question, near in zip(asked, found, strict=True):
        words = question.split()
        expected = any(slow_near(words, other, rouge, 0.5) for other in accepted)
        assert (near is not None) == expected, question
        if near is None:
            accepted.append(words)
        else:
            assert slow_near(words, near.question.split(), rouge, 0.5)


def test_none_is_missed_among_hundreds(engine: Engine) -> None:
    draw = random.Random(3)
    vocabulary = [f"w{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(600)]

    def made() -> list[str]:
        return [vocabulary[int(600 * draw.random() ** 3)] for _ in range(draw.randint(6, 60))]

    known = [made() for _ in range(400)]
    asked = []
    for _ in range(60):
        words = list(draw.choice(known))
        for _ in range(draw.randint(0, len(words) // 2)):
            words[draw.randrange(len(words))] = draw.choice(vocabulary)
        asked.append(words)
    # Candidates in batches of their own, so that accepted ones do not stand in for known ones.
    index = novelty(engine, [" ".join(words) for words in known])
    found = [near for words in asked for near in index.compare([" ".join(words)])]
    expected = [any(slow_near(w, other, 0.7, 0.5) for other in known) for w in asked]
    assert 10 < sum(expected) < 60
    for one, near in zip(expected, found, strict=True):
        assert near is not None or not one


def test_a_rejected_candidate_says_what_it_is_near_to(engine: Engine) -> None:
    index = novelty(engine, ["Find the order of the element 4 in the group of units modulo 15."])
    (near,) = index.compare(["Find the order of the element $7$ in the group of units modulo 15!"])
    assert near is not None
    assert (near.method, near.name) == ("rouge-l", "q:0")
    assert near.score == pytest.approx(13 / 14, abs=0.001)
    assert near.question.startswith("Find the order of the element 4")


def test_a_copy_inside_a_longer_question_is_found_by_its_n_grams(engine: Engine) -> None:
    core = "a box holds seven red and nine blue marbles and two marbles are drawn at random by Tom"
    story = "Yesterday Mia came home late from school with many new things to tell her brother. "
    index = novelty(engine, [core])
    (long,) = index.compare([f"{story * 3} She says that {core}."])
    assert long is not None and long.method == "13-gram"
    part = "a box holds seven red and nine blue marbles and four pens"
    (short,) = index.compare([part])
    assert short is not None and short.method == "8-gram" and short.score >= 0.5


def test_an_accepted_candidate_counts_for_the_next_ones(engine: Engine) -> None:
    index = novelty(engine, [])
    one, two = "How many subgroups has the group of order 8?", "Solve the heat equation on a disk."
    first = index.compare([one, two, one.upper()])
    assert first[:2] == [None, None]
    assert first[2] is not None and first[2].name == "candidate:0" and first[2].question == one
    (again,) = index.compare([two])
    assert again is not None and again.name == "candidate:1"


def test_a_rejected_candidate_does_not_count(engine: Engine) -> None:
    index = novelty(engine, ["alpha beta gamma delta epsilon zeta eta theta iota kappa"])
    near = "alpha beta gamma delta epsilon zeta eta theta nu xi"
    further = "alpha beta gamma delta epsilon mu rho tau nu xi"
    (first, second) = index.compare([near, further])
    assert first is not None
    assert second is None


def test_empty_and_endless_questions_are_judged(engine: Engine) -> None:
    index = novelty(engine, ["", "?", "one two three"])
    found = index.compare(["", "$$", "word " * 50_000, "word " * 50_000])
    assert found[:3] == [None, None, None]
    assert found[3] is not None and found[3].score == 1.0
    assert MAX_WORDS < 50_000


def test_no_candidates_are_no_work(engine: Engine) -> None:
    assert novelty(engine, ["a question"]).compare([]) == []


def test_the_same_candidates_are_judged_alike_whatever_the_batches(
    engine: Engine, tmp_path: Path
) -> None:
    draw = random.Random(5)
    words = ["find", "the", "sum", "of", "all", "roots", "angles", "primes", "below", "9", "20"]
    asked = [" ".join(draw.choices(words, k=5)) for _ in range(60)]
    path = tmp_path / "known.parquet"
    pq.write_table(pa.table({"name": ["a"], "question": ["find all primes below 20"]}), path)
    select = f"SELECT * FROM read_parquet('{path}')"
    whole = Novelty(engine, select).compare(asked)
    piecewise = Novelty(engine, select)
    assert [near for one in asked for near in piecewise.compare([one])] == whole
    assert None in whole and any(whole)
