"""`solve_rate` selects by solve rate, and `cap` keeps more rows of hard questions."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from hashlib import md5
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curator.core.arrow import VERDICTS
from curator.core.errors import UsageError
from curator.core.solve_rates import SOLVE_COUNTS
from curator.screens import SCREENS, Rows
from datastore.engine import Engine

RowsOf = Callable[..., tuple[Rows, list[bytes]]]
Counts = tuple[int, int, int]
"""Successes, failures, undecided."""
TRIED: Mapping[str, Counts] = {
    "never?": (0, 4, 0),
    "seldom?": (1, 9, 0),
    "half?": (2, 2, 90),
    "often?": (7, 3, 0),
    "always?": (4, 0, 0),
    "undecided?": (0, 0, 3),
}
GIVEN = [("a", question, f"way {n}") for question in (*TRIED, "untried?") for n in range(8)]


@pytest.fixture
def counts_of(engine: Engine, tmp_path: Path) -> Callable[..., dict[str, list[Path]]]:
    """Return a function that writes the counts of a model by question."""

    def make(rows: Rows, **models: Mapping[str, Counts]) -> dict[str, list[Path]]:
        ids = dict(engine.sql(f"SELECT instruction, problem_id FROM ({rows.rows})").fetchall())
        lines = [
            dict(zip(SOLVE_COUNTS.names, (ids[question], model, *counts), strict=True))
            for model, tried in models.items()
            for question, counts in tried.items()
        ]
        pq.write_table(pa.Table.from_pylist(lines, SOLVE_COUNTS), tmp_path / "counts.parquet")
        return {"counts": [tmp_path / "counts.parquet"]}

    return make


def screen(engine: Engine, name: str, rows: Rows, **params: object) -> list[dict[str, Any]]:
    batches = SCREENS[name].run(engine, rows, **params)
    verdicts: list[dict[str, Any]] = pa.Table.from_batches(batches, VERDICTS).to_pylist()
    assert [each["row_id"] for each in verdicts] == sorted(each["row_id"] for each in verdicts)
    return verdicts


def reasons(verdicts: list[dict[str, Any]], ids: list[bytes]) -> dict[str, str]:
    """The reason of each question whose rows are all rejected."""
    question = {id_: row[1] for id_, row in zip(ids, GIVEN, strict=True)}
    found = Counter((question[each["row_id"]], each["reason"]) for each in verdicts)
    assert set(found.values()) <= {8}
    return dict(found.keys())


def test_rows_outside_the_interval_are_rejected_with_the_counts(engine, rows_of, counts_of) -> None:
    rows, ids = rows_of(GIVEN)
    attempts = counts_of(rows, m=TRIED)
    verdicts = screen(
        engine, "solve_rate", rows, between=(0.1, 0.7), attempts=attempts, seed=0, model="m"
    )
    assert reasons(verdicts, ids) == {
        "never?": "solved too seldom",
        "always?": "solved too often",
        "undecided?": "no solve rate",
        "untried?": "no solve rate",
    }
    outcomes = {each["reason"]: each["outcome"] for each in verdicts}
    assert outcomes == {
        "solved too seldom": "failed",
        "solved too often": "failed",
        "no solve rate": "undecided",
    }
    never = next(each for each in verdicts if each["reason"] == "solved too seldom")
    assert json.loads(never["evidence"]) == {
        "successes": "0",
        "failures": "4",
        "undecided": "0",
        "between": "0.1 to 0.7",
    }


def test_all_attempts_count_together_unless_a_model_is_named(engine, rows_of, counts_of) -> None:
    rows, ids = rows_of(GIVEN)
    attempts = counts_of(rows, m=TRIED, other={"never?": (4, 0, 0)})
    common = {"between": (0.4, 0.6), "attempts": attempts, "seed": 0}
    together = screen(engine, "solve_rate", rows, **common)
    assert {"never?", "half?"}.isdisjoint(reasons(together, ids))
    assert reasons(screen(engine, "solve_rate", rows, model="other", **common), ids) == {
        each: "solved too often" if each == "never?" else "no solve rate"
        for each in (*TRIED, "untried?")
    }
    with pytest.raises(UsageError, match=r"Did you mean 'other'\?"):
        screen(engine, "solve_rate", rows, model="othr", **common)


def test_a_control_has_as_many_rows_of_each_subset_in_seeded_order(
    engine, rows_of, counts_of
) -> None:
    given = [*GIVEN, *(("b", question, f"way {n}") for question in TRIED for n in range(3))]
    rows, ids = rows_of(given)
    attempts = counts_of(rows, m=TRIED)
    subset = {id_: row[0] for id_, row in zip(ids, given, strict=True)}
    rated = {
        id_ for id_, row in zip(ids, given, strict=True) if row[1] not in ("undecided?", "untried?")
    }

    def kept(**more: object) -> set[bytes]:
        verdicts = screen(engine, "solve_rate", rows, between=(0.1, 0.7), attempts=attempts, **more)
        return set(ids) - {each["row_id"] for each in verdicts}

    chosen = kept(seed=1)
    size = Counter(subset[each] for each in chosen)
    for seed in (1, 2):
        control = kept(seed=seed, control=True)
        assert Counter(subset[each] for each in control) == size
        for name, count in size.items():
            order = sorted(
                (each for each in rated if subset[each] == name),
                key=lambda each: md5(f"solve_rate:{seed}:".encode() + each).hexdigest(),
            )
            assert {each for each in control if subset[each] == name} == set(order[:count])
    assert kept(seed=1, control=True) != kept(seed=2, control=True) != chosen


def test_hard_questions_keep_more_rows_in_proportion_to_their_failures(
    engine, rows_of, counts_of
) -> None:
    rows, ids = rows_of(GIVEN)
    attempts = counts_of(rows, m=TRIED)
    common = {"rationales": 6, "seed": 0, "attempts": attempts}
    question = {id_: row[1] for id_, row in zip(ids, GIVEN, strict=True)}

    def kept(**more: object) -> dict[str, int]:
        rejected = {each["row_id"] for each in screen(engine, "cap", rows, **common, **more)}
        return dict(Counter(question[each] for each in ids if each not in rejected))

    assert kept() == dict.fromkeys((*TRIED, "untried?"), 6)
    assert kept(hard_first=True) == {
        "never?": 6,
        "seldom?": 6,  # 5.4, rounded up
        "half?": 3,
        "often?": 2,
        "always?": 1,
        "undecided?": 6,
        "untried?": 6,
    }


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from(sorted(TRIED)),
        st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 2)),
        min_size=1,
    ),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_kept_rows_are_those_whose_rate_lies_in_the_interval(
    engine, rows_of, counts_of, tried: dict[str, Counts], one: float, other: float
) -> None:
    low, high = sorted((one, other))
    rows, ids = rows_of(GIVEN)
    attempts = counts_of(rows, m=tried)
    verdicts = screen(engine, "solve_rate", rows, between=(low, high), attempts=attempts, seed=0)
    rejected = {each["row_id"] for each in verdicts}
    for id_, (_, question, _) in zip(ids, GIVEN, strict=True):
        successes, failures, _ = tried.get(question, (0, 0, 0))
        inside = successes + failures and low <= successes / (successes + failures) <= high
        assert (id_ not in rejected) == bool(inside)
