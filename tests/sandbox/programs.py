"""What the tests of the sandbox run: the attack table and a program that prints its surroundings.

As a script it runs attacks as another user or without namespaces, and prints the violations as
JSON.
"""

import ctypes
import json
import os
import struct
import subprocess
import sys
from typing import Any

from tests.paths import DATA, ROOT

CANARY = "the-canary-is-out"

SURROUNDINGS = """
import builtins, gc, math, os, random, re, resource, signal, sys, time
from fractions import Fraction
descriptors = []
for number in range(300):
    try:
        descriptors.append((number, os.fstat(number).st_mode))
    except OSError:
        pass
print(sorted(os.environ.items()), sys.path, sys.argv, len(sys.modules), len(dir(builtins)))
print(os.getcwd(), random.random(), random.randint(0, 10 ** 9), math.sqrt(2), Fraction(1, 3))
print(descriptors, gc.isenabled(), sys.getrecursionlimit(), time.tzname, os.umask(0))
print([resource.getrlimit(n) for n in range(16)], signal.pthread_sigmask(signal.SIG_BLOCK, []))
print([str(signal.getsignal(n)) for n in range(1, 32) if n not in (9, 19)], hash('a'))
try:
    print(os.listdir('.'))
except PermissionError:
    print('not listed')
numpy, sympy = sys.modules.get('num' 'py'), sys.modules.get('sym' 'py')
if numpy and sympy:
    print(numpy.random.random(), numpy.random.default_rng().random(), sympy.sqrt(8))
import ctypes, fcntl, mmap, struct
libc = ctypes.CDLL(None, use_errno=True)
libc.sbrk.restype = ctypes.c_void_p
print('flags', [fcntl.fcntl(n, command) for n in (0, 1, 2) for command in (1, 3)])
print('offsets', [os.lseek(n, 0, 1) for n in (0, 1, 2)][0::2], sys.__stdout__.isatty())
print('ids', os.getpgrp() > 0, os.getuid(), os.geteuid(), os.getgid(), os.getgroups())
print('schedule', os.getpriority(0, 0), len(os.sched_getaffinity(0)), os.sched_getscheduler(0))
print('timers', [signal.getitimer(n) for n in range(3)], signal.alarm(0), signal.sigpending())
print('children', resource.getrusage(resource.RUSAGE_CHILDREN)[:3])
print('memory', libc.sbrk(0))
frame, frames = sys._getframe(), []
while frame:
    frames.append(frame.f_code.co_name)
    for value in list(frame.f_locals.values()):
        if isinstance(value, (mmap.mmap, bytearray)):
            kept = b'import builtins' not in value[:200] and value[:].count(0) < len(value)
            if isinstance(value, mmap.mmap):
                start = ctypes.addressof(ctypes.c_char.from_buffer(value))
                behind = ctypes.string_at(start + len(value), -len(value) % mmap.PAGESIZE)
                frames.append(behind.count(0) == len(behind))
            frames.append((type(value).__name__, len(value), kept))
        elif isinstance(value, (int, float, bytes)):
            frames.append(value if frame.f_code.co_name == '_serve' else 0)
    frame = frame.f_back
print('frames', frames, gc.get_count()[1:], len(gc.get_objects()), gc.get_freeze_count())
def refused(what, *arguments):
    result = libc.syscall(what, *arguments)
    return (what, result, ctypes.get_errno())
import platform
numbers = {'x86_64': (29, 64, 68, 240, 250, 73, 99, 137, 27, 103, 332, 425, 254, 298),
           'aarch64': (194, 190, 186, 180, 219, 32, 179, 43, 232, 116, 291, 425, 26, 241)}
print('calls', [refused(n, 0, 0, 0, 0, 0) for n in numbers[platform.machine()]])
lock = struct.pack('hhqqi', 0, 0, 0, 0, 0)
for what in (5, 6):
    try:
        fcntl.fcntl(0, what, lock)
        print('locks')
    except OSError as error:
        print('no locks', error.errno)
for clock in (~1 << 3 | 2, ~os.getppid() << 3 | 2):
    try:
        time.clock_gettime(clock)
        print('a clock of another process')
    except OSError as error:
        print('no clock', error.errno)
for path in ('/proc/self/mountinfo', '/proc/self/cgroup', '/proc/loadavg', '/dev/shm', '/dev/kmsg',
             '/sys/kernel', '/proc/sys/kernel/pid_max'):
    try:
        os.close(os.open(path, os.O_RDONLY))
        print('opens', path)
    except OSError:
        pass
"""
"""Prints everything that an earlier program of the same zygote could have changed. It spells the
names of large packages in two parts, so that it runs in the light zygote."""

NAMESPACE_TRACES = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print('pids', os.getpid(), os.getppid(), os.getpgrp(), os.getsid(0), os.uname()[:2])
domain = ctypes.create_string_buffer(400)
libc.uname(domain)
print('domain', domain.raw[325:390].rstrip(bytes(1)))
def state(path):
    s = os.stat(path)
    device = s.st_dev if path not in ('.', '/tmp') else 'any number that is free on the machine'
    return (path, device, s.st_ino, s.st_mode, s.st_nlink, s.st_uid, s.st_size, s.st_atime_ns)
print([state(path) for path in ('.', '..', '/', '/tmp', '/dev/null', '/dev/stdout')])
print([os.fstat(n)[:6] for n in range(3)], os.stat('.').st_mtime_ns, os.stat('..').st_mtime_ns > 0)
print('changed lately', abs(os.stat('.').st_ctime - time.time()) < 100)
open('a', 'w').close()
os.mkdir('b')
os.symlink('a', 'c')
print('new', [os.lstat(name).st_ino for name in 'abc'], os.stat('.').st_nlink)
"""
"""Prints the same with namespaces; without them the kernel shows some of it."""


def run_script(script: str, *words: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script in an interpreter of its own, which can import the code and the tests."""
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, words)],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
        cwd="/",
        capture_output=True,
        text=True,
    )


def attacks() -> list[dict[str, Any]]:
    """Name, program, allowed statuses, and the required output if it is fixed."""
    table = DATA / "attacks.json"
    found: list[dict[str, Any]] = json.loads(table.read_text())
    return found


def is_heavy(attack: dict[str, Any]) -> bool:
    """Whether it runs in the zygote that has preloaded numpy and sympy."""
    return any(
        "import" in line and ("numpy" in line or "sympy" in line) for line in attack["program"]
    )


def text(attack: dict[str, Any], folder: str) -> str:
    """The program of the attack, aimed at a folder that contains a file `secret.txt`."""
    program = "\n".join(attack["program"])
    return program.replace("{secret}", f"{folder}/secret.txt").replace("{folder}", folder)


def list_violations(attack: dict[str, Any], status: str, stdout: str, error: str) -> list[str]:
    """Return what differs from the table."""
    violations = []
    if status not in attack["status"]:
        violations.append(f"{attack['name']}: {status} ({error}), not {attack['status']}")
    if "prints" in attack and stdout != attack["prints"]:
        violations.append(f"{attack['name']}: printed {stdout[:200]!r}")
    if CANARY in stdout + error:
        violations.append(f"{attack['name']}: the canary is out")
    return violations


CALLS = {
    "unshare": {"x86_64": 272, "aarch64": 97},
    "landlock_create_ruleset": {"x86_64": 444, "aarch64": 444},
}


def forbid(*calls: str) -> None:
    """Refuse these calls to this process and its children, as some containers do."""
    code = struct.pack("<HBBI", 0x20, 0, 0, 0)
    for call in calls:
        code += struct.pack("<HBBI", 0x15, 0, 1, CALLS[call][os.uname().machine])
        code += struct.pack("<HBBI", 0x06, 0, 0, 0x00050001)
    code += struct.pack("<HBBI", 0x06, 0, 0, 0x7FFF0000)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("@HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, ctypes.create_string_buffer(program), 0, 0) == 0
    assert all(libc.syscall(CALLS[call][os.uname().machine], 0, 0, 0) == -1 for call in calls)


def main() -> None:
    """Run the attacks that end by themselves: `programs.py FOLDER [nobody] [no-CALLS]`."""
    folder, *how = sys.argv[1:]
    if "nobody" in how:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
    if "no-namespaces" in how:
        forbid("unshare")
    if "no-landlock" in how:
        forbid("landlock_create_ruleset")
    from curator.sandbox import Sandbox, probe

    used = {m.name: m.used for m in probe()}
    violations, surroundings = [], set()
    with Sandbox(workers=1, wall_s=10, memory_mb=256) as box:
        for attack in attacks():
            if "timeout" not in attack["status"] and not is_heavy(attack):
                done = box.run(text(attack, folder))
                violations += list_violations(attack, done.status, done.stdout, done.error)
                traces = SURROUNDINGS + (NAMESPACE_TRACES if used["namespaces"] else "")
                surroundings.add(box.run(traces).stdout)
    lines = [set(each.splitlines()) for each in surroundings]
    changed = sorted(set.union(*lines) - set.intersection(*lines))
    print(json.dumps({"used": used, "violations": violations, "changed": changed}))


if __name__ == "__main__":
    main()
