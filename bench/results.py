"""The figures of a measurement, in a file that `compare.py` reads.

In: figures. Out: `{"figures": [{"name", "value", "unit", "ratio"}, …]}`. Values depend on the
machine; the ratio relates a cost to a baseline that was measured in the same run.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from measure import Measured

MOST = 1e100
"""Above all numbers that are measured."""


@dataclass(frozen=True)
class Figure:
    """One measured value."""

    name: str
    value: float
    unit: str
    ratio: float | None = None
    """Cost divided by that of the baseline: a smaller one is better. None without a baseline."""


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add the option `--json FILE`."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="Write the figures to FILE, too.")


def relate(prefix: str, measured: dict[str, Measured], baseline: Measured) -> Iterator[Figure]:
    """Yield the figures of each command, as ratios to those of a baseline among them."""
    for what, done in measured.items():
        for kind, unit in (("wall_s", "s"), ("cpu_s", "CPU s"), ("peak_mb", "MB")):
            value = getattr(done, kind)
            ratio = value / getattr(baseline, kind) if done is not baseline else None
            yield Figure(f"{prefix}{what.strip()}, {unit}", value, unit, ratio)


def write_figures(file: Path | None, figures: Iterable[Figure]) -> None:
    """Write figures to a file; do nothing without one."""
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        content = {"figures": [asdict(figure) for figure in figures]}
        file.write_text(json.dumps(content, indent=1) + "\n")


def read_figures(path: Path) -> dict[str, Figure]:
    """Return the figures of a file by name; those of a folder of files as `FILE: NAME`.

    Raises ValueError with one line if a file has something else.
    """
    if path.is_dir():
        return {
            f"{file.stem}: {name}": figure
            for file in sorted(path.glob("*.json"))
            for name, figure in read_figures(file).items()
        }
    try:
        figures = [Figure(**each) for each in json.loads(path.read_text())["figures"]]
        for each in figures:
            _check(each)
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{path} is not a file of figures ({reason}). Write it with --json or 'make bench'."
        ) from None
    return {figure.name: figure for figure in figures}


def _check(figure: Figure) -> None:
    """Raise TypeError if a figure is not one of `write_figures`."""
    if not isinstance(figure.name, str) or not figure.name.isprintable():
        raise TypeError("a name is not printable text")
    for number in (figure.value, 0 if figure.ratio is None else figure.ratio):
        # Infinity and NaN would compare as no growth.
        if not isinstance(number, int | float) or not 0 <= number < MOST:
            raise TypeError("a figure is not a number from 0")
