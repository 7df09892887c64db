"""Runs one program, inside its own fork of a zygote: from its text to an exit code.

In: the text. Out: exit code 0 or 1 and a record in shared memory: a kind and one line, of what went
wrong (code 1) or of how the result was completed (code 0). Everything here can be tampered with by
the program, so it decides nothing that a program could not bring about by honest means: an `ok` by
leaving with 0, an error by raising one, a completed result by printing it.
"""

import atexit
import errno
import mmap
import os
import resource
import sys
import types
from contextlib import suppress

from curator.sandbox import implicit_result

NAME = "<program>"
REPORT_BYTES = 2048
DONE = "done"
"""Kind of a record that tells how the result was completed."""

_TEXT = 500
_DENIED = (errno.EPERM, errno.EACCES, errno.EROFS)


_preambles = [compile(text, "<preamble>", "exec") for text in implicit_result.PREAMBLES]


def run(text: bytes, preamble: int, report: mmap.mmap) -> int:
    """Compiles and runs the text as `__main__`; returns the exit code, never raises."""
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    record = b""
    code = 0
    try:
        if preamble:
            exec(_preambles[preamble], main.__dict__)
        exec(compile(text, NAME, "exec", dont_inherit=True), main.__dict__)
        record = _complete(main.__dict__)
    except BaseException as error:
        record = _record(error)
        code = 1 if record else 0
    with suppress(BaseException):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.__stdout__):
        with suppress(BaseException):
            stream.flush()  # type: ignore[union-attr]
    if record:
        with suppress(BaseException):
            report[: len(record)] = record
    return code


def _complete(names: dict[str, object]) -> bytes:
    """Prints the result of a program that has printed nothing; the record of it."""
    out = sys.__stdout__
    if out is None or out.closed or sys.stdout is not out:
        return b""
    out.flush()
    if os.lseek(1, 0, os.SEEK_CUR):
        return b""
    how, value = implicit_result.result(names)
    if not how:
        return b""
    print(value)
    return f"{DONE}\n{how}".encode()


def _record(error: BaseException) -> bytes:
    """`kind` and message on one line each; empty for an exit with code 0."""
    if isinstance(error, MemoryError):
        # The hard limit is a little higher, for the sake of this message.
        with suppress(BaseException):
            hard = resource.getrlimit(resource.RLIMIT_AS)[1]
            resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    try:
        if isinstance(error, SystemExit) and (error.code is None or error.code == 0):
            return b""
        return f"{_kind(error)}\n{_message(error)}".encode("utf-8", "replace")[:REPORT_BYTES]
    except BaseException:
        if isinstance(error, MemoryError):
            return b"memory\nMemoryError"
        return b"error\nan exception that cannot be shown"


def _kind(error: BaseException) -> str:
    if isinstance(error, MemoryError) or (
        isinstance(error, OSError) and error.errno == errno.ENOMEM
    ):
        return "memory"
    return "refused" if isinstance(error, OSError) and error.errno in _DENIED else "error"


def _message(error: BaseException) -> str:
    said = str(error.msg if isinstance(error, SyntaxError) else error)
    said = " ".join(said[: 4 * _TEXT].split())[:_TEXT]
    line = error.lineno if isinstance(error, SyntaxError) else None
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == NAME:
            line = step.tb_lineno
        step = step.tb_next
    text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return f"{text} (line {line})" if line is not None else text
