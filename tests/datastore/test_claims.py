"""Claims: one live process per key, and the interrupted work of dead ones."""

import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from datastore.claims import Claims

HOLD = """
import sys
from pathlib import Path
from datastore.claims import Claims
claims = Claims(Path(sys.argv[1]))
for key in sys.argv[2:]:
    print(claims.acquire(bytes.fromhex(key)), flush=True)
    claims.log_start(bytes.fromhex(key), "since noon")
sys.stdin.read()
import time
time.sleep(6000)
"""


def key(n: int) -> bytes:
    return sha256(str(n).encode()).digest()[:16]


def test_a_key_belongs_to_one_process_until_that_process_releases_it_or_dies(
    tmp_path: Path, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    with Claims(tmp_path / "claims") as claims:
        assert claims.acquire(key(1))
        other = start(HOLD, tmp_path / "claims", key(1).hex(), key(2).hex())
        assert other.stdout
        assert [other.stdout.readline() for _ in range(2)] == ["False\n", "True\n"]
        assert not claims.acquire(key(2))
        assert claims.acquire(key(3))
        claims.release(key(1))
        third = start(HOLD, tmp_path / "claims", key(1).hex())
        assert third.stdout and third.stdout.readline() == "True\n"
        other.kill()
        other.wait()
        assert claims.acquire(key(2))
        assert not claims.acquire(key(1))


def test_thousands_of_keys_are_claimed_and_released(tmp_path: Path) -> None:
    with Claims(tmp_path) as claims:
        assert all(claims.acquire(key(n)) for n in range(5_000))
        for n in range(5_000):
            claims.release(key(n))


def test_interrupted_work_of_a_dead_process_is_returned_until_it_is_cleared(
    tmp_path: Path, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    other = start(HOLD, tmp_path, key(1).hex(), key(2).hex())
    assert other.stdout
    assert [other.stdout.readline() for _ in range(2)] == ["True\n", "True\n"]
    third = start(HOLD, tmp_path, key(3).hex())
    assert third.stdout and third.stdout.readline() == "True\n"
    with Claims(tmp_path) as claims:
        assert claims.read_interrupted() == []  # both processes are alive
    other.kill()
    other.wait()
    entries = [(key(1), "since noon"), (key(2), "since noon")]
    with Claims(tmp_path) as claims:
        assert claims.read_interrupted() == entries
    with Claims(tmp_path) as claims:
        assert claims.read_interrupted() == entries
        claims.clear_interrupted()
        assert claims.read_interrupted() == []


def test_work_of_a_process_that_closed_its_claims_was_not_interrupted(tmp_path: Path) -> None:
    with Claims(tmp_path) as claims:
        claims.log_start(key(1), "x")
        assert list(tmp_path.glob("*.log"))
    assert not list(tmp_path.glob("*.log"))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The log of a process that died: work on two keys."""
    claims = Claims(tmp_path / "alive")
    claims.log_start(key(1), "a b")
    claims.log_start(key(2), "1.25 é")
    [alive] = (tmp_path / "alive").glob("*.log")
    return alive.rename(tmp_path / "0.log")


def test_a_torn_line_is_skipped(log: Path, tmp_path: Path) -> None:
    log.write_bytes(log.read_bytes()[:-1])
    with Claims(tmp_path) as claims:
        assert claims.read_interrupted() == [(key(1), "a b")]
        claims.clear_interrupted()
    assert not list(tmp_path.glob("*.log"))


def test_a_line_with_a_changed_bit_is_skipped(log: Path, tmp_path: Path) -> None:
    entries, data = [(key(1), "a b"), (key(2), "1.25 é")], log.read_bytes()
    for place in range(len(data)):
        for bit in range(8):
            changed = bytes([data[place] ^ 1 << bit])
            log.write_bytes(data[:place] + changed + data[place + 1 :])
            with Claims(tmp_path) as claims:
                found = claims.read_interrupted()
            assert len(found) < 2 and found == [each for each in entries if each in found]


def test_lines_that_a_power_failure_damaged_are_skipped(log: Path, tmp_path: Path) -> None:
    whole = log.read_bytes().split(b"\n")[0] + b"\n"
    damaged = [b"\0" * 50, b"\xff\xfe", b"xyz a", b"", key(2).hex().encode() + b" 12\0\0"]
    log.write_bytes(whole + b"".join(line + b"\n" for line in damaged))
    with Claims(tmp_path) as claims:
        assert claims.read_interrupted() == [(key(1), "a b")]
        claims.clear_interrupted()
    assert not list(tmp_path.glob("*.log"))
