"""Supervise one forked program from its zygote: wait for its end, or end it.

In: the process. Out: its wait status and what it used, written into memory of the caller's choice.
"""

import ctypes
import os
import select
import signal

from curator.sandbox.settings import Settings

_INIT_PID = 1
"""Process id of a zygote with its own namespace: all other processes in it are its own."""

# Not those of `os`: their results and errors are objects, which leave traces of one program in the
# memory of the next.
_libc = ctypes.CDLL(None)
_wait4 = _libc.wait4
_wait4.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


class Supervisor:
    """Supervises the programs of one zygote, one at a time."""

    def __init__(self, control: int, settings: Settings) -> None:
        self.control = control
        self.wall_ms = 1000 * settings.wall_s
        self.is_init = os.getpid() == _INIT_PID
        self.poll = select.poll()
        self.poll.register(control, 0)

    def wait(self, child: int, status: int, usage: int) -> bool:
        """Return when the program and all that it started are gone: whether its time was up.

        Writes the wait status and the usage to these addresses. Ends the zygote itself if the
        caller is gone.
        """
        pidfd = os.pidfd_open(child)
        self.poll.register(pidfd, select.POLLIN)
        events = self.poll.poll(self.wall_ms)
        if not events or events[0][0] == self.control:
            os.kill(child, signal.SIGKILL)
            if events:
                os._exit(0)
        if _wait4(child, status, 0, usage) != child:
            raise ChildProcessError("the program cannot be waited for")
        self._reap()
        self.poll.unregister(pidfd)
        os.close(pidfd)
        return not events

    def _reap(self) -> None:
        """End and reap what the program left, provided that no other process can be hit."""
        if self.is_init and _libc.kill(-1, signal.SIGKILL) != 0:
            return
        while _wait4(-1, None, 0 if self.is_init else os.WNOHANG, None) > 0:
            pass
