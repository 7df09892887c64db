"""What running processes do is seen by others, and what a killed one left is removed."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from datastore.running import FOLDER, RunningLine, running_lines

HOLD = """
import sys
from pathlib import Path
from datastore.running import RunningLine
with RunningLine(Path(sys.argv[1])) as line:
    line.write("first")
    line.write("other: second")
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_lines_of_live_processes_are_listed(
    tmp_path: Path, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    assert running_lines(tmp_path) == []
    other = start(HOLD, tmp_path)
    assert other.stdout and other.stdout.readline() == "ready\n"
    with RunningLine(tmp_path) as line:
        line.write("mine: 1 of 2")
        assert running_lines(tmp_path) == ["mine: 1 of 2", "other: second"]
        line.write("mine: 2 of 2")
        assert running_lines(tmp_path)[0] == "mine: 2 of 2"
    assert running_lines(tmp_path) == ["other: second"]
    other.kill()
    other.wait()
    assert running_lines(tmp_path) == []
    assert len(list((tmp_path / FOLDER).iterdir())) == 1
    with RunningLine(tmp_path):
        assert len(list((tmp_path / FOLDER).iterdir())) == 1, "only that of this process"
    assert list((tmp_path / FOLDER).iterdir()) == []
