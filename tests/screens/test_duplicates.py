"""`duplicates` keeps one row per group, the same one in any order of the rows."""

import json
import random
from collections.abc import Callable
from itertools import groupby

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curator.core.arrow import VERDICTS
from curator.screens import SCREENS, Rows
from datastore.engine import Engine

RowsOf = Callable[..., tuple[Rows, list[bytes]]]


def screen(engine: Engine, rows: Rows) -> dict[bytes, bytes]:
    """Return the kept row by rejected row."""
    batches = list(SCREENS["duplicates"].run(engine, rows))
    assert all(batch.schema == VERDICTS for batch in batches)
    verdicts = pa.Table.from_batches(batches, VERDICTS).to_pylist()
    assert {v["outcome"] for v in verdicts} <= {"failed"}
    assert [v["row_id"] for v in verdicts] == sorted(v["row_id"] for v in verdicts)
    return {v["row_id"]: bytes.fromhex(json.loads(v["evidence"])["kept"]) for v in verdicts}


def test_the_earliest_subset_keeps_its_row_and_the_evidence_names_it(
    engine: Engine, rows_of: RowsOf
) -> None:
    rows, ids = rows_of(
        [
            ("b", "What is 2 + 3?", "It is 5."),
            ("a", "what is $2+3$?", "It  is 5"),
            ("c", "What is 2 + 3?", "It is\n5."),
            ("c", "What is 2 + 3?", "Five."),
            ("c", "What is 2 - 3?", "It is 5."),
        ]
    )
    assert screen(engine, rows) == {ids[0]: ids[1], ids[2]: ids[1]}


def test_of_identical_copies_the_smallest_id_is_kept(engine: Engine, rows_of: RowsOf) -> None:
    rows, ids = rows_of([("a", "What is 2 + 3?", "5")] * 3)
    kept = min(ids)
    assert screen(engine, rows) == {other: kept for other in ids if other != kept}


def test_a_question_with_other_choices_is_not_a_duplicate(engine: Engine, rows_of: RowsOf) -> None:
    rows, _ = rows_of(
        [
            ("a", "What is 2 + 3?\nAnswer Choices: (A) 4 (B) 5", "The answer is B."),
            ("a", "What is 2 + 3?\nAnswer Choices: (A) 5 (B) 4", "The answer is B."),
        ]
    )
    assert screen(engine, rows) == {}


def test_no_rows_give_no_verdicts(engine: Engine, rows_of: RowsOf) -> None:
    rows, _ = rows_of([("a", "What is 2 + 3?", "5")])
    assert screen(engine, Rows(f"{rows.rows} WHERE false", rows.problems)) == {}


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    given_rows=st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from(["What is x?", "what is X", "Why?", "Why not?"]),
            st.sampled_from(["1", "1 .", "one", "One"]),
        ),
        min_size=1,
        max_size=25,
    ),
    seed=st.integers(0, 99),
)
def test_one_row_per_group_is_kept_in_any_order(
    engine: Engine, rows_of: RowsOf, given_rows: list[tuple[str, str, str]], seed: int
) -> None:
    def fold(text: str) -> str:
        return "".join(text.lower().split()).rstrip(".?!:;")

    rows, ids = rows_of(given_rows)
    expected: dict[bytes, bytes] = {}
    order = sorted(
        ((fold(question), fold(text)), subset, row_id)
        for (subset, question, text), row_id in zip(given_rows, ids, strict=True)
    )
    for _, group in groupby(order, key=lambda item: item[0]):
        kept, *others = [row_id for _, _, row_id in group]
        expected |= dict.fromkeys(others, kept)
    assert screen(engine, rows) == expected
    shuffled = given_rows[:]
    random.Random(seed).shuffle(shuffled)
    shuffled_rows, _ = rows_of(shuffled)
    assert screen(engine, shuffled_rows) == expected
