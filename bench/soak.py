"""Runs thousands of real and hostile programs and checks for leaks.

    python bench/soak.py --data DIR [--programs 20000]

In: DIR/outputs with published programs, mixed with the attacks of tests/data/attacks.json, one in
forty. Every second program prints its own number, so that swapped results are detected. Out:
memory, processes and open descriptors after each tenth, counts of statuses, and errors. Exit code 1
if there are errors.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from statistics import median

from data_option import add_data_option
from sandbox import process_tree, published_programs

from curator.sandbox import Sandbox
from curator.sandbox.jail.namespaces import NOBODY

ATTACKS = Path(__file__).resolve().parents[1] / "tests/data/attacks.json"
ONE_IN = 40
GROWTH_MB = 30
"""Maximum growth between the medians of the second and the last third of the measurements. The
first third is the warm-up; medians ignore a measurement during a memory bomb."""
FOLDERS = ("/tmp", "/var/tmp", "/dev/shm", "/")


def mix_programs(outputs: Path, count: int) -> Iterator[tuple[str, str]]:
    """Yield programs with their expected output; empty if it is not fixed."""
    real = cycle(list(dict.fromkeys(published_programs(outputs))))
    attacks = cycle(["\n".join(attack["program"]) for attack in json.loads(ATTACKS.read_text())])
    for number in range(count):
        if number % 2:
            yield f"print({number})", str(number)
        elif number % ONE_IN == 0:
            yield next(attacks), ""
        else:
            yield next(real), ""


def list_files() -> set[str]:
    """Return the paths in the folders that a program might write to."""
    return {f"{folder}/{name}" for folder in FOLDERS for name in os.listdir(folder)}


def may_be_from_program(path: str) -> bool:
    """Return whether the name or the owner of a file indicates that a program created it."""
    try:
        return "evil" in path or os.lstat(path).st_uid == NOBODY
    except OSError:
        return False


def memory_mb(pid: int) -> float:
    """Return the proportional memory of a process; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().split("\n")
    except OSError:
        return 0.0
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))


def measure() -> tuple[float, int, int]:
    """Return memory in MB and number of this process and its descendants, and open descriptors."""
    processes = list(process_tree(os.getpid()))
    return sum(map(memory_mb, processes)), len(processes), len(os.listdir("/proc/self/fd"))


def soak(outputs: Path, count: int) -> tuple[list[str], Counter[str]]:
    """Return errors, and counts of programs by status."""
    errors: list[str] = []
    statuses: Counter[str] = Counter()
    measurements: list[tuple[float, int, int]] = []
    before, started = list_files(), time.monotonic()
    with Sandbox(workers=2, wall_s=2, cpu_s=2, memory_mb=256) as box:
        expected: list[str] = []

        def texts() -> Iterator[str]:
            for text, output in mix_programs(outputs, count):
                expected.append(output)
                yield text

        for number, run in enumerate(box.map(texts())):
            statuses[run.status] += 1
            if expected[number] and (run.status, run.value) != ("ok", expected[number]):
                errors.append(f"program {number}: {run.status} {run.value[:40]!r} {run.error}")
            if (number + 1) % max(count // 10, 1) == 0:
                measurements.append(measure())
                memory, processes, descriptors = measurements[-1]
                print(
                    f"{number + 1:9,} programs{memory:9.0f} MB{processes:5} processes"
                    f"{descriptors:5} descriptors{time.monotonic() - started:8.0f} s",
                    flush=True,
                )
    if statuses.total() != count:
        errors.append(f"{statuses.total():,} results for {count:,} programs")
    third = max(len(measurements) // 3, 1)
    thirds = measurements[third : 2 * third], measurements[-third:]
    early, late = (median(memory for memory, _, _ in part) for part in thirds)
    if late > early + GROWTH_MB:
        errors.append(f"memory grew from {early:.0f} to {late:.0f} MB")
    if len({descriptors for _, _, descriptors in measurements[1:]}) > 1:
        errors.append("the number of open descriptors changed")
    if len(list(process_tree(os.getpid()))) > 1:
        errors.append("processes were left behind")
    if left := set(filter(may_be_from_program, list_files() - before)):
        errors.append(f"files were left behind: {', '.join(sorted(left))}")
    return errors, statuses


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_data_option(parser, "outputs")
    parser.add_argument("--programs", type=int, default=20_000)
    arguments = parser.parse_args()
    errors, statuses = soak(arguments.data / "outputs", arguments.programs)
    print(", ".join(f"{count:,} {status}" for status, count in sorted(statuses.items())))
    print("\n".join(errors) or "No leaks, and every program got its own result.")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
