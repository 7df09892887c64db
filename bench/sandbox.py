"""Compares the cost of sandboxed programs with fresh interpreters, a plain pool and bubblewrap.

    python bench/sandbox.py --data DIR [--rounds 3] [--programs 1000] [--json FILE]

In: DIR/outputs with published programs (pot, pal, tora). Out: a table of milliseconds and CPU
milliseconds per program, medians of several rounds, and the ratios with their targets. The row "a
fork that does nothing" is the cost of forking, ending and waiting for an empty interpreter, which
is the minimum for one fork per program. All variants run the same texts: published programs that
succeed, completed so that they print. Fresh interpreters and bubblewrap run a sample, one at a
time; the pool and the sandbox have two workers. Other processes on the machine affect the times, so
the last line also states the ratio that the CPU times give on two free cores. The CPU time of
bubblewrap cannot be measured, since its child processes are not ours to wait for.
"""

import argparse
import io
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout, suppress
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from data_option import add_data_option
from results import Figure, add_json_option, write_figures

from curator.sandbox import Sandbox
from curator.sandbox.implicit_result import PREAMBLES, extract_fenced, select_preamble
from curator.sandbox.pool import needs_heavy

LONGEST_S = 0.5
"""Programs that take longer are excluded, since they would dominate the measurement."""
WORKERS = 2
BWRAP = ("bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--unshare-all")

Cost = tuple[float, float]
"""Milliseconds and CPU milliseconds per program."""


def published_programs(outputs: Path) -> Iterator[str]:
    """Yield the programs of the published files."""
    for path in sorted(outputs.glob("*/*.jsonl")):
        for line in path.read_text(encoding="utf-8").split("\n"):
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue
            if path.parent.name == "pal":
                yield row["generated_answer"].partition("\nQuestion:")[0]
            elif path.parent.name == "tora":
                yield row["code"][0]
            elif path.parent.name == "pot" and "generated" in row:
                programs = row["generated"]
                yield from [programs] if isinstance(programs, str) else programs


def choose_programs(outputs: Path, count: int) -> tuple[list[str], list[str]]:
    """Return plain programs and programs that use sympy or numpy; each prints its result."""
    programs = list(dict.fromkeys(published_programs(outputs)))
    random.Random(0).shuffle(programs)
    plain: list[str] = []
    heavy: list[str] = []
    with Sandbox(workers=WORKERS) as box:
        for program, run in zip(programs, box.map(programs), strict=True):
            if run.status != "ok" or not run.value or run.seconds > LONGEST_S:
                continue
            inner = extract_fenced(program)
            text = PREAMBLES[select_preamble(inner)] + inner
            how = run.completed.split(", ")[-1]
            if how not in ("", "fence", "preamble"):
                text += f"\nprint({how})"
            (heavy if needs_heavy(text) else plain).append(text)
            if min(len(plain), len(heavy)) >= count:
                break
    return plain[:count], heavy[:count]


def run_in_process(program: str) -> str:
    """Run a program in this process, without a sandbox."""
    out = io.StringIO()
    with redirect_stdout(out):
        exec(program, {"__name__": "__main__"})
    return out.getvalue()


def warm_up() -> None:
    run_in_process("from sympy import *\nimport numpy\nx = Symbol('x')\nprint(solve(x**2 - 4, x))")


def process_tree(pid: int) -> Iterator[int]:
    """Yield a process and its descendants, except those that end in the meantime."""
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from process_tree(int(child))


def cpu_s() -> float:
    """Return the CPU time of this process, its descendants, and processes they waited for."""
    ticks = 0
    for pid in process_tree(os.getpid()):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def measure_cost(programs: Sequence[str], run: Callable[[Sequence[str]], object]) -> Cost:
    clock, cpu = time.perf_counter(), cpu_s()
    run(programs)
    each = 1000 / len(programs)
    return (time.perf_counter() - clock) * each, (cpu_s() - cpu) * each


def fresh_interpreters(*before: str) -> Callable[[Sequence[str]], object]:
    """Return a function that runs each program in its own interpreter, one after the other."""

    def run(programs: Sequence[str]) -> object:
        for program in programs:
            command = [*before, sys.executable, "-c", program]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return None

    return run


NOTHING = """
import ctypes, gc, os
fork = ctypes.PyDLL(None).fork
gc.freeze()
for _ in range({count}):
    child = fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
"""


def fork_only(programs: Sequence[str]) -> None:
    """Fork an empty interpreter once per program and end each fork immediately."""
    empty = (sys.executable, "-I", "-S", "-c")
    subprocess.run([*empty, NOTHING.format(count=len(programs))], check=True)


def compare(programs: list[str], few: int, rounds: int) -> dict[str, Cost]:
    """Return the cost per program of each variant."""
    ways: dict[str, list[Cost]] = {}
    some = programs[:few]
    fork = get_context("fork")
    with fork.Pool(WORKERS, warm_up) as pool, Sandbox(workers=WORKERS) as box:
        # Start everything that starts at first use.
        list(box.map(programs[:20]))
        list(pool.imap(run_in_process, programs[:20]))
        for _ in range(rounds):
            ways.setdefault("fresh python -c", []).append(measure_cost(some, fresh_interpreters()))
            if shutil.which("bwrap"):
                ways.setdefault("bwrap python -c", []).append(
                    measure_cost(some, fresh_interpreters(*BWRAP))
                )
            ways.setdefault("a fork that does nothing", []).append(
                measure_cost(programs, fork_only)
            )
            ways.setdefault("pool of two, no sandbox", []).append(
                measure_cost(programs, lambda texts: list(pool.imap(run_in_process, texts)))
            )
            ways.setdefault("sandbox, two workers", []).append(
                measure_cost(programs, lambda texts: list(box.map(texts)))
            )
    return {
        way: (median(wall for wall, _ in costs), median(cpu for _, cpu in costs))
        for way, costs in ways.items()
    }


def ratios(kind: str, costs: dict[str, Cost]) -> Iterator[Figure]:
    """Yield the cost per program in the sandbox, as ratios to the other ways to run it."""
    ours = costs["sandbox, two workers"]
    for way in ("a fork that does nothing", "pool of two, no sandbox", "fresh python -c"):
        for value, baseline, unit in zip(ours, costs[way], ("ms", "CPU ms"), strict=True):
            yield Figure(f"{kind}, sandbox over {way}, {unit}", value, unit, value / baseline)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_data_option(parser, "outputs")
    parser.add_argument("--programs", type=int, default=1000, help="Maximum programs per kind.")
    parser.add_argument("--rounds", type=int, default=3)
    add_json_option(parser)
    arguments = parser.parse_args()
    plain, heavy = choose_programs(arguments.data / "outputs", arguments.programs)
    if not shutil.which("bwrap"):
        print("bubblewrap is not installed, so its row is missing.")
    figures: list[Figure] = []
    for kind, programs, few, goal in (("plain", plain, 30, 10), ("sympy", heavy, 6, 40)):
        costs_by_way = compare(programs, few, arguments.rounds)
        figures += ratios(kind, costs_by_way)
        print(f"\n{f'{len(programs):,} {kind} programs':30}{'ms':>9}{'CPU ms':>9}")
        for way, (wall, cpu) in costs_by_way.items():
            print(f"{way:30}{wall:9.2f}" + ("" if way.startswith("bwrap") else f"{cpu:9.2f}"))
        ours, none = costs_by_way["sandbox, two workers"], costs_by_way["pool of two, no sandbox"]
        one = costs_by_way["fresh python -c"]
        free = WORKERS * one[1] / ours[1]
        print(
            f"{'sandbox over pool':30}{ours[0] / none[0]:9.1f}{ours[1] / none[1]:9.1f}  target: 3"
        )
        print(
            f"{'fresh over sandbox':30}{one[0] / ours[0]:9.1f}{free:9.1f}  target: {goal}",
            flush=True,
        )
    write_figures(arguments.json, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
