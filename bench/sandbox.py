"""Compares the cost of sandboxed programs with bare forks, fresh interpreters and a plain pool.

    python bench/sandbox.py --data DIR [--rounds 3] [--programs 1000] [--json FILE]

In: DIR/outputs with published programs (pot, pal, tora). Out: per kind of program, a table of
milliseconds, CPU milliseconds, and programs per second and core (1,000 over the CPU milliseconds),
medians of several rounds, and the ratios with their targets; then the CPU time of plain programs
with 1 to 16 workers, which grows if workers disturb each other, on however many cores.

The rows of forks run programs one after the other, without isolation. "a fork that does nothing"
is an empty interpreter that forks, ends the fork and waits for it. "a fork that runs it" has loaded
the same packages as the sandbox, and each fork runs a program and exits; with an empty program,
what remains is mostly the cost of the fork. All other variants run the same texts: published
programs that succeed, completed so that they print. Fresh interpreters and bubblewrap run a sample,
one at a time; the pool and the sandbox have two workers. Other processes on the machine affect the
times, so compare CPU times, and only those of one run. The CPU time of bubblewrap cannot be
measured, since its child processes are not ours to wait for.
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

from curator.sandbox import Sandbox, preload
from curator.sandbox.implicit_result import PREAMBLES, extract_fenced, select_preamble
from curator.sandbox.pool import needs_heavy

LONGEST_S = 0.5
"""Programs that take longer are excluded, since they would dominate the measurement."""
WORKERS = 2
MORE_WORKERS = (1, 2, 4, 8, 16)
FORK_GOAL, SCALING_GOAL = 4, 0.9
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


RUNNING = """
import ctypes, gc, json, os, runpy, sys
preload = runpy.run_path({preload!r})
preload["load_{kind}"]()
programs = json.load(sys.stdin)
fork = ctypes.PyDLL(None).fork
os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
for _ in range(10):
    exec(compile(preload["TYPICAL"], "<program>", "exec"), {{"__name__": "__main__"}})
gc.collect()
gc.freeze()
for program in programs:
    child = fork()
    if child == 0:
        try:
            exec(compile(program, "<program>", "exec"), {{"__name__": "__main__"}})
            sys.stdout.flush()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
"""


def fork_only(programs: Sequence[str]) -> None:
    """Fork an empty interpreter once per program and end each fork immediately."""
    empty = (sys.executable, "-I", "-S", "-c")
    subprocess.run([*empty, NOTHING.format(count=len(programs))], check=True)


def bare_forks(kind: str) -> Callable[[Sequence[str]], object]:
    """Return a function that runs each program in a fork of an interpreter that loaded packages."""
    script = RUNNING.format(preload=preload.__file__, kind=kind)

    def run(programs: Sequence[str]) -> object:
        texts = json.dumps(programs)
        command = [sys.executable, "-c", script]
        return subprocess.run(command, input=texts, text=True, check=True)

    return run


def compare(programs: list[str], kind: str, few: int, rounds: int) -> dict[str, Cost]:
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
            ways.setdefault("a fork, empty program", []).append(
                measure_cost(programs, lambda texts: bare_forks(kind)([""] * len(texts)))
            )
            ways.setdefault("a fork that runs it", []).append(
                measure_cost(programs, bare_forks(kind))
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


def compare_workers(programs: list[str], rounds: int) -> dict[int, float]:
    """Return the CPU milliseconds per program with each number of workers."""
    costs: dict[int, list[float]] = {}
    for _ in range(rounds):
        for workers in MORE_WORKERS:
            with Sandbox(workers=workers) as box:
                # Start all zygotes first.
                list(box.map(programs[: 40 * workers]))
                cost = measure_cost(programs, lambda texts, box=box: list(box.map(texts)))
                costs.setdefault(workers, []).append(cost[1])
    return {workers: median(each) for workers, each in costs.items()}


def ratios(kind: str, costs: dict[str, Cost]) -> Iterator[Figure]:
    """Yield the cost per program in the sandbox, as ratios to the other ways to run it."""
    ours = costs["sandbox, two workers"]
    for way in (
        "a fork that runs it",
        "a fork that does nothing",
        "pool of two, no sandbox",
        "fresh python -c",
    ):
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
    for kind, loads, programs, few, fork_goal, goal in (
        ("plain", "light", plain, 30, FORK_GOAL, 10),
        ("sympy", "heavy", heavy, 6, 0, 40),
    ):
        costs = compare(programs, loads, few, arguments.rounds)
        figures += ratios(kind, costs)
        title = f"{len(programs):,} {kind} programs"
        print(f"\n{title:30}{'ms':>9}{'CPU ms':>9}{'per s and core':>17}")
        for way, (wall, cpu) in costs.items():
            measured = "" if way.startswith("bwrap") else f"{cpu:9.2f}{1000 / cpu:17,.0f}"
            print(f"{way:30}{wall:9.2f}{measured}")
        ours, fresh = costs["sandbox, two workers"], costs["fresh python -c"]
        print_ratio("over a fork that runs it", ours, costs["a fork that runs it"])
        print_ratio(
            "over a fork that does nothing", ours, costs["a fork that does nothing"], fork_goal
        )
        print_ratio("over a pool without sandbox", ours, costs["pool of two, no sandbox"])
        print_ratio("fresh, two at a time, over it", (fresh[0], WORKERS * fresh[1]), ours, goal)
    print(f"\n{'plain programs, by workers':30}{'CPU ms':>9}{'per s and core':>17}{'share':>8}")
    by_workers = compare_workers(plain, arguments.rounds)
    for workers, cpu in by_workers.items():
        print(f"{workers:<30}{cpu:9.2f}{1000 / cpu:17,.0f}{by_workers[1] / cpu:8.2f}")
    most, one = by_workers[MORE_WORKERS[-1]], by_workers[1]
    name = f"plain, {MORE_WORKERS[-1]} workers over one, CPU ms"
    figures.append(Figure(name, most, "CPU ms", most / one))
    print(f"target: a share of {SCALING_GOAL} of what one worker does per second and core")
    write_figures(arguments.json, figures)
    return 0


def print_ratio(title: str, cost: Cost, base: Cost, goal: int = 0) -> None:
    target = f"  target: {goal}" if goal else ""
    print(f"{title:30}{cost[0] / base[0]:9.1f}{cost[1] / base[1]:9.1f}{target}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
