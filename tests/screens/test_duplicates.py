"""Exact duplicates: every group keeps one row, the same one however the rows are ordered."""

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


def found(engine: Engine, rows: Rows) -> dict[bytes, bytes]:
    """Rejected row -> row that was kept instead."""
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
    assert found(engine, rows) == {ids[0]: ids[1], ids[2]: ids[1]}


def test_identical_copies_of_a_record_are_duplicates_of_the_smallest_id(
    engine: Engine, rows_of: RowsOf
) -> None:
    rows, ids = rows_of([("a", "What is 2 + 3?", "5")] * 3)
    kept = min(ids)
    assert found(engine, rows) == {other: kept for other in ids if other != kept}


def test_one_question_with_other_choices_is_no_duplicate(engine: Engine, rows_of: RowsOf) -> None:
    rows, _ = rows_of(
        [
            ("a", "What is 2 + 3?\nAnswer Choices: (A) 4 (B) 5", "The answer is B."),
            ("a", "What is 2 + 3?\nAnswer Choices: (A) 5 (B) 4", "The answer is B."),
        ]
    )
    assert found(engine, rows) == {}


def test_no_rows_give_no_verdicts(engine: Engine, rows_of: RowsOf) -> None:
    rows, _ = rows_of([("a", "What is 2 + 3?", "5")])
    assert found(engine, Rows(f"{rows.rows} WHERE false", rows.problems)) == {}


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    made=st.lists(
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
def test_one_row_of_each_group_stays_whatever_the_order(
    engine: Engine, rows_of: RowsOf, made: list[tuple[str, str, str]], seed: int
) -> None:
    def fold(text: str) -> str:
        return "".join(text.lower().split()).rstrip(".?!:;")

    rows, ids = rows_of(made)
    expected: dict[bytes, bytes] = {}
    order = sorted(
        ((fold(question), fold(text)), subset, row_id)
        for (subset, question, text), row_id in zip(made, ids, strict=True)
    )
    for _, group in groupby(order, key=lambda item: item[0]):
        kept, *others = [row_id for _, _, row_id in group]
        expected |= dict.fromkeys(others, kept)
    assert found(engine, rows) == expected
    shuffled = made[:]
    random.Random(seed).shuffle(shuffled)
    again, _ = rows_of(shuffled)
    assert found(engine, again) == expected
