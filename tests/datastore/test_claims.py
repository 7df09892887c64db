"""Claims: one living process a key, and what dead ones had begun."""

import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from datastore.claims import Claims

HOLD = """
import sys
from pathlib import Path
from datastore.claims import Claims
claims = Claims(Path(sys.argv[1]))
for key in sys.argv[2:]:
    print(claims.take(bytes.fromhex(key)), flush=True)
    claims.begin(bytes.fromhex(key), "since noon")
sys.stdin.read()
import time
time.sleep(60)
"""


def key(n: int) -> bytes:
    return sha256(str(n).encode()).digest()[:16]


def test_a_key_belongs_to_one_process_until_that_frees_it_or_dies(
    tmp_path: Path, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    with Claims(tmp_path / "claims") as claims:
        assert claims.take(key(1))
        other = start(HOLD, tmp_path / "claims", key(1).hex(), key(2).hex())
        assert other.stdout
        assert [other.stdout.readline() for _ in range(2)] == ["False\n", "True\n"]
        assert not claims.take(key(2))
        assert claims.take(key(3))
        claims.free(key(1))
        third = start(HOLD, tmp_path / "claims", key(1).hex())
        assert third.stdout and third.stdout.readline() == "True\n"
        other.kill()
        other.wait()
        assert claims.take(key(2))
        assert not claims.take(key(1))


def test_thousands_of_keys_are_claimed_and_freed(tmp_path: Path) -> None:
    with Claims(tmp_path) as claims:
        assert all(claims.take(key(n)) for n in range(5_000))
        for n in range(5_000):
            claims.free(key(n))


def test_work_that_a_dead_process_had_begun_is_told_until_it_is_forgotten(
    tmp_path: Path, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    other = start(HOLD, tmp_path, key(1).hex(), key(2).hex())
    assert other.stdout
    assert [other.stdout.readline() for _ in range(2)] == ["True\n", "True\n"]
    third = start(HOLD, tmp_path, key(3).hex())
    assert third.stdout and third.stdout.readline() == "True\n"
    with Claims(tmp_path) as claims:
        assert claims.cut_off() == []  # both live
    other.kill()
    other.wait()
    begun = [(key(1), "since noon"), (key(2), "since noon")]
    with Claims(tmp_path) as claims:
        assert claims.cut_off() == begun
    with Claims(tmp_path) as claims:
        assert claims.cut_off() == begun
        claims.forget()
        assert claims.cut_off() == []


def test_work_of_a_process_that_closed_its_claims_was_not_cut_off(tmp_path: Path) -> None:
    with Claims(tmp_path) as claims:
        claims.begin(key(1), "x")
        assert list(tmp_path.glob("*.log"))
    assert not list(tmp_path.glob("*.log"))


def test_a_line_that_was_torn_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "0.log").write_text(f"{key(1).hex()} a b\n{key(2).hex()} a")
    with Claims(tmp_path) as claims:
        assert claims.cut_off() == [(key(1), "a b")]


def test_lines_that_a_loss_of_power_spoiled_are_left_out(tmp_path: Path) -> None:
    whole = f"{key(1).hex()} a b\n".encode()
    spoiled = [b"\0" * 50, b"\xff\xfe", b"xyz a", b"", key(2).hex().encode() + b" 12\0\0"]
    (tmp_path / "0.log").write_bytes(whole + b"".join(line + b"\n" for line in spoiled))
    with Claims(tmp_path) as claims:
        assert claims.cut_off() == [(key(1), "a b")]
        claims.forget()
    assert not list(tmp_path.glob("*.log"))
