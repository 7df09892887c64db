"""Measures `quickstart`, and builds, exports, report, diff, audit and verify on generated rows.

    python bench/run.py [--rows 262000] [--rows 2620000] [--evals DIR] [--folder DIR] [--json FILE]

Out: a table of seconds, CPU seconds and peak memory of all processes of a command, for a build of
`quickstart` and the imports that are most of it, and per size, with the ratio to the same job in
`datasets`; growth between sizes; and whether every planted duplicate and evaluation question was
found. Exit code 1 if not. No programs of generated rows run: the rows are checked for their format,
deduplicated, decontaminated and mixed.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from hashlib import md5
from pathlib import Path

from datasets_baseline import SHARES
from measure import Measured, measure
from results import Figure, add_json_option, relate, write_figures

from curator.recipe.load import load_recipe

HERE = Path(__file__).parent
BASELINE = "  import datasets"
"""What the seconds of a small build are compared with."""
UNHASHED = """
import sys
from curator.cli import main
from datastore.objects import Objects
Objects.check = lambda objects, digest, again=False: None
main()
"""
"""The command line without the check of objects, to show what it costs."""
SUBSETS = {
    "data/CoT/aqua_rat.json": "aqua_rat_cot",
    "data/CoT/math50k_camel.json": "math50k_camel_cot",
}
"""Subsets of the recipe `released` that the mixture limits, by source."""


def write_recipe(folder: Path, name: str, shares: dict[str, float]) -> str:
    """Write a recipe with the subsets of `released` and a mixture; return its path.

    The generated files have no sources of gold answers, so only the form of rows is checked.
    """
    subsets = {
        subset: {
            "source": each.source,
            "part": each.part,
            "kind": each.kind,
            "release_as": each.release_as,
            "checks": ["format"],
        }
        for subset, each in load_recipe("released").subsets.items()
    }
    content = {
        "name": "bench",
        "about": "Generated rows in the shape of the released MathInstruct",
        "subsets": subsets,
        "mixture": {
            "subsets": {SUBSETS[source]: f"{share:.0%}" for source, share in shares.items()}
        },
        "screens": {"duplicates": True, "contamination": {}},
    }
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(content))  # JSON is YAML
    return str(path)


def normalised_hash(line: str) -> bytes:
    """Return a hash of a row's texts, ignoring case and white space."""
    row = json.loads(line)
    bare = ("".join(row[name].lower().split()) for name in ("instruction", "output"))
    return md5("\0".join(bare).encode()).digest()


def find_errors(mirror: Path, built: Path, reasons: Counter[str]) -> list[str]:
    """Compare an exported version with the planted duplicates and evaluation questions."""
    planted = json.loads((mirror / "planted.json").read_text())
    leaks = {row for row, _, _ in planted["contaminated"]}
    leaked, good = set(), set()
    with (mirror / "sources/mathinstruct/MathInstruct.json").open() as file:
        for number, line in enumerate(line for line in file if line.startswith("{")):
            (leaked if number in leaks else good).add(normalised_hash(line.rstrip(",\n")))
    with built.open() as file:
        kept = Counter(map(normalised_hash, file))
    counts = {
        "duplicates were not rejected": kept.total() - len(kept),
        "evaluation questions were not rejected": len(leaked & kept.keys()),
        "rows are not of the source": len(kept.keys() - good - leaked),
        "too few or too many duplicates were rejected": abs(
            reasons["failed: duplicate"] - len(planted["duplicates"])
        ),
        "too few or too many evaluation questions were rejected": abs(
            reasons["failed: same question"] - len(leaks)
        ),
    }
    return [f"{count:,} {what}" for what, count in counts.items() if count]


def bench(rows: int, evals: Path | None, folder: Path) -> tuple[dict[str, Measured], list[str]]:
    """Measure every command on a number of rows; return the measurements and the errors."""
    mirror, store = folder / "mirror", folder / "store"
    ours, theirs = folder / "ours.jsonl", folder / "theirs.jsonl"
    python = [sys.executable]
    make = [*python, str(HERE / "make_rows.py"), str(mirror), "--rows", str(rows)]
    print(measure([*make, "--evals", str(evals)] if evals else make).output, end="", flush=True)
    curator = [*python, "-m", "curator"]
    at = ["--store", str(store)]
    build = [*curator, "build", *at, "--mirror", str(mirror)]
    first = write_recipe(folder, "first", SHARES)
    other = write_recipe(folder, "other", dict.fromkeys(SHARES, 0.5))
    export = [*curator, "export", "bench@1", "--format", "alpaca-jsonl", "-o", str(ours), *at]
    hub = [*curator, "export", "bench@1", "--format", "hub", "-o", str(folder / "hub"), *at]
    baseline = [*python, str(HERE / "datasets_baseline.py"), str(mirror), str(theirs)]
    plain = [*python, "-c", UNHASHED]
    measured: dict[str, Measured] = {}
    for what, command in {
        "build": [*build, first],
        "rebuild": [*build, first],
        "  objects not hashed": [*plain, *build[len(curator) :], first],
        "build another mixture": [*build, other],
        "export": export,
        "  not hashed": [*plain, *export[len(curator) :], "--overwrite"],
        "export for the Hub": hub,
        "report": [*curator, "report", "bench@1", "-o", str(folder / "report.html"), *at],
        "diff": [*curator, "diff", "bench@1", "bench@2", *at],
        "audit": [*curator, "audit", str(ours), "--mirror", str(mirror), *at],
        "verify": [*curator, "verify", *at],
        "datasets": baseline,
        "--help": [*curator, "--help"],
    }.items():
        measured[what] = done = measure(command)
        print(f"{what:24}{done.wall_s:8.1f} s", flush=True)
    manifest = json.loads(measure([*curator, "show", "bench@1", "--json", *at]).output)
    reasons: Counter[str] = Counter()
    for subset in manifest["subsets"].values():
        reasons.update(subset["reasons"])
    return measured, find_errors(mirror, ours, reasons)


def bench_quickstart(store: Path) -> dict[str, Measured]:
    """Measure `curator build quickstart` from an empty store, again, and what it imports."""
    build = ["-m", "curator", "build", "quickstart", "--store", str(store)]
    measured = {}
    for what, arguments in {
        "quickstart": build,
        "  without a change": build,
        "  import the pipeline": ["-c", "import curator.pipeline.build"],
        "  import openai": ["-c", "import openai"],
        "  import numpy and sympy": ["-c", "import numpy, sympy"],
        BASELINE: ["-c", "import datasets"],
    }.items():
        measured[what] = measure([sys.executable, *arguments])
    return measured


def print_table(title: str, measured: dict[str, Measured]) -> None:
    """Print the measurements."""
    print(f"\n{title:24}{'seconds':>9}{'CPU s':>9}{'peak MB':>9}")
    for what, done in measured.items():
        print(f"{what:24}{done.wall_s:9.1f}{done.cpu_s:9.1f}{done.peak_mb:9,.0f}")


def print_ratios(measured: dict[str, Measured]) -> None:
    """Print the sum of build and export, and its ratio to the job in `datasets`."""
    job = measured["build"].wall_s + measured["export"].wall_s
    work = measured["build"].cpu_s + measured["export"].cpu_s
    print(f"{'build and export':24}{job:9.1f}{work:9.1f}")
    baseline = measured["datasets"]
    print(f"{'  over datasets':24}{job / baseline.wall_s:9.2f}{work / baseline.cpu_s:9.2f}")


def figures(rows: int, measured: dict[str, Measured]) -> Iterator[Figure]:
    """Yield the figures of each command, as ratios to those of `datasets`."""
    build, export, baseline = measured["build"], measured["export"], measured["datasets"]
    job = Measured(
        build.wall_s + export.wall_s,
        build.cpu_s + export.cpu_s,
        max(build.peak_mb, export.peak_mb),
        "",
    )
    yield from relate(f"{rows:,} rows, ", {"build and export": job, **measured}, baseline)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--rows", type=int, action="append", help="Number of rows; can be repeated."
    )
    parser.add_argument("--evals", type=Path, help="Folder of real evaluation sets.")
    parser.add_argument("--folder", type=Path, help="Working folder. Default: a temporary folder.")
    add_json_option(parser)
    arguments = parser.parse_args()
    results: list[tuple[int, dict[str, Measured]]] = []
    errors: list[str] = []
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="bench-") as store:
        start = bench_quickstart(Path(store))
    for rows in arguments.rows or [262_000]:
        with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="bench-") as folder:
            measured, found = bench(rows, arguments.evals, Path(folder))
        results.append((rows, measured))
        errors += [f"{rows:,} rows: {error}" for error in found]
    print_table("start", start)
    for rows, measured in results:
        print_table(f"{rows:,} rows", measured)
        print_ratios(measured)
    found_figures = [one for rows, measured in results for one in figures(rows, measured)]
    write_figures(arguments.json, [*relate("", start, start[BASELINE]), *found_figures])
    (small, before), (large, after) = results[0], results[-1]
    if large > small:
        print(f"\n{large / small:.0f} times the rows")
        for what in before:
            times = after[what].wall_s / before[what].wall_s
            print(f"{what:24}{times:9.1f} times the seconds")
    print(
        "\n" + ("\n".join(errors) or "Every planted duplicate and evaluation question was found.")
    )
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
