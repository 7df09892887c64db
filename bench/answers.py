"""Compares the speed of answer grading with math-verify, on real answers.

    python bench/answers.py --data DIR [--sample 1500] [--json FILE]

In: GSM8K, MATH and AQuA in DIR. Pairs are each gold answer with the answer of its solution, and
with the answer of the previous row. Out: pairs per second of `compare_columns` and of the whole
grading (rules, then child processes) on all pairs, of math-verify on a sample, and the ratio on
that sample; peak memory of a child process; how often the two agree.
"""

import argparse
import json
import logging
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from data_option import add_data_option
from results import Figure, add_json_option, write_figures

from curator.answers import Equivalence, Grader, compare_columns, extract, render_answer
from curator.answers.compare.choices import strip_labels
from curator.answers.parse.read import read
from curator.core.boxes import box_spans

Pair = tuple[str, str, tuple[str, ...]]
MEMORY_MB = 1024


def lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def box(solution: str) -> str:
    start, end = box_spans(solution)[-1]
    return solution[start:end]


def rows(data: Path) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    """Yield set, gold answer, solution and choices."""
    for path in ("sources/gsm8k/train.jsonl", "evals/gsm8k/test.jsonl"):
        for row in lines(data / path):
            yield "GSM8K", row["answer"].rpartition("####")[2].strip(), row["answer"], ()
    for path in ("sources/math/train-3000.jsonl", "evals/math/test.jsonl"):
        for row in lines(data / path):
            yield "MATH", box(row["solution"]), row["solution"], ()
    for path in ("sources/aqua_rat/dev.json", "evals/aqua_rat/test.json"):
        for row in lines(data / path):
            options = tuple(option[2:] for option in row["options"])
            yield "AQuA", row["correct"], row["rationale"], options


def pairs(data: Path) -> dict[str, list[Pair]]:
    found: dict[str, list[Pair]] = {}
    previous = ""
    for name, gold, solution, options in rows(data):
        answer = extract(solution, options)
        current = render_answer(answer) if answer else ""
        of_set = found.setdefault(name, [])
        of_set.append((gold, current, options))
        of_set.append((gold, previous, options))
        previous = current
    return found


def numbers(count: int) -> list[Pair]:
    """Return plain numbers as gold answers and programs write them."""
    golds = [f"{n * 37 % 100_003:,}" if n % 3 else f"{n / 8}" for n in range(count)]
    return [
        (gold, gold.replace(",", "") + ("" if "." in gold else ".0") if n % 2 else str(n), ())
        for n, gold in enumerate(golds)
    ]


def measure(work: Callable[[], list[Any]]) -> tuple[float, list[Any]]:
    read.cache_clear()  # cached texts of an earlier run would make this one faster
    strip_labels.cache_clear()
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def compare_by_columns(chosen: list[Pair]) -> list[Equivalence | None]:
    golds, answers, options = zip(*chosen, strict=True)
    return compare_columns(golds, answers, options)


def grade_all(chosen: list[Pair]) -> list[Equivalence]:
    """Apply the rules, then child processes to the pairs that the rules leave undecided."""
    found = compare_by_columns(chosen)
    with Grader(memory_mb=MEMORY_MB) as grader:
        rest = grader.map([pair for pair, one in zip(chosen, found, strict=True) if one is None])
        return [one or next(rest) for one in found]


def grade_by_math_verify(chosen: list[Pair]) -> list[bool | None]:
    """Use math-verify as its documentation shows; letters become the text of the choice."""
    from math_verify import parse, verify

    found: list[bool | None] = []
    for gold, answer, options in chosen:
        sides = [
            options["ABCDE".index(side)] if options and side in tuple("ABCDE") else side
            for side in (gold, answer)
        ]
        try:
            trees = [parse(f"${text}$", parsing_timeout=None) for text in sides]
            found.append(verify(*trees, timeout_seconds=None))
        except Exception:  # an exception of math-verify counts as no verdict
            found.append(None)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_data_option(parser, "sources", "evals")
    parser.add_argument("--sample", type=int, default=1500, help="Pairs per set for math-verify.")
    add_json_option(parser)
    arguments = parser.parse_args()
    figures: list[Figure] = []
    sets = pairs(arguments.data)
    logging.disable(logging.WARNING)  # math-verify warns about the missing time limit
    grade_by_math_verify([("1", r"\frac12", ())])  # exclude its imports from the timing
    print(f"{'':10}{'pairs':>9}{'columns/s':>12}{'undecided':>11}{'all/s':>11}", end="")
    print(f"{'sample':>9}{'graded/s':>10}{'math-verify/s':>15}{'ratio':>8}")
    graded_total = verify_total = 0.0
    agreement: Counter[tuple[str, bool | None]] = Counter()
    for name, found in {"numbers": numbers(200_000), **sets}.items():
        columns_s, columns = measure(lambda found=found: compare_by_columns(found))
        whole_s, _ = measure(lambda found=found: grade_all(found))
        line = f"{name:10}{len(found):9,}{len(found) / columns_s:12,.0f}{columns.count(None):11,}"
        line += f"{len(found) / whole_s:11,.0f}"
        if name != "numbers":
            sample = found[:: max(1, len(found) // arguments.sample)]
            sample_s, outcomes = measure(lambda sample=sample: grade_all(sample))
            verify_s, verified = measure(lambda sample=sample: grade_by_math_verify(sample))
            graded_total, verify_total = graded_total + sample_s, verify_total + verify_s
            figures.append(
                Figure(f"{name}, grader over math-verify", sample_s, "s", sample_s / verify_s)
            )
            agreement.update(
                (one.outcome, other) for one, other in zip(outcomes, verified, strict=True)
            )
            line += f"{len(sample):9,}{len(sample) / sample_s:10,.0f}"
            line += f"{len(sample) / verify_s:15,.0f}{verify_s / sample_s:8,.0f}"
        print(line, flush=True)
    print(
        f"\nOn all sampled pairs: {verify_total / graded_total:.0f} times math-verify's throughput."
    )
    figures.append(
        Figure("all, grader over math-verify", graded_total, "s", graded_total / verify_total)
    )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"Peak memory of a child process: {peak:,.0f} MB, limit {MEMORY_MB:,} MB.")
    figures.append(Figure("child process over its memory limit", peak, "MB", peak / MEMORY_MB))
    write_figures(arguments.json, figures)
    for (outcome, other), count in sorted(agreement.items(), key=str):
        print(f"Curator {outcome:10} math-verify {other!s:6} {count:6,}")
    return 0 if verify_total >= 20 * graded_total else 1


if __name__ == "__main__":
    sys.exit(main())
