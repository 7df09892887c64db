"""Processes that tests start, wait for and kill.

No wait has a bound: on a busy machine everything takes longer. The time limit of pytest, in
pyproject.toml, ends a test that hangs and shows where it waited.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import forkserver, get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from unittest.mock import patch

FRESH = get_context("forkserver")
"""Forks each process from one that has imported everything, so that starting it is cheap."""
# One list for all tests: the first one of a test process starts the server of forks. Nothing here
# may import `huggingface_hub`, which reads the environment when it is imported.
FRESH.set_forkserver_preload(
    [
        "curator.cli",
        "curator.cli.render",
        "curator.pipeline.audit.run",
        "curator.pipeline.build",
        "curator.pipeline.preview",
        "curator.release.export",
        "curator.release.folder",
        "curator.versions.disagreements",
        "curator.versions.report.write",
        "openai.resources.batches",
        "openai.resources.files",
        "tests.teacher.batch.batch_sender",
        "tests.teacher.many_calls",
    ]
)
# What is imported may read the environment, and keeps what it read.
PLAIN = {"PATH": os.environ["PATH"]}


def start_fresh(target: Callable[..., object], *args: object) -> ForkServerProcess:
    """Start a process that calls a function."""
    with patch.dict(os.environ, PLAIN, clear=True):
        forkserver.ensure_running()
    process = FRESH.Process(target=target, args=args)
    process.start()
    return process


def run_fresh(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], streams: Sequence[Path]
) -> int:
    """Run the command line in a fresh process; return its exit code.

    Its output goes to the two files of `streams`.
    """
    process = start_fresh(_run_command, arguments, folder, dict(environment), streams)
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def _run_command(
    arguments: Sequence[str], folder: Path, environment: dict[str, str], streams: Sequence[Path]
) -> None:
    from curator.cli import main

    for number, path in enumerate(streams, start=1):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
        os.close(file)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["curator", *arguments]
    main()


def wait_until(
    condition: Callable[[], object], running: Callable[[], object] | None = None
) -> None:
    """Wait until a condition holds; fail if what is to fulfil it is no longer running."""
    while not condition():
        assert running is None or running() or condition(), "the process ended too early"
        time.sleep(0.005)
