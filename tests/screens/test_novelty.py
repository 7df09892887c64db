"""Novelty: the index finds exactly the similar questions that comparing all pairs would find."""

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


def make_index(engine: Engine, questions: list[str], **params: float) -> Novelty:
    engine.connection.register(
        "given",
        pa.table({"name": [f"q:{n}" for n in range(len(questions))], "question": questions}),
    )
    engine.sql("CREATE OR REPLACE TABLE existing (name VARCHAR, question VARCHAR)")
    engine.sql("INSERT INTO existing SELECT name, question FROM given")
    return Novelty(engine, "SELECT name, question FROM existing", **params)


def slow_lcs(one: list[str], other: list[str]) -> int:
    row = [0] * (len(other) + 1)
    for a in one:
        last = 0
        for at, b in enumerate(other, 1):
            last, row[at] = row[at], last + 1 if a == b else max(row[at], row[at - 1])
    return row[-1]


def slow_similar(words: list[str], other: list[str], rouge: float, share: float) -> bool:
    if not words or not other:
        return False

    def grams(of: list[str]) -> set[tuple[str, ...]]:
        return {tuple(of[at : at + 8]) for at in range(len(of) - 7)}

    eights = grams(words)
    return 2 * slow_lcs(words, other) / (len(words) + len(other)) >= rouge or bool(
        eights and len(eights & grams(other)) / len(eights) >= share
    )


@given(st.lists(WORDS, max_size=80), st.lists(WORDS, max_size=80))
def test_rouge_l_is_the_f1_of_the_longest_common_subsequence(
    one: list[str], other: list[str]
) -> None:
    expected = 2 * slow_lcs(one, other) / (len(one) + len(other)) if one and other else 0
    assert rouge_l(one, other) == pytest.approx(expected)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(existing=QUESTIONS, candidates=QUESTIONS, rouge=st.sampled_from([0.4, 0.7, 0.9]))
def test_the_index_finds_exactly_what_comparing_all_pairs_finds(
    engine: Engine, existing: list[str], candidates: list[str], rouge: float
) -> None:
    results = make_index(engine, existing, rouge=rouge, share=0.5).compare(candidates)
    accepted = [question.split() for question in existing]
    for question, similar in zip(candidates, results, strict=True):
        words = question.split()
        expected = any(slow_similar(words, other, rouge, 0.5) for other in accepted)
        assert (similar is not None) == expected, question
        if similar is None:
            accepted.append(words)
        else:
            assert slow_similar(words, similar.question.split(), rouge, 0.5)


def test_no_similar_question_is_missed_among_hundreds(engine: Engine) -> None:
    draw = random.Random(3)
    vocabulary = [f"w{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(600)]

    def question() -> list[str]:
        return [vocabulary[int(600 * draw.random() ** 3)] for _ in range(draw.randint(6, 60))]

    existing = [question() for _ in range(400)]
    candidates = []
    for _ in range(60):
        words = list(draw.choice(existing))
        for _ in range(draw.randint(0, len(words) // 2)):
            words[draw.randrange(len(words))] = draw.choice(vocabulary)
        candidates.append(words)
    index = make_index(engine, [" ".join(words) for words in existing])
    results = [similar for words in candidates for similar in index.compare([" ".join(words)])]
    expected = [any(slow_similar(w, other, 0.7, 0.5) for other in existing) for w in candidates]
    assert 10 < sum(expected) < 60
    # Candidates are also compared with accepted ones, so there may be more matches than expected.
    for one, similar in zip(expected, results, strict=True):
        assert similar is not None or not one


def test_a_rejected_candidate_names_the_similar_question(engine: Engine) -> None:
    index = make_index(engine, ["Find the order of the element 4 in the group of units modulo 15."])
    (similar,) = index.compare(
        ["Find the order of the element $7$ in the group of units modulo 15!"]
    )
    assert similar is not None
    assert (similar.method, similar.name) == ("rouge-l", "q:0")
    assert similar.score == pytest.approx(13 / 14, abs=0.001)
    assert similar.question.startswith("Find the order of the element 4")


def test_a_part_of_a_longer_question_is_found_by_its_n_grams(engine: Engine) -> None:
    core = "a box holds seven red and nine blue marbles and two marbles are drawn at random by Tom"
    index = make_index(engine, [core])
    part = "a box holds seven red and nine blue marbles and four pens"
    (short,) = index.compare([part])
    assert short is not None and short.method == "8-gram" and short.score >= 0.5


def test_later_candidates_are_compared_with_accepted_ones(engine: Engine) -> None:
    index = make_index(engine, [])
    one, two = "How many subgroups has the group of order 8?", "Solve the heat equation on a disk."
    first = index.compare([one, two, one.upper()])
    assert first[:2] == [None, None]
    assert first[2] is not None and first[2].name == "candidate:0" and first[2].question == one
    (repeated,) = index.compare([two])
    assert repeated is not None and repeated.name == "candidate:1"


def test_later_candidates_are_not_compared_with_rejected_ones(engine: Engine) -> None:
    index = make_index(engine, ["alpha beta gamma delta epsilon zeta eta theta iota kappa"])
    similar = "alpha beta gamma delta epsilon zeta eta theta nu xi"
    further = "alpha beta gamma delta epsilon mu rho tau nu xi"
    (first, second) = index.compare([similar, further])
    assert first is not None
    assert second is None


def test_empty_and_very_long_questions_are_compared(engine: Engine) -> None:
    index = make_index(engine, ["", "?", "one two three"])
    results = index.compare(["", "$$", "word " * 50_000, "word " * 50_000])
    assert results[:3] == [None, None, None]
    assert results[3] is not None and results[3].score == 1.0
    assert MAX_WORDS < 50_000


def test_an_empty_batch_has_an_empty_result(engine: Engine) -> None:
    assert make_index(engine, ["a question"]).compare([]) == []


def test_the_result_does_not_depend_on_the_batches(engine: Engine, tmp_path: Path) -> None:
    draw = random.Random(5)
    words = ["find", "the", "sum", "of", "all", "roots", "angles", "primes", "below", "9", "20"]
    candidates = [" ".join(draw.choices(words, k=5)) for _ in range(60)]
    path = tmp_path / "existing.parquet"
    pq.write_table(pa.table({"name": ["a"], "question": ["find all primes below 20"]}), path)
    select = f"SELECT * FROM read_parquet('{path}')"
    whole = Novelty(engine, select).compare(candidates)
    piecewise = Novelty(engine, select)
    assert [similar for one in candidates for similar in piecewise.compare([one])] == whole
    assert None in whole and any(whole)
