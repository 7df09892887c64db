"""Runs real and hostile programs by the thousand and looks for whatever stays behind.

    python bench/soak.py --data DIR [--programs 20000]

In: DIR/outputs with published programs; the attacks of tests/data/attacks.json among them, one in
forty. Every other program prints its own number, so that an answer out of its place is seen. Out:
what was looked at every tenth of the way (memory, processes, open descriptors), how programs
ended, and what went wrong; exit code 1 if anything did.
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

from sandbox import published, tree

from curator.sandbox import Sandbox
from curator.sandbox.jail.namespaces import NOBODY

ATTACKS = Path(__file__).resolve().parents[1] / "tests/data/attacks.json"
ONE_IN = 40
GROWTH_MB = 30
"""More than this between the medians of the second and last third of all looks is a leak: the first
third warms up, and a look may meet a bomb."""
FOLDERS = ("/tmp", "/var/tmp", "/dev/shm", "/")


def mixed(outputs: Path, count: int) -> Iterator[tuple[str, str]]:
    """Programs, each with what it must print; empty where that is not fixed."""
    real = cycle(list(dict.fromkeys(published(outputs))))
    attacks = cycle(["\n".join(attack["program"]) for attack in json.loads(ATTACKS.read_text())])
    for number in range(count):
        if number % 2:
            yield f"print({number})", str(number)
        elif number % ONE_IN == 0:
            yield next(attacks), ""
        else:
            yield next(real), ""


def files() -> set[str]:
    """Names in the folders that a program might write to, were it let."""
    return {f"{folder}/{name}" for folder in FOLDERS for name in os.listdir(folder)}


def evil(path: str) -> bool:
    """Whether a program may have made it: it has its name, or its owner."""
    try:
        return "evil" in path or os.lstat(path).st_uid == NOBODY
    except OSError:
        return False


def held_mb(pid: int) -> float:
    """Memory of a process; what it shares with others counts in part. 0 for one that has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().split("\n")
    except OSError:
        return 0.0
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))


def look() -> tuple[float, int, int]:
    """Memory in MB of this process and all below, their number, open descriptors here."""
    family = list(tree(os.getpid()))
    return sum(map(held_mb, family)), len(family), len(os.listdir("/proc/self/fd"))


def soak(outputs: Path, count: int) -> tuple[list[str], Counter[str]]:
    """What went wrong, and how many programs ended in which way."""
    wrong: list[str] = []
    ends: Counter[str] = Counter()
    looks: list[tuple[float, int, int]] = []
    before, started = files(), time.monotonic()
    with Sandbox(workers=2, wall_s=2, cpu_s=2, memory_mb=256) as box:
        wanted: list[str] = []

        def texts() -> Iterator[str]:
            for text, prints in mixed(outputs, count):
                wanted.append(prints)
                yield text

        for number, run in enumerate(box.map(texts())):
            ends[run.status] += 1
            if wanted[number] and (run.status, run.value) != ("ok", wanted[number]):
                wrong.append(f"program {number}: {run.status} {run.value[:40]!r} {run.error}")
            if (number + 1) % max(count // 10, 1) == 0:
                looks.append(look())
                memory, processes, descriptors = looks[-1]
                print(
                    f"{number + 1:9,} programs{memory:9.0f} MB{processes:5} processes"
                    f"{descriptors:5} descriptors{time.monotonic() - started:8.0f} s",
                    flush=True,
                )
    if ends.total() != count:
        wrong.append(f"{ends.total():,} answers to {count:,} programs")
    third = max(len(looks) // 3, 1)
    thirds = looks[third : 2 * third], looks[-third:]
    early, late = (median(memory for memory, _, _ in part) for part in thirds)
    if late > early + GROWTH_MB:
        wrong.append(f"memory grew from {early:.0f} to {late:.0f} MB")
    if len({descriptors for _, _, descriptors in looks[1:]}) > 1:
        wrong.append("the number of open descriptors changed")
    if len(list(tree(os.getpid()))) > 1:
        wrong.append("processes are left")
    if left := set(filter(evil, files() - before)):
        wrong.append(f"files are left: {', '.join(sorted(left))}")
    return wrong, ends


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds outputs/")
    parser.add_argument("--programs", type=int, default=20_000)
    asked = parser.parse_args()
    wrong, ends = soak(asked.data / "outputs", asked.programs)
    print(", ".join(f"{count:,} {end}" for end, count in sorted(ends.items())))
    print("\n".join(wrong) or "Nothing was left behind, and every program has its own answer.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
