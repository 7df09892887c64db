"""Runs a program that ends when the process that started it ends, however that dies.

Run as `python -I end_with_parent.py PARENT PROGRAM WORDS…`: this process becomes PROGRAM, and the
kernel sends it SIGTERM once the thread of the process PARENT that started it is gone. Not covered:
a program that ignores SIGTERM, and processes that it leaves behind.
"""

import ctypes
import os
import signal
import sys

_SET_PDEATHSIG = 1


def main(parent: int, words: list[str]) -> None:
    """Become the program `words`."""
    ctypes.CDLL(None).prctl(_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before the kernel knew
        sys.exit("the process that started the server is dead")
    try:
        os.execv(words[0], words)
    except OSError as error:
        sys.exit(f"cannot run {words[0]}: {error.strerror}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
