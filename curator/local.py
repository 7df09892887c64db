"""A model on this machine behind a real endpoint: `transformers serve` on a free loopback port.

In: the folder of a model, or its id on the Hub. Out: an OpenAI-compatible address, meanwhile. Needs
transformers and what it serves with (extra `model`); a few tokens a second on a CPU.
"""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from curator.errors import TeacherError, UsageError

PATIENCE_S = 600.0
"""Seconds that a model may take to load."""


@contextmanager
def serve(model: str, device: str = "auto") -> Iterator[str]:
    """The address of a server with this model, up to and with `/v1`; it ends with the context.

    Raises UsageError without transformers, TeacherError with the server's last words if it ends.
    """
    program = Path(sys.executable).with_name("transformers")
    if not program.exists():
        raise UsageError(
            "A local model needs `transformers serve`: pip install 'mathcurator[model]'"
        )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(program), "serve", model, "--host", "127.0.0.1", "--port", str(port)]
    if device != "auto":
        command += ["--device", device]
    with TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait(f"http://127.0.0.1:{port}/health", process, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if process.poll() is not None:
            log.seek(0)
            lines = [line for line in log.read().decode("utf-8", "replace").split("\n") if line]
            said = " ".join(lines[-1].split())[:300] if lines else "nothing"
            raise TeacherError(f"`transformers serve` ended with {process.returncode}: {said}")
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                json.load(answer)
                return
        except (OSError, ValueError):
            time.sleep(0.5)
    raise TeacherError(f"`transformers serve` did not answer within {PATIENCE_S:,.0f} s")
