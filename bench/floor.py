"""Measures what the parts of a build cost at least, and the same job in `datasets`.

    python bench/floor.py --data DIR [--rows 262000] [--json FILE]

In: DIR/evals with the real evaluation sets. Out: the CPU seconds of each part on generated rows
(`bench/make_rows.py`): the functions of the build, called once per row in one process, on texts in
memory, without shards, stage cache or store; then what a build with two workers and a store adds to
them at least; beside it the whole commands and the job in `datasets`. Less than the sum is hardly
possible while rows are read, checked and screened by this code.
"""

import argparse
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from contamination import Screening, read
from data_option import add_data_option
from datasets_baseline import SHARES
from measure import measure
from results import Figure, add_json_option, write_figures
from run import write_recipe

from curator.checks.format import _is_surely_parsed
from curator.core.arrow import make_array
from curator.core.model import Problem, content_id, rationale_id
from curator.screens import SCREENS, Rows
from curator.screens.candidates import POSTINGS, index_items
from curator.screens.matches import Items, find_matches
from curator.sources import MAMMOTH_EVALS
from datastore.engine import Engine, literal

HERE = Path(__file__).parent


class Parts:
    """The parts of the job, each of which reads what the ones before it have left."""

    def __init__(self, mirror: Path, folder: Path, data: Path) -> None:
        self._file = mirror / "sources/mathinstruct/MathInstruct.json"
        self._folder, self._data = folder, data
        self._rows: list[dict[str, str]] = []
        self._problems: list[bytes] = []
        self._ids: list[bytes] = []
        self._source = f"read_parquet({literal(folder / 'rows.parquet')})"

    def read_json(self) -> None:
        """Read the rows, one line each."""
        with self._file.open() as file:
            lines = (line.rstrip().rstrip(",") for line in file)
            self._rows = [json.loads(line) for line in lines if line.startswith("{")]

    def make_ids(self) -> None:
        """Hash each problem and each rationale."""
        for row in self._rows:
            question, text = row["instruction"], row["output"]
            problem = content_id("problem", "mathinstruct", question, "")
            self._problems.append(problem)
            self._ids.append(rationale_id(problem, "reference", "CoT", question, text, 0))

    def parse_programs(self) -> None:
        """Parse each program, as the check `format` does for the subsets of kind PoT."""
        programs = (row["output"] for row in self._rows if row["source"].startswith("data/PoT/"))
        self.programs = sum(map(_is_surely_parsed, programs))

    def write_parquet(self) -> None:
        """Write each text once, with its ids, as an object of the store."""
        columns = {
            "id": make_array(self._ids, pa.binary(16)),
            "problem_id": make_array(self._problems, pa.binary(16)),
            **{
                name: make_array([row[name] for row in self._rows], pa.string())
                for name in ("source", "instruction", "output")
            },
        }
        path = self._folder / "rows.parquet"
        pq.write_table(
            pa.table(columns), path, compression="zstd", compression_level=1, row_group_size=20_000
        )
        hashlib.sha256(path.read_bytes())

    def find_duplicates(self) -> None:
        """Run the screen `duplicates`."""
        rows = f"SELECT id, 0 AS place, instruction, output AS text FROM {self._source}"
        with Engine(threads=1, spill=self._folder) as engine:
            found = SCREENS["duplicates"].run(engine, Rows(rows, ""))
            self.rejected = sum(batch.num_rows for batch in found)

    def find_evaluation_questions(self) -> None:
        """Compare each question with the ten evaluation sets."""
        problems = f"""
            SELECT problem_id AS id, any_value(instruction) AS question, '' AS gold,
                []::VARCHAR[] AS choices
            FROM {self._source} GROUP BY problem_id
        """
        with Engine(threads=1, spill=self._folder) as engine:
            sets = Screening(engine, self._read_evals()).sets
            self.repeated = len(list(find_matches(engine, problems, sets)))

    def index_evaluation_questions(self) -> pa.Table:
        """Return what each process makes the evaluation questions ready from."""
        with Engine(threads=1, spill=self._folder) as engine:
            index = index_items(Screening(engine, self._read_evals()).sets)
            return pa.Table.from_batches(engine.batches(index), POSTINGS)

    def _read_evals(self) -> dict[str, list[Problem]]:
        return {name: read(name, self._data) for name in MAMMOTH_EVALS}

    def write_json(self) -> None:
        """Write the rows as JSON lines."""
        with (self._folder / "out.jsonl").open("w") as file:
            for row in self._rows:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")


def start_processes() -> float:
    """Return the CPU seconds in which the driver and two workers import the pipeline."""
    start = [sys.executable, "-c", "import curator.pipeline.executors.worker"]
    return sum(measure(start).cpu_s for _ in range(3))


def cpu_seconds(part: Callable[[], Any]) -> float:
    start = time.process_time()
    part()
    return time.process_time() - start


Costs = dict[str, float]
"""CPU seconds by name."""


def bench(rows: int, data: Path, folder: Path) -> tuple[Costs, Costs, Costs]:
    """Return the costs of each part, of what workers and a store add, and of whole commands."""
    mirror, store = folder / "mirror", folder / "store"
    python = [sys.executable]
    make = [*python, str(HERE / "make_rows.py"), str(mirror), "--rows", str(rows)]
    measure([*make, "--evals", str(data / "evals")])
    curator, at = [*python, "-m", "curator"], ["--store", str(store)]
    recipe = write_recipe(folder, "bench", SHARES)
    export = ["export", "bench@1", "--format", "alpaca-jsonl", "-o", str(folder / "ours.jsonl")]
    baseline = [str(HERE / "datasets_baseline.py"), str(mirror), str(folder / "theirs.jsonl")]
    whole = {
        "build": measure([*curator, "build", recipe, "--mirror", str(mirror), *at]).cpu_s,
        "export": measure([*curator, *export, *at]).cpu_s,
        "datasets": measure([*python, *baseline]).cpu_s,
    }
    parts = Parts(mirror, folder, data)
    each = {
        "read JSON": parts.read_json,
        "hash ids": parts.make_ids,
        "parse programs": parts.parse_programs,
        "write Parquet once": parts.write_parquet,
        "find duplicates": parts.find_duplicates,
        "find evaluation questions": parts.find_evaluation_questions,
        "write JSON lines": parts.write_json,
    }
    costs = {name: cpu_seconds(part) for name, part in each.items()}
    index = parts.index_evaluation_questions()
    added = {
        "start three processes": start_processes(),
        "load evaluation questions again": cpu_seconds(lambda: Items(index)),
        # Problems and rationales are objects of their own: both have the texts.
        "write Parquet again": costs["write Parquet once"],
    }
    print(
        f"{rows:,} rows: {parts.programs:,} programs parse, {parts.rejected:,} duplicates, "
        f"{parts.repeated:,} questions match an evaluation question"
    )
    return costs, added, whole


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_data_option(parser, "evals")
    parser.add_argument("--rows", type=int, default=262_000)
    add_json_option(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="floor-") as folder:
        parts, added, whole = bench(arguments.rows, arguments.data, Path(folder))
    alone = sum(parts.values())
    added["with two workers and a store"] = alone + sum(added.values())
    parts = {**parts, "all parts": alone, **added}
    whole = {**whole, "build and export": whole["build"] + whole["export"]}
    print(f"{'':32}{'CPU s':>7}  over datasets")
    for name, seconds in {**parts, **whole}.items():
        print(f"{name:32}{seconds:7.1f}{seconds / whole['datasets']:15.2f}")
    write_figures(
        arguments.json,
        [
            Figure(name, seconds, "CPU s", seconds / whole["datasets"])
            for name, seconds in {**parts, **whole}.items()
        ],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
