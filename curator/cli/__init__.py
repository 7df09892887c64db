"""The command `curator`: parses arguments, calls the library, prints the result.

Commands import the library when they run, so that `curator --help` is fast.
"""

import atexit
import os
import shlex
import sys
import traceback
from typing import NoReturn

from typer.exceptions import Abort, TyperException

from curator.cli import interrupt
from curator.cli.app import app, shows_tracebacks
from curator.cli.commands import register_commands
from curator.cli.terminal import print_line, protect_streams
from curator.core.errors import CuratorError
from curator.core.redaction import redact_secrets
from datastore.errors import BadTarget, NotFound, StoreError

register_commands()


def main() -> None:
    """Run the command line; exit with 0 for success, 2 for a user's mistake, 1 for a failure."""
    interrupt.install_handler()
    protect_streams()
    # --debug is an option of `curator` itself; accept it after the command, too.
    words = sorted(sys.argv[1:], key=lambda word: word != "--debug")
    try:
        code = app(words, prog_name="curator", standalone_mode=False)
        interrupt.raise_if_pressed()  # typer turns Ctrl-C into an exit code
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except BrokenPipeError:
        _exit(1)
    except (Abort, KeyboardInterrupt):
        _exit_interrupted()
    except Exception as error:  # whatever it is, the user gets one line
        if interrupt.was_pressed():  # Ctrl-C can surface as another error
            _exit_interrupted()
        if shows_tracebacks() and not isinstance(error, TyperException):
            traceback.print_exc()
        _fail(*_describe(error))


def _describe(error: Exception) -> tuple[str, int]:
    """Return the message and the exit code; the message has one line per error."""
    match error:
        case TyperException():
            context = getattr(error, "ctx", None)
            command = context.command_path if context else "curator"
            # The prefix is pydantic's, by which typer checks values.
            text = error.format_message().rstrip(".").replace("Value error, ", "")
            return f"{text}. See '{command} --help'." if text else "", error.exit_code
        case CuratorError():
            return str(error), error.exit_code
        case NotFound() | BadTarget():
            return str(error), 2
        case StoreError():
            return str(error), 1
        case OSError() if error.strerror:
            file = f" {error.filename}" if error.filename else ""
            return f"Cannot read or write{file}: {error.strerror}", 1
    text = " ".join(redact_secrets(str(error)).split())[:300]
    return f"Unexpected {type(error).__name__}: {text}. Run with --debug for the traceback.", 1


def _exit_interrupted() -> NoReturn:
    if sys.stderr.isatty():
        print_line(error=True)  # below the ^C that the terminal printed
    command = shlex.join(["curator", *sys.argv[1:]])
    print_line(f"Interrupted. Finished work is cached; resume with: {command}", error=True)
    # Everything is closed. `sys.exit` would end by a signal if an import was interrupted, and
    # `os._exit` alone would leave the semaphores of processes behind.
    atexit._run_exitfuncs()
    os._exit(1)


def _fail(message: str, code: int) -> NoReturn:
    if message:
        for line in message.split("\n"):
            print_line(line, error=True)
    _exit(code)


def _exit(code: int) -> NoReturn:
    """Exit; output that a closed pipe or a full disk refuses is dropped."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


__all__ = ["app", "main"]
