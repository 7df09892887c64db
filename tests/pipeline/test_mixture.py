"""Mixtures: the numbers of a plan are exact, and a draw depends only on seed and ids."""

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from hashlib import md5
from itertools import permutations
from pathlib import Path
from tempfile import mkdtemp

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curator.core.errors import UsageError
from curator.pipeline import mixture
from curator.screens import Rows
from datastore.engine import Engine

Drawn = list[tuple[bytes, str]]
SOME = {"gsm8k": 700, "math": 300, "aqua": 1000}
quiet = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(memory="512MB", threads=2, spill=tmp_path / "spill") as made:
        yield made


def subset_rows(subset: str, count: int) -> Drawn:
    return [(md5(f"{subset}/{n}".encode()).digest(), subset) for n in range(count)]


def draw(
    engine: Engine, folder: Path, rows: Drawn, counts: dict[str, int], seed: int = 0
) -> pa.Table:
    ids, subsets = map(list, zip(*rows, strict=True))
    table = pa.table({"id": ids, "subset": subsets, "place": [0] * len(ids)})
    # A folder of its own for every call: DuckDB keeps blocks of a file that it has read.
    file = Path(mkdtemp(dir=folder)) / "rows.parquet"
    pq.write_table(table, file, row_group_size=64)
    source = Rows(f"SELECT * FROM read_parquet('{file}')", "SELECT 1")
    return pa.Table.from_batches(mixture.draw(engine, source, counts, seed), mixture.VERSION_ROWS)


def ids_of(table: pa.Table, subset: str) -> set[bytes]:
    return {row["id"] for row in table.to_pylist() if row["subset"] == subset}


def test_subsets_without_an_amount_give_all_their_rows() -> None:
    assert mixture.plan(SOME) == mixture.Plan(SOME, ())


def test_the_order_of_the_amounts_makes_no_difference() -> None:
    # A manifest keeps the mixture as canonical JSON: its keys have no order.
    plans = {
        tuple(mixture.plan(SOME, dict(wanted), 100).counts.items())
        for wanted in permutations({"gsm8k": 1.0, "math": 1.0, "aqua": 1.0}.items())
    }
    assert plans == {(("gsm8k", 34), ("math", 33), ("aqua", 33))}


def test_integers_are_counts_percents_are_shares_and_zero_takes_none() -> None:
    plan = mixture.plan(SOME, {"gsm8k": 1, "math": "12.5%", "aqua": 0})
    assert plan.counts == {"gsm8k": 1, "math": 38, "aqua": 0}
    assert plan.notes == ()


def test_the_integer_one_is_a_count_and_the_float_one_is_a_weight() -> None:
    assert mixture.plan(SOME, {"math": 1}).counts["math"] == 1
    assert mixture.plan(SOME, {"math": 1.0}).counts["math"] == 300


def test_weights_without_a_total_give_as_many_rows_as_they_allow() -> None:
    plan = mixture.plan(SOME, {"gsm8k": 0.5, "math": 0.5})
    assert plan == mixture.Plan({"gsm8k": 300, "math": 300, "aqua": 1000}, ())


def test_weighted_subsets_share_what_the_others_leave_of_the_total() -> None:
    plan = mixture.plan(SOME, {"gsm8k": 3.0, "math": 1.0, "aqua": 100}, rows=500)
    assert plan == mixture.Plan({"gsm8k": 300, "math": 100, "aqua": 100}, ())


def test_a_total_alone_is_shared_by_size() -> None:
    assert mixture.plan(SOME, rows=200).counts == {"gsm8k": 70, "math": 30, "aqua": 100}


def test_a_shortage_is_reported_and_no_row_is_drawn_twice() -> None:
    plan = mixture.plan(SOME, {"math": 500, "gsm8k": 0.9, "aqua": 0.1}, rows=1800)
    assert plan.counts == {"gsm8k": 700, "math": 300, "aqua": 150}
    assert plan.notes == (
        "gsm8k: 1,350 rows requested, 700 available",
        "math: 500 rows requested, 300 available",
        "1,150 rows in total, 1,800 requested",
    )


def test_a_weighted_subset_without_rows_is_reported_and_does_not_limit_the_others() -> None:
    plan = mixture.plan({"a": 10, "b": 0}, {"a": 0.5, "b": 0.5})
    assert plan.counts == {"a": 10, "b": 0}
    assert plan.notes == ("b: 10 rows requested, 0 available",)


@pytest.mark.parametrize(
    ("wanted", "rows", "expected"),
    [
        ({"gsm8": 5}, None, "No subset named 'gsm8'. Did you mean 'gsm8k'?"),
        ({"gsm8k": -1}, None, "-1 is not a valid amount of gsm8k"),
        ({"gsm8k": -0.5}, None, "-0.5 is not a valid amount of gsm8k"),
        ({"gsm8k": float("nan")}, None, "nan is not a valid amount of gsm8k"),
        ({"gsm8k": float("inf")}, None, "inf is not a valid amount of gsm8k"),
        ({"gsm8k": "half"}, None, "'half' is not a valid amount of gsm8k"),
        ({"gsm8k": "101%"}, None, "'101%' is not a valid amount of gsm8k"),
        ({"gsm8k": True}, None, "True is not a valid amount of gsm8k"),
        ({"gsm8k": 0.5}, 1299, "rows: 1,299, but its counts, shares and whole subsets take 1,300"),
    ],
)
def test_an_invalid_amount_is_an_error_of_one_line(
    wanted: dict[str, int | float | str], rows: int | None, expected: str
) -> None:
    with pytest.raises(UsageError) as error:
        mixture.plan(SOME, wanted, rows)
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


names = st.sampled_from(["a", "b", "c", "d", "e"])
amounts = st.one_of(
    st.integers(0, 2000),
    st.floats(0, 10, allow_nan=False),
    st.integers(0, 100).map(lambda share: f"{share}%"),
)


@given(
    available=st.dictionaries(names, st.integers(0, 1000), min_size=1),
    wanted=st.dictionaries(names, amounts),
    rows=st.none() | st.integers(1, 3000),
)
def test_a_plan_never_takes_more_rows_than_available_and_reports_what_is_missing(
    available: dict[str, int], wanted: dict[str, int | float | str], rows: int | None
) -> None:
    wanted = {name: amount for name, amount in wanted.items() if name in available}
    try:
        plan = mixture.plan(available, wanted, rows)
    except UsageError:
        assert rows is not None
        return
    assert list(plan.counts) == list(available)
    assert all(0 <= count <= available[name] for name, count in plan.counts.items())
    total = sum(plan.counts.values())
    assert rows is None or total <= rows
    if rows is not None and total < rows:
        assert plan.notes
    for name, amount in wanted.items():
        if isinstance(amount, int):
            assert plan.counts[name] == min(amount, available[name])


@given(
    weights=st.dictionaries(names, st.floats(0.001, 10), min_size=1),
    rows=st.integers(1, 10_000),
)
def test_weights_are_exact_to_a_row_and_use_the_whole_total(
    weights: dict[str, float], rows: int
) -> None:
    plan = mixture.plan(dict.fromkeys(weights, 10_000), dict(weights), rows)
    assert sum(plan.counts.values()) == rows
    total = sum(map(Fraction, weights.values()))
    for name, count in plan.counts.items():
        assert abs(count - rows * Fraction(weights[name]) / total) < 1


@quiet
@given(
    counts=st.fixed_dictionaries({"a": st.integers(0, 60), "b": st.integers(0, 60)}),
    seed=st.integers(-3, 2**40),
    order=st.randoms(use_true_random=False),
)
def test_a_draw_is_exact_sorted_and_independent_of_the_order_of_rows(
    engine: Engine, tmp_path: Path, counts: dict[str, int], seed: int, order: object
) -> None:
    rows = subset_rows("a", 60) + subset_rows("b", 90)
    drawn = draw(engine, tmp_path, rows, counts, seed)
    assert Counter(drawn["subset"].to_pylist()) == Counter(
        {name: count for name, count in counts.items() if count}
    )
    ids = drawn["id"].to_pylist()
    assert ids == sorted(set(ids))
    order.shuffle(rows)  # type: ignore[attr-defined]
    assert draw(engine, tmp_path, rows, counts, seed).equals(drawn)


@quiet
@given(added=st.integers(0, 80), more=st.integers(0, 30))
def test_a_draw_does_not_depend_on_other_subsets_and_a_larger_one_adds_rows(
    engine: Engine, tmp_path: Path, added: int, more: int
) -> None:
    rows = subset_rows("a", 60) + subset_rows("b", 10)
    before = draw(engine, tmp_path, rows, {"a": 20, "b": 5})
    after = draw(engine, tmp_path, rows + subset_rows("c", added), {"a": 20 + more, "b": 5, "c": 9})
    assert ids_of(before, "b") == ids_of(after, "b")
    assert ids_of(before, "a") <= ids_of(after, "a")


def test_a_draw_takes_the_smallest_md5_of_seed_and_id(engine: Engine, tmp_path: Path) -> None:
    rows = subset_rows("a", 50)
    drawn = {}
    for seed in (7, 8):
        order = sorted(rows, key=lambda row: md5(f"draw:{seed}:".encode() + row[0]).hexdigest())
        drawn[seed] = ids_of(draw(engine, tmp_path, rows, {"a": 10}, seed), "a")
        assert drawn[seed] == {row_id for row_id, _ in order[:10]}
    assert drawn[7] != drawn[8]


def test_available_rows_are_counted_in_the_order_of_the_recipe(engine: Engine) -> None:
    query = "SELECT unnest(['z', 'z', 'b']) AS subset, unnest([0, 0, 1]) AS place"
    counts = mixture.available(engine, Rows(query, ""))
    assert list(counts.items()) == [("z", 2), ("b", 1)]


def test_a_draw_of_zero_rows_is_empty(engine: Engine, tmp_path: Path) -> None:
    assert draw(engine, tmp_path, subset_rows("a", 5), {}).num_rows == 0
    assert draw(engine, tmp_path, subset_rows("a", 5), {"a": 0}).num_rows == 0


def test_a_subset_name_with_quotes_is_not_run_as_sql(engine: Engine, tmp_path: Path) -> None:
    name = "o'; DROP TABLE x; --"
    assert draw(engine, tmp_path, subset_rows(name, 5), {name: 2}).num_rows == 2
    assert duckdb.sql("SELECT 1").fetchall() == [(1,)]
