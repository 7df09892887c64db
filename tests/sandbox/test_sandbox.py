"""How programs end, in what order, and what is left when the sandbox closes."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curator.core.errors import SandboxError
from curator.sandbox import STATUSES, Execution, Sandbox, probe
from curator.sandbox.classify import Limits
from curator.sandbox.pool import needs_heavy
from curator.sandbox.zygotes import Zygotes
from tests.paths import ROOT
from tests.processes import wait_until


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(workers=2, wall_s=600, cpu_s=30) as box:
        yield box


def descendants(pid: int) -> list[int]:
    """The processes that this process started, and their descendants."""
    while (tasks := Path(f"/proc/{pid}/task")).exists():
        # The children of a thread that ends after it was listed go to one that was read before.
        with suppress(FileNotFoundError, ProcessLookupError):
            texts = [(task / "children").read_text() for task in tasks.iterdir()]
            pids = [int(child) for text in texts for child in text.split()]
            return pids + [each for child in pids for each in descendants(child)]
    return []


def zygotes() -> list[int]:
    """The sandbox processes of this process."""
    pids = []
    for process in descendants(os.getpid()):
        with suppress(FileNotFoundError, ProcessLookupError):  # it ended after it was listed
            if b"curator.sandbox.zygote" in Path(f"/proc/{process}/cmdline").read_bytes():
                pids.append(process)
    return pids


def test_the_value_is_the_last_line_that_is_not_blank(box: Sandbox) -> None:
    done = box.run("print('a')\nprint(' 42 ')\nprint()\nprint('  ')")
    assert (done.status, done.value, done.stdout) == ("ok", "42", "a\n 42 \n\n  \n")
    assert done.error == "" and 0 < done.seconds < 600


def test_a_program_without_output_has_an_empty_value(box: Sandbox) -> None:
    done = box.run("x = 1")
    assert done == Execution("ok", "", "", "", done.seconds)


@pytest.mark.parametrize(
    ("program", "error"),
    [
        ("x = 1\n\nprint(1 / 0)", "ZeroDivisionError: division by zero (line 3)"),
        ("def f():\n    return y\nf()", "NameError: name 'y' is not defined (line 2)"),
        ("import math\nmath.sqrt(-1)", "ValueError: math domain error (line 2)"),
        ("x = 1\nx = = 2", "SyntaxError: invalid syntax (line 2)"),
        (
            "import fractions\nfractions.Fraction(1, 0)",
            "ZeroDivisionError: Fraction(1, 0) (line 2)",
        ),
        ("assert False", "AssertionError (line 1)"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines (line 1)"),
        ("import sys\nsys.exit('sorry')", "SystemExit: sorry (line 2)"),
        ("import nowhere", "ModuleNotFoundError: No module named 'nowhere' (line 1)"),
    ],
)
def test_an_error_states_its_type_message_and_line_of_the_program(
    box: Sandbox, program: str, error: str
) -> None:
    done = box.run(program)
    assert (done.status, done.error) == ("error", error)


def test_output_before_an_error_is_returned(box: Sandbox) -> None:
    done = box.run("print(7)\n1 / 0")
    assert (done.status, done.value) == ("error", "7")


@pytest.mark.parametrize(
    "program",
    [
        "import sys\nsys.exit()",
        "exit()",
        "quit(0)",
        "raise SystemExit",
        "if __name__ == '__main__':\n    print(1)",
        "from __future__ import annotations\nprint(1)",
        "import dataclasses\n@dataclasses.dataclass\nclass A:\n    x: 'int'\nprint(A(1))",
        "import tempfile\nwith tempfile.TemporaryFile() as f:\n    f.write(b'x')",
        "import datetime, zoneinfo\nprint(datetime.datetime.now(zoneinfo.ZoneInfo('Asia/Tokyo')))",
    ],
)
def test_honest_programs_run_as_in_a_fresh_interpreter(box: Sandbox, program: str) -> None:
    if "tempfile" in program and not {m.name: m.used for m in probe()}["namespaces"]:
        pytest.skip("no private folder without namespaces")
    done = box.run(program)
    assert (done.status, done.error) == ("ok", "")


def test_heavy_programs_find_numpy_and_sympy(box: Sandbox) -> None:
    program = """
import numpy as np
from sympy import symbols, solve, Rational
x = symbols('x')
print(np.dot([1, 2], [3, 4]), solve(x**2 - 2, x), Rational(1, 3) + 1)
"""
    assert box.run(program).value == "11 [-sqrt(2), sqrt(2)] 4/3"
    assert box.run("sp = __import__('sympy')\nprint(sp.sqrt(8))").value == "2*sqrt(2)"


@pytest.mark.parametrize(
    ("program", "heavy"),
    [
        ("import sympy", True),
        ("from sympy.abc import x", True),
        ("import math, numpy as np", True),
        ("def f():\n    from scipy.optimize import fsolve", True),
        ("import math\nprint('numpy')", False),
        ("x = 1", False),
        ("import " * 100_000 + "\nnumpy", False),
    ],
)
def test_programs_that_name_a_large_package_get_the_heavy_zygote(program: str, heavy: bool) -> None:
    assert needs_heavy(program) is heavy


def test_the_same_program_prints_the_same_in_every_run_and_sandbox() -> None:
    program = """
import datetime, locale, os, random, sys, time
print(hash('a'), random.random(), time.tzname, sys.stdout.encoding, locale.getpreferredencoding())
print({'a', 'b', 'c', None, int, len}, object(), os.environ['LC_ALL'])
"""
    heavy = "import numpy\nprint(numpy.random.rand(), numpy.random.default_rng().random())"
    outputs = set()
    for _ in range(2):
        with Sandbox(workers=1, wall_s=600, cpu_s=30) as box:
            for _ in range(2):
                outputs.add((box.run(program).stdout, box.run(heavy).stdout))
    assert len(outputs) == 1
    assert "('UTC', 'UTC') utf-8" in outputs.pop()[0]


def test_results_come_in_order_although_the_first_takes_longest(box: Sandbox) -> None:
    programs = ["import time\ntime.sleep(0.5)\nprint(0)"] + [f"print({n})" for n in range(1, 60)]
    assert [done.value for done in box.map(programs)] == [str(n) for n in range(60)]


def test_map_takes_a_limited_number_of_programs_ahead_and_ends_when_closed(box: Sandbox) -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        for taken in itertools.count(1):
            yield f"print({taken})"

    results = box.map(endless())
    assert taken == 0
    assert [next(results).value for _ in range(3)] == ["1", "2", "3"]
    assert taken <= 3 + 2 * 16
    results.close()
    before = taken
    assert box.run("print('on')").value == "on"
    assert taken == before


def test_an_input_that_fails_raises_its_own_error(box: Sandbox) -> None:
    def failing() -> Iterator[str]:
        yield "print(1)"
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        list(box.map(failing()))
    assert box.run("print(2)").value == "2"


@pytest.mark.parametrize(
    ("program", "reason"),
    [("x" * 1_000_001, "1,000,001 bytes"), ("print('\ud800')", "not text")],
)
def test_what_cannot_be_run_is_refused_with_a_reason(
    box: Sandbox, program: str, reason: str
) -> None:
    done = box.run(program)
    assert done.status == "refused" and reason in done.error


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda b: b.decode("latin-1")))
@settings(max_examples=40)
def test_any_text_has_exactly_one_outcome(box: Sandbox, program: str) -> None:
    done = box.run(program)
    assert done.status in STATUSES
    assert (done.error == "") == (done.status == "ok")
    assert "\n" not in done.error and "\n" not in done.value


def test_a_zygote_that_dies_loses_only_its_own_program() -> None:
    before = set(zygotes())
    with Sandbox(workers=1, wall_s=600, cpu_s=30) as box:
        assert box.run("print(1)").value == "1"
        zygote = new_zygote(before)
        results = box.map(["import time\ntime.sleep(5000)", "print(2)"])
        killer = threading.Thread(target=kill_when_busy, args=(zygote,))
        killer.start()
        assert [(done.status, done.value) for done in results] == [("killed", ""), ("ok", "2")]
        killer.join()


def kill_when_busy(zygote: int) -> None:
    """Kill a zygote as soon as it runs a program."""
    wait_until(lambda: descendants(zygote))
    os.kill(zygote, signal.SIGKILL)


def test_a_zygote_that_dies_between_programs_loses_none() -> None:
    before = set(zygotes())
    with Sandbox(workers=1, wall_s=600, cpu_s=30) as box:
        assert box.run("print(1)").value == "1"
        zygote = new_zygote(before)
        os.kill(zygote, signal.SIGKILL)
        while Path(f"/proc/{zygote}").exists():
            time.sleep(0.01)
        assert box.run("print(2)").value == "2"


def new_zygote(before: set[int]) -> int:
    """The zygote that started since: the youngest process, since its keeper, if any, is older."""
    return [p for p in zygotes() if p not in before][-1]


def test_another_zygote_starts_only_after_programs_have_waited_as_long_as_a_start_takes() -> None:
    before = set(zygotes())
    program = b"import time\ntime.sleep(0.2)\nprint(1)"
    shared = Zygotes(Limits(600, 30, 512, 64), heavy=False, unsafe_local=False, maximum=2)
    shared.start()
    one = set(zygotes()) - before
    try:
        for start_s, processes in ((600.0, len(one)), (1e-9, 2 * len(one))):
            shared._start_s = start_s
            with ThreadPoolExecutor(2) as threads:
                done = list(threads.map(shared.run, [program] * 4))
            assert [each.value for each in done] == ["1"] * 4
            assert len(set(zygotes()) - before) == processes
    finally:
        shared.close()
    assert set(zygotes()) == before


def test_a_sandbox_can_be_closed_while_its_large_packages_start() -> None:
    before = set(zygotes())
    with Sandbox(workers=2, wall_s=600, cpu_s=30) as box:
        box.prepare()
        assert box.run("print(1)").value == "1"
    assert set(zygotes()) == before
    with Sandbox(workers=1, wall_s=600, cpu_s=30) as box:
        box.prepare()
        assert box.run("import sympy\nprint(sympy.sqrt(4))").value == "2"


def test_closing_during_a_run_leaves_no_process_and_no_thread() -> None:
    before, threads = set(zygotes()), threading.active_count()
    box = Sandbox(workers=2, wall_s=6000)
    results = box.map(["import time\ntime.sleep(5000)"] * 4)
    statuses: list[str] = []

    def take() -> None:
        try:
            statuses.extend(done.status for done in results)
        except SandboxError:
            statuses.append("closed")

    waiting = threading.Thread(target=take)
    waiting.start()
    while len(set(zygotes()) - before) < 6:
        time.sleep(0.02)
    box.close()
    box.close()
    waiting.join()
    assert statuses == ["closed"], "a program that was stopped by closing has no result"
    assert set(zygotes()) == before
    assert threading.active_count() == threads
    with pytest.raises(SandboxError, match="closed"):
        box.run("print(1)")


def test_zygotes_end_when_the_process_that_started_them_is_killed() -> None:
    script = (
        "from curator.sandbox import Sandbox\n"
        "box = Sandbox(workers=1, wall_s=6000)\n"
        "print('up', flush=True)\n"
        "box.run('import time\\ntime.sleep(5000)')"
    )
    caller = subprocess.Popen(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    assert caller.stdout is not None and caller.stdout.readline() == b"up\n"
    wait_until(lambda: len(descendants(caller.pid)) >= 2, lambda: caller.poll() is None)
    started = descendants(caller.pid)
    caller.kill()
    caller.wait()
    caller.stdout.close()
    wait_until(lambda: not any(Path(f"/proc/{p}").exists() for p in started))


def test_a_program_inherits_none_of_the_many_open_files_of_the_caller() -> None:
    program = """
import os
found = []
for number in range(4000):
    try:
        os.fstat(number)
        found.append(number)
    except OSError:
        pass
print(found)
"""
    files = [open(os.devnull) for _ in range(1200)]  # noqa: SIM115
    for file in files:
        os.set_inheritable(file.fileno(), True)
    try:
        with Sandbox(workers=1, wall_s=600) as box:
            assert box.run(program).value == "[0, 1, 2]"
    finally:
        for file in files:
            file.close()


def test_the_memory_of_the_interpreter_does_not_count() -> None:
    with Sandbox(workers=1, wall_s=600, cpu_s=30, memory_mb=128) as box:
        for head in ("", "import numpy, sympy\n"):
            assert box.run(head + "x = bytearray(90 << 20)\nprint(len(x))").status == "ok"
            assert box.run(head + "x = bytearray(140 << 20)").status == "memory"


def test_the_cpu_limit_ends_what_the_wall_limit_would_not_end() -> None:
    with Sandbox(workers=1, wall_s=600, cpu_s=1) as box:
        assert box.run("import time\ntime.sleep(1.5)\nprint(1)").value == "1"
        done = box.run("while True:\n    pass")
        assert done.status == "timeout" and done.seconds < 600


@pytest.mark.parametrize("limit", ["workers", "wall_s", "cpu_s", "memory_mb", "output_kb"])
def test_a_limit_that_is_not_above_0_is_an_error(limit: str) -> None:
    with pytest.raises(SandboxError, match="above 0"):
        Sandbox(**{limit: 0})  # type: ignore[arg-type]


def test_limits_contain_all_that_can_change_an_outcome(box: Sandbox) -> None:
    assert box.limits == {"wall_s": 600, "cpu_s": 30, "memory_mb": 512, "output_kb": 64}
