"""A model on this machine behind a real endpoint, on a free loopback port.

In: the folder of a model, or its id on the Hub, and the command of a server. Out: an
OpenAI-compatible address, meanwhile. `transformers serve` needs the extra `model` and gives some
tokens a second on a CPU; on GPUs `vllm serve {model} --port {port}` is the server to take.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from hashlib import file_digest, sha256
from http.client import HTTPException
from pathlib import Path
from shlex import split
from tempfile import TemporaryFile
from typing import IO

from curator.core.errors import TeacherError, UsageError

PATIENCE_S = 600.0
"""Seconds that a model may take to load."""


COMMAND = "transformers serve {model} --host 127.0.0.1 --port {port}"


@contextmanager
def serve(model: str, command: str = COMMAND) -> Iterator[str]:
    """The address of a server with this model, up to and with `/v1`; it ends with the context.

    In `command` `{model}` and `{port}` are filled in; no shell runs it. Raises UsageError if there
    is no such program, TeacherError with the server's last words if it ends.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    filled = {"{model}": model, "{port}": str(port)}
    try:
        given = split(command)
    except ValueError as error:
        raise UsageError(f"The server's command cannot be read: {error}, saw '{command}'") from None
    words = [reduce(lambda w, pair: w.replace(*pair), filled.items(), w) for w in given]
    # First those that were installed beside this Python.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    program = shutil.which(words[0], path=path) if words else None
    if not program:
        raise UsageError(
            f"No program '{command.partition(' ')[0]}' to serve a model with: "
            "pip install 'mathcurator[model]' for transformers, or name another server"
        )
    with TemporaryFile() as log:
        process = subprocess.Popen([program, *words[1:]], stdout=log, stderr=log)
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


def contents(model: str) -> str:
    """A digest of all files of a model's folder; empty if it is an id of the Hub.

    A model that was trained anew into the same folder is another one, whose answers are not known.
    """
    folder = Path(model)
    if not folder.is_dir():
        return ""
    whole = sha256()
    try:
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            with path.open("rb") as file:
                digest = file_digest(file, "sha256").digest()
            whole.update(f"{path.relative_to(folder)}\n".encode() + digest)
    except OSError as error:
        raise UsageError(f"Cannot read the model's {error.filename}: {error.strerror}") from None
    return whole.hexdigest()[:16]


def _wait(url: str, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if process.poll() is not None:
            log.seek(0)
            lines = [line for line in log.read().decode("utf-8", "replace").split("\n") if line]
            said = " ".join(lines[-1].split())[:300] if lines else "nothing"
            raise TeacherError(f"The server ended with {process.returncode} and said: {said}")
        try:
            # Any answer but an error will do: vLLM's has no body.
            with urllib.request.urlopen(url, timeout=5):
                return
        except (OSError, HTTPException):
            time.sleep(0.5)
    raise TeacherError(f"The server did not answer within {PATIENCE_S:,.0f} s")
