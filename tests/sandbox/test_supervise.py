"""A zygote waits for its program, and ends what the program left."""

import subprocess
import sys

import pytest

from tests.paths import ROOT

SCRIPT = """
import ctypes, os, select, signal, socket, sys, time
from curator.sandbox.settings import Settings
from curator.sandbox.supervise import Supervisor

_libc = ctypes.CDLL(None)
left = int(sys.argv[1])
NEW_USER, NEW_PID = 0x10000000, 0x20000000
if _libc.unshare(NEW_USER | NEW_PID) != 0:
    print("no namespaces")
    sys.exit()
if inside := os.fork():
    sys.exit(os.waitpid(inside, 0)[1])
# The first process of the namespace, as a zygote is.
control, caller = socket.socketpair()
settings = Settings(
    visible=[], hidden=[], links=[], packages={}, package_paths=[], namespaces=True, without="",
    require_minimum=True, heavy=False, wall_s=60, cpu_s=60, memory_mb=512, output_kb=64,
)
status, usage = ctypes.c_int(), ctypes.create_string_buffer(144)
alive, ends = os.pipe()
program = os.fork()
if program == 0:
    os.close(alive)
    for _ in range(left):
        # Each ends the one between, so that the last one is an orphan.
        if os.fork() == 0:
            if os.fork() == 0:
                signal.pause()
            os._exit(0)
    os._exit(7)
os.close(ends)
supervisor = Supervisor(
    control.fileno(), settings, ctypes.addressof(status), ctypes.addressof(usage)
)
timed_out = supervisor.wait(program)
# Only a process that is left holds the other end of the pipe.
gone = bool(select.select([alive], [], [], 0)[0])
print(timed_out, os.waitstatus_to_exitcode(status.value), gone)
"""


@pytest.mark.parametrize("left", [0, 1, 3])
def test_what_a_program_leaves_is_gone_when_the_wait_for_it_ends(left: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(left)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.stdout == "no namespaces\n":
        pytest.skip("this system has no namespaces for ordinary users")
    assert (done.stdout, done.stderr) == ("False 7 True\n", "")
