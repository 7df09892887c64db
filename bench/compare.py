"""Compares the ratios of two runs of the measurements.

    python bench/compare.py OLD NEW [--tolerance 0.1]

In: two files that `--json` wrote, or two folders of them. Out: a table of the ratios to the
baseline of each run, since seconds of two machines, or of two hours, do not compare. A smaller
ratio is better. Exit code 1 if a ratio grew by more than the tolerance, 2 if nothing can be
compared.
"""

import argparse
import sys
from collections.abc import Iterable
from math import inf
from pathlib import Path

from results import read_figures

NAME, END = 45, 16
"""Printed characters of a name, and of its end if it is longer."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("old", type=Path, metavar="OLD")
    parser.add_argument("new", type=Path, metavar="NEW")
    parser.add_argument(
        "--tolerance", type=float, default=0.1, help="Growth that is allowed. Default: 0.1 (10%%)."
    )
    arguments = parser.parse_args()
    for path in (arguments.old, arguments.new):
        if not path.exists():
            parser.error(f"{path} does not exist. Write it with --json or 'make bench'.")
    if not arguments.tolerance >= 0:
        parser.error(f"--tolerance must be 0 or more; {arguments.tolerance} is not.")
    try:
        old, new = read_figures(arguments.old), read_figures(arguments.new)
    except ValueError as error:
        parser.error(str(error))
    common = [
        (name, before, after)
        for name in old
        if name in new
        and (before := old[name].ratio) is not None
        and (after := new[name].ratio) is not None
    ]
    if not common:
        parser.error(
            f"{arguments.old} and {arguments.new} have no ratio in common. Compare results of the "
            "same scripts."
        )
    worse = print_ratios(common, arguments.tolerance)
    for names, file in ((old.keys() - new.keys(), arguments.new),
                        (new.keys() - old.keys(), arguments.old)):  # fmt: skip
        print("".join(f"missing in {file}: {name}\n" for name in sorted(names)), end="")
    print(f"Ratios that grew by more than {arguments.tolerance:.0%}: {worse:,}.")
    return 1 if worse else 0


def find_growth(before: float, after: float) -> float:
    """Return by which share a ratio grew; infinite from 0."""
    if not before:
        return inf if after else 0.0
    return after / before - 1


def print_ratios(common: Iterable[tuple[str, float, float]], tolerance: float) -> int:
    """Print the ratios that both runs have; return how many grew by more than the tolerance."""
    worse = 0
    print(f"{'ratio to the baseline':46}{'old':>9}{'new':>9}{'change':>9}")
    for name, before, after in common:
        change = find_growth(before, after)
        worse += change > tolerance
        mark = " worse" if change > tolerance else ""
        # The end of a name has its unit.
        short = name if len(name) <= NAME else f"{name[: NAME - END - 1]}…{name[-END:]}"
        print(f"{short:46}{before:9.3g}{after:9.3g}{change:+9.1%}{mark}")
    return worse


if __name__ == "__main__":
    sys.exit(main())
