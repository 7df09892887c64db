"""Run one program, inside its own fork of a zygote: from its text to an exit code.

In: the text. Out: exit code 0 or 1, and a report in shared memory: a kind and one line, which
describes the error (code 1) or how the result was completed (code 0). The program can tamper with
everything here, so nothing is decided here that a program could not bring about honestly: `ok` by
exiting with 0, an error by raising one, a completed result by printing it.
"""

import errno
import mmap
import resource
import sys
from atexit import _run_exitfuncs
from contextlib import suppress
from os import SEEK_CUR, lseek
from types import ModuleType

from curator.sandbox.implicit_result import PREAMBLES, find_result
from curator.sandbox.protocol import REPORT_BYTES

NAME = "<program>"
DONE = "done"
"""The kind of a report that states how the result was completed."""

_TEXT = 500
_DENIED = (errno.EPERM, errno.EACCES, errno.EROFS)


_preambles = [compile(text, "<preamble>", "exec") for text in PREAMBLES]


def run(text: bytes, preamble: int, report: mmap.mmap) -> int:
    """Compile and run the text as `__main__`; return the exit code, never raise."""
    main = ModuleType("__main__")
    sys.modules["__main__"] = main
    record = b""
    code = 0
    try:
        if preamble:
            exec(_preambles[preamble], main.__dict__)
        exec(compile(text, NAME, "exec", dont_inherit=True), main.__dict__)
        record = _print_result(main.__dict__)
    except BaseException as error:  # the program may raise anything
        record = _describe_error(error)
        code = 1 if record else 0
    # Without contextlib.suppress: a fork copies each page of memory in which it uses an object.
    try:  # noqa: SIM105
        _run_exitfuncs()
    except BaseException:
        pass
    for stream in (sys.stdout, sys.__stdout__):
        try:  # noqa: SIM105
            stream.flush()  # type: ignore[union-attr]
        except BaseException:
            pass
    if record:
        with suppress(BaseException):
            report[: len(record)] = record
    return code


def _print_result(names: dict[str, object]) -> bytes:
    """Print the result of a program that has printed nothing; return the record of it."""
    out = sys.__stdout__
    if out is None or out.closed or sys.stdout is not out:
        return b""
    out.flush()
    if lseek(1, 0, SEEK_CUR):
        return b""
    source, value = find_result(names)
    if not source:
        return b""
    print(value)
    return f"{DONE}\n{source}".encode()


def _describe_error(error: BaseException) -> bytes:
    """Return kind and message, on one line each; empty for an exit with code 0."""
    if isinstance(error, MemoryError):
        # The hard limit is a little higher, to leave room for this message.
        with suppress(BaseException):
            hard = resource.getrlimit(resource.RLIMIT_AS)[1]
            resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    try:
        if isinstance(error, SystemExit) and (error.code is None or error.code == 0):
            return b""
        return f"{_classify(error)}\n{_error_line(error)}".encode("utf-8", "replace")[:REPORT_BYTES]
    except BaseException:  # the program may have made the class of its exception
        if isinstance(error, MemoryError):
            return b"memory\nMemoryError"
        return b"error\nan exception that cannot be shown"


def _classify(error: BaseException) -> str:
    if isinstance(error, MemoryError) or (
        isinstance(error, OSError) and error.errno == errno.ENOMEM
    ):
        return "memory"
    return "refused" if isinstance(error, OSError) and error.errno in _DENIED else "error"


def _error_line(error: BaseException) -> str:
    message = str(error.msg if isinstance(error, SyntaxError) else error)
    message = " ".join(message[: 4 * _TEXT].split())[:_TEXT]
    line = error.lineno if isinstance(error, SyntaxError) else None
    frame = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == NAME:
            line = frame.tb_lineno
        frame = frame.tb_next
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return f"{text} (line {line})" if line is not None else text
