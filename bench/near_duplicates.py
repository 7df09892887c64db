"""Measures the screen `near_duplicates`: recall against brute force, and cost on many questions.

    python bench/near_duplicates.py --data DIR [--rows 262000] [--json FILE]

In: DIR/sources with GSM8K, MATH and MathQA. Out: how many of the near-duplicates among 10,000
questions, 2,000 of them edited copies, the screen rejects, with their numbers kept and ignored, and
how many others; then the seconds, CPU seconds and peak memory for generated questions of the
lengths of MathInstruct (`bench/make_rows.py`). Brute force compares the sets of 3-grams of all
pairs in Python, in the same order.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
from data_option import add_data_option
from measure import measure
from results import Figure, add_json_option, write_figures

from curator.core.arrow import VERDICTS
from curator.core.model import Problem
from curator.screens import SCREENS, Rows, normalize
from curator.sources import SOURCES, open_source, records
from datastore.engine import Engine, literal

ROWS, EDITED, THRESHOLD = 10_000, 2_000, 0.8
READ = ("gsm8k", "math", "mathqa")


def real_questions(data: Path) -> list[str]:
    """Return 8,000 questions and 2,000 copies of some with one to three edited words."""
    chance = Random(3)
    found: dict[str, None] = {}
    for name in READ:
        read = records(SOURCES[name], open_source(SOURCES[name], data))
        found |= dict.fromkeys(each.question for each in read if isinstance(each, Problem))
    questions = list(found)
    chance.shuffle(questions)
    questions = questions[: ROWS - EDITED]
    words = sorted({word for question in questions for word in question.split()})
    return questions + [
        edit(question.split(), words, chance) for question in chance.sample(questions, EDITED)
    ]


def edit(question: list[str], words: list[str], chance: Random) -> str:
    for _ in range(chance.randrange(1, 4)):
        place = chance.randrange(len(question))
        some = [chance.choice(words)]
        question[place : place + chance.randrange(2)] = chance.choice(([], some, some))
        question = question or some
    return " ".join(question)


def screen(engine: Engine, questions: Path, numbers: str) -> set[int]:
    """Return the numbers of the questions that the screen rejects."""
    file = f"read_parquet({literal(questions)})"
    rows = Rows(
        f"SELECT id, 0 AS place, id AS problem_id FROM {file}", f"SELECT id, question FROM {file}"
    )
    batches = SCREENS["near_duplicates"].run(engine, rows, threshold=THRESHOLD, numbers=numbers)
    rejected = pa.Table.from_batches(batches, VERDICTS).column("row_id")
    return {int.from_bytes(each.as_py(), "big") for each in rejected}


def write(questions: list[str], path: Path) -> Path:
    """Write questions with ids in their order."""
    ids = pa.array([n.to_bytes(16, "big") for n in range(len(questions))], pa.binary(16))
    pq.write_table(pa.table({"id": ids, "question": pa.array(questions)}), path)
    return path


def brute_force(engine: Engine, questions: Path, numbers: str) -> set[int]:
    """Return the questions that are near an earlier one that is not near another itself."""
    stem = normalize.stem(normalize.fold("question"))
    file = f"read_parquet({literal(questions)})"
    query = f"SELECT {normalize.key(stem)}, {normalize.tokens(stem)} FROM {file} ORDER BY id"
    rejected: set[int] = set()
    seen: dict[str, bool] = {}  # by normalised question: whether it was rejected
    kept: list[frozenset[tuple[str, ...]]] = []
    items: dict[tuple[str, ...], list[int]] = {}  # by gram: the kept questions with it
    for number, (key, tokens) in enumerate(engine.sql(query).fetchall()):
        if key in seen:
            rejected |= {number} if seen[key] else set()
            continue
        if numbers == "ignore":
            tokens = [normalize.MASK if token[0].isdigit() else token for token in tokens]
        grams = frozenset(tuple(tokens[n : n + 3]) for n in range(max(1, len(tokens) - 2)))
        common = Counter(item for gram in grams for item in items.get(gram, ()))
        seen[key] = any(
            both / (len(grams) + len(kept[item]) - both) >= THRESHOLD
            for item, both in common.items()
        )
        if seen[key]:
            rejected.add(number)
            continue
        for gram in grams:
            items.setdefault(gram, []).append(len(kept))
        kept.append(grams)
    return rejected


def measure_recall(data: Path, folder: Path) -> list[Figure]:
    """Print how many of the rows that brute force rejects the screen rejects, and others."""
    questions = write(real_questions(data), folder / "real.parquet")
    figures = []
    print(f"{ROWS:,} questions of {', '.join(READ)}, {EDITED:,} of them edited copies")
    print("numbers   brute force   found   recall   others")
    for numbers in ("keep", "ignore"):
        with Engine(memory="1GB", threads=2, spill=folder) as engine:
            near = brute_force(engine, questions, numbers)
            found = screen(engine, questions, numbers)
        recall = len(near & found) / len(near)
        print(f"{numbers:7} {len(near):13,} {len(found):7,} {recall:8.2%} {len(found - near):8,}")
        figures.append(Figure(f"near-duplicates missed, numbers: {numbers}", 1 - recall, ""))
    return figures


def generated_questions(rows: int, folder: Path) -> Path:
    """Write the different questions of generated rows in the shape of MathInstruct."""
    maker = Path(__file__).with_name("make_rows.py")
    subprocess.run([sys.executable, maker, "--rows", str(rows), folder], check=True)
    file = folder / "sources/mathinstruct/MathInstruct.json"
    return write(
        list(dict.fromkeys(row["instruction"] for row in json.loads(file.read_text()))),
        folder / "generated.parquet",
    )


def measure_cost(rows: int, folder: Path) -> list[Figure]:
    """Print what the screen costs in a process of its own."""
    questions = generated_questions(rows, folder)
    figures = []
    print(f"\n{pq.read_metadata(questions).num_rows:,} questions   seconds    CPU s  peak MB")
    for numbers in ("keep", "ignore"):
        done = measure([sys.executable, __file__, "--screen", str(questions), numbers])
        print(f"{numbers:15} {done.wall_s:14.1f} {done.cpu_s:8.1f} {done.peak_mb:8.0f}")
        figures.append(Figure(f"near_duplicates, numbers: {numbers}", done.cpu_s, "CPU s"))
    return figures


def main() -> int:
    if sys.argv[1:2] == ["--screen"]:  # in a process of its own, whose memory is measured
        with tempfile.TemporaryDirectory() as spill, Engine("1GB", 2, spill=Path(spill)) as engine:
            screen(engine, Path(sys.argv[2]), sys.argv[3])
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_data_option(parser, "sources")
    parser.add_argument(
        "--rows", type=int, default=262_000, help="Generated rows whose questions are compared."
    )
    add_json_option(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="near-duplicates-") as folder:
        figures = measure_recall(arguments.data, Path(folder))
        figures += measure_cost(arguments.rows, Path(folder))
    write_figures(arguments.json, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
