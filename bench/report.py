"""Write and open the report page of a version with as many rows as the released MathInstruct.

    python bench/report.py [--rows 262000] [--json FILE]

Out: seconds and size of the page, and the milliseconds until a real Chromium has loaded it.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from results import Figure, add_json_option, write_figures  # noqa: E402

from tests.versions.report.browser import CHROMIUM, chromium  # noqa: E402

LOADED = "performance.timing.loadEventEnd - performance.timing.navigationStart"


def run(*words: object) -> float:
    """Run a command and return the seconds that it took."""
    began = time.monotonic()
    command = [sys.executable, *map(str, words)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=262_000)
    add_json_option(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data, store, page = folder / "data", folder / "store", folder / "page.html"
        run("bench/make_rows.py", "--rows", arguments.rows, data)
        build = ("-m", "curator", "build", "released", "--mirror", data, "--allow-missing")
        build_s = run(*build, "--store", store)
        seconds = run("-m", "curator", "report", "released", "--store", store, "-o", page)
        size = page.stat().st_size / 1e6
        print(f"{arguments.rows:,} rows: page written in {seconds:.1f} s, {size:.1f} MB", end="")
        rows = f"{arguments.rows:,} rows"
        found = [
            Figure(f"{rows}, page over build, s", seconds, "s", seconds / build_s),
            Figure(f"{rows}, size of the page", size, "MB"),
        ]
        if CHROMIUM:
            with chromium(folder / "profile") as browser:
                browser.open(page)
                loaded = browser.evaluate(LOADED)
                found.append(Figure(f"{rows}, page loaded", loaded, "ms"))
                print(f", loaded in {loaded} ms")
        else:
            print("; not opened: Chromium is not installed")
        write_figures(arguments.json, found)


if __name__ == "__main__":
    main()
