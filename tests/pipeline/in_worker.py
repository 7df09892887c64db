"""Functions that tests run in the processes of an executor, which import this module."""

import os
import signal

import pyarrow as pa

from curator.core.errors import SourceError
from curator.pipeline.context import BuildContext, NotBuilt


def stop_if_dry(context: BuildContext) -> None:
    """Say that nothing is cached."""
    if context.dry:
        raise NotBuilt("work")


def get_pid(context: BuildContext, number: int) -> int:
    """Return the process, after it has read a ledger, which notes its damage."""
    stop_if_dry(context)
    context.store.ledger("executions").get_many([b"x" * 16])
    return os.getpid()


def fail(context: BuildContext, number: int) -> None:
    """Note something, then fail; the call with the number 0 works."""
    stop_if_dry(context)
    if number:
        context.listener.note("a file is damaged")
        raise SourceError("too many records do not parse")


def be_killed(context: BuildContext, number: int) -> None:
    """End as if the system had no memory left."""
    stop_if_dry(context)
    os.kill(os.getpid(), signal.SIGKILL)


def fill_disk(context: BuildContext, number: int) -> str:
    """Write an object that a small disk cannot hold."""
    stop_if_dry(context)
    schema = pa.schema([("text", pa.binary())])
    return context.store.objects.write(
        (pa.record_batch([[os.urandom(1 << 20)]], schema=schema) for _ in range(20)), schema
    )
