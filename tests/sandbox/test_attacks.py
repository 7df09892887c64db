"""Hostile programs: each ends as the table states, and the next one finds nothing changed."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from curator.sandbox import Execution, Sandbox, probe
from tests.paths import ROOT
from tests.sandbox.programs import (
    CANARY,
    NAMESPACE_TRACES,
    SURROUNDINGS,
    attacks,
    is_heavy,
    list_violations,
    text,
)

PYTHONS = (sys.executable, "/usr/bin/python3")


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that other users may read, with a file that no program may read."""
    monkeypatch.setenv("CANARY", CANARY)
    folder = tmp_path
    while folder != Path(folder.anchor) and folder.stat().st_uid == os.getuid():
        folder.chmod(folder.stat().st_mode | 0o555)
        folder = folder.parent
    (tmp_path / "secret.txt").write_text(CANARY)
    yield tmp_path
    assert [p.name for p in tmp_path.iterdir()] == ["secret.txt"]
    assert (tmp_path / "secret.txt").read_text() == CANARY


def look_around(box: Sandbox, check: str) -> Execution:
    """Run a program that needs little time; on a busy machine it may get none, and is repeated."""
    while (done := box.run(check)).status == "timeout":
        pass
    return done


def attack_all(table: list[dict[str, Any]], wall_s: float, folder: str) -> list[str]:
    """Run each attack and then look around in the same zygote; return the violations."""
    violations = []
    clean: dict[str, str] = {}
    with_namespaces = {m.name: m.used for m in probe()}["namespaces"]
    traces = SURROUNDINGS + (NAMESPACE_TRACES if with_namespaces else "")
    with Sandbox(workers=1, wall_s=wall_s, cpu_s=max(1, wall_s), memory_mb=256) as box:
        for attack in table:
            check = ("import numpy" if is_heavy(attack) else "") + traces
            if check not in clean:
                first = look_around(box, check)
                clean[check] = first.stdout
                assert (first.status, first.error) == ("ok", "")
            done = box.run(text(attack, folder))
            violations += list_violations(attack, done.status, done.stdout, done.error)
            after = look_around(box, check)
            found = set(after.stdout.splitlines()) - set(clean[check].splitlines())
            if found or after.error:
                violations.append(f"{attack['name']}: the next found {found or after.error}")
    return violations


def test_every_attack_ends_as_listed_and_the_next_program_finds_nothing_changed(
    secret: Path,
) -> None:
    table = sorted(attacks(), key=is_heavy)
    assert len(table) >= 100
    # Endless attacks get little time; the others enough for a busy machine.
    endless = [a for a in table if "timeout" in a["status"]]
    ending = [a for a in table if "timeout" not in a["status"]]
    with ThreadPoolExecutor(3) as threads:
        jobs = [
            threads.submit(attack_all, endless[::2], 0.5, str(secret)),
            threads.submit(attack_all, endless[1::2], 0.5, str(secret)),
            threads.submit(attack_all, ending, 30, str(secret)),
        ]
        assert [violation for job in jobs for violation in job.result()] == []


def test_memory_contains_no_earlier_program() -> None:
    search = "\n".join(next(a for a in attacks() if a["name"].startswith("finds"))["program"])
    with Sandbox(workers=1) as box:
        assert box.run("x = 'earlier secret'\nprint(x)").value == "earlier secret"
        assert box.run(search).stdout == "0 []\n"


def test_the_name_of_the_host_is_hidden_from_every_function_that_states_it() -> None:
    if not {m.name: m.used for m in probe()}["namespaces"]:
        pytest.skip("the host's name is visible without namespaces")
    names = "import os, platform, socket\n"
    names += "print(os.uname().nodename, platform.node(), socket.gethostname())"
    with Sandbox(workers=1) as box:
        for program in (names, f"import numpy\n{names}"):
            assert box.run(program).value == "sandbox sandbox sandbox"


def python_for(user: int | None) -> str:
    """An interpreter that this user can start."""
    for python in PYTHONS:
        check = "import sys; assert sys.version_info >= (3, 11)"
        try:
            done = subprocess.run([python, "-c", check], user=user, capture_output=True)
        except OSError:
            continue
        if done.returncode == 0:
            return python
    pytest.skip(f"no Python >= 3.11 that user {user} may read among {PYTHONS}")


@pytest.mark.parametrize(
    "how",
    ["nobody", "no-namespaces", "nobody no-namespaces", "no-landlock", "nobody no-landlock"],
)
def test_the_jail_holds_for_an_ordinary_user_and_with_less_of_the_kernel(
    how: str, secret: Path
) -> None:
    if "nobody" in how and os.geteuid() != 0:
        pytest.skip("only root can become another user")
    done = subprocess.run(
        [
            python_for(65534 if "nobody" in how else None),
            "-m",
            "tests.sandbox.programs",
            str(secret),
            *how.split(),
        ],
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["used"]["namespaces"] is ("no-namespaces" not in how)
    assert report["used"]["landlock"] is ("no-landlock" not in how)
    if "nobody" in how:
        assert report["used"]["own user"] is False, "the programs have the user id of the caller"
    assert report["violations"] == []
    assert report["changed"] == []
