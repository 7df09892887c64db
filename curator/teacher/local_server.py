"""Serves a local model at an OpenAI-compatible endpoint on a free loopback port.

In: the folder or Hub id of a model, and the command of a server. Out: the address, while the
context lasts. `transformers serve` needs the extra `model` and yields a few tokens per second on a
CPU; on GPUs, use `vllm serve {model} --host 127.0.0.1 --port {port}`. Without `--host`, vLLM
accepts connections from other machines.
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

from curator.core.errors import TeacherError, UsageError, to_one_line
from curator.core.pretrained import check_served_model
from curator.core.redaction import redact_secrets

LOAD_TIMEOUT_S = 600.0
"""Maximum seconds for loading a model."""
MAX_OUTPUT = 10_000
"""Bytes at the end of a server's output that are read for its last line."""

COMMAND = "transformers serve {model} --host 127.0.0.1 --port {port}"


_END_WITH_PARENT = str(Path(__file__).with_name("end_with_parent.py"))


@contextmanager
def serve(model: str, command: str = COMMAND) -> Iterator[str]:
    """Start a server with this model and yield its address, including `/v1`.

    `{model}` and `{port}` in `command` are replaced; the command is not run in a shell. The server
    ends with the thread that called this function, even if that is killed. Raises UsageError if
    the command lacks `{port}`, the program does not exist, or transformers would load
    more of the model than data (other servers are not checked), TeacherError with the server's last
    output if it ends, or if its caller raises a TeacherError.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    values = {"{model}": model, "{port}": str(port)}
    try:
        words = split(command)
    except ValueError as error:
        raise UsageError(f"'{command}' is not a valid server command: {error}.") from None
    words = [reduce(lambda word, pair: word.replace(*pair), values.items(), w) for w in words]
    # Prefer programs that are installed beside this Python.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    program = shutil.which(words[0], path=path) if words else None
    if not program:
        raise UsageError(
            f"There is no program '{command.partition(' ')[0]}' to serve a model. Install "
            "transformers with `pip install 'mathcurator[model]'`, or name another server."
        )
    if "{port}" not in command:
        raise UsageError(
            f"The server command '{command}' lacks {{port}}, in whose place a free port is written."
        )
    if words[0] == COMMAND.partition(" ")[0]:
        check_served_model(model)
    with TemporaryFile() as log:
        wrapped = [sys.executable, "-I", _END_WITH_PARENT, str(os.getpid()), program, *words[1:]]
        process = subprocess.Popen(wrapped, stdout=log, stderr=log)
        try:
            _wait_until_ready(f"http://127.0.0.1:{port}/health", process, log)
            try:
                yield f"http://127.0.0.1:{port}/v1"
            except TeacherError as error:
                # Its replies may lack the reason: transformers' are "Internal Server Error".
                output = _last_output(log)
                raise TeacherError(f"{error} (last output of the server: {output})") from None
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def digest_model(model: str) -> str:
    """Return a digest of all files in a model's folder; empty for an id on the Hub.

    It tells a model from another one that was later trained into the same folder, so that their
    cached calls are not mixed up.
    """
    folder = Path(model)
    if not folder.is_dir():
        return ""
    total = sha256()
    try:
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            with path.open("rb") as file:
                digest = file_digest(file, "sha256").digest()
            total.update(f"{path.relative_to(folder)}\n".encode() + digest)
    except OSError as error:
        raise UsageError(f"Cannot read the model's {error.filename}: {error.strerror}.") from None
    return total.hexdigest()[:16]


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    end = time.monotonic() + LOAD_TIMEOUT_S
    while time.monotonic() < end:
        if process.poll() is not None:
            output = _last_output(log)
            raise TeacherError(f"The server exited with code {process.returncode}: {output}")
        try:
            # Any reply without an error status will do: vLLM's has no body.
            with urllib.request.urlopen(url, timeout=5):
                if process.poll() is None:  # else another server has the port
                    return
        except (OSError, HTTPException):
            time.sleep(0.5)
    raise TeacherError(f"The server was not ready after {LOAD_TIMEOUT_S:,.0f} s.")


def _last_output(log: IO[bytes]) -> str:
    """Return the last line that a server wrote, without moving the position where it writes."""
    size = os.fstat(log.fileno()).st_size
    text = os.pread(log.fileno(), MAX_OUTPUT, max(0, size - MAX_OUTPUT)).decode("utf-8", "replace")
    lines = [line for line in text.split("\n") if line.strip()]
    return to_one_line(redact_secrets(lines[-1]), 300) if lines else "no output"
