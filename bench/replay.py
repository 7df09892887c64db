"""Runs the programs of published tool-integrated solutions again and compares their outputs.

    python bench/replay.py --data DIR [--show] [--json FILE]

In: DIR/outputs/tora and DIR/outputs/mathcoder. Out: per file, how many solutions print again what
they record, by reason of the check `replayed`, and the levels of the evidence for those whose
answer is right. With --show, every solution that does not, with the first block that differs.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from data_option import add_data_option
from results import Figure, add_json_option, write_figures

from curator.answers import Grader
from curator.checks import CHECKS, Candidate, collect_evidence, compare_pairs
from curator.checks.answer import level_of
from curator.core.model import Verdict
from curator.sandbox import Execution, Sandbox
from curator.sources.chat_columns import response_texts

CHUNK = 100
CPU_S = 10.0
WALL_S = 60.0
"""Longer than the CPU time, so that other work of the machine changes no result."""


def read_tora(path: Path) -> Iterator[Candidate]:
    for row in _rows(path):
        yield _candidate(row["question"], row["code"][0], row["gt"])


def read_mathcoder(path: Path) -> Iterator[Candidate]:
    for row in _rows(path):
        (text,) = response_texts(row["debug_result"], "debug_result")
        yield _candidate(row["debug_result"][1]["content"], text, row["ground_truth"]["answer"])


FILES = {
    "ToRA-70B on GSM8K": ("outputs/tora/tora-70b-gsm8k.jsonl", read_tora),
    "MathCoder-L-7B on MATH": (
        "outputs/mathcoder/mathcoder-l-7b_math_correct.jsonl",
        read_mathcoder,
    ),
}


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def _candidate(question: str, text: str, gold: str) -> Candidate:
    return Candidate(b"", "TIR", question, text, gold, ())


def check_all(
    candidates: Iterator[Candidate], box: Sandbox, grader: Grader
) -> Iterator[tuple[Candidate, Verdict]]:
    """Yield the candidates with their evidence, and the verdict of the check `replayed`."""
    check = CHECKS["replayed"]

    def run(programs: Sequence[str]) -> Iterator[Execution]:
        return box.map(programs)

    compare = partial(compare_pairs, grade=lambda pairs: list(grader.map(pairs)))
    while some := list(islice(candidates, CHUNK)):
        needs = (*check.needs, "equivalence")
        for candidate in collect_evidence(some, needs, run, compare):
            verdict = check.run(candidate, check.version)
            assert verdict is not None
            yield candidate, verdict


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_data_option(parser, "outputs")
    parser.add_argument("--show", action="store_true", help="Print each that is not reproduced.")
    add_json_option(parser)
    arguments = parser.parse_args()
    figures = []
    with Sandbox(wall_s=WALL_S, cpu_s=CPU_S) as box, Grader() as grader:
        for name, (path, read) in FILES.items():
            reasons, levels, blocks = Counter[str](), Counter[str](), Counter[str]()
            for number, (candidate, verdict) in enumerate(
                check_all(read(arguments.data / path), box, grader)
            ):
                reasons[f"{verdict.outcome} {verdict.reason}".strip()] += 1
                levels[level_of(candidate)] += 1
                blocks.update(
                    b.outcome for b in candidate.replay.blocks
                ) if candidate.replay else None
                if arguments.show and (verdict.reason or verdict.outcome != "passed"):
                    print(f"    {number}: {verdict.reason} {dict(verdict.evidence)}")
            total = reasons.total()
            print(f"{name}: {total:,} solutions")
            for counts, title in ((reasons, "replayed"), (levels, "level"), (blocks, "blocks")):
                for key, count in counts.most_common():
                    print(f"  {title:10}{key:42}{count:6,} {count / counts.total():6.1%}")
            passed = sum(n for reason, n in reasons.items() if reason.startswith("passed"))
            figures.append(Figure(f"{name}, reproduced", passed, "solutions"))
    write_figures(arguments.json, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
