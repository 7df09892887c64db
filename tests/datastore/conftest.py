"""A disk that can be made read-only, and programs that can be killed."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.paths import ROOT
from tests.worlds import mount


@pytest.fixture
def make_read_only() -> Callable[[Path], None]:
    return lambda folder: mount("-o", "remount,ro", str(folder))


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a Python program with arguments; programs that still run at the end are killed."""
    running: list[subprocess.Popen[str]] = []

    def start_program(program: str, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start_program
    for process in running:
        process.kill()
        process.communicate()
