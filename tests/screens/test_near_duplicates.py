"""`near_duplicates` keeps one of several similar questions, `similar_solutions` some solutions."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given as cases
from hypothesis import settings
from hypothesis import strategies as st

from curator.core.arrow import VERDICTS
from curator.screens import SCREENS, Rows, similarity
from curator.screens.similarity import KEYS
from datastore.engine import Engine

RowsOf = Callable[..., tuple[Rows, list[bytes]]]
PEARS = (
    "A farmer has 12 baskets of 30 pears each and sells 5 of the baskets at the market on Monday. "
    "How many pears does she have left when she comes home in the evening?"
)


def screen(engine: Engine, name: str, rows: Rows, **params: object) -> dict[bytes, dict[str, str]]:
    """Return the evidence of each rejected row."""
    batches = SCREENS[name].run(engine, rows, **params)
    verdicts: list[dict[str, Any]] = pa.Table.from_batches(batches, VERDICTS).to_pylist()
    assert [v["row_id"] for v in verdicts] == sorted(v["row_id"] for v in verdicts)
    return {v["row_id"]: json.loads(v["evidence"]) for v in verdicts}


def words(chance: random.Random, many: int) -> list[str]:
    return ["".join(chance.choices("abcdefghij", k=5)) for _ in range(many)]


def index(one: Sequence[str], other: Sequence[str]) -> float:
    a, b = ({tuple(q[n : n + 3]) for n in range(len(q) - 2)} for q in (one, other))
    return len(a & b) / len(a | b)


def test_similar_questions_are_found_and_no_others(engine: Engine, rows_of: RowsOf) -> None:
    chance = random.Random(4)
    questions = [words(chance, chance.randrange(20, 60)) for _ in range(2_000)]
    for place in range(1_000):
        copy = list(questions[place])
        for _ in range(chance.randrange(1, 4)):
            copy[chance.randrange(len(copy))] = words(chance, 1)[0]
        questions.append(copy)
    rows, ids = rows_of([("a", " ".join(q), "x") for q in questions])
    rejected = screen(engine, "near_duplicates", rows, threshold=0.75)
    planted = {n: index(questions[n], questions[2_000 + n]) for n in range(1_000)}
    similar = {n for n, share in planted.items() if share >= 0.75}
    number = {row: n for n, row in enumerate(ids)}
    found = {}
    for row, evidence in rejected.items():
        one, kept = sorted((number[row], number[bytes.fromhex(evidence["kept"])]))
        assert kept == one + 2_000
        found[one] = float(evidence["index"])
    assert len(similar) > 450 and set(found) <= similar
    assert len(found) >= 0.99 * len(similar)
    assert found == pytest.approx({n: planted[n] for n in found}, abs=1e-4)


def test_all_rows_of_a_rejected_question_name_one_row_that_is_kept(
    engine: Engine, rows_of: RowsOf
) -> None:
    other = PEARS.replace("evening", "afternoon")
    given = [("a", PEARS, "one way"), ("a", PEARS + " ", "another"), ("b", other, "one way")]
    given += [("b", other, "a third"), ("b", "How many legs do 12 spiders have?", "96")]
    rows, ids = rows_of(given)
    rejected = screen(engine, "near_duplicates", rows)
    assert set(rejected) == set(ids[2:4])
    (evidence,) = {tuple(sorted(each.items())) for each in rejected.values()}
    kept = dict(evidence)["kept"]
    assert bytes.fromhex(kept) == min(ids[:2]) and dict(evidence)["method"] == "3-grams"


def test_each_rejected_row_is_similar_to_a_kept_one_in_a_chain_of_changes(
    engine: Engine, rows_of: RowsOf
) -> None:
    chance = random.Random(1)
    chain = [words(chance, 60)]
    for _ in range(12):
        chain.append([*chain[-1][:-2], *words(chance, 2)][2:] + words(chance, 2))
    rows, ids = rows_of([("a", " ".join(q), "x") for q in chain])
    rejected = screen(engine, "near_duplicates", rows, threshold=0.8)
    kept = {row for row in ids if row not in rejected}
    assert {bytes.fromhex(each["kept"]) for each in rejected.values()} <= kept
    place = {row: n for n, row in enumerate(ids)}
    for one, other in combinations(kept, 2):
        assert index(chain[place[one]], chain[place[other]]) < 0.8


@pytest.mark.parametrize(
    ("keep", "left"), [("first", 0), ("longest", 2), ("shortest", 1), ("best evidence", 1)]
)
def test_the_preferred_question_is_kept(
    engine: Engine, rows_of: RowsOf, keep: str, left: int
) -> None:
    given = [
        ("a", PEARS, "a"),
        ("b", PEARS.replace("comes", "is"), "b"),
        ("c", PEARS.replace("in the evening", "in the late evening"), "c"),
    ]
    rows, ids = rows_of(given)
    proved = f"SELECT unhex('{ids[1].hex()}') AS row_id, 'executed' AS evidence_level"
    rows = replace(rows, levels=proved)
    rejected = screen(engine, "near_duplicates", rows, threshold=0.7, keep=keep)
    assert [n for n, row in enumerate(ids) if row not in rejected] == [left]
    assert {each["kept"] for each in rejected.values()} == {ids[left].hex()}


def test_the_same_text_with_other_numbers_is_rejected_only_if_numbers_are_ignored(
    engine: Engine, rows_of: RowsOf
) -> None:
    texts = [PEARS, PEARS.replace("12", "14").replace("30", "25.5").replace("5 of", "7 of")]
    rows, _ = rows_of([("a", text, "x") for text in texts])
    assert screen(engine, "near_duplicates", rows, numbers="keep") == {}
    (evidence,) = screen(engine, "near_duplicates", rows, numbers="ignore").values()
    assert evidence["index"] == "1.0000" and evidence["method"] == "3-grams without numbers"


def test_questions_that_differ_in_an_operator_alone_are_different(
    engine: Engine, rows_of: RowsOf
) -> None:
    rows, _ = rows_of([("a", f"Find $x$ if $3x {sign} 7 = 12$.", "x") for sign in "+-*/"])
    assert screen(engine, "near_duplicates", rows) == {}


def test_questions_without_a_word_are_not_compared(engine: Engine, rows_of: RowsOf) -> None:
    rows, _ = rows_of([("a", "???", "x"), ("a", "…", "y"), ("a", "3", "z"), ("a", "4", "z")])
    assert screen(engine, "near_duplicates", rows) == {}


@pytest.mark.parametrize("text", [
    "小明有十二个篮子，每个篮子里有三十个梨，他卖掉了五个篮子，请问他还剩下多少个梨？",
    "ชาวนามีตะกร้าสิบสองใบแต่ละใบมีลูกแพร์สามสิบลูกเขาขายไปห้าใบเขาเหลือลูกแพร์กี่ลูก",
])  # fmt: skip
def test_languages_without_spaces_are_compared_by_characters(
    engine: Engine, rows_of: RowsOf, text: str
) -> None:
    rows, ids = rows_of(
        [("a", text, "x"), ("b", text[:-3] + text[-2:], "x"), ("c", text[::-1], "")]
    )
    assert set(screen(engine, "near_duplicates", rows)) == {ids[1]}


def test_keys_do_not_depend_on_how_texts_are_divided(engine: Engine, rows_of: RowsOf) -> None:
    chance = random.Random(2)
    texts = [" ".join(words(chance, chance.randrange(0, 40))) for _ in range(300)]
    select, convert = (
        SCREENS["near_duplicates"].keys.select,
        SCREENS["near_duplicates"].keys.convert,
    )
    source = rows_of([("a", f"{n} {text}", "x") for n, text in enumerate(texts)])[0].problems
    tables = []
    for size in (7, 2_048):
        batches = convert(engine.batches(f"{select(f'({source})')} ORDER BY id", size=size))
        tables.append(pa.Table.from_batches(batches, KEYS))
    assert tables[0].equals(tables[1]) and tables[0].num_rows == 300


def test_a_template_with_thousands_of_questions_is_reduced_to_one(
    engine: Engine, rows_of: RowsOf
) -> None:
    chance = random.Random(3)
    body = words(chance, 50)
    given = [("a", " ".join([*body, *words(chance, 2)]), "x") for _ in range(2_000)]
    rows, _ = rows_of(given)
    rejected = screen(engine, "near_duplicates", rows)
    assert len(rejected) == 1_999 and len({each["kept"] for each in rejected.values()}) == 1


def test_candidates_may_have_more_text_than_the_engine_has_memory(tmp_path: Path) -> None:
    text = f"'{PEARS} ' || n || repeat('x', 6_000)"
    # The last problems repeat the first ones.
    rejected = screen_generated(tmp_path, 25_000, text, "150MB", problems=25_100)
    assert len(rejected) == 24_999 and len({each["kept"] for each in rejected.values()}) == 1


def test_candidates_may_have_more_grams_than_the_engine_has_memory(tmp_path: Path) -> None:
    words = "list_transform(range(85), lambda word: left(md5((n // 2 * 100 + word)::VARCHAR), 6))"
    text = f"array_to_string({words}, ' ') || ' x' || (n % 2)"
    rejected = screen_generated(tmp_path, 30_000, text, "80MB")
    assert len({each["kept"] for each in rejected.values()}) == len(rejected) == 15_000


def screen_generated(
    folder: Path, count: int, text: str, memory: str, problems: int = 0
) -> dict[bytes, dict[str, str]]:
    """Run the screen on questions n = 0 … count - 1, given as SQL; return what it rejects."""
    id_ = "unhex(md5(n::VARCHAR))"
    columns = {
        "rows": f"{id_} AS id, 0 AS place, 'a' AS subset, {id_} AS problem_id",
        "problems": f"{id_} AS id, {text} AS question",
    }
    with Engine(spill=folder) as engine:
        for name, selected in columns.items():
            total = problems if problems and name == "problems" else count
            numbers = f"(SELECT i % {count} AS n FROM range({total}) AS numbers(i))"
            query = f"SELECT {selected} FROM {numbers}"
            engine.sql(f"COPY ({query}) TO '{folder}/{name}.parquet' (ROW_GROUP_SIZE 2048)")
    rows = Rows(*(f"SELECT * FROM '{folder}/{name}.parquet'" for name in columns))
    with Engine(memory, spill=folder) as engine:
        return screen(engine, "near_duplicates", rows)


def test_similar_questions_of_one_template_are_found_among_thousands(
    engine: Engine, rows_of: RowsOf
) -> None:
    """Each question has an index of 0.76 with most others, and of 0.83 with its only neighbour."""
    body = PEARS.removesuffix("?")
    given = [
        ("a", f"In year {n} {body}, in town number {n * 7}, {last} of the week?", "x")
        for n in range(1_500)
        for last in ("quite early", "rather late")
    ]
    rows, ids = rows_of(given)
    near = {tuple(sorted(ids[n : n + 2])) for n in range(0, len(ids), 2)}
    rejected = screen(engine, "near_duplicates", rows, threshold=0.8)
    found = {tuple(sorted((r, bytes.fromhex(e["kept"])))) for r, e in rejected.items()}
    assert len(found & near) >= 0.99 * len(near)


@settings(max_examples=200, deadline=None)
@cases(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(1, 6))
def test_a_bucket_pairs_each_text_with_its_first_and_preceding_ones(
    buckets: list[int], most: int
) -> None:
    buckets = sorted(buckets)
    batches = similarity._pairs_of_buckets(
        np.array(buckets, np.uint64), np.arange(len(buckets), dtype=np.int32), most
    )
    pairs = [pair for batch in batches for pair in zip(*batch.to_pydict().values(), strict=True)]
    expected = {
        (one, other)
        for other, one in combinations(range(len(buckets)), 2)
        if buckets[one] == buckets[other]
        and (one - other <= most or other - buckets.index(buckets[one]) < most)
    }
    assert sorted(pairs) == sorted(expected)


WAY = (
    "She has 12 baskets of 30 pears, so 12 * 30 = 360 pears. She sells 5 * 30 = 150 of them. "
    "That leaves 360 - 150 = 210 pears. The answer is 210."
)


def test_a_question_keeps_as_many_similar_solutions_as_the_recipe_states(
    engine: Engine, rows_of: RowsOf
) -> None:
    ways = [f"{WAY} {'So. ' * n}" for n in (0, 1, 0, 0)]
    program = "baskets = 12 - 5\nprint(baskets * 30)"
    given = [("a", PEARS, text) for text in (*ways, program, program.replace("30", "3 * 10"))]
    given += [("b", "Another question with the same solution?", WAY)]
    rows, ids = rows_of(given)
    for most in (1, 2, 3):
        rejected = screen(engine, "similar_solutions", rows, most=most)
        assert set(rejected) < set(ids[:4]) and len(rejected) == 4 - most
        kept = {bytes.fromhex(each["kept"]) for each in rejected.values()}
        assert kept <= set(ids) - set(rejected)


def test_the_longest_of_two_similar_solutions_is_kept(engine: Engine, rows_of: RowsOf) -> None:
    longer = WAY.replace("The answer", "Therefore the answer")
    rows, ids = rows_of([("a", PEARS, WAY), ("a", PEARS, longer)])
    assert set(screen(engine, "similar_solutions", rows, keep="longest")) == {ids[0]}
    assert set(screen(engine, "similar_solutions", rows, keep="shortest")) == {ids[1]}


def test_every_threshold_selects_candidates_with_near_certainty() -> None:
    for hundredths in range(50, 101):
        share = hundredths / 100
        width = similarity._band_width(share)
        assert 1 - (1 - share**width) ** (similarity.HASHES // width) >= similarity.RECALL
