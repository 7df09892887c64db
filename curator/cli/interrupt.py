"""Ctrl-C that cannot get lost: a package being imported may swallow the KeyboardInterrupt.

The second Ctrl-C ends the process at once. Like a kill, it leaves a build that can be resumed.
"""

import signal
from types import FrameType

_pressed = False


def install_handler() -> None:
    """Install the handler of Ctrl-C."""
    signal.signal(signal.SIGINT, _handle_signal)


def _handle_signal(_number: int, _frame: FrameType | None) -> None:
    global _pressed
    _pressed = True
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    raise KeyboardInterrupt


def was_pressed() -> bool:
    """Return whether Ctrl-C was pressed."""
    return _pressed


def raise_if_pressed() -> None:
    """Raise KeyboardInterrupt if Ctrl-C was pressed and swallowed."""
    if _pressed:
        raise KeyboardInterrupt
