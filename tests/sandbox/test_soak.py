"""Many programs, real and hostile, in one sandbox: nothing is left over, no answer is lost."""

import gc
import os
from pathlib import Path

import pytest

from curator.sandbox import Sandbox
from tests.sandbox.programs import attacks
from tests.sandbox.test_sandbox import new_zygote, zygotes

SCAN = """
import ctypes, os
wanted = bytes(reversed(b'terces reilrae'))
libc = ctypes.CDLL(None)
libc.write.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)
read, write = os.pipe()
page, seen, found = 4096, 0, 0
here = {id(o) >> 21 << 21 for o in (object(), [], 'a' * 5000, libc)} | {id(type(libc)) >> 21 << 21}
for start in {base + step for base in here for step in range(-16 << 20, 16 << 20, 2 << 20)}:
    for at in range(start, start + (2 << 20), page):
        if at > 0 and libc.write(write, at, page) == page:
            data = os.read(read, page)
            seen += 1
            found += data.count(wanted)
print(seen > 1000, found)
"""
"""Reads the memory of its process page by page. The text contains the searched words backwards, so
that memory contains them only once the program itself builds them."""


def memory_kb(process: int) -> int:
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().split("\n"):
        if line.startswith("Pss_Anon:"):
            return int(line.split()[1])
    raise AssertionError("the kernel does not report anonymous memory")


def test_nothing_is_left_over_and_every_program_has_its_own_answer() -> None:
    ending = ["\n".join(a["program"]) for a in attacks() if "timeout" not in a["status"]]
    light = [a for a in ending if "numpy" not in a and "sympy" not in a]
    programs = [
        light[number // 8 % len(light)] if number % 8 == 0 else f"print({number})"
        for number in range(8 * len(light) + 200)
    ]
    before = set(zygotes())
    with Sandbox(workers=1, wall_s=6000, cpu_s=30, memory_mb=256) as box:
        first = [done.value for done in box.map(programs[:200])]
        zygote, files = new_zygote(before), len(os.listdir("/proc/self/fd"))
        gc.collect()
        memory_before = memory_kb(zygote)
        answers = first + [done.value for done in box.map(programs[200:])]
        assert new_zygote(before) == zygote
        assert abs(memory_kb(zygote) - memory_before) < 1000
        assert len(os.listdir("/proc/self/fd")) == files
        assert len(set(zygotes()) - before) <= 2
    assert len(answers) == len(programs)
    assert all(answers[n] == str(n) for n in range(len(programs)) if n % 8)
    assert set(zygotes()) == before


def test_a_zygote_is_replaced_after_a_number_of_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curator.sandbox.zygotes._RUNS_PER_ZYGOTE", 3)
    before, seen = set(zygotes()), []
    with Sandbox(workers=1, wall_s=6000, cpu_s=30) as box:
        for number in range(7):
            assert box.run(f"print({number})").value == str(number)
            seen.append(new_zygote(before))
    assert [seen.index(process) for process in seen] == [0, 0, 0, 3, 3, 3, 6]


def test_memory_contains_no_earlier_program_and_no_earlier_answer() -> None:
    with Sandbox(workers=1, wall_s=600, cpu_s=60) as box:
        clean = box.run(SCAN).value
        assert clean.startswith("True ")
        secret = "earlier secret"
        assert box.run(f"x = '{secret}'\nprint(x)").value == secret
        assert secret in box.run(f"raise ValueError('{secret}')").error
        assert box.run(SCAN).value == clean
        own = "copy = bytearray(reversed(b'terces reilrae'))\n"
        assert int(box.run(own + SCAN).value.split()[1]) > int(clean.split()[1])
