"""The command `curator`: parse, call, print; nothing is decided here.

Commands import what they need when they run, so that `curator --help` answers at once.
"""

import os
import shlex
import sys
import traceback
from io import TextIOWrapper
from typing import NoReturn

from typer.exceptions import Abort, TyperException

from curator.cli import interrupt
from curator.cli.app import app, debugging
from curator.cli.commands import COMMANDS
from curator.cli.tables import printable
from curator.core.errors import CuratorError
from datastore.errors import BadTarget, NotFound, StoreError

_PLACES = {command.__name__: place for place, command in enumerate(COMMANDS)}
app.registered_commands.sort(key=lambda each: _PLACES[getattr(each.callback, "__module__", "")])


def main() -> None:
    """Run the command line: exit code 0 for done, 2 for the user's mistakes, 1 for failures."""
    interrupt.listen()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # signs that an old terminal lacks become '?'
            stream.reconfigure(errors="replace")
    # --debug is an option of `curator` itself, but anybody writes it last.
    words = sorted(sys.argv[1:], key=lambda word: word != "--debug")
    try:
        code = app(words, prog_name="curator", standalone_mode=False)
        interrupt.check()  # typer makes an exit code of it
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except BrokenPipeError:
        _leave(1)
    except (Abort, KeyboardInterrupt):
        _interrupted()
    except Exception as error:  # the last place: whatever it is, a person gets one line of it
        if interrupt.pressed():  # what was cut short complains
            _interrupted()
        if debugging() and not isinstance(error, TyperException):
            traceback.print_exc()
        _fail(*_told(error))


def _told(error: Exception) -> tuple[str, int]:
    """One line that a person can act on (a fault in a recipe has one each), and the exit code."""
    match error:
        case TyperException():
            context = getattr(error, "ctx", None)
            where = context.command_path if context else "curator"
            text = error.format_message().rstrip(".")
            return f"{text}. See '{where} --help'." if text else "", error.exit_code
        case CuratorError():
            return str(error), error.exit_code
        case NotFound() | BadTarget():
            return str(error), 2
        case StoreError():
            return str(error), 1
        case OSError() if error.strerror:
            file = f" {error.filename}" if error.filename else ""
            return f"Cannot read or write{file}: {error.strerror}", 1
    text = " ".join(str(error).split())[:300]
    return f"Unexpected {type(error).__name__}: {text}. Run with --debug for the trace.", 1


def _interrupted() -> NoReturn:
    line = "\n" if sys.stderr.isatty() else ""  # below the ^C that the terminal wrote
    again = shlex.join(["curator", *sys.argv[1:]])
    print(f"{line}Interrupted; what was finished is kept. Go on with: {again}", file=sys.stderr)
    # Everything is closed by now; Python itself would end by a signal if it had been importing.
    os._exit(1)


def _fail(message: str, code: int) -> NoReturn:
    if message:
        # Outside text may stand in it: an argument, a file's name, what a server said.
        print("\n".join(map(printable, message.split("\n"))), file=sys.stderr)
    _leave(code)


def _leave(code: int) -> NoReturn:
    """End; what a closed pipe or a full disk does not take is not tried again."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


__all__ = ["app", "main"]
