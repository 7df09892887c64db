"""Every way in which a program can end has a status and a reason, and its zygote goes on."""

import signal
from collections.abc import Iterator

import pytest

from curator.sandbox import Sandbox
from tests.sandbox.programs import run_script


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(workers=1, wall_s=600, cpu_s=30) as box:
        yield box


@pytest.mark.parametrize("number", range(1, 65))
def test_every_signal_that_ends_a_program_leaves_its_zygote_and_its_output(
    box: Sandbox, number: int
) -> None:
    if number in (signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH):
        pytest.skip("does not end a process")
    if number in (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
        pytest.skip("stops a process until its time is up; see the attacks")
    default = f"signal.signal({number}, signal.SIG_DFL)" if number not in (9, 19, 32, 33) else ""
    program = f"import os, signal\n{default}\nprint(7, flush=True)\nos.kill(os.getpid(), {number})"
    done = box.run(program)
    assert (done.status, done.value) == ("refused" if number == signal.SIGSYS else "killed", "7")
    assert done.error


def test_signals_that_the_caller_blocks_or_ignores_mean_the_same_to_programs() -> None:
    script = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, 40])
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
import ctypes, struct
from curator.sandbox.jail.syscalls import get_number
ignore = struct.pack("QQQQ", 1, 0, 0, 0)
assert ctypes.CDLL(None).syscall(get_number("rt_sigaction"), 32, ignore, None, 8) == 0
from curator.sandbox import Sandbox
with Sandbox(workers=1) as box:
    for number in (signal.SIGTERM, 40, signal.SIGHUP, 32, signal.SIGINT):
        done = box.run(f"import os\\nos.kill(os.getpid(), {int(number)})\\nprint('survived')")
        print(done.status, done.error.split()[0], done.stdout)
"""
    done = run_script(script)
    assert done.returncode == 0, done.stderr
    endings = [line.split()[0] for line in done.stdout.splitlines() if line]
    assert endings == ["killed", "killed", "killed", "killed", "error"]


@pytest.mark.parametrize("code", [0, 1, 2, 126, 127, 128, 137, 255, 256, 511, -1])
def test_every_exit_code_has_a_status(box: Sandbox, code: int) -> None:
    done = box.run(f"import os\nprint(7, flush=True)\nos._exit({code})")
    expected = ("error", f"exit code {code & 255}") if code & 255 else ("ok", "")
    assert (done.status, done.error) == expected
    assert done.value == "7"
