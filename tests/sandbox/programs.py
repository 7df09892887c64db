"""What the tests of the sandbox run: the attack table and a program that prints its surroundings.

As a script it runs attacks as another user or without namespaces, and prints the violations as
JSON.
"""

import ctypes
import json
import os
import struct
import sys
from typing import Any

from tests.paths import DATA

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
if 'numpy' in sys.modules:
    import numpy, sympy
    print(numpy.random.random(), numpy.random.default_rng().random(), sympy.sqrt(8))
"""
"""Prints everything that an earlier program of the same zygote could have changed."""


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
    """Run the attacks that end by themselves: `programs.py FOLDER [nobody] [no-namespaces]`."""
    folder, *how = sys.argv[1:]
    if "nobody" in how:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
    if "no-namespaces" in how:
        forbid("unshare")
    from curator.sandbox import Sandbox, probe

    used = {m.name: m.used for m in probe()}
    violations, surroundings = [], set()
    with Sandbox(workers=1, wall_s=10, memory_mb=256) as box:
        for attack in attacks():
            if "timeout" not in attack["status"] and not is_heavy(attack):
                done = box.run(text(attack, folder))
                violations += list_violations(attack, done.status, done.stdout, done.error)
                surroundings.add(box.run(SURROUNDINGS).stdout)
    print(json.dumps({"used": used, "violations": violations, "surroundings": len(surroundings)}))


if __name__ == "__main__":
    main()
