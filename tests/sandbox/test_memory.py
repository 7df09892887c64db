"""The memory of a zygote is arranged without a change to what it holds."""

import subprocess
import sys

from tests.paths import ROOT


def run(script: str) -> str:
    """The output of a script in an interpreter of its own, whose memory it arranges."""
    done = subprocess.run(
        [sys.executable, "-c", f"from curator.sandbox import memory\n{script}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_joining_pages_keeps_their_content() -> None:
    script = """
import hashlib, os
kept = [number.to_bytes(8, "big") * 50 for number in range(40_000)]
before = hashlib.sha256(b"".join(kept)).hexdigest()
memory.join_pages(os.open("/proc/self/maps", os.O_RDONLY))
print(before == hashlib.sha256(b"".join(kept)).hexdigest())
"""
    assert run(script) == "True"


def test_new_objects_of_each_size_lie_on_the_first_page_of_a_pool() -> None:
    script = """
import sys
memory.start_pools()
header = sys.getsizeof(b"")
print([size for size in range(64, 513, 16) if id(bytes(size - header)) % (1 << 14) >= 4096])
"""
    assert run(script) == "[]"
