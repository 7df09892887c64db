"""Fixtures for tests of screens: rows and evaluation sets as Parquet files, and an engine."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import mkdtemp

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curator.core import arrow
from curator.core.model import Problem, Rationale
from curator.screens import Rows
from datastore.engine import Engine

Row = tuple[str, str, str]
"""Subset, question, text."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(memory="512MB", threads=2, spill=tmp_path / "spill") as engine_:
        yield engine_


@pytest.fixture
def rows_of(tmp_path: Path) -> Callable[..., tuple[Rows, list[bytes]]]:
    """Return a function that writes (subset, question, text) rows and returns their ids in order.

    Subsets are ordered by name; identical rows are numbered as copies.
    """

    def make(
        given: Sequence[Row], licences: dict[str, str] | None = None
    ) -> tuple[Rows, list[bytes]]:
        # A new folder per call, because DuckDB caches blocks of the files it reads.
        folder = Path(mkdtemp(dir=tmp_path))
        ids, rows, problems = [], [], []
        copies: dict[Row, int] = {}
        for subset, question, text in given:
            licence = (licences or {}).get(subset, "MIT")
            problem = Problem(subset, question, gold="1", licence=licence)
            copy = copies[(subset, question, text)] = copies.get((subset, question, text), -1) + 1
            row = Rationale(problem.id, "reference", "CoT", question, text, copy)
            ids.append(row.id)
            rows.append(
                (
                    row.id,
                    subset,
                    sorted({row[0] for row in given}).index(subset),
                    problem.id,
                    question,
                    text,
                )
            )
            problems.append(problem)
        names = ("id", "subset", "place", "problem_id", "instruction", "text")
        table = pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
        pq.write_table(table, folder / "rows.parquet")
        batches = arrow.to_batches(problems, arrow.PROBLEMS)
        pq.write_table(pa.Table.from_batches(batches), folder / "problems.parquet")
        return (
            Rows(
                f"SELECT * FROM read_parquet('{folder}/rows.parquet')",
                f"SELECT * FROM read_parquet('{folder}/problems.parquet')",
            ),
            ids,
        )

    return make


@pytest.fixture
def evals_of(tmp_path: Path) -> Callable[[dict[str, list[str]]], dict[str, list[Path]]]:
    """Return a function that writes evaluation sets, by name, with places `name:0`, `name:1`, …"""

    def make(questions: dict[str, list[str]]) -> dict[str, list[Path]]:
        paths = {}
        for name, texts in questions.items():
            problems = [
                Problem(name, question, gold="1", place=f"{name}:{number}")
                for number, question in enumerate(texts)
            ]
            paths[name] = [tmp_path / f"eval-{name}.parquet"]
            batches = arrow.to_batches(problems, arrow.PROBLEMS)
            pq.write_table(pa.Table.from_batches(batches), paths[name][0])
        return paths

    return make
