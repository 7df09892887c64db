"""A small world to build in: a mirror with known records, and a recipe that reads it.

Of the nine GSM8K records one does not parse, one contradicts its own annotations, one is a
duplicate and one is an evaluation question. So every number of its build is known.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.paths import ROOT
from tests.processes import run_fresh

LAMPS = "A shop sells 6 lamps at $15 each and 4 chairs at $22 each. How much does it take in?"
RIGHT = [
    ("Ann picks 3 baskets of 12 pears. How many pears?", "Ann has 3*12=<<3*12=36>>36 pears.", "36"),
    (
        "Ben walks 4 km a day for 250 days. How many km?",
        "He walks 4*250=<<4*250=1000>>1000.",
        "1,000",
    ),
    ("Cem splits $45 among 6. How much each in dollars?", "Each has 45/6=<<45/6=7.5>>7.5.", "7.5"),
    ("Dee has 5 coins and loses 9 owed. What is left?", "She has 5-9=<<5-9=-4>>-4 coins.", "-4"),
    (LAMPS, "Lamps 6*15=<<6*15=90>>90, chairs 4*22=<<4*22=88>>88. 90+88=<<90+88=178>>178.", "178"),
]
WRONG = ("Eli reads 20 of 50 pages. How many are left?", "There are 50-20=<<50-20=30>>30.", "31")
EVALUATION = (
    "A tank holds 90 litres and loses 4 litres an hour through a crack in its floor. "
    "How many litres are left in it after 7 hours?",
    "It loses 4*7=<<4*7=28>>28. 90-28=<<90-28=62>>62.",
    "62",
)
RECIPE = """\
name: small
about: a small world
seed: 3
subsets:
  cot: {source: gsm8k, kind: CoT}
  pot: {source: gsm8k, kind: PoT, writers: [annotated]}
screens:
  contamination: {against: [gsm8k]}
limits: {quarantine: 0.2}
"""


def _line(row: tuple[str, str, str]) -> str:
    question, solution, gold = row
    return json.dumps({"question": question, "answer": f"{solution}\n#### {gold}"})


def make_world(folder: Path, recipe: str = RECIPE) -> tuple[Path, Path]:
    """Write the mirror and the recipe; return both paths."""
    mirror, train = folder / "mirror", [*RIGHT, WRONG, RIGHT[0], EVALUATION]
    lines = [_line(row) for row in train]
    lines.insert(3, '{"question": "broken')
    for place, text in (("sources", lines), ("evals", [_line(EVALUATION)])):
        path = mirror / place / "gsm8k" / "rows.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text("\n".join(text) + "\n")
    path = folder / "small.yaml"
    path.write_text(recipe)
    return mirror, path


def mount(*arguments: str) -> None:
    """Mount a file system; skip the test if that is not allowed."""
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"needs to mount a file system: {done.stderr.strip()}")


def curator(
    *args: object, cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a separate process."""
    env = RUN["env"] if env is None else env
    own = {name for name in env if env[name] not in (RUN["env"].get(name), os.environ.get(name))}
    if any(name.startswith(("PYTHON", "LC_")) for name in own):  # the interpreter reads these
        return subprocess.run(command(*args), **{**RUN, "cwd": cwd, "env": env})
    words = [*map(str, args)]
    with TemporaryDirectory() as folder:
        streams = [Path(folder) / name for name in ("stdout", "stderr")]
        code = run_fresh(words, cwd or Path.cwd(), env, streams)
        out, err = (path.read_text("utf-8") for path in streams)
    return subprocess.CompletedProcess(words, code, out, err)


def command(*args: object) -> list[str]:
    """Return the command line as a list."""
    return [sys.executable, "-m", "curator", *map(str, args)]


RUN: dict[str, Any] = {
    "capture_output": True,
    "text": True,
    "env": {
        "PYTHONPATH": str(ROOT),
        "PATH": os.environ["PATH"],
        "COLUMNS": "80",
        "OMP_NUM_THREADS": "1",  # several processes share a few cores
    },
}
