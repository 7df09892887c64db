"""Compares the ratios of two runs of the measurements.

    python bench/compare.py OLD NEW [--tolerance 0.1]

In: two files that `--json` wrote, or two folders of them. Out: a table of the ratios to the
baseline of each run, since seconds of two machines, or of two hours, do not compare. A smaller
ratio is better. Exit code 1 if a ratio grew by more than the tolerance.
"""

import argparse
import sys
from pathlib import Path

from results import Figure, read_figures


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
    old, new = read_figures(arguments.old), read_figures(arguments.new)
    worse = print_ratios(old, new, arguments.tolerance)
    for names, file in ((old.keys() - new.keys(), arguments.new),
                        (new.keys() - old.keys(), arguments.old)):  # fmt: skip
        print("".join(f"missing in {file}: {name}\n" for name in sorted(names)), end="")
    print(f"Ratios that grew by more than {arguments.tolerance:.0%}: {worse:,}.")
    return 1 if worse else 0


def print_ratios(old: dict[str, Figure], new: dict[str, Figure], tolerance: float) -> int:
    """Print the ratios that both runs have; return how many grew by more than the tolerance."""
    worse = 0
    print(f"{'ratio to the baseline':46}{'old':>9}{'new':>9}{'change':>9}")
    for name, figure in old.items():
        before, after = figure.ratio, new[name].ratio if name in new else None
        if before is None or after is None:
            continue
        change = after / before - 1
        worse += change > tolerance
        mark = " worse" if change > tolerance else ""
        print(f"{name[:45]:46}{before:9.3g}{after:9.3g}{change:+9.1%}{mark}")
    return worse


if __name__ == "__main__":
    sys.exit(main())
