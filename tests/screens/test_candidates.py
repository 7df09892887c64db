"""The product of sparse matrices finds the candidates that its definition names."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator.core import arrow
from curator.core.model import Problem
from curator.screens.candidates import (
    ALIKE,
    MAX_ITEMS,
    MIN_COVERED,
    NUMBERS_ALIKE,
    POSTINGS,
    SURE,
    Index,
    index_items,
    select_questions,
)
from datastore.engine import Engine, scan

HASHES = [0, 1, 2, 3, 1 << 20, (1 << 20) + 1, (1 << 63) + 1, (1 << 64) - 1]
"""Some are equal in their low bits, in which most hashes differ."""
WEIGHTS = [60_000, 100_000, 400_000, ALIKE, SURE]

hashes = st.sampled_from(HASHES)
postings = st.dictionaries(st.tuples(hashes, st.integers(0, 40)), st.sampled_from(WEIGHTS))
problems = st.lists(
    st.tuples(st.lists(st.none() | hashes), st.lists(hashes, unique=True)), max_size=5
)


def expected(
    features: list[tuple[list[int | None], list[int]]],
    weights: dict[tuple[int, int], int],
    numbers: dict[int, list[int]],
) -> list[tuple[int, int]]:
    found = []
    for place, (its_hashes, mine) in enumerate(features):
        candidates = []
        for item in sorted({item for _, item in weights}):
            shared = [weights[h, item] for h in set(its_hashes) if (h, item) in weights]
            share, its = sum(shared), numbers[item]
            common = len(set(mine) & set(its))
            alike = NUMBERS_ALIKE * common // max(len(mine) + len(its) - common, 1)
            enough = share >= (MIN_COVERED if len(shared) > 1 else SURE)
            if shared and enough and share + alike >= ALIKE:
                candidates.append((-share, item))
        found += [(place, item) for _, item in sorted(candidates)[:MAX_ITEMS]]
    return found


@given(problems, postings, st.lists(hashes, unique=True, max_size=4))
def test_candidates_are_those_of_the_definition(
    features: list[tuple[list[int | None], list[int]]],
    weights: dict[tuple[int, int], int],
    some: list[int],
) -> None:
    numbers = {item: some[: item % 5] for _, item in weights}
    rows = [{"hash": h, "item": i, "weight": w} for (h, i), w in weights.items()]
    rows += [{"item": item, "numbers": its} for item, its in numbers.items()]
    batch = pa.record_batch(
        {
            "hashes": pa.array([each for each, _ in features], pa.list_(pa.uint64())),
            "numbers": pa.array([each for _, each in features], pa.list_(pa.uint64())),
        }
    )
    problem, item = Index(pa.Table.from_pylist(rows, POSTINGS)).find(batch)
    pairs = list(zip(problem.tolist(), item.tolist(), strict=True))
    assert pairs == expected(features, weights, numbers)


def test_a_long_evaluation_question_takes_memory_in_proportion_to_its_length(
    tmp_path: Path,
) -> None:
    question = " ".join(f"lamp{number} costs {number}" for number in range(12_000))
    path = tmp_path / "evals.parquet"
    batches = arrow.to_batches([Problem("a", question, "1")], arrow.PROBLEMS)
    pq.write_table(pa.Table.from_batches(batches), path)
    with Engine(spill=tmp_path, memory="250MB") as engine:
        found = pa.Table.from_batches(engine.batches(index_items({"a": [path]})))
    assert found.num_rows > 3_000


SUM = "What is (-2 - 22) + 3481 + 1817 + -8026 + -3529?"


@pytest.mark.parametrize(
    "question",
    ["A lamp costs 3481 dollars. How much are two lamps?", "Add 1817 to the product of 5 and 6."],
)
def test_one_number_of_an_evaluation_question_without_telling_words_makes_no_candidate(
    question: str, tmp_path: Path
) -> None:
    assert not is_candidate(question, SUM, tmp_path)


@pytest.mark.parametrize(
    "question",
    [
        SUM,
        "Compute (-2 - 22) + 3481 + 1817 + -8026 + -3529 for me.",
        "A shop had 3481 of them, then 1817 and lost 8026 and 3529, and 22 and 2.",
        "Of 3481 and 1817, 8026 is the sum with what?",
    ],
)
def test_most_of_its_numbers_do(question: str, tmp_path: Path) -> None:
    assert is_candidate(question, SUM, tmp_path)


def is_candidate(question: str, item: str, folder: Path) -> bool:
    """Return whether a question is compared with the only evaluation question, as text."""
    paths = []
    for name, text in (("evals", item), ("rows", question)):
        paths.append(folder / f"{name}.parquet")
        batches = arrow.to_batches([Problem("a", text, "1")], arrow.PROBLEMS)
        pq.write_table(pa.Table.from_batches(batches), paths[-1])
    with Engine(spill=folder) as engine:
        index = Index(pa.Table.from_batches(engine.batches(index_items({"a": paths[:1]}))))
        (batch,) = engine.batches(select_questions(scan(paths[1:])))
    return len(index.find(batch)[0]) > 0
