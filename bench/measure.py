"""Runs a command and measures seconds, CPU seconds and peak memory, including child processes."""

import os
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread


@dataclass(frozen=True)
class Measured:
    """The cost of one command, including its child processes."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    """Maximum total proportional memory (PSS) of the process and all its descendants, in which
    shared pages count once. Sampled up to twenty times per second, so that shorter peaks are
    missed; less often where a sample takes long, since the process waits while the kernel visits
    each page. The system's own maximum is of one process, and includes the caller's memory. Linux
    only."""
    output: str


def measure(command: list[str]) -> Measured:
    """Run a command. Raises RuntimeError with its output if it fails."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        finished = Event()
        peak = [0.0]
        watch = Thread(target=_watch, args=(process.pid, finished, peak))
        watch.start()
        assert process.stdout is not None
        output = process.stdout.read().decode()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        finished.set()
        watch.join()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{output}")
    seconds = time.perf_counter() - start
    return Measured(seconds, used.ru_utime + used.ru_stime, peak[0], output)


def _watch(pid: int, finished: Event, peak: list[float]) -> None:
    pause = 0.05
    while not finished.wait(pause):
        start = time.perf_counter()
        peak[0] = max(peak[0], sum(map(_pss_mb, _process_tree(pid))))
        pause = max(0.05, 20 * (time.perf_counter() - start))


def _process_tree(pid: int) -> list[int]:
    """Return a process and its descendants, whichever thread started them."""
    found = [pid]
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += _process_tree(int(child))
    return found


def _pss_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)
