"""A model server ends with the process that started it, however that dies."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from curator.core.errors import TeacherError, UsageError
from curator.teacher.local_server import serve
from tests.paths import ROOT
from tests.processes import wait_until

SERVER = """\
import http.server, os, pathlib, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *args): pass
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[2])), Handler)
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
server.serve_forever()
"""
PARENT = """\
import sys, time
from curator.teacher.local_server import serve
with serve(sys.argv[1], sys.argv[2]):
    print("ready", flush=True)
    time.sleep(10_000)
"""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def command(tmp_path: Path) -> str:
    (tmp_path / "server.py").write_text(SERVER)
    return f"python {tmp_path / 'server.py'} {{model}} {{port}}"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_server_of_a_killed_process_ends(number: signal.Signals, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(pid_file), command(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    with parent.stdout as out:
        assert out.readline() == b"ready\n"
    pid = int(pid_file.read_text())
    assert is_alive(pid)
    parent.send_signal(number)
    parent.wait()
    wait_until(lambda: not is_alive(pid))


def test_a_server_ends_with_its_context(tmp_path: Path) -> None:
    with serve(str(tmp_path / "pid"), command(tmp_path)):
        pid = int((tmp_path / "pid").read_text())
        assert is_alive(pid)
    assert not is_alive(pid)


def test_a_command_that_would_use_another_port_is_refused() -> None:
    with (
        pytest.raises(UsageError, match=r"lacks \{port\}, in whose place a free port"),
        serve("m", "python -m x {model} --port 8000"),
    ):
        raise AssertionError


def test_a_port_that_is_taken_is_one_line_and_not_the_other_server(tmp_path: Path) -> None:
    with serve(str(tmp_path / "pid"), command(tmp_path)) as address:
        port = address.split(":")[2].partition("/")[0]
        taken = command(tmp_path).replace("{port}", f"{port} {{port}}")
        with pytest.raises(TeacherError, match=r"exited with code 1: .*in use"):
            serve(str(tmp_path / "other"), taken).__enter__()
