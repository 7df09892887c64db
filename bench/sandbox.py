"""What a jailed program costs, against a fresh interpreter, a pool without walls, and bubblewrap.

    python bench/sandbox.py --data DIR [--rounds 3] [--programs 1000]

In: DIR/outputs with published programs (pot, pal, tora). Out: a table of milliseconds a program, by
the clock and of CPU, the median of several rounds in which each way takes its turn, and the ratios
that are aimed at. The row "a fork that does nothing" is what forking an empty interpreter, ending
it and waiting for it cost by themselves, one after the other: a fork for each program cannot cost
less. Everybody runs the same texts: published programs that end well, completed so
that they print. Fresh interpreters and bubblewrap run one at a time, a sample; the pool and the
sandbox have two workers. Others on the machine shift the clock; the last line therefore also says
what the CPU times come to on two free cores. The CPU time of bubblewrap is not to be had: what it
starts is not waited for by what we wait for.
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

from curator.sandbox import Sandbox
from curator.sandbox.implicit_result import PREAMBLES, extract_fenced, select_preamble
from curator.sandbox.pool import needs_heavy

LONGEST_S = 0.5
"""Programs that take longer are left out: they would measure themselves."""
AT_ONCE = 2
BWRAP = ("bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--unshare-all")

Cost = tuple[float, float]
"""Milliseconds a program: by the clock, of CPU."""


def published(outputs: Path) -> Iterator[str]:
    """Programs of the published files, each once."""
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
                made = row["generated"]
                yield from [made] if isinstance(made, str) else made


def chosen(outputs: Path, count: int) -> tuple[list[str], list[str]]:
    """So many plain programs and so many that use sympy or numpy, each printing its result."""
    programs = list(dict.fromkeys(published(outputs)))
    random.Random(0).shuffle(programs)
    plain: list[str] = []
    heavy: list[str] = []
    with Sandbox(workers=AT_ONCE) as box:
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


def in_process(program: str) -> str:
    """Runs a program with nothing between it and us."""
    out = io.StringIO()
    with redirect_stdout(out):
        exec(program, {"__name__": "__main__"})
    return out.getvalue()


def warm() -> None:
    in_process("from sympy import *\nimport numpy\nx = Symbol('x')\nprint(solve(x**2 - 4, x))")


def tree(pid: int) -> Iterator[int]:
    """A process and all below it, but for those that end meanwhile."""
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from tree(int(child))


def cpu_s() -> float:
    """CPU time of this process, those below it, and those that they have waited for."""
    ticks = 0
    for pid in tree(os.getpid()):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def cost(programs: Sequence[str], run: Callable[[Sequence[str]], object]) -> Cost:
    clock, cpu = time.perf_counter(), cpu_s()
    run(programs)
    each = 1000 / len(programs)
    return (time.perf_counter() - clock) * each, (cpu_s() - cpu) * each


def fresh(*before: str) -> Callable[[Sequence[str]], object]:
    """Each program in an interpreter of its own, one after the other."""

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


def forks(programs: Sequence[str]) -> None:
    """As many forks of an interpreter that holds nothing, each ended at once."""
    empty = (sys.executable, "-I", "-S", "-c")
    subprocess.run([*empty, NOTHING.format(count=len(programs))], check=True)


def compare(programs: list[str], few: int, rounds: int) -> dict[str, Cost]:
    """What a program costs each way."""
    ways: dict[str, list[Cost]] = {}
    some = programs[:few]
    fork = get_context("fork")
    with fork.Pool(AT_ONCE, warm) as pool, Sandbox(workers=AT_ONCE) as box:
        # Whatever starts at first use has started.
        list(box.map(programs[:20]))
        list(pool.imap(in_process, programs[:20]))
        for _ in range(rounds):
            ways.setdefault("fresh python -c", []).append(cost(some, fresh()))
            if shutil.which("bwrap"):
                ways.setdefault("bwrap python -c", []).append(cost(some, fresh(*BWRAP)))
            ways.setdefault("a fork that does nothing", []).append(cost(programs, forks))
            ways.setdefault("pool of two, no walls", []).append(
                cost(programs, lambda texts: list(pool.imap(in_process, texts)))
            )
            ways.setdefault("sandbox, two workers", []).append(
                cost(programs, lambda texts: list(box.map(texts)))
            )
    return {
        way: (median(wall for wall, _ in costs), median(cpu for _, cpu in costs))
        for way, costs in ways.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds outputs/")
    parser.add_argument("--programs", type=int, default=1000, help="at most so many of a kind")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    plain, heavy = chosen(asked.data / "outputs", asked.programs)
    if not shutil.which("bwrap"):
        print("bubblewrap is not installed: no row for it.")
    for kind, programs, few, goal in (("plain", plain, 30, 10), ("sympy", heavy, 6, 40)):
        took = compare(programs, few, asked.rounds)
        print(f"\n{f'{len(programs):,} {kind} programs':30}{'ms':>9}{'CPU ms':>9}")
        for way, (wall, cpu) in took.items():
            print(f"{way:30}{wall:9.2f}" + ("" if way.startswith("bwrap") else f"{cpu:9.2f}"))
        ours, none = took["sandbox, two workers"], took["pool of two, no walls"]
        one = took["fresh python -c"]
        free = AT_ONCE * one[1] / ours[1]
        print(f"{'sandbox over pool':30}{ours[0] / none[0]:9.1f}{ours[1] / none[1]:9.1f}  aim: 3")
        print(
            f"{'fresh over sandbox':30}{one[0] / ours[0]:9.1f}{free:9.1f}  aim: {goal}", flush=True
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
