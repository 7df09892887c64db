"""Generates rows in the format of the released MathInstruct, with duplicates and contamination.

    python bench/make_rows.py --rows 262000 DIR [--evals DIR]

Out: a mirror: `DIR/sources/mathinstruct/MathInstruct.json` (one JSON array with the 14 sources in
the published proportions; 345 MB for 262,000 rows, more than the real 212 MB), ten evaluation sets
in `DIR/evals` (11,823 questions, or a link to a folder of real ones), and `DIR/planted.json`: which
rows repeat another (10%) and which contain an evaluation question (0.5%). The output is
deterministic.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from text import SOURCES, Text, disguise, repeat

CHUNK = 20_000
DUPLICATES, CONTAMINATED = 0.10, 0.005
SHORT = 13
"""Questions with fewer words are planted alone; inside a longer one they are another question."""

Row = dict[str, str]


def write_evaluation_sets(folder: Path, generator: np.random.Generator) -> None:
    """Write ten generated sets with the names, sizes, formats and fields of the real ones."""
    text = Text(generator, salt="test", seed=1)
    math = [
        {"problem": text.question(150), "level": "Level 3", "type": "Algebra",
         "solution": "It is $\\boxed{7}$.", "idx": number}
        for number in range(5000)
    ]  # fmt: skip
    choices = [["7", "8", "9", "10"] for _ in range(1500)]
    sets: dict[str, tuple[str, list[dict[str, Any]]]] = {
        "gsm8k/test.jsonl": ("lines", [
            {"question": text.question(240), "answer": "7\n#### 7"} for _ in range(1319)]),
        "math/test.jsonl": ("lines", math),
        "math500/test.jsonl": ("lines", [
            {"problem": row["problem"], "solution": row["solution"], "answer": "7",
             "subject": "Algebra", "level": 3, "unique_id": f"test/algebra/{row['idx']}.json"}
            for row in math[::10]]),
        "aqua_rat/test.json": ("lines", [
            {"question": text.question(230), "options": ["A)7", "B)8", "C)9", "D)10", "E)11"],
             "rationale": "It is 7.", "correct": "A"} for _ in range(254)]),
        "numglue/numglue.json": ("array", [
            {"question": text.question(160), "answer": 7, "type": "Type_2"} for _ in range(1042)]),
        "svamp/SVAMP.json": ("array", [
            {"ID": f"chal-{n}", "Body": text.question(110), "Question": text.question(40),
             "Equation": "( 3.0 + 4.0 )", "Answer": 7.0, "Type": "Addition"}
            for n in range(1000)]),
        "deepmind_mathematics/deepmind.json": ("array", [
            {"question": text.question(60), "answer": "7"} for _ in range(1000)]),
        "simuleq/simuleq.json": ("array", [
            {"question": text.question(200), "answer": "7"} for _ in range(514)]),
        "sat_math/sat.json": ("array", [
            {"question": text.question(190) + " \nAnswer Choices: (A) 7 (B) 8 (C) 9 (D) 10",
             "answer": "A"} for _ in range(220)]),
        "mmlu_math/mathematics.json": ("array", [
            {"question": text.question(120), "subject": "high_school_mathematics",
             "choices": choices[n], "answer": 0} for n in range(974)]),
    }  # fmt: skip
    for name, (form, rows) in sets.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = "\n".join(map(json.dumps, rows)) + "\n" if form == "lines" else json.dumps(rows)
        path.write_text(lines, encoding="utf-8")


def evaluation_questions(folder: Path) -> list[tuple[str, int, str]]:
    """Return (set, record number, question) for every set in `folder`, in any of the formats."""
    found = []
    for path in sorted(folder.glob("*/*.json*")):
        text = path.read_text(encoding="utf-8")
        rows = json.loads(text) if text.startswith("[") else map(json.loads, text.splitlines())
        for number, row in enumerate(rows):
            body = f"{row['Body']} {row['Question']}" if "Body" in row else ""
            question = body or row.get("question") or row["problem"]
            found.append((path.parent.name, number, question.split("Answer Choices:")[0].strip()))
    return found


def generate_rows(
    rows: int, questions: list[tuple[str, int, str]], planted: dict[str, Any]
) -> Iterator[Row]:
    """Yield the rows; `planted` collects [row, row that it repeats] and [row, set, record]."""
    shares = np.array([source.rows for source in SOURCES], dtype=float)
    for start in range(0, rows, CHUNK):
        generator = np.random.default_rng([2309, start])
        size = min(CHUNK, rows - start)
        kinds = generator.choice(len(SOURCES), size, p=shares / shares.sum())
        outcomes = generator.random(size)
        text = Text(generator, salt=f"{start:x}x", seed=2)
        chunk: list[Row] = []
        originals: dict[int, list[int]] = {}
        for place in range(size):
            kind, outcome = int(kinds[place]), outcomes[place]
            if outcome < DUPLICATES and kind in originals:
                of = originals[kind][int(generator.integers(len(originals[kind])))]
                chunk.append(repeat(chunk[of], generator))
                planted["duplicates"].append([start + place, start + of])
                continue
            question = text.question(SOURCES[kind].question)
            if outcome >= 1 - CONTAMINATED:
                name, number, planted_question = questions[int(generator.integers(len(questions)))]
                long = len(planted_question.split()) >= SHORT
                question = (
                    disguise(planted_question, generator)
                    if not long
                    else (f"{text.question(60)} {disguise(planted_question, generator)}")
                )
                planted["contaminated"].append([start + place, name, number])
            else:
                originals.setdefault(kind, []).append(place)
            chunk.append(SOURCES[kind].row(question, text))
        yield from chunk


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--rows", type=int, default=262_000)
    parser.add_argument("--evals", type=Path, help="Folder of real evaluation sets.")
    arguments = parser.parse_args()
    evals = arguments.folder / "evals"
    arguments.folder.mkdir(parents=True, exist_ok=True)
    if arguments.evals:
        evals.unlink(missing_ok=True)
        evals.symlink_to(arguments.evals.resolve())
    else:
        write_evaluation_sets(evals, np.random.default_rng(5653))
    planted: dict[str, Any] = {"rows": arguments.rows, "duplicates": [], "contaminated": []}
    path = arguments.folder / "sources/mathinstruct/MathInstruct.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for number, row in enumerate(
            generate_rows(arguments.rows, evaluation_questions(evals), planted)
        ):
            file.write("[\n" if number == 0 else ",\n")
            file.write(json.dumps(row))
        file.write("\n]\n")
    (arguments.folder / "planted.json").write_text(json.dumps(planted))
    print(
        f"{arguments.rows:,} rows, {path.stat().st_size / 1e6:,.0f} MB, "
        f"{len(planted['duplicates']):,} duplicates, {len(planted['contaminated']):,} contaminated"
    )


if __name__ == "__main__":
    main()
