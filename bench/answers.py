"""Times the comparison of answers against math-verify, over real golds and answers.

    python bench/answers.py --data DIR [--sample 1500]

In: GSM8K, MATH and AQuA below DIR. Pairs: each gold with the answer that its solution states, and
with the answer of the next row. Out: pairs per second of `compare_columns` over all pairs, of the
whole grading (rules, then child processes), of math-verify over a sample of the same pairs, and the
ratio over that sample; peak memory of a child process; how often the two graders agree.
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
    """Set, gold, solution and options."""
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
    before = ""
    for name, gold, solution, options in rows(data):
        answer = extract(solution, options)
        said = render_answer(answer) if answer else ""
        of_set = found.setdefault(name, [])
        of_set.append((gold, said, options))
        of_set.append((gold, before, options))
        before = said
    return found


def numbers(count: int) -> list[Pair]:
    """Plain numbers as golds and programs write them."""
    golds = [f"{n * 37 % 100_003:,}" if n % 3 else f"{n / 8}" for n in range(count)]
    return [
        (gold, gold.replace(",", "") + ("" if "." in gold else ".0") if n % 2 else str(n), ())
        for n, gold in enumerate(golds)
    ]


def timed(work: Callable[[], list[Any]]) -> tuple[float, list[Any]]:
    read.cache_clear()  # what an earlier run has read would make this one look faster
    strip_labels.cache_clear()
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def by_columns(asked: list[Pair]) -> list[Equivalence | None]:
    golds, answers, options = zip(*asked, strict=True)
    return compare_columns(golds, answers, options)


def by_all(asked: list[Pair]) -> list[Equivalence]:
    """The rules, then child processes for what they leave open."""
    found = by_columns(asked)
    with Grader(memory_mb=MEMORY_MB) as grader:
        rest = grader.map([pair for pair, one in zip(asked, found, strict=True) if one is None])
        return [one or next(rest) for one in found]


def by_math_verify(asked: list[Pair]) -> list[bool | None]:
    """math-verify as its users call it: parse both, verify; letters as the text of the option."""
    from math_verify import parse, verify

    found: list[bool | None] = []
    for gold, answer, options in asked:
        sides = [
            options["ABCDE".index(side)] if options and side in tuple("ABCDE") else side
            for side in (gold, answer)
        ]
        try:
            trees = [parse(f"${text}$", parsing_timeout=None) for text in sides]
            found.append(verify(*trees, timeout_seconds=None))
        except Exception:  # whatever it raises on an answer is no verdict
            found.append(None)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="with sources/ and evals/")
    parser.add_argument("--sample", type=int, default=1500, help="pairs a set for math-verify")
    asked = parser.parse_args()
    sets = pairs(asked.data)
    logging.disable(logging.WARNING)  # math-verify warns that it has no time limit here
    by_math_verify([("1", r"\frac12", ())])  # its imports are not its speed
    print(f"{'':10}{'pairs':>9}{'columns/s':>12}{'left open':>11}{'all/s':>11}", end="")
    print(f"{'sample':>9}{'ours/s':>10}{'math-verify/s':>15}{'ratio':>8}")
    ours_s = theirs_s = 0.0
    agreement: Counter[tuple[str, bool | None]] = Counter()
    for name, found in {"numbers": numbers(200_000), **sets}.items():
        columns_s, columns = timed(lambda found=found: by_columns(found))
        whole_s, _ = timed(lambda found=found: by_all(found))
        line = f"{name:10}{len(found):9,}{len(found) / columns_s:12,.0f}{columns.count(None):11,}"
        line += f"{len(found) / whole_s:11,.0f}"
        if name != "numbers":
            sample = found[:: max(1, len(found) // asked.sample)]
            mine_s, mine = timed(lambda sample=sample: by_all(sample))
            their_s, theirs = timed(lambda sample=sample: by_math_verify(sample))
            ours_s, theirs_s = ours_s + mine_s, theirs_s + their_s
            agreement.update((one.outcome, other) for one, other in zip(mine, theirs, strict=True))
            line += f"{len(sample):9,}{len(sample) / mine_s:10,.0f}"
            line += f"{len(sample) / their_s:15,.0f}{their_s / mine_s:8,.0f}"
        print(line, flush=True)
    print(f"\nOver all sampled pairs: {theirs_s / ours_s:.0f} times math-verify's throughput.")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"Peak memory of a child process: {peak:,.0f} MB, bound {MEMORY_MB:,} MB.")
    for (outcome, other), count in sorted(agreement.items(), key=str):
        print(f"ours {outcome:10} math-verify {other!s:6} {count:6,}")
    return 0 if theirs_s >= 20 * ours_s else 1


if __name__ == "__main__":
    sys.exit(main())
