"""Measures how many calls the sequential test of `sampling.band` saves, and how often it is wrong.

    python bench/bands.py --data DIR [--json FILE]

In: DIR/outputs with 30 programs of Codex for each of 253 questions of AQuA (Program-of-Thoughts).
Out: a table by band and error: the calls until the band of each problem is decided, and how many of
the decided bands differ from that of the rate of all 30 samples. Samples that cannot be compared
with the gold are left out, as in a build, or counted as failures, as in the published score.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from data_option import add_data_option
from published import codex
from results import Figure, add_json_option, write_figures

from curator.answers import Grader
from curator.checks.grade_samples import grade
from curator.core.model import Outcome
from curator.pipeline.band import Band, decide_band
from curator.sandbox import Sandbox

BANDS = ((0.2, 0.8), (0.1, 0.7))
ERRORS = (0.05, 0.1, 0.2, 0.3)


@dataclass(frozen=True)
class Replay:
    """The sequential test over recorded samples."""

    problems: int
    samples: int
    calls: int
    """Samples until each band was decided, or all of them."""
    decided: int
    different: int
    """Decided bands that differ from those of all samples."""

    @property
    def saved(self) -> float:
        """Share of the samples that were not needed."""
        return 1 - self.calls / self.samples


def replay(
    problems: Sequence[Sequence[Outcome]], band: tuple[float, float], error: float
) -> Replay:
    """Return what the test decides if each problem has the recorded outcomes in order."""
    calls = decided = different = 0
    for outcomes in problems:
        found: Band | None = None
        counts = {"passed": 0, "failed": 0, "undecided": 0}
        for outcome in outcomes:
            calls += 1
            counts[outcome] += 1
            found = decide_band(counts["passed"], counts["failed"], band, error)
            if found:
                break
        decided += found is not None
        different += found is not None and found != band_of(outcomes, band)
    samples = sum(map(len, problems))
    return Replay(len(problems), samples, calls, decided, different)


def band_of(outcomes: Sequence[Outcome], band: tuple[float, float]) -> Band | None:
    """Return the band of the rate of all outcomes; None without a decided one."""
    successes, failures = outcomes.count("passed"), outcomes.count("failed")
    if not successes + failures:
        return None
    rate = successes / (successes + failures)
    return "too hard" if rate < band[0] else "too easy" if rate > band[1] else "useful"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_data_option(parser, "outputs")
    add_json_option(parser)
    arguments = parser.parse_args()
    with Sandbox(workers=2) as box, Grader() as grader:
        graded = grade(codex(arguments.data / "outputs"), box.map, grader.map)
        recorded: list[list[Outcome]] = [
            [
                "passed" if right else "failed" if wrong else "undecided"
                for right, wrong in zip(each.right, each.wrong, strict=True)
            ]
            for each in graded
        ]
    strict: list[list[Outcome]] = [
        ["failed" if outcome == "undecided" else outcome for outcome in outcomes]
        for outcomes in recorded
    ]
    figures: list[Figure] = []
    samples = sum(map(len, recorded))
    undecided = sum(outcomes.count("undecided") for outcomes in recorded)
    print(f"{len(recorded):,} problems, {samples:,} samples, {undecided:,} of them undecided")
    print("undecided  band        error   calls   saved  decided  different")
    for name, problems in (("left out", recorded), ("failures", strict)):
        for band in BANDS:
            for error in ERRORS:
                result = replay(problems, band, error)
                edges = f"{band[0]} to {band[1]}"
                print(
                    f"{name:9}  {edges:10}  {error:5}  {result.calls:6,}  {result.saved:6.1%}  "
                    f"{result.decided:7}  {result.different:9}"
                )
                label = f"undecided {name}, {edges}, error {error}"
                figures.append(Figure(f"{label}, saved", result.saved, "share"))
                figures.append(Figure(f"{label}, different", result.different, "problems"))
    write_figures(arguments.json, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
