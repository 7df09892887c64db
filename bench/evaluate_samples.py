"""Times `curator evaluate` with grading on many samples per problem.

    python bench/evaluate_samples.py --data DIR [--problems 5000] [--samples 64] [--json FILE]

In: DIR/outputs/gsm8k_systems and gsm8k_model_solutions (twelve real solutions per problem of GSM8K
test) and DIR/evals/math. Half of the problems are of GSM8K: their samples are drawn from the real
solutions. The others are of MATH: a sample is the reference solution with another last sentence,
which states the gold answer, another form of it, or a near miss. Every text is unique, and so is
every problem. Out: seconds, CPU seconds and peak memory with an empty store, and again with the
gradings cached.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from data_option import add_data_option
from labels import lines
from measure import Measured, measure
from results import Figure, add_json_option, write_figures

from curator.answers.variants import generate_variants
from curator.core.boxes import box_spans
from curator.core.model import Problem
from curator.core.samples import Sample, SampledProblem, write_samples
from curator.sources import EVALS, open_source, records

MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
TEXTS = ("model_prediction", "completion", "code")
ANSWERS = 6
"""Different answers to a problem of MATH."""


def read_solutions(outputs: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Yield question, gold answer and real solutions of each problem of GSM8K."""
    found: dict[str, list[str]] = defaultdict(list)
    golds: dict[str, str] = {}
    for _, row in lines(outputs / "gsm8k_model_solutions/example_model_solutions.jsonl"):
        golds[row["question"]] = row["ground_truth"].rpartition("\nA:")[2].strip()
        found[row["question"]] += [row[model]["solution"] for model in MODELS]
    for path in sorted((outputs / "gsm8k_systems").iterdir()):
        text = path.read_text("utf-8")
        rows = json.loads(text) if text.startswith("[") else map(json.loads, text.splitlines())
        for question, row in zip(golds, rows, strict=False):
            solution = next((row[key] for key in TEXTS if row.get(key)), "")
            found[question] += [solution[0] if isinstance(solution, list) else solution]
    for question, solutions in found.items():
        yield question, golds[question], [text for text in solutions if text.strip()]


def sample_gsm8k(data: Path, problems: int, samples: int) -> Iterator[SampledProblem]:
    """Yield problems with samples drawn from real solutions."""
    solutions = list(read_solutions(data / "outputs"))
    for number in range(problems):
        question, gold, texts = solutions[number % len(solutions)]
        draw = random.Random(number)
        made = [Sample("CoT", f"Try {n}.\n{draw.choice(texts)}") for n in range(samples)]
        yield SampledProblem("gsm8k", f"g{number}", question, gold, samples=tuple(made))


def sample_math(data: Path, problems: int, samples: int) -> Iterator[SampledProblem]:
    """Yield problems whose samples end with the gold answer, another form, or a near miss."""
    source = EVALS["math"]
    found = records(source, open_source(source, data))
    for number, problem in enumerate(islice(found, problems)):
        assert isinstance(problem, Problem)
        draw = random.Random(number)
        answers = [problem.gold, *(v.text for v in islice(generate_variants(problem.gold), 40))]
        answers = [problem.gold] * 3 + draw.sample(answers, min(ANSWERS, len(answers)))
        ends = [start for start, _ in box_spans(problem.solution)]
        body = problem.solution[: max(0, (ends or [0])[-1] - 8)].rpartition("\n")[0]
        made = [
            f"Try {n}.\n{body}\nThe final answer is $\\boxed{{{draw.choice(answers)}}}$."
            for n in range(samples)
        ]
        texts = tuple(Sample("CoT", text) for text in made)
        yield SampledProblem("math", f"m{number}", problem.question, problem.gold, samples=texts)


def time_evaluation(samples: Path, store: Path) -> Measured:
    """Return the cost of one run of the command."""
    words = [sys.executable, "-m", "curator", "evaluate", str(samples), "--store", str(store)]
    return measure([*words, "--json"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_data_option(parser, "outputs")
    add_json_option(parser)
    parser.add_argument("--problems", type=int, default=5_000)
    parser.add_argument("--samples", type=int, default=64)
    arguments = parser.parse_args()
    figures: list[Figure] = []
    folder = Path(tempfile.mkdtemp())
    try:
        half = arguments.problems // 2
        made = [
            *sample_gsm8k(arguments.data, half, arguments.samples),
            *sample_math(arguments.data, arguments.problems - half, arguments.samples),
        ]
        write_samples(made, folder / "samples.jsonl")
        size = (folder / "samples.jsonl").stat().st_size / 2**20
        print(f"{len(made):,} problems, {arguments.samples} samples each, {size:,.0f} MB")
        del made
        for name in ("empty store", "gradings cached"):
            found = time_evaluation(folder / "samples.jsonl", folder / "store")
            print(f"{name}: {found.wall_s:.0f} s, {found.cpu_s:.0f} CPU s, {found.peak_mb:.0f} MB")
            figures.append(Figure(f"evaluate, {name}: CPU", found.cpu_s, "s"))
            figures.append(Figure(f"evaluate, {name}: memory", found.peak_mb, "MB"))
    finally:
        shutil.rmtree(folder)
    write_figures(arguments.json, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
