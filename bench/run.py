"""Times whole commands on made-up rows: build, again, another mixture, export, `datasets`, --help.

    python bench/run.py [--rows 262000] [--rows 2620000] [--evals DIR] [--folder DIR]

Out: a table a size with seconds, CPU seconds and peak memory, the same job with `datasets` and the
ratio, growth between sizes, and whether every planted fault was found; exit code 1 if one was not.
Nothing is executed: the rows are released ones, checked for their form, deduplicated,
decontaminated and mixed.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from hashlib import md5
from pathlib import Path

from datasets_baseline import SHARES
from measure import Measured, measure

HERE = Path(__file__).parent
SUBSETS = {
    "data/CoT/aqua_rat.json": "aqua_rat_cot",
    "data/CoT/math50k_camel.json": "math50k_camel_cot",
}
"""Subsets of the recipe `released` that the mixture bounds, by their source."""


def recipe(folder: Path, name: str, shares: dict[str, float]) -> str:
    """Write a recipe that extends `released` by a mixture; its path."""
    path = folder / f"{name}.yaml"
    mixture = {SUBSETS[source]: f"{share:.0%}" for source, share in shares.items()}
    content = {"name": "bench", "extends": "released", "mixture": {"subsets": mixture}}
    path.write_text(json.dumps(content))  # JSON is YAML
    return str(path)


def folded(line: str) -> bytes:
    """A name of a row: its texts without case and white space."""
    row = json.loads(line)
    bare = ("".join(row[name].lower().split()) for name in ("instruction", "output"))
    return md5("\0".join(bare).encode()).digest()


def faults(mirror: Path, built: Path, reasons: Counter[str]) -> list[str]:
    """What is wrong with an exported version, judged by where the faults were planted."""
    planted = json.loads((mirror / "planted.json").read_text())
    leaks = {row for row, _, _ in planted["contaminated"]}
    leaked, good = set(), set()
    with (mirror / "sources/mathinstruct/MathInstruct.json").open() as file:
        for number, line in enumerate(line for line in file if line.startswith("{")):
            (leaked if number in leaks else good).add(folded(line.rstrip(",\n")))
    with built.open() as file:
        kept = Counter(map(folded, file))
    counts = {
        "duplicates were kept": kept.total() - len(kept),
        "test questions were kept": len(leaked & kept.keys()),
        "rows are not of the source": len(kept.keys() - good - leaked),
        "duplicates too few or too many were refused": abs(
            reasons["failed: duplicate"] - len(planted["duplicates"])
        ),
        "test questions too few or too many were refused": abs(
            reasons["failed: contaminated"] - len(leaks)
        ),
    }
    return [f"{count:,} {what}" for what, count in counts.items() if count]


def bench(rows: int, evals: Path | None, folder: Path) -> tuple[dict[str, Measured], list[str]]:
    """Every command measured, by what it does, on so many rows; and what went wrong."""
    mirror, store = folder / "mirror", folder / "store"
    ours, theirs = folder / "ours.jsonl", folder / "theirs.jsonl"
    python = [sys.executable]
    make = [*python, str(HERE / "make_rows.py"), str(mirror), "--rows", str(rows)]
    print(measure([*make, "--evals", str(evals)] if evals else make).output, end="", flush=True)
    curator = [*python, "-m", "curator"]
    at = ["--store", str(store)]
    build = [*curator, "build", *at, "--mirror", str(mirror)]
    first = recipe(folder, "first", SHARES)
    other = recipe(folder, "other", dict.fromkeys(SHARES, 0.5))
    export = [*curator, "export", "bench@1", "--format", "alpaca-jsonl", "-o", str(ours), *at]
    baseline = [*python, str(HERE / "datasets_baseline.py"), str(mirror), str(theirs)]
    took: dict[str, Measured] = {}
    for what, command in {
        "build": [*build, first],
        "build again": [*build, first],
        "build another mixture": [*build, other],
        "export": export,
        "datasets": baseline,
        "--help": [*curator, "--help"],
    }.items():
        took[what] = done = measure(command)
        print(f"{what:24}{done.wall_s:8.1f} s", flush=True)
    shown = json.loads(measure([*curator, "show", "bench@1", "--json", *at]).output)
    reasons: Counter[str] = Counter()
    for subset in shown["subsets"].values():
        reasons.update(subset["reasons"])
    return took, faults(mirror, ours, reasons)


def table(rows: int, took: dict[str, Measured]) -> None:
    """Print what was measured on so many rows."""
    job = took["build"].wall_s + took["export"].wall_s
    work = took["build"].cpu_s + took["export"].cpu_s
    print(f"\n{f'{rows:,} rows':24}{'seconds':>9}{'CPU s':>9}{'peak MB':>9}")
    for what, done in took.items():
        print(f"{what:24}{done.wall_s:9.1f}{done.cpu_s:9.1f}{done.peak_mb:9,.0f}")
    print(f"{'build and export':24}{job:9.1f}{work:9.1f}")
    theirs = took["datasets"]
    print(f"{'  over datasets':24}{job / theirs.wall_s:9.2f}{work / theirs.cpu_s:9.2f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, action="append", help="rows; may be given twice")
    parser.add_argument("--evals", type=Path, help="folder of real evaluation sets")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder if absent")
    asked = parser.parse_args()
    results: list[tuple[int, dict[str, Measured]]] = []
    wrong: list[str] = []
    for rows in asked.rows or [262_000]:
        with tempfile.TemporaryDirectory(dir=asked.folder, prefix="bench-") as folder:
            took, found = bench(rows, asked.evals, Path(folder))
        results.append((rows, took))
        wrong += [f"{rows:,} rows: {fault}" for fault in found]
    for rows, took in results:
        table(rows, took)
    (small, before), (large, after) = results[0], results[-1]
    if large > small:
        print(f"\n{large / small:.0f} times the rows")
        for what in before:
            times = after[what].wall_s / before[what].wall_s
            print(f"{what:24}{times:9.1f} times the seconds")
    print("\n" + ("\n".join(wrong) or "Every planted duplicate and test question was found."))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
