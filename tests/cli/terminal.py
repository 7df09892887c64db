"""Runs a command on a terminal."""

import fcntl
import os
import pty
import struct
import subprocess
import termios

from tests.worlds import RUN, command


def on_a_terminal(*args: object, columns: int = 80, typed: str = "", **env: str) -> str:
    """Run a command on a terminal where `typed` is typed; return its output, with escape codes."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    variables = {**RUN["env"], "TERM": "xterm", **env}
    del variables["COLUMNS"]
    streams = {"stdin": slave} if typed else {}
    done = subprocess.Popen(command(*args), stdout=slave, stderr=slave, env=variables, **streams)
    os.write(master, typed.encode())
    os.close(slave)
    seen = b""
    while True:
        try:
            seen += os.read(master, 1 << 16)
        except OSError:  # Linux raises it when the other end is closed
            break
    os.close(master)
    assert done.wait() == 0, seen
    return seen.decode()
