"""Measures what must see all rows, such as screens and the draw, on generated keys.

    python bench/keys.py [--rows 10000000] [--memory 1GB] [--folder DIR] [--json FILE]

Out: for each screen over keys and for the draw, the seconds, the CPU seconds and the peak memory of
a process of its own whose engine has the limit `--memory`. The rows and keys are generated as
Parquet, with 10% repeated instructions and questions and four rows per question, so the result of
each screen is known; exit code 1 if one differs. Texts are short, and near-duplicates that have to
be compared as texts are not measured.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from measure import Measured, measure
from results import add_json_option, relate, write_figures

from curator.pipeline import mixture
from curator.screens import SCREENS, Rows
from datastore.engine import Engine, literal, scan

REPEATED, PER_QUESTION, CAP, SUBSETS = 10, 4, 3, 14
"""One row of ten repeats another; rows per question; limit of the cap; number of subsets."""
BANDS = 16
"""Bands of a question for near-duplicates, at the default threshold."""
BASELINE = "read and hash"
"""Reads and hashes the rows once; the others are compared with it."""
OF_QUESTIONS = {"cap", "near_duplicates"}
"""Screens with keys of questions instead of rows."""
PIECE = 10_000_000
"""Rows per generated file."""


def generate(folder: Path, rows: int, memory: str) -> None:
    """Write the rows and the keys of each screen that is measured."""
    original = f"(CASE WHEN n % {REPEATED} = {REPEATED - 1} THEN n - 1 ELSE n END)"
    question = f"(n // {PER_QUESTION})"
    columns = {
        "rows": f"{_id('n')} AS id, (n % {SUBSETS})::INTEGER AS place, 's' || place AS subset, "
        f"{_id(question)} AS problem_id, 'question ' || {original} AS instruction, "
        f"'text ' || {original} AS text",
        "duplicates": f"{_id('n')} AS id, md5_number_lower(({original})::VARCHAR) AS instruction",
        "cap": f"{_id('n')} AS id, {_id('n')} AS question",
        # No text is like another, except those with equal sets of 3-grams.
        "near_duplicates": f"{_id('n')} AS id, hash(n) AS question, 100 AS length, 30 AS size, "
        f"hash({original}) AS grams, "
        f"list_transform(range({BANDS}), lambda i: hash({original} * {BANDS} + i)) AS bands",
    }
    with Engine(memory, spill=folder) as engine:
        for name, selected in columns.items():
            count = rows // PER_QUESTION if name in OF_QUESTIONS else rows
            for start in range(0, count, PIECE):
                end = min(start + PIECE, count)
                path = literal(folder / f"{name}-{start:012d}.parquet")
                numbers = f"range({start}, {end}) AS numbers(n)"
                engine.sql(f"COPY (SELECT {selected} FROM {numbers}) TO {path}")


def _id(number: str) -> str:
    return f"unhex(md5(({number})::VARCHAR))"


def run(name: str, engine: Engine, rows: Rows) -> Iterator[pa.RecordBatch]:
    """Run a screen, or draw half of the rows of each subset."""
    if name == "draw":
        half = {subset: count // 2 for subset, count in mixture.available(engine, rows).items()}
        return mixture.draw(engine, rows, half, seed=1)
    parameters = {"rationales": CAP, "seed": 1} if name == "cap" else {}
    return SCREENS[name].run(engine, rows, **parameters)


def count_results(name: str, folder: Path, memory: str) -> int:
    """Return the number of rejected or drawn rows."""
    alive = f"SELECT * FROM {scan(sorted(folder.glob('rows-*')))}"
    rows = Rows(
        alive, "SELECT NULL AS id, NULL AS question", scan(sorted(folder.glob(f"{name}-*")))
    )
    with Engine(memory, spill=folder) as engine:
        if name == BASELINE:
            hashed = "count(*), bit_xor(md5_number_lower(instruction)), bit_xor(hash(id, text))"
            return int(engine.sql(f"SELECT {hashed} FROM ({alive})").fetchall()[0][0])
        return sum(batch.num_rows for batch in run(name, engine, rows))


def expected(rows: int) -> dict[str, int]:
    """Return the right number of read, rejected or drawn rows, by what is measured."""
    subsets = [len(range(place, rows, SUBSETS)) for place in range(SUBSETS)]
    return {
        BASELINE: rows,
        "duplicates": rows // REPEATED,
        "cap": rows // PER_QUESTION * (PER_QUESTION - CAP),
        "near_duplicates": rows // PER_QUESTION // REPEATED * PER_QUESTION,
        "draw": sum(count // 2 for count in subsets),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--memory", default="1GB", help="Limit of the engine.")
    parser.add_argument("--folder", type=Path, help="Working folder. Default: a temporary folder.")
    parser.add_argument("--only", nargs=2, help=argparse.SUPPRESS)
    add_json_option(parser)
    arguments = parser.parse_args()
    if arguments.only:
        name, folder = arguments.only
        print(count_results(name, Path(folder), arguments.memory))
        return 0
    costs: dict[str, Measured] = {}
    wrong = []
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="keys-") as folder:
        generate(Path(folder), arguments.rows, arguments.memory)
        print(f"{arguments.rows:,} rows, {arguments.memory}")
        print(f"{'':16}{'seconds':>9}{'CPU s':>9}{'peak MB':>9}{'result':>14}")
        for name, right in expected(arguments.rows).items():
            itself = [sys.executable, __file__, "--memory", arguments.memory]
            done = measure([*itself, "--only", name, folder])
            found = int(done.output)
            print(
                f"{name:16}{done.wall_s:9.1f}{done.cpu_s:9.1f}{done.peak_mb:9,.0f}{found:14,}",
                flush=True,
            )
            costs[name] = done
            wrong += [f"{name}: expected {right:,}, saw {found:,}"] if found != right else []
    write_figures(arguments.json, relate("", costs, costs[BASELINE]))
    print("\n".join(wrong) or "Every result was as expected.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
