"""Measures how long `curator sample` takes for several samples per problem.

    python bench/sample.py [--problems 5] [--samples 64] [--latency 0.2] [--json FILE]

In: nothing; the endpoint of `teacher.py` answers each request after the latency, without a limit of
requests per second. Out: seconds from start to end of the command, process start and grading
included, and their ratio to the latency: the time of the samples if all were requested at once.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import Measured, measure
from results import Figure, add_json_option, write_figures

UNLIMITED = "1e9"


def run_sample(folder: Path, problems: int, samples: int, latency: float) -> Measured:
    """Sample from an endpoint of its own. Raises RuntimeError if a sample is missing."""
    file = folder / "problems.jsonl"
    asked = ({"question": f"What is {number} + 7?", "gold": "7"} for number in range(problems))
    file.write_text("".join(json.dumps(row) + "\n" for row in asked))
    teacher = Path(__file__).with_name("teacher.py")
    options = ["--as", "server", "--rate", UNLIMITED, "--latency", str(latency)]
    with subprocess.Popen(
        [sys.executable, str(teacher), *options], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout
        try:
            url = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
            command = [sys.executable, "-m", "curator", "sample", "m", "--base-url", url]
            command += ["--sets", str(file), "--how", "CoT", "-n", str(samples)]
            command += ["--store", str(folder / "store"), "-o", str(folder / "samples.jsonl")]
            cost = measure(command)
        finally:
            server.kill()
    rows = map(json.loads, (folder / "samples.jsonl").read_text().splitlines())
    written = sum(len(row["samples"]) for row in rows)
    if written != problems * samples:
        raise RuntimeError(f"{written:,} of {problems * samples:,} samples:\n{cost.output}")
    return cost


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--problems", type=int, default=5)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.2, help="seconds to a reply")
    add_json_option(parser)
    arguments = parser.parse_args()
    problems, samples, latency = arguments.problems, arguments.samples, arguments.latency
    with tempfile.TemporaryDirectory() as folder:
        cost = run_sample(Path(folder), problems, samples, latency)
    name = f"sample {problems} × {samples}, {latency} s per call"
    print(f"{name}: {cost.wall_s:.1f} s, {cost.cpu_s:.1f} CPU s, {cost.peak_mb:,.0f} MB")
    ratio = cost.wall_s / latency
    write_figures(arguments.json, [Figure(name, round(cost.wall_s, 2), "s", ratio)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
