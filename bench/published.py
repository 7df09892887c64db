"""Executes and scores published samples of real models, for comparison with published scores.

    python bench/published.py --data DIR [--json FILE]

In: DIR/outputs with the published files. Out: a table of scores: Codex on AQuA with 30 programs per
problem (Program-of-Thoughts, published vote 58.6), ToRA-70B on GSM8K (published 84.3), and the four
models of grade-school-math, whose solutions are labelled.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from data_option import add_data_option
from labels import lines
from results import Figure, add_json_option, write_figures

from curator.answers import Grader
from curator.checks.grade_samples import grade
from curator.core.samples import Sample, SampledProblem
from curator.sandbox import Sandbox
from trainers.evaluation.evaluate import evaluate


def codex(outputs: Path) -> Iterator[SampledProblem]:
    for number, row in lines(next((outputs / "pot").glob("aqua_sc*.jsonl"))):
        yield SampledProblem(
            "aqua_rat",
            str(number),
            row["question"],
            row["answer"],
            tuple(option.partition(")")[2].strip() for option in row["options"]),
            samples=tuple(Sample("PoT", text) for text in row["generated"]),
        )


def tora(outputs: Path) -> Iterator[SampledProblem]:
    for number, row in lines(outputs / "tora/tora-70b-gsm8k.jsonl"):
        samples = (Sample("CoT", row["code"][0]),)
        yield SampledProblem("gsm8k", str(number), row["question"], row["gt"], samples=samples)


def labelled(outputs: Path, model: str) -> Iterator[SampledProblem]:
    path = outputs / "gsm8k_model_solutions/example_model_solutions.jsonl"
    for number, row in lines(path):
        gold = row["ground_truth"].rpartition("\nA:")[2].strip()
        samples = (Sample("CoT", row[model]["solution"]),)
        yield SampledProblem("gsm8k", str(number), row["question"], gold, samples=samples)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_data_option(parser, "outputs")
    add_json_option(parser)
    arguments = parser.parse_args()
    outputs = arguments.data / "outputs"
    figures: list[Figure] = []
    models = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
    sets = {"codex aqua": codex(outputs), "tora-70b": tora(outputs)}
    sets |= {model: labelled(outputs, model) for model in models}
    print(f"{'':20}{'metric':20}{'problems':>9}{'score':>8}   95% interval      seconds")
    with Sandbox(workers=2) as box, Grader() as grader:
        for name, problems in sets.items():
            started = time.monotonic()
            result = evaluate(grade(problems, box.map, grader.map), name)
            seconds = time.monotonic() - started
            figures.append(Figure(f"{name}, time", seconds, "s"))
            for score in result.scores:
                figures.append(Figure(f"{name}, {score.metric}", score.share, "share"))
                span = f"{score.low:.1%} to {score.high:.1%}"
                print(
                    f"{name:20}{score.metric:20}{score.problems:9,}{score.share:8.1%}   "
                    f"{span:17}{seconds:8.0f}",
                    flush=True,
                )
    write_figures(arguments.json, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
